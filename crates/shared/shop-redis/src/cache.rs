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

pub(crate) mod level;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use moka::sync::Cache as Slots;
use tokio::sync::OnceCell;
use tokio::time::Instant;

use self::level::Level;
use crate::{Error, Notice, Redis, Subscription};

/// Bytes of the largest value that stays in the process.
const LARGEST: usize = 64 * 1024;
/// The longest life in the process.
const PROCESS_LIFE: Duration = Duration::from_secs(10);

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

impl Hit {
    /// As metrics call it.
    const fn word(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Redis => "redis",
            Self::Miss => "miss",
        }
    }
}

struct Inner {
    level: Level,
    slots: Slots<String, Arc<Slot>>,
}

#[derive(Default)]
struct Slot(OnceCell<Filled>);

struct Filled {
    bytes: Bytes,
    expires: Instant,
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("name", &self.0.level.name()).finish_non_exhaustive()
    }
}

impl Cache {
    pub(crate) fn new(redis: Redis, name: &str, capacity: u64) -> Result<Self, Error> {
        let slots = Slots::builder().max_capacity(capacity).time_to_live(PROCESS_LIFE).build();
        let channel = format!("cache:{name}");
        let notices = redis.subscribe(&channel);
        let level = Level::new(redis, name, Some(channel))?;
        let cache = Self(Arc::new(Inner { level, slots }));
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
        self.0.level.count(hit);
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
        self.0.level.invalidate(keys).await;
        // After Redis, so that what a reader has meanwhile fetched from there goes as well.
        for key in keys {
            self.0.slots.invalidate(key.as_ref());
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
        let found = self.0.level.find(key).await;
        if let Some((bytes, life)) = found.as_ref().and_then(|found| found.value.clone()) {
            *hit = Hit::Redis;
            return Ok(Filled { bytes, expires: start + life.min(PROCESS_LIFE) });
        }
        let bytes = load().await?;
        *hit = Hit::Miss;
        // Taken out meanwhile: the value may be older than the invalidation, and is only for those who waited for it.
        let current = self.0.slots.get(key).is_some_and(|present| Arc::ptr_eq(&present, slot));
        if let Some(found) = found
            && current
        {
            self.0.level.store(key, found, &bytes, ttl).await;
        }
        Ok(Filled { bytes, expires: start + ttl.min(PROCESS_LIFE) })
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
                    tracing::warn!(cache = cache.level.name(), %error, "Heard an invalidation that is none; dropping everything");
                    cache.slots.invalidate_all();
                }
            },
        }
    }
}
