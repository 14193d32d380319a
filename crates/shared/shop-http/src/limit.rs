//! How many requests a client may make: counted for all processes together, answered from memory (ruling 28).
//!
//! Each process leases requests of a client's allowance ahead of need: the first time one, then twice as many as long as
//! they are used up, a tenth of the allowance at most. What was not used within a second is given back. So a client in a
//! hurry costs its process a question now and then, and one who comes once costs one. What guesses passwords is counted one
//! by one. While the shared count is away each process lets a client have a tenth of the rate: what it could have leased.
//!
//! What does not belong here: who keeps the shared count (a [`LeaseSource`]), and the arithmetic (`shop_types::rate`).

mod bucket;
mod client;
mod standing;

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use ipnet::IpNet;
use prometheus::IntCounter;
use shop_telemetry::metrics::Metrics;
use shop_types::lease::Mark;
use shop_types::{LeaseSource, Rate};
use tokio::sync::Mutex;
use tokio::time::Instant;

use bucket::{Bucket, Count, Step};

pub(crate) use client::Client;
pub(crate) use standing::Standing;

/// What clients may do, and who may speak for them.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Of most routes.
    pub general: Rate,
    /// Of routes that check passwords, or send letters.
    pub authentication: Rate,
    /// Proxies in front of the ingress, whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
}

/// Which limit a route falls under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    General,
    Authentication,
}

/// Counts the requests of one process; clones share everything.
#[derive(Clone)]
pub struct Limiter(Arc<Inner>);

struct Inner {
    general: Rule,
    authentication: Rule,
    trusted_proxies: Vec<IpNet>,
    source: Option<Arc<dyn LeaseSource>>,
    shards: [Shard; SHARDS],
    hasher: RandomState,
    began: Instant,
    counted_alone: IntCounter,
}

/// One limit, as it is counted and as it is told.
struct Rule {
    name: &'static str,
    rate: Rate,
    /// The largest lease.
    most: u32,
    /// What this process lets a client have when nobody else counts.
    alone: Rate,
    told: standing::Told,
    refused: IntCounter,
}

type Shard = Mutex<HashMap<Key, Arc<Mutex<Bucket>>>>;
type Key = (Kind, Client);

/// So that looking through the clients of one shard, once a second, holds nobody up.
const SHARDS: usize = 16;
/// How many leases are given back at once.
const AT_ONCE: usize = 16;

impl std::fmt::Debug for Limiter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Limiter").field("source", &self.0.source).finish_non_exhaustive()
    }
}

impl Limiter {
    /// A limiter that leases from `source`. Without one this process counts alone, and lets a client have the whole rate:
    /// for services that have no Redis.
    ///
    /// # Errors
    /// When a metric cannot be registered.
    pub fn new(
        limits: Limits,
        source: Option<Arc<dyn LeaseSource>>,
        metrics: &Metrics,
    ) -> Result<Self, prometheus::Error> {
        let Limits { general, authentication, trusted_proxies } = limits;
        let refused = metrics.counter("http_requests_rate_limited_total", "Requests over a rate limit", &["limit"])?;
        let alone = metrics.counter(
            "http_requests_counted_alone_total",
            "Requests that were counted against a rate limit by this process alone, since Redis was away",
            &[],
        )?;
        let rule = |kind: Kind, rate: Rate| Rule {
            name: kind.name(),
            rate,
            most: match kind {
                Kind::General => rate.tenth().requests(),
                Kind::Authentication => 1,
            },
            alone: if source.is_some() { rate.tenth() } else { rate },
            told: standing::Told::new(rate),
            refused: refused.with_label_values(&[kind.name()]),
        };
        Ok(Self(Arc::new(Inner {
            general: rule(Kind::General, general),
            authentication: rule(Kind::Authentication, authentication),
            trusted_proxies,
            shards: std::array::from_fn(|_| Shard::default()),
            hasher: RandomState::new(),
            began: Instant::now(),
            counted_alone: alone.with_label_values::<&str>(&[]),
            source,
        })))
    }

    /// Gives back what was leased longer ago than this and not used, and forgets clients that are gone. Call it every
    /// second, and at the end with no time at all.
    pub async fn give_back(&self, unused_for: Duration) {
        for shard in &self.0.shards {
            let unused = self.0.unused(shard, micros(unused_for)).await;
            let Some(source) = &self.0.source else { continue };
            let giving = unused.into_iter().map(|((kind, client), unused, mark)| async move {
                let name = allowance(kind, client);
                if let Err(error) = source.give_back(&name, self.0.rule(kind).rate, unused, mark).await {
                    tracing::debug!(error = &error as &dyn std::error::Error, "A lease grows back by itself");
                }
            });
            futures::stream::iter(giving).buffer_unordered(AT_ONCE).collect::<()>().await;
        }
    }

    pub(crate) fn trusted_proxies(&self) -> &[IpNet] {
        &self.0.trusted_proxies
    }

    /// Counts one request.
    pub(crate) async fn count(&self, kind: Kind, client: Client) -> Standing {
        let rule = self.0.rule(kind);
        let bucket = self.0.bucket((kind, client)).await;
        // Requests of one client wait here for one question, and then share its answer.
        let mut bucket = bucket.lock().await;
        let count = match bucket.step(rule, self.0.now()) {
            Step::Known(count) => count,
            Step::Ask(wanted) => self.0.ask(rule, &mut bucket, (kind, client), wanted).await,
        };
        if count.retry_in.is_some() {
            rule.refused.inc();
        }
        rule.told.standing(rule.name, count)
    }
}

impl Inner {
    fn rule(&self, kind: Kind) -> &Rule {
        match kind {
            Kind::General => &self.general,
            Kind::Authentication => &self.authentication,
        }
    }

    fn now(&self) -> u64 {
        micros(self.began.elapsed())
    }

    async fn bucket(&self, key: Key) -> Arc<Mutex<Bucket>> {
        let shard = usize::try_from(self.hasher.hash_one(key) % SHARDS as u64).unwrap_or_default();
        Arc::clone(self.shards[shard].lock().await.entry(key).or_default())
    }

    async fn ask(&self, rule: &Rule, bucket: &mut Bucket, (kind, client): Key, wanted: u32) -> Count {
        let Some(source) = &self.source else { return bucket.alone(rule, self.now()) };
        if let Ok(lease) = source.lease(&allowance(kind, client), rule.rate, wanted).await {
            return bucket.leased(rule, self.now(), lease, wanted);
        }
        // The source has told why.
        self.counted_alone.inc();
        bucket.alone(rule, self.now())
    }

    /// Takes out what was not used. A bucket that somebody holds is being used.
    async fn unused(&self, shard: &Shard, unused_for: u64) -> Vec<(Key, u32, Mark)> {
        let mut all = Vec::new();
        let now = self.now();
        shard.lock().await.retain(|key, bucket| {
            let Some(bucket) = Arc::get_mut(bucket).map(Mutex::get_mut) else { return true };
            if let Some((unused, mark)) = bucket.take_unused(self.rule(key.0), now, unused_for) {
                all.push((*key, unused, mark));
            }
            !bucket.is_idle(now)
        });
        all
    }
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::General => "general",
            Self::Authentication => "authentication",
        }
    }
}

fn allowance(kind: Kind, client: Client) -> String {
    format!("{}:{client}", kind.name())
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
