//! The stream of one producing service, and the guards that keep its events safe while Redis is not.
//!
//! What belongs here: one method per step of the relay and of a consumer, each a script that Redis runs in one piece. What
//! does not: when to do which, and what MongoDB has to say about it (shop-events).
//!
//! # Why nothing is lost
//! Redis may lose what it acknowledged: a flush, a restart from an old file, a replica promoted too early. Every script
//! therefore reads, in the same step as its work, whose data it works on: a [`Mark`] of the server's run id, the id of
//! its replication history, and an epoch key beside the stream. The first two change with every restart and promotion,
//! the last is gone after a flush.
//! - [`Stream::append`], [`Stream::floor`] and [`Stream::trim_below`] do nothing under another mark than the caller's, so
//!   that an event is only ever confirmed in the data that it was published in.
//! - [`Stream::read`] and [`Stream::claim_idle`] answer the mark with the entries, and [`Stream::acknowledge`] does
//!   nothing under another one: there the same id may name another event.
//!
//! A blocking read cannot be part of a script, so nothing blocks: [`Stream::read`] answers at once, and [`Stream::wake`]
//! tells by Pub/Sub when to ask again. A lost wake-up costs the reader's polling interval and nothing else.

mod entry;
mod id;
mod reply;

use std::time::Duration;

use fred::types::Value;
use shop_faults::Bug;

use crate::client::Lane;
use crate::{Error, Redis, Subscription};
use reply::Reply;

pub use entry::{Batch, Delivery, Entry, Floor, GroupState, Mark, Retry};
pub use id::StreamId;

/// A stream that holds so many entries takes no more: they are not acknowledged, and the backlog waits in MongoDB.
const MOST_ENTRIES: u32 = 100_000;

macro_rules! guarded {
    ($file:literal) => {
        concat!(include_str!("stream/guard.lua"), include_str!($file))
    };
}

/// The stream of one producing service. Its group names are those of the consuming services.
#[derive(Debug, Clone)]
pub struct Stream {
    redis: Redis,
    producer: String,
    key: String,
    epoch_key: String,
}

impl Stream {
    pub(crate) fn new(redis: Redis, producer: &str) -> Self {
        // The braces are a hash tag: a Redis that shards keeps both keys in one place, as scripts demand.
        let key = redis.key(&format!("events:{{{producer}}}"));
        let epoch_key = format!("{key}:epoch");
        Self { redis, producer: producer.to_owned(), key, epoch_key }
    }

    /// The service whose events it carries.
    #[must_use]
    pub fn producer(&self) -> &str {
        &self.producer
    }

    /// Finds whose data the stream's is. Without an epoch, or without its stream, a new epoch named `fresh` begins.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when Redis is away, [`Error::Full`] when it has no room for the key.
    pub async fn open(&self, fresh: &str) -> Result<Mark, Error> {
        let mut reply = self.run("stream_open", guarded!("stream/open.lua"), vec![fresh.into()]).await?;
        reply.mark()
    }

    /// Adds events in order, and answers their places. Wakes the consumers.
    ///
    /// # Errors
    /// [`Error::EpochChanged`]: nothing was added; open again and publish again what is not confirmed.
    /// [`Error::Full`]: wait; some of the events may have been added. [`Error::Unavailable`]: they may have been added.
    pub async fn append(&self, mark: &Mark, entries: &[Entry]) -> Result<Vec<StreamId>, Error> {
        let mut arguments = mark.arguments();
        arguments.push(i64::from(MOST_ENTRIES).into());
        arguments.push(self.redis.key(&self.wake_channel()).into());
        for entry in entries {
            let mirror = entry.mirror.as_ref().map(|channel| self.redis.key(channel)).unwrap_or_default();
            arguments.extend([
                entry.event_id.as_str().into(),
                entry.topic.as_str().into(),
                entry.json.as_str().into(),
                mirror.into(),
            ]);
        }
        let mut reply = self.run("stream_append", guarded!("stream/append.lua"), arguments).await?;
        reply.status()?;
        let mut ids = Vec::with_capacity(entries.len());
        while let Some(id) = reply.next_id()? {
            ids.push(id);
        }
        if ids.len() == entries.len() { Ok(ids) } else { Err(Error::malformed("stream_append")) }
    }

