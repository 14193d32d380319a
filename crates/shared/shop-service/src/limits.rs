//! How often clients may ask: joins the limiter of HTTP with the count in Redis (ruling 2).

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use shop_config::{LimitsConfig, RateConfig};
use shop_http::{Limiter, Limits};
use shop_types::{LeaseSource, Rate};
use tokio_util::sync::CancellationToken;

use crate::Service;

/// What was leased and not used for so long is given back.
const UNUSED: Duration = Duration::from_secs(1);

/// The limiter of a process. It counts together with all others of the shop when one of its services has Redis.
///
/// # Errors
/// When a rate is out of its range, or a metric cannot be registered.
pub(crate) fn limiter(services: &[Service]) -> anyhow::Result<Limiter> {
    let first = services.first().context("there must be a service to run")?;
    let LimitsConfig { general, authentication, trusted_proxies } = first.config.limits.clone();
    let rate = |RateConfig { requests, window }| Rate::new(requests, window).context("a rate limit cannot be used");
    let limits = Limits { general: rate(general)?, authentication: rate(authentication)?, trusted_proxies };
    let redis = services.iter().find_map(|service| service.redis.as_ref());
    let source = redis.map(|redis| Arc::new(redis.leases()) as Arc<dyn LeaseSource>);
    Limiter::new(limits, source, &first.metrics).context("failed to register the metrics of rate limits")
}

/// Gives back what is not used until `stop`, and everything then.
pub(crate) async fn give_back(limiter: Limiter, stop: CancellationToken) {
    while !stop.is_cancelled() {
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(UNUSED) => limiter.give_back(UNUSED).await,
        }
    }
    limiter.give_back(Duration::ZERO).await;
}
