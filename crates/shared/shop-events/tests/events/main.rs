//! Relay and consumers against a real MongoDB, and a Redis that each test starts for itself so that it may be lost.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail by panicking, as tests do")]

mod audit;
mod dead_letters;
mod delivery;
mod failures;
mod losses;
mod poison;
mod pressure;
mod revocations;
#[path = "../../../shop-redis/tests/redis/server.rs"]
mod server;
mod shop;
mod tracing;
