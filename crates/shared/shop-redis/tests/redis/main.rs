//! shop-redis against a real Redis that each test starts for itself, so that it may flush, freeze and roll it back.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail by panicking, as tests do")]

mod cache;
mod copies;
mod lease;
mod losses;
mod pubsub;
mod server;
mod stream;

use std::time::Duration;

use shop_config::{RedisConfig, Secret};
use shop_redis::Redis;
use shop_telemetry::metrics::{Metrics, render};

/// A client of a test's server, once it answers.
async fn connect(server: &server::Server) -> Redis {
    connect_measured(server, &Metrics::new("test")).await
}

/// The same with metrics to look at.
async fn connect_measured(server: &server::Server, metrics: &Metrics) -> Redis {
    let config = RedisConfig { url: Secret::new(server.url()), key_prefix: "t:".into() };
    let redis = Redis::connect(&config, metrics).unwrap();
    eventually("Redis answers", async || redis.ping().await).await;
    redis
}

/// How often a client has asked Redis for something, whether it was answered or not.
fn asked(metrics: &Metrics, operation: &str) -> u64 {
    let start = format!("redis_operation_duration_seconds_count{{operation=\"{operation}\"");
    let text = render(std::slice::from_ref(metrics));
    let line = text.lines().find(|line| line.starts_with(&start));
    line.map_or(0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
}

/// Waits until something holds, for at most ten seconds.
async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..1_000 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never came true that {what}");
}
