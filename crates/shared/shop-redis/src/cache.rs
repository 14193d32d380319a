//! A cache of two levels: the process for at most ten seconds, Redis for as long as the caller says (ruling 29).
//!
//! What belongs here: that no reader is given, after an invalidation, what was loaded before it. What does not: what is
//! cached, under which key and for how long (the services), and ready HTTP answers (shop-http).
//!
//! # Why nothing old is stored
//! - In the process a key has a slot, which its first reader fills while the others wait. An invalidation takes the slot
//!   out: a load under way fills a slot that nobody finds any more.
//! - In Redis a key has a generation beside it. An invalidation replaces it, and a value is stored only under the
//!   generation that its load began in.
//! - Other processes hear of an invalidation by Pub/Sub; one that may have missed some empties its level.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fred::types::Value;
use moka::sync::Cache as Slots;
use prometheus::IntCounterVec;
use tokio::sync::OnceCell;
use tokio::time::Instant;

use crate::breaker::Breaker;
use crate::client::Lane;
use crate::{Error, Notice, Redis, Subscription};

/// Bytes of the largest value that stays in the process.
const LARGEST: usize = 64 * 1024;
/// The longest life in the process.
const PROCESS_LIFE: Duration = Duration::from_secs(10);
/// How long a generation is remembered. A load that took half of it is not stored in Redis, so that none outlives it.
const GENERATION_LIFE: Duration = Duration::from_secs(60);

/// Bytes by key, in the process and in Redis. Clones share both.
///
/// When Redis is away, every process caches for itself for at most ten seconds.
#[derive(Clone)]
pub struct Cache(Arc<Inner>);

/// Where a value came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hit {
    /// This process had it, or was loading it.
    Process,
    /// Redis had it.
    Redis,
    /// It was loaded.
    Miss,
}

struct Inner {
    redis: Redis,
    name: String,
    slots: Slots<String, Arc<Slot>>,
    breaker: Breaker,
    requests: IntCounterVec,
    failed_invalidations: IntCounterVec,
}

#[derive(Default)]
struct Slot(OnceCell<Filled>);

struct Filled {
    bytes: Bytes,
    expires: Instant,
}

/// What Redis knows of a key.
struct Second {
    generation: Value,
    value: Option<(Bytes, Duration)>,
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("name", &self.0.name).finish_non_exhaustive()
    }
}

impl Cache {
    pub(crate) fn new(redis: Redis, name: &str, capacity: u64) -> Result<Self, Error> {
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
        let slots = Slots::builder().max_capacity(capacity).time_to_live(PROCESS_LIFE).build();
        let notices = redis.subscribe(&channel(name));
        let cache = Self(Arc::new(Inner {
            redis,
            name: name.to_owned(),
            slots: slots.clone(),
            breaker: Breaker::new(),
            requests,
            failed_invalidations,
        }));
        tokio::spawn(follow(notices, Arc::downgrade(&cache.0)));
        Ok(cache)
    }

    /// Answers the value of a key, loading it when neither level has it. Readers of one process load a key once: the
    /// others wait for the first. `ttl` is its life in Redis; in the process it lives no longer than that, nor than ten
    /// seconds, and not at all when it has more than 64 KiB: the number of entries bounds the memory of a process.
    ///
    /// # Errors
    /// Only what `load` answers; nothing is stored then, and the next reader that waits loads for itself. A Redis that is
    /// away is no error.
    pub async fn get_or_load<F, Fut, E>(&self, key: &str, ttl: Duration, load: F) -> Result<(Bytes, Hit), E>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<Bytes, E>>,
    {
        let slot = self.slot(key);
        let mut hit = Hit::Process;
        let filled = slot.0.get_or_try_init(|| self.fill(key, ttl, &slot, &mut hit, load)).await?;
        let result = match hit {
            Hit::Process => "process",
            Hit::Redis => "redis",
            Hit::Miss => "miss",
        };
        self.0.requests.with_label_values(&[self.0.name.as_str(), result]).inc();
        if hit != Hit::Process && filled.bytes.len() > LARGEST {
            // Those that wait for it have the slot; who comes later finds it in Redis.
            self.0.slots.invalidate(key);
        }
        Ok((filled.bytes.clone(), hit))
    }

    /// Drops keys from both levels, here before this returns and in other processes as they hear of it. Call it after the
    /// write is committed.
    ///
    /// When Redis does not take it, that is logged and counted, and readers may see the old value until its `ttl` is over.
    pub async fn invalidate<K: AsRef<str> + Sync>(&self, keys: &[K]) {
        if keys.is_empty() {
            return;
        }
        let result = self.tell(keys).await;
        // After Redis, so that what a reader has meanwhile fetched from there goes as well.
        for key in keys {
            self.0.slots.invalidate(key.as_ref());
        }
        if let Err(error) = result {
            self.0.failed_invalidations.with_label_values(&[self.0.name.as_str()]).inc();
            tracing::warn!(
                cache = self.0.name,
                error = &error as &dyn std::error::Error,
                "Failed to invalidate {} keys in Redis; they live on until they expire",
                keys.len()
            );
        }
    }

