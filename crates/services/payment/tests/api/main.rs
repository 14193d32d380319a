//! The service over real MongoDB, Redis and a real provider process, by HTTP, gRPC and events.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

mod actions;
mod authorize;
mod given;
mod http;
mod kept;
mod mishaps;
mod orders;
mod provider;
mod reconciliation;
mod recovery;
mod refunds;
mod webhooks;
