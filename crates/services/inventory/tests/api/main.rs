//! The service over real MongoDB and Redis, by HTTP, gRPC and events.
#![expect(clippy::unwrap_used, clippy::panic, reason = "what helps a test fails as a test does")]

mod choice;
mod crowd;
mod events;
mod given;
mod locations;
mod movements;
mod reservations;
mod stock;
mod transfers;
