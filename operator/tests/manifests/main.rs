//! What the operator makes of a Shop, without a cluster: rules, plans, manifests, conditions, and NGINX itself.
//!
//! `UPDATE_GOLDEN=1` writes the generated files instead of comparing them.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "clippy knows test functions, but not what they share"
)]

mod examples;
mod fixture;
mod generated;
mod nginx;
mod payment;
mod planning;
mod pods;
mod redis;
mod refusals;
mod reporting;
mod rules;
mod totality;
