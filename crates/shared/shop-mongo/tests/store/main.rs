//! Against a real MongoDB: what only a server can decide.
//!
//! One binary; each test has a database of its own and drops it at the end, also when it fails.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "all of this binary is a test")]

mod check;
mod claim;
mod count;
mod database;
mod failover;
mod files;
mod group;
mod group_faults;
mod group_load;
mod idempotency;
mod inbox;
mod members;
mod numbers;
mod operations;
mod outbox;
mod processes;
mod proxy;
mod sessions;
mod setup;
mod transactions;
