//! Access tokens and key sets, with real keys and files.
#![expect(clippy::unwrap_used, reason = "what helps a test fails as a test does")]

mod key_sets;
mod keys;
mod tokens;
