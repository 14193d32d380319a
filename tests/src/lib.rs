//! Shared by the test tiers beside this folder. What only one of them needs stands with that tier.

pub mod calls;
pub mod wait;

use std::path::{Path, PathBuf};

/// A path of the repository, such as `examples`.
#[must_use]
pub fn path(inside: &str) -> PathBuf {
    // This crate is a folder of it.
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(inside)
}
