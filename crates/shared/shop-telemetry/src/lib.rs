//! Traces, logs, metrics, and the context that travels with one request.
//!
//! What belongs here: setting them up, and the few functions that carry a request across tasks and transports. What does
//! not: reading headers (shop-http, shop-mesh) and the metrics themselves (each crate registers its own).

pub mod context;
pub mod logs;
pub mod metrics;