    /// Finds how far all groups have come: those that exist, and those of `expected` that must exist before anything
    /// counts as handled.
    ///
    /// # Errors
    /// [`Error::EpochChanged`] as in [`Self::append`]; [`Error::Unavailable`] when Redis is away.
    pub async fn floor(&self, mark: &Mark, expected: &[&str]) -> Result<Floor, Error> {
        let mut reply = self.run("stream_floor", guarded!("stream/floor.lua"), mark.arguments()).await?;
        reply.status()?;
        let last = reply.id()?;
        let mut groups = Vec::new();
        while let Some(name) = reply.next_text() {
            let given = reply.id()?;
            let oldest_unacknowledged = reply.text()?;
            let below = match oldest_unacknowledged.as_str() {
                "" => given.next(),
                id => id.parse().map_err(|_| Error::malformed("stream_floor"))?,
            };
            groups.push(GroupState { name, below, lag: reply.integer()? });
        }
        let complete = expected.iter().all(|name| groups.iter().any(|group| group.name == *name));
        let below = groups.iter().map(|group| group.below).min().unwrap_or_else(|| last.next());
        Ok(Floor { below: complete.then_some(below), groups })
    }

    /// Removes what every group has acknowledged; answers how many entries went.
    ///
    /// # Errors
    /// [`Error::EpochChanged`] as in [`Self::append`]; [`Error::Unavailable`] when Redis is away.
    pub async fn trim_below(&self, mark: &Mark, below: StreamId) -> Result<i64, Error> {
        let mut arguments = mark.arguments();
        arguments.push(below.to_string().into());
        let mut reply = self.run("stream_trim", guarded!("stream/trim.lua"), arguments).await?;
        reply.status()?;
        reply.integer()
    }

