//! Calls between two real ends on the loopback interface.
#![expect(clippy::unwrap_used, reason = "what helps a test fails as a test does")]

mod caller;
mod context;
mod deadlines;
mod errors;
mod peer;
mod retries;
