//! The front of the shop: landing page, aggregate health, index of calls, error codes, merged API document.
//!
//! Keeps no state; asks every pod over gRPC.

mod app;
mod domain;
mod peers;
mod routes;

use std::sync::Arc;

use shop_config::Config;
use shop_service::Service;

use crate::app::App;

/// Builds the service.
///
/// # Errors
/// When a setting is missing or wrong; see [`Service::start`].
pub async fn service(config: &Config) -> anyhow::Result<Service> {
    let service = Service::start("edge", config).await?;
    let app = Arc::new(App::connect(&service));
    Ok(service.routes(&app, routes::ACCESS, routes::configure).errors(routes::CODES))
}
