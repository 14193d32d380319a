//! Products, variants and categories: what the shop sells, and what each is called and costs.
//!
//! `service` wires it up; the operations are in `app`, the rules in `domain`. Stock belongs to inventory; here is only a
//! copy for reading.

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
use shop_service::Service;

use crate::app::App;

/// Builds the service.
///
/// # Errors
/// When a setting is missing or wrong; see [`Service::start`].
pub async fn service(config: &Config) -> anyhow::Result<Service> {
    let service = Service::start("catalog", config).await?;
    let app = Arc::new(App::connect(&service)?);
    let preparing = Arc::clone(&app);
    let importing = Arc::clone(&app).work_on_imports(service.stop());
    let sweeping = Arc::clone(&app).sweep_images(service.stop());
    Ok(service
        .prepare("indexes", move || {
            let app = Arc::clone(&preparing);
            Box::pin(async move { Ok(app.prepare().await?) })
        })
        .routes(&app, routes::ACCESS, routes::configure)
        .aliases(&app, aliases::ACCESS, aliases::configure)
        .errors(routes::CODES)
        .grpc(rpc::server(&app))
        .consume(events::TOPICS, events::handler(&app))
        .background("imports", Box::pin(importing))
        .background("sweep of images", Box::pin(sweeping)))
}
