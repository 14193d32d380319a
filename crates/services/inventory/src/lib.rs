//! Stock and reservations: what can be sold, who holds it, and what became of it.
//!
//! Wiring only. See README.md for the routes, calls, events and collections of this service.

pub mod app;
pub mod domain;
mod events;
pub mod routes;
mod rpc;
pub mod store;

use std::sync::Arc;

use anyhow::Context as _;
use shop_config::Config;
use shop_service::Service;
use tonic::service::Routes;

use crate::app::App;

/// Builds the service.
///
/// # Errors
/// When its clients cannot be made: a bad connection string, or no key set.
pub async fn service(config: &Config) -> anyhow::Result<Service> {
    let service = Service::start("inventory", config).await?;
    let app = Arc::new(App::new(service.mongo()?, service.clock(), service.stop()));
    let prepared = Arc::clone(&app);
    let prepare = move || {
        let app = Arc::clone(&prepared);
        Box::pin(async move { app.prepare().await.context("failed to make the collections of inventory") }) as _
    };
    Ok(service
        .routes(&app, routes::ACCESS, routes::configure)
        .errors(routes::CODES)
        .grpc(Routes::new(rpc::server(&app)))
        .prepare("collections", prepare)
        .consume(events::TOPICS, events::handler(&app)))
}