    /// Creates a group that begins with the oldest entry there is; nothing happens when it exists. Never begins at the
    /// end: after a flush that would skip what was published again before the group came back.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when Redis is away, [`Error::Full`] when it has no room.
    pub async fn ensure_group(&self, group: &str) -> Result<(), Error> {
        let begin = if shop_faults::planted(Bug::GroupAtEnd) { "$" } else { "0" };
        // A stream that is made again here was lost; without its epoch the relay sees that, and sends again.
        let script = "if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('DEL', KEYS[2]) end
            local made = redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], ARGV[2], 'MKSTREAM')
            if made.err and not string.match(made.err, '^%-?BUSYGROUP') then return made end
            return { 'ok' }";
        self.run("stream_ensure_group", script, vec![group.into(), begin.into()]).await?.status()
    }

    /// Gives this consumer up to `count` entries that no consumer of its group was given; answers at once.
    ///
    /// # Errors
    /// [`Error::NoGroup`]: call [`Self::ensure_group`]. [`Error::Unavailable`] when Redis is away; entries may have been
    /// given, and are claimed later.
    pub async fn read(&self, group: &str, consumer: &str, count: u32) -> Result<Batch, Error> {
        let arguments = vec![group.into(), consumer.into(), i64::from(count).into()];
        let mut reply = self.run("stream_read", guarded!("stream/read.lua"), arguments).await?;
        reply.group_status(group)?;
        Ok(Batch { mark: reply.mark()?, deliveries: reply.deliveries()? })
    }

    /// Takes over up to `count` entries that were given out at least `idle` ago and not acknowledged. `from` is where the
    /// last call ended, [`StreamId::ZERO`] at first; the second value is where this one did, zero after a full round.
    /// Each says which delivery it is; Redis counts it when told by [`Self::count_delivery`].
    ///
    /// # Errors
    /// As [`Self::read`].
    pub async fn claim_idle(
        &self,
        group: &str,
        consumer: &str,
        idle: Duration,
        count: u32,
        from: StreamId,
    ) -> Result<(Batch, StreamId), Error> {
        let arguments =
            vec![group.into(), consumer.into(), milliseconds(idle), i64::from(count).into(), from.to_string().into()];
        let mut reply = self.run("stream_claim", guarded!("stream/claim.lua"), arguments).await?;
        reply.group_status(group)?;
        let mark = reply.mark()?;
        let next = reply.id()?;
        Ok((Batch { mark, deliveries: reply.deliveries()? }, next))
    }

    /// Acknowledges what this group has durably handled; answers how many of these entries were still open.
    ///
    /// # Errors
    /// [`Error::EpochChanged`]: nothing was acknowledged; the events come again and are recognised by their ids.
    /// [`Error::Unavailable`]: they may have been.
    pub async fn acknowledge(&self, mark: &Mark, group: &str, ids: &[StreamId]) -> Result<i64, Error> {
        let mut arguments = mark.arguments();
        arguments.push(group.into());
        arguments.extend(ids.iter().map(|id| Value::from(id.to_string())));
        let mut reply = self.run("stream_acknowledge", guarded!("stream/acknowledge.lua"), arguments).await?;
        reply.status()?;
        reply.integer()
    }

    /// Leaves entries to whoever calls [`Self::claim_idle`] with the same `idle` after the time that each retry names.
    ///
    /// # Errors
    /// [`Error::EpochChanged`] as in [`Self::acknowledge`]. When it fails, the entries are claimed after `idle`.
    pub async fn give_back(
        &self,
        mark: &Mark,
        group: &str,
        consumer: &str,
        idle: Duration,
        retries: &[Retry],
    ) -> Result<(), Error> {
        let mut arguments = mark.arguments();
        arguments.extend([Value::from(group), Value::from(consumer)]);
        for retry in retries {
            arguments.extend([
                retry.stream_id.to_string().into(),
                milliseconds(idle.saturating_sub(retry.after)),
                i64::from(retry.deliveries).into(),
            ]);
        }
        self.run("stream_give_back", guarded!("stream/give_back.lua"), arguments).await?.status()
    }

    /// Notes that an entry of [`Self::claim_idle`] is about to be handled, so that one which takes down whoever handles it
    /// is given up some day. It stays this consumer's for another `idle`.
    ///
    /// # Errors
    /// As [`Self::give_back`].
    pub async fn count_delivery(
        &self,
        mark: &Mark,
        group: &str,
        consumer: &str,
        idle: Duration,
        delivery: &Delivery,
    ) -> Result<(), Error> {
        let counted = Retry { stream_id: delivery.stream_id, after: idle, deliveries: delivery.deliveries };
        self.give_back(mark, group, consumer, idle, &[counted]).await
    }

    /// Forgets consumers of a group that hold nothing and were not heard of for so long; answers how many.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when Redis is away.
    pub async fn forget_consumers(&self, group: &str, idle: Duration) -> Result<i64, Error> {
        let arguments = vec![group.into(), milliseconds(idle)];
        let mut reply = self.run("stream_forget", guarded!("stream/forget.lua"), arguments).await?;
        reply.status()?;
        reply.integer()
    }

    /// Removes groups other than `expected` that no consumer has asked for within `idle`, with what they have not handled;
    /// answers their names. A group that turns out to live begins again with the oldest entry ([`Error::NoGroup`]).
    ///
    /// # Errors
    /// [`Error::EpochChanged`] as in [`Self::append`]; [`Error::Unavailable`] when Redis is away.
    pub async fn remove_abandoned_groups(
        &self,
        mark: &Mark,
        expected: &[&str],
        idle: Duration,
    ) -> Result<Vec<String>, Error> {
        let mut arguments = mark.arguments();
        arguments.push(milliseconds(idle));
        arguments.extend(expected.iter().map(|name| Value::from(*name)));
        let mut reply = self.run("stream_sweep", guarded!("stream/sweep.lua"), arguments).await?;
        reply.status()?;
        Ok(std::iter::from_fn(|| reply.next_text()).collect())
    }

    /// Hears when something was appended.
    #[must_use]
    pub fn wake(&self) -> Subscription {
        self.redis.subscribe(&self.wake_channel())
    }

    fn wake_channel(&self) -> String {
        format!("events:{{{}}}:wake", self.producer)
    }

    async fn run(&self, what: &'static str, script: &'static str, arguments: Vec<Value>) -> Result<Reply, Error> {
        let keys = vec![self.key.clone(), self.epoch_key.clone()];
        Reply::new(what, self.redis.eval(Lane::Background, what, script, keys, arguments).await?)
    }
}

fn milliseconds(duration: Duration) -> Value {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX).into()
}
