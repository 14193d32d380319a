//! The judge against real databases: hand-written ones with one contradiction each, and those of a real shop.
#![expect(clippy::unwrap_used, clippy::panic, reason = "what helps a test fails as a test does")]

mod given;
mod healthy;
mod live;
mod planted;
mod real;
