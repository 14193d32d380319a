//! Redis as the shop uses it: streams with consumer groups, Pub/Sub, a cache of two levels, copies of documents, and the count
//! behind rate limits.
//!
//! What belongs here: everything that names the Redis client, and the guards that make Redis a wire that may lose data
//! without the shop losing any. What does not: which events exist and how they are handled (shop-events), and what is
//! worth caching (the services). Redis is never the only copy of anything: every caller can go on without it.

mod breaker;
mod cache;
mod client;
mod copies;
mod error;
mod lease;
mod pubsub;
mod stream;
mod watch;

pub use bytes::Bytes;
pub use cache::{Cache, Hit};
pub use client::Redis;
pub use copies::{Copies, Look, Stale};
pub use error::Error;
pub use lease::Leases;
pub use pubsub::{Notice, Subscription};
pub use stream::{Batch, Delivery, Entry, Floor, GroupState, Mark, Retry, Stream, StreamId};
