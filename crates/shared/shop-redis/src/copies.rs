//! Copies of documents in Redis alone, for readers who must see their own writes on every pod.
//!
//! What belongs here: when a copy may be given and kept. What does not: what is copied, under which key (the services).
//!
//! # The invariant
//! Who looks after [`Copies::invalidate`] has returned gets nothing that was loaded before it was called, in any process, if
//! Redis has taken it. Three things make that so:
//! - Nothing is kept in a process, and no reader waits for the load of another, which may have begun before a write.
//! - A copy is stored only under the generation that was there before its load began (see `cache::level`).
//! - A writer removes the copy after its commit and before it answers; when nobody waits for the answer any more, or nobody
//!   knows whether the write was done, [`Stale`] removes it all the same.
//!
//! A Redis that did not take an invalidation, or lost it (fail-over, eviction of a generation), may give the old copy until it
//! expires: so their life is short, and no copy may decide anything.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::Handle;

use crate::cache::level::{Found, Level};
use crate::{Error, Hit, Redis};

/// Copies by key. Clones share them.
#[derive(Clone)]
pub struct Copies(Arc<Inner>);

struct Inner {
    level: Level,
    life: Duration,
    most_bytes: usize,
}

/// What a reader found, and under which generation it may store what it loads next.
pub struct Look {
    key: String,
    found: Option<Found>,
}

impl fmt::Debug for Copies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Copies").field("name", &self.0.level.name()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Look {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Look").field("key", &self.key).finish_non_exhaustive()
    }
}

impl Look {
    /// The copy; `None` when there is none, or Redis is away.
    #[must_use]
    pub fn copy(&self) -> Option<&Bytes> {
        self.found.as_ref()?.value.as_ref().map(|(copy, _)| copy)
    }
}

impl Copies {
    pub(crate) fn new(redis: Redis, name: &str, life: Duration, most_bytes: usize) -> Result<Self, Error> {
        Ok(Self(Arc::new(Inner { level: Level::new(redis, name, None)?, life, most_bytes })))
    }

    /// Looks for the copy of a key. What is not there may be loaded now, and [`Self::keep`] stores it.
    pub async fn look(&self, key: impl Into<String> + Send) -> Look {
        let key = key.into();
        let look = Look { found: self.0.level.find(&key).await, key };
        self.0.level.count(if look.copy().is_some() { Hit::Redis } else { Hit::Miss });
        look
    }

    /// Stores what was loaded after a look, unless the key was invalidated since, or it is too large, or Redis is away.
    pub async fn keep(&self, look: Look, loaded: impl Into<Bytes> + Send) {
        let (Look { key, found }, loaded) = (look, loaded.into());
        if let Some(found) = found
            && loaded.len() <= self.0.most_bytes
        {
            self.0.level.store(&key, found, &loaded, self.0.life).await;
        }
    }

    /// Removes copies. Call it after the write is committed and before it is answered. When Redis does not take it, that is
    /// logged and counted, and readers may get the old copies until they expire.
    pub async fn invalidate<K: AsRef<str> + Sync>(&self, keys: &[K]) {
        self.0.level.invalidate(keys).await;
    }

    /// To be called before a write that makes the copies of these keys old, and that is over after `longest` at the most.
    pub fn stale(&self, keys: Vec<String>, longest: Duration) -> Stale {
        Stale { copies: self.clone(), keys, longest }
    }
}

/// Copies that a write under way makes old. [`Stale::remove`] them after the commit.
///
/// Dropped instead, because the write failed or nobody waits for it any more, they are removed all the same, and once more
/// when the write cannot be under way any longer: nobody knows whether it was committed.
#[must_use]
#[derive(Debug)]
pub struct Stale {
    copies: Copies,
    keys: Vec<String>,
    longest: Duration,
}

impl Stale {
    /// One more copy that the write has made old.
    pub fn and(mut self, key: String) -> Self {
        if !self.keys.contains(&key) {
            self.keys.push(key);
        }
        self
    }

    /// No reader gets, from now on, what was loaded before.
    pub async fn remove(mut self) {
        self.copies.invalidate(&self.keys).await;
        self.keys.clear();
    }
}

impl Drop for Stale {
    fn drop(&mut self) {
        if self.keys.is_empty() {
            return;
        }
        let (copies, keys, longest) = (self.copies.clone(), std::mem::take(&mut self.keys), self.longest);
        // Outside of a runtime the process is over; the copies expire.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                copies.invalidate(&keys).await;
                tokio::time::sleep(longest).await;
                copies.invalidate(&keys).await;
            });
        }
    }
}
