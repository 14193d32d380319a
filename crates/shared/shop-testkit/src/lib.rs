//! Tests only: throw-away databases and keys, a running service on free ports, callers of every kind, a fake clock.
//!
//! Real MongoDB and Redis always: a test whose server is away fails and says what to do. Never a dependency of
//! anything that ships.
#![expect(clippy::expect_used, clippy::panic, reason = "a failing fixture must end its test with a clear message")]

mod callers;
mod clock;
mod servers;
mod shop;

pub use callers::{Callers, Who};
pub use clock::FakeClock;
pub use servers::{MONGODB_URI, REDIS_URL, mongodb_uri, redis_url};
pub use shop::{Peers, TestShop};
