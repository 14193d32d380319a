//! Payments: holding, taking and giving back the money of an order, at one payment provider.
//!
//! Wiring only. See README.md for the routes, calls, events and collections of this service.

mod app;
pub mod domain;
mod events;
mod peers;
mod routes;
mod rpc;
mod store;

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use shop_config::{Config, PaymentConfig, PaymentProvider, Secret, names};
use shop_service::Service;

use crate::app::{App, driver, reconciliation};
use crate::domain::reconciliation::Portions;
use crate::peers::Provider;
use crate::peers::sandbox::Sandbox;

/// Builds the service.
///
/// # Errors
/// When its clients cannot be made: a bad connection string, no key set, or no API key of the payment provider.
pub async fn service(config: &Config) -> anyhow::Result<Service> {
    service_with(config, Portions::default()).await
}

/// Builds the service, which compares the provider's books with its own in other portions: for tests.
///
/// # Errors
/// As [`service`].
pub async fn service_with(config: &Config, portions: Portions) -> anyhow::Result<Service> {
    let service = Service::start("payment", config).await?;
    let (app, work) = App::new(&service, provider(&config.payment).await?, portions)?;
    let app = Arc::new(app);
    let prepared = Arc::clone(&app);
    let prepare = move || {
        let app = Arc::clone(&prepared);
        Box::pin(async move { app.prepare().await.context("failed to make the collections of payment") }) as _
    };
    let driver = Box::pin(driver::drive(Arc::clone(&app), work, service.stop()));
    let gauges = reconciliation::Gauges::register(service.metrics()).context("failed to register metrics")?;
    let reconciliation = Box::pin(reconciliation::reconcile(Arc::clone(&app), gauges, service.stop()));
    Ok(service
        .routes(&app, routes::ACCESS, routes::configure)
        .errors(routes::CODES)
        .grpc(rpc::servers(&app))
        .prepare("collections", prepare)
        .consume(events::TOPICS, events::handler(&app))
        .background("driver", driver)
        .background("reconciliation", reconciliation))
}

async fn provider(config: &PaymentConfig) -> anyhow::Result<Arc<dyn Provider>> {
    let file = config.api_key_file.as_ref().with_context(|| {
        format!("{} must name the file with the API key of the payment provider", names::PAYMENT_API_KEY_FILE)
    })?;
    let api_key = read_secret(file, "the API key").await?;
    let webhook_secret = if let Some(file) = &config.webhook_secret_file {
        Some(read_secret(file, "the secret of webhooks").await?)
    } else {
        let name = names::PAYMENT_WEBHOOK_SECRET_FILE;
        tracing::warn!("No webhook of the payment provider is trusted: {name} is not set");
        None
    };
    match config.provider {
        PaymentProvider::Sandbox => Ok(Arc::new(Sandbox::new(&config.url, api_key, webhook_secret)?)),
    }
}

async fn read_secret(file: &Path, what: &str) -> anyhow::Result<Secret> {
    let text = tokio::fs::read_to_string(file).await;
    let text =
        text.with_context(|| format!("failed to read {what} of the payment provider from {}", file.display()))?;
    let text = text.trim();
    anyhow::ensure!(!text.is_empty(), "the file {} with {what} of the payment provider is empty", file.display());
    Ok(Secret::new(text))
}
