//! The service over real MongoDB and Redis, by HTTP, gRPC and events, beside a catalog that the tests play.
#![expect(clippy::unwrap_used, clippy::panic, reason = "what helps a test fails as a test does")]

mod access;
mod aliases;
mod bad_input;
mod carts;
mod catalog;
mod copies;
mod given;
mod items;
mod merge;
mod orders;
mod stock;
mod wire;