    /// The slot that readers of a key meet at: a present one that is still filled or being filled, else a new one.
    fn slot(&self, key: &str) -> Arc<Slot> {
        let usable = |slot: &Slot| slot.0.get().is_none_or(|filled| Instant::now() < filled.expires);
        if let Some(slot) = self.0.slots.get(key).filter(|slot| usable(slot)) {
            return slot;
        }
        let entry = self.0.slots.entry_by_ref(key).or_insert_with_if(Arc::default, |slot| !usable(slot));
        entry.into_value()
    }

    async fn fill<F, Fut, E>(
        &self,
        key: &str,
        ttl: Duration,
        slot: &Arc<Slot>,
        hit: &mut Hit,
        load: F,
    ) -> Result<Filled, E>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<Bytes, E>>,
    {
        let start = Instant::now();
        let second = self.second(key).await;
        if let Some((bytes, life)) = second.as_ref().and_then(|second| second.value.clone()) {
            *hit = Hit::Redis;
            return Ok(Filled { bytes, expires: start + life.min(PROCESS_LIFE) });
        }
        let bytes = load().await?;
        *hit = Hit::Miss;
        // Taken out meanwhile: the value may be older than the invalidation, and is only for those who waited for it.
        let current = self.0.slots.get(key).is_some_and(|present| Arc::ptr_eq(&present, slot));
        if let Some(second) = second
            && current
            && start.elapsed() < GENERATION_LIFE / 2
        {
            self.store(key, second.generation, &bytes, ttl).await;
        }
        Ok(Filled { bytes, expires: start + ttl.min(PROCESS_LIFE) })
    }

    /// Asks Redis; `None` when it is away.
    async fn second(&self, key: &str) -> Option<Second> {
        if !self.0.breaker.allows() {
            return None;
        }
        let keys = self.redis_keys(key);
        let reply =
            self.0.redis.eval(Lane::Request, "cache_get", include_str!("cache/get.lua"), keys.into(), vec![]).await;
        match reply {
            Ok(reply) => read(reply),
            Err(error) => self.lost("read from", &error),
        }
    }

    async fn store(&self, key: &str, generation: Value, bytes: &Bytes, ttl: Duration) {
        let arguments = vec![generation, Value::Bytes(bytes.clone()), milliseconds(ttl)];
        let keys = self.redis_keys(key);
        let reply =
            self.0.redis.eval(Lane::Request, "cache_put", include_str!("cache/put.lua"), keys.into(), arguments).await;
        if let Err(error) = reply {
            self.lost::<()>("write to", &error);
        }
    }

    async fn tell<K: AsRef<str> + Sync>(&self, keys: &[K]) -> Result<(), Error> {
        let names: Vec<&str> = keys.iter().map(AsRef::as_ref).collect();
        let payload = serde_json::Value::from(names.clone()).to_string();
        let arguments =
            vec![milliseconds(GENERATION_LIFE), self.0.redis.key(&channel(&self.0.name)).into(), payload.into()];
        let keys = names.iter().flat_map(|key| self.redis_keys(key)).collect();
        let script = include_str!("cache/invalidate.lua");
        self.0.redis.eval(Lane::Request, "cache_invalidate", script, keys, arguments).await.map(drop)
    }

    fn redis_keys(&self, key: &str) -> [String; 2] {
        // One hash tag for all keys of a cache: one script may then name several.
        let name = &self.0.name;
        [
            self.0.redis.key(&format!("cache:{{{name}}}:{key}")),
            self.0.redis.key(&format!("cache-generation:{{{name}}}:{key}")),
        ]
    }

    fn lost<T>(&self, what: &str, error: &Error) -> Option<T> {
        self.0.breaker.failed();
        tracing::warn!(
            cache = self.0.name,
            error = error as &dyn std::error::Error,
            "Failed to {what} the cache in Redis; going on without it for a moment"
        );
        None
    }
}

/// Drops what others say is old, and everything when something may have been missed.
async fn follow(mut notices: Subscription, cache: std::sync::Weak<Inner>) {
    while let Some(notice) = notices.next().await {
        let Some(cache) = cache.upgrade() else { return };
        match notice {
            Notice::Lost => cache.slots.invalidate_all(),
            Notice::Message(payload) => match serde_json::from_str::<Vec<String>>(&payload) {
                Ok(keys) => keys.iter().for_each(|key| cache.slots.invalidate(key)),
                Err(error) => {
                    tracing::warn!(cache = cache.name, %error, "Heard an invalidation that is none; dropping everything");
                    cache.slots.invalidate_all();
                }
            },
        }
    }
}

fn channel(name: &str) -> String {
    format!("cache:{name}")
}

fn read(reply: Value) -> Option<Second> {
    let mut values = reply.into_array().into_iter();
    let generation = values.next()?;
    let life = values.next().and_then(|life| life.as_u64());
    let value = values.next().and_then(Value::into_bytes);
    Some(Second { generation, value: value.zip(life.map(Duration::from_millis)) })
}

fn milliseconds(duration: Duration) -> Value {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX).max(1).into()
}
