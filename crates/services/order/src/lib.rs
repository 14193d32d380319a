//! Orders and the saga that places them: written down first, then stock, then money, then the verdict.
//!
//! `service` wires it up; the operations are in `app`, the rules in `domain`. The order document is the only judge: every
//! other service follows what is decided here.

mod aliases;
mod app;
pub mod domain;
mod events;
mod peers;
mod routes;
mod rpc;
mod store;

use std::sync::Arc;

use shop_config::Config;
use shop_service::{Service, SystemClock};
use shop_types::Clock;
use tonic::service::Routes;

use crate::app::App;

/// Builds the service.
///
/// # Errors
/// When a setting is missing or wrong; see [`Service::start`].
pub async fn service(config: &Config) -> anyhow::Result<Service> {
    service_with_clock(config, Arc::new(SystemClock)).await
}

/// The same with another clock, for tests.
///
/// # Errors
/// As [`service`].
pub async fn service_with_clock(config: &Config, clock: Arc<dyn Clock>) -> anyhow::Result<Service> {
    let service = Service::start_with_clock("order", config, clock).await?;
    let app = Arc::new(App::connect(&service)?);
    let preparing = Arc::clone(&app);
    let recovery = Arc::clone(&app).recover(service.stop());
    let forgetting = Arc::clone(&app).forget_departed(service.stop());
    let count = Arc::clone(&app).count_stuck(service.stop());
    Ok(service
        .prepare("indexes", move || {
            let app = Arc::clone(&preparing);
            Box::pin(async move { Ok(app.prepare().await?) })
        })
        .routes(&app, routes::ACCESS, routes::configure)
        .aliases(&app, aliases::ACCESS, aliases::configure)
        .errors(routes::CODES)
        .grpc(Routes::new(rpc::server(&app)))
        .consume(events::TOPICS, events::handler(&app))
        .background("recovery of orders", Box::pin(recovery))
        .background("forgetting of people", Box::pin(forgetting))
        .background("count of stuck orders", Box::pin(count)))
}
