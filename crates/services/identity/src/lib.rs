//! Customers, staff, sessions and tokens: who somebody is, and the proof of it that every other service verifies.
//!
//! Wiring only. The operations are in `app`, the rules in `domain`. The signing key is here and in no other service.

mod aliases;
mod app;
mod domain;
mod events;
mod peers;
mod routes;
mod rpc;
mod store;

use std::sync::Arc;

use shop_config::Config;
use shop_events::answer_revocations;
use shop_service::{Service, SystemClock};
use shop_types::Clock;

use crate::app::App;

/// Builds the service.
///
/// # Errors
/// When a setting is missing or wrong, above all without a signing key; see also [`Service::start`].
pub async fn service(config: &Config) -> anyhow::Result<Service> {
    service_with_clock(config, Arc::new(SystemClock)).await
}

/// The same with another clock, for tests.
///
/// # Errors
/// As [`service`].
pub async fn service_with_clock(config: &Config, clock: Arc<dyn Clock>) -> anyhow::Result<Service> {
    let service = Service::start_with_clock("identity", config, clock).await?;
    let app = Arc::new(App::connect(&service).await?);
    let (preparing, asked) = (Arc::clone(&app), Arc::clone(&app));
    let revocations = move || {
        let app = Arc::clone(&asked);
        async move { app.revocations().await }
    };
    let exports = Arc::clone(&app).make_exports(service.stop());
    let rests = Arc::clone(&app).end_rests(service.stop());
    let answers = answer_revocations(service.redis()?.clone(), revocations, service.stop());
    Ok(service
        .prepare("collections and first admin", move || {
            let app = Arc::clone(&preparing);
            Box::pin(async move { app.prepare().await })
        })
        .routes(&app, routes::ACCESS, routes::configure)
        .aliases(&app, aliases::ACCESS, aliases::configure)
        .grpc(rpc::server(&app))
        .errors(routes::CODES)
        .consume(events::TOPICS, events::handler(&app))
        .background("exports", Box::pin(exports))
        .background("sessions that changes have ended", Box::pin(rests))
        .background("answers about revoked sessions", Box::pin(answers)))
}
