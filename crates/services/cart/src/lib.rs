//! Carts of guests and customers: lines, prices as last shown, totals.
//!
//! Wiring only. See README.md for the routes, calls, events and collections of this service.

mod aliases;
pub mod app;
pub mod domain;
mod events;
pub mod peers;
pub mod routes;
mod rpc;
pub mod store;

use std::sync::Arc;

use anyhow::Context as _;
use shop_config::Config;
use shop_service::Service;

use crate::app::App;
use crate::peers::Peers;

/// Builds the service.
///
/// # Errors
/// When its clients cannot be made: a bad connection string, or no key set; or the shop's currency is not one.
pub async fn service(config: &Config) -> anyhow::Result<Service> {
    let service = Service::start("cart", config).await?;
    let currency = config.currency.parse().context("the shop's currency is not an ISO 4217 code")?;
    let copies = app::copies(service.redis()?).context("failed to make the copies of carts")?;
    let peers = Peers::new(service.mesh());
    let app = Arc::new(App::new(service.mongo()?, copies, peers, service.clock(), currency, service.stop()));
    let rpc = rpc::servers(&app, service.verifier(), service.clock());
    let prepared = Arc::clone(&app);
    let prepare = move || {
        let app = Arc::clone(&prepared);
        Box::pin(async move { app.prepare().await.context("failed to make the collections of cart") }) as _
    };
    Ok(service
        .routes(&app, routes::ACCESS, routes::configure)
        .aliases(&app, aliases::ACCESS, aliases::configure)
        .errors(routes::CODES)
        .grpc(rpc)
        .prepare("collections", prepare)
        .consume(events::TOPICS, events::handler(&app)))
}
