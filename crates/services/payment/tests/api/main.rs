//! The service over real MongoDB, Redis and a real provider process, by HTTP, gRPC and events.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

mod authorize;
mod given;
mod http;
mod orders;
mod recovery;
