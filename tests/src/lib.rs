//! Shared by the test tiers beside this folder.
