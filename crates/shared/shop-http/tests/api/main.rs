//! A small service behind the guard, on a real port, asked by a real client.
#![expect(clippy::unwrap_used, clippy::panic, reason = "what helps a test fails as a test does")]

mod answers;
mod audit;
mod bodies;
mod callers;
mod cors;
mod gzip;
mod headers;
mod limits;
mod logs;
mod routes;
mod service;
mod shop;
