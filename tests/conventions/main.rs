//! Holds the house style of ARCHITECTURE.md by reading the source tree and `cargo metadata`. Needs no server.

mod dependencies;
mod events;
mod files;
mod services;
mod tree;
