//! The operator: turns a `Shop` into a running shop and keeps it that way.
//!
//! Five steps, one file each: [`observe`] reads, [`plan`] decides, [`build`] writes manifests, [`apply`] makes the cluster
//! like them, [`report`] tells; before it first says that a shop is ready, [`ask`] asks the shop. The two with all the logic have no client. [`reconcile`] is the five in a row.

pub mod admin;
pub mod apply;
pub mod ask;
pub mod backoff;
pub mod build;
pub mod cli;
pub mod clock;
pub mod controller;
pub mod crd;
pub mod error;
mod http;
pub mod keys;
pub mod metrics;
pub mod observe;
pub mod plan;
pub mod reconcile;
pub mod render;
pub mod report;
pub mod rollout;
mod yaml;
