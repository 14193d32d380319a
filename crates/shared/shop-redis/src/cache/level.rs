//! The level of a cache that all processes share: values in Redis, each stored under a generation.
//!
//! An invalidation removes a value and replaces its generation in one step; a value is stored only under the generation that
//! its load began in. So what was loaded before an invalidation is not stored after it, by no process.

use std::time::Duration;

use bytes::Bytes;
use fred::types::Value;
use prometheus::IntCounterVec;
use tokio::time::Instant;

use super::Hit;
use crate::breaker::Breaker;
use crate::client::Lane;
use crate::{Error, Redis};

/// How long a generation is remembered. A load that took half of it is not stored in Redis, so that none outlives it.
const GENERATION_LIFE: Duration = Duration::from_secs(60);

/// Values by key.
pub(crate) struct Level {
    redis: Redis,
    name: String,
    /// Where invalidations are told; `None` when nobody listens.
    channel: Option<String>,
    breaker: Breaker,
    requests: IntCounterVec,
    failed_invalidations: IntCounterVec,
}

/// What Redis knows of a key.
pub(crate) struct Found {
    asked: Instant,
    generation: Value,
    /// The value, and how long it may still be used.
    pub(crate) value: Option<(Bytes, Duration)>,
}

impl Level {
    pub(crate) fn new(redis: Redis, name: &str, channel: Option<String>) -> Result<Self, Error> {
        let requests = redis.metrics().counter(
            "cache_requests_total",
            "Reads of a cache by where the value came from",
            &["cache", "result"],
        )?;
        let failed_invalidations = redis.metrics().counter(
            "cache_invalidation_failures_total",
            "Invalidations that Redis did not take: readers may see the old value until it expires",
            &["cache"],
        )?;
        Ok(Self { redis, name: name.to_owned(), channel, breaker: Breaker::new(), requests, failed_invalidations })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Counts a read.
    pub(crate) fn count(&self, hit: Hit) {
        self.requests.with_label_values(&[self.name.as_str(), hit.word()]).inc();
    }

    /// Asks Redis; `None` when it is away.
    pub(crate) async fn find(&self, key: &str) -> Option<Found> {
        if !self.breaker.allows() {
            return None;
        }
        let (asked, keys) = (Instant::now(), self.redis_keys(key));
        let reply = self.redis.eval(Lane::Request, "cache_get", include_str!("get.lua"), keys.into(), vec![]).await;
        match reply {
            Ok(reply) => read(asked, reply),
            Err(error) => self.lost("read from", &error),
        }
    }

    /// Stores what was loaded after it was asked for, unless it was invalidated since.
    pub(crate) async fn store(&self, key: &str, found: Found, bytes: &Bytes, ttl: Duration) {
        if found.asked.elapsed() >= GENERATION_LIFE / 2 {
            return;
        }
        let arguments = vec![found.generation, Value::Bytes(bytes.clone()), milliseconds(ttl)];
        let keys = self.redis_keys(key);
        let reply = self.redis.eval(Lane::Request, "cache_put", include_str!("put.lua"), keys.into(), arguments).await;
        if let Err(error) = reply {
            self.lost::<()>("write to", &error);
        }
    }

    /// Removes values. When Redis does not take it, that is logged and counted.
    pub(crate) async fn invalidate<K: AsRef<str> + Sync>(&self, keys: &[K]) {
        if keys.is_empty() {
            return;
        }
        if let Err(error) = self.tell(keys).await {
            self.failed_invalidations.with_label_values(&[self.name.as_str()]).inc();
            tracing::warn!(
                cache = self.name,
                error = &error as &dyn std::error::Error,
                "Failed to invalidate {} keys in Redis; they live on until they expire",
                keys.len()
            );
        }
    }

    async fn tell<K: AsRef<str> + Sync>(&self, keys: &[K]) -> Result<(), Error> {
        let names: Vec<&str> = keys.iter().map(AsRef::as_ref).collect();
        let mut arguments = vec![milliseconds(GENERATION_LIFE)];
        if let Some(channel) = &self.channel {
            let payload = serde_json::Value::from(names.clone()).to_string();
            arguments.extend([self.redis.key(channel).into(), payload.into()]);
        }
        let keys = names.iter().flat_map(|key| self.redis_keys(key)).collect();
        let script = include_str!("invalidate.lua");
        self.redis.eval(Lane::Request, "cache_invalidate", script, keys, arguments).await.map(drop)
    }

    fn redis_keys(&self, key: &str) -> [String; 2] {
        // One hash tag for all keys of a cache: one script may then name several.
        let name = &self.name;
        [
            self.redis.key(&format!("cache:{{{name}}}:{key}")),
            self.redis.key(&format!("cache-generation:{{{name}}}:{key}")),
        ]
    }

    fn lost<T>(&self, what: &str, error: &Error) -> Option<T> {
        self.breaker.failed();
        tracing::warn!(
            cache = self.name,
            error = error as &dyn std::error::Error,
            "Failed to {what} the cache in Redis; going on without it for a moment"
        );
        None
    }
}

fn read(asked: Instant, reply: Value) -> Option<Found> {
    let mut values = reply.into_array().into_iter();
    let generation = values.next()?;
    let life = values.next().and_then(|life| life.as_u64());
    let value = values.next().and_then(Value::into_bytes);
    Some(Found { asked, generation, value: value.zip(life.map(Duration::from_millis)) })
}

fn milliseconds(duration: Duration) -> Value {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX).max(1).into()
}
