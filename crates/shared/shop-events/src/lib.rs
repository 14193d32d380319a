//! Events from one service's database to another's, at least once on the wire and once in effect.
//!
//! What belongs here: the relay that carries outbox rows into a stream, the consumer that hands a stream's events to a
//! service, the letters that nobody could deliver, the writes of staff on their way to the audit log, and how every pod hears
//! of revoked sessions: where MongoDB meets Redis.
//! What does not: rows and inbox (shop-mongo), streams (shop-redis), and what an event means (the services).
//!
//! Redis may lose anything at any time. An outbox row is the event until every consuming service has durably handled it;
//! the inbox makes the second delivery of an event do nothing.

mod audit;
mod consumer;
mod dead_letters;
mod each;
mod handler;
mod outage;
mod relay;
mod revocations;
mod routes;

use shop_mongo::Setup;

pub use audit::OutboxTrail;
pub use consumer::spawn_consumer;
pub use dead_letters::{DeadLetter, DeadLetters, LetterError, LetterPage};
pub use each::each;
pub use handler::{HandleError, Handler};
pub use relay::spawn_relay;
pub use revocations::{answer_revocations, spawn_revocations};

/// The collections behind [`spawn_relay`]; it ensures them itself, but traffic may come first.
#[must_use]
pub fn relay_setup() -> Vec<Setup> {
    vec![shop_mongo::outbox::setup(), relay::lease_setup()]
}

/// The collections behind [`spawn_consumer`]; it ensures them itself.
#[must_use]
pub fn consumer_setup() -> Vec<Setup> {
    vec![shop_mongo::inbox::setup(), dead_letters::setup()]
}
