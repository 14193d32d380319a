//! What the operator makes of a Shop, without a cluster: rules, plans, manifests, conditions, and NGINX itself.
//!
//! `UPDATE_GOLDEN=1` writes the generated files instead of comparing them.

mod examples;
mod fixture;
mod generated;
mod nginx;
mod planning;
mod pods;
mod reporting;
mod rules;
mod totality;
