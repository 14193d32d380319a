//! What goes into a stream and comes out of it, and whose data it is.

use std::time::Duration;

use fred::types::Value;

use super::StreamId;

/// Whose data a stream's is. Two equal marks mean that nothing was lost in between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The server process and the replication history that it writes.
    pub run_id: String,
    /// The word that [`super::Stream::open`] left beside the stream; empty when there was none.
    pub epoch: String,
}

/// An event on its way into a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The event's id: the same whenever it is published again.
    pub event_id: String,
    /// Its topic.
    pub topic: String,
    /// Its envelope.
    pub json: String,
    /// The Pub/Sub channel that it is mirrored on, in the same step.
    pub mirror: Option<String>,
}

/// What a consumer was given, and from whose data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Give it back with the acknowledgement.
    pub mark: Mark,
    /// Oldest first.
    pub deliveries: Vec<Delivery>,
}

/// One entry given to a consumer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its place in the stream.
    pub stream_id: StreamId,
    /// The event's id as the producer wrote it; empty when the entry has none.
    pub event_id: String,
    /// The topic as the producer wrote it; empty when the entry has none.
    pub topic: String,
    /// The envelope as the producer wrote it; empty when the entry has none.
    pub json: String,
    /// How often it was given to a consumer of the group, this time included.
    pub deliveries: u32,
}

/// An entry that its consumer could not handle yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// Which.
    pub stream_id: StreamId,
    /// How long nobody is given it.
    pub after: Duration,
    /// How many deliveries count so far.
    pub deliveries: u32,
}

/// How far a stream has been handled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Floor {
    /// Everything below has been acknowledged by every group; `None` while a group is missing, which then has
    /// acknowledged nothing.
    pub below: Option<StreamId>,
    /// What each group still has before it.
    pub groups: Vec<GroupState>,
}

/// How far one group has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupState {
    /// Its name: the consuming service.
    pub name: String,
    /// Everything below has been acknowledged.
    pub below: StreamId,
    /// Entries that it has not acknowledged.
    pub lag: i64,
}

impl Mark {
    pub(super) fn arguments(&self) -> Vec<Value> {
        vec![self.run_id.as_str().into(), self.epoch.as_str().into()]
    }
}
