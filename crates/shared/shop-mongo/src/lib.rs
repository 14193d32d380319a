//! MongoDB for the services: one client with majority concerns, deadlines, transactions and what is built on them.
//!
//! What belongs here: everything that names the driver. [`Mongo`] runs single operations, [`Group`] commits the writes of
//! many callers in one transaction, and [`outbox`], [`inbox`], [`idempotency`] and [`counter`] are the collections that
//! every service keeps in its own database. What does not: documents of a service (its `store.rs`) and Redis (the relay
//! and the consumers stand in shop-events).
//!
//! Three rules hold everywhere here:
//! - **A driver future is never dropped half-way**, because that may leave the driver inconsistent (RUST-937). Each
//!   operation runs on a task of its own; who waits for it has a deadline of [`DEADLINE`] or what is left of its
//!   request's, whichever is shorter.
//! - **An error after a write was sent means "unknown", never "failed"**: [`Error::Unavailable`] and [`Error::Timeout`]
//!   of a write become 503, and the same call with the same key finds the truth.
//! - **Decisions rest on unique keys and guards**, never on an earlier read outside the transaction.

mod check;
mod claim;
mod count;
pub mod counter;
mod error;
mod files;
pub mod group;
pub mod idempotency;
pub mod inbox;
mod metrics;
mod mongo;
pub mod outbox;
mod retry;
mod sessions;
mod setup;
mod stamped;
mod throwaway;
mod transaction;
mod txn;
mod update;
mod versioned;

pub use bson::{self, Bson, Document, doc};
pub use mongodb::{ClientSession, Collection, Cursor, Database, IndexModel, options};

pub use check::{Verdict, check};
pub use claim::Claim;
pub use count::{COUNTED, count, count_up_to};
pub use counter::Numbers;
pub use error::{Cause, Error};
pub use files::{Files, Part};
pub use group::Group;
pub use mongo::{DEADLINE, Mongo};
pub use retry::Pauses;
pub use setup::Setup;
pub use throwaway::{drop_databases, unplanned, watch_plans};
pub use txn::Txn;
pub use update::{UpdateOp, Updated};
pub use versioned::update_versioned;

/// The driver's own error, for futures given to [`Mongo::run`].
pub use mongodb::error::Error as DriverError;
