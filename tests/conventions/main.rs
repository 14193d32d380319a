//! Holds the house style of ARCHITECTURE.md by reading the source tree and `cargo metadata`. Needs no server.
#![expect(clippy::expect_used, clippy::panic, reason = "tests stop at the first surprise")]

mod charts;
mod demo;
mod dependencies;
mod environment;
mod events;
mod files;
mod guide;
mod metrics;
mod promises;
mod runbooks;
mod services;
mod tree;
