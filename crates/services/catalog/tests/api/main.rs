//! The service over real MongoDB and Redis, by HTTP, gRPC and events; inventory is a generated server in this process.
#![expect(clippy::unwrap_used, clippy::panic, reason = "what helps a test fails as a test does")]

mod access;
mod aliases;
mod bad_input;
mod batch;
mod cache;
mod categories;
mod creating;
mod facets;
mod given;
mod images;
mod imports;
mod inventory;
mod lists;
mod old_names;
mod options;
mod plans;
mod products;
mod races;
mod stock;
mod variants;
