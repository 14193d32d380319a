//! The service over real MongoDB and Redis, by HTTP and events, beside a cart, a catalog, an inventory and a payment that
//! the tests play.
#![expect(clippy::unwrap_used, clippy::panic, reason = "what helps a test fails as a test does")]

mod access;
mod addresses;
mod aliases;
mod attempts;
mod bad_input;
mod cancelling;
mod fakes;
mod forgetting;
mod given;
mod kept;
mod keys;
mod lists;
mod payments;
mod placing;
mod plans;
mod recovery;
mod returns;
mod status;
mod stuck;
