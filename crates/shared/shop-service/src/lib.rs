//! The kit every service starts and stops with: one builder of ordinary values, no macros, no traits to implement.
//!
//! `order::service(&config)` builds a [`Service`]; [`run`] owns one set of three ports, mounts the routes and gRPC
//! servers of all services it is given, joins their consumers and stops them in order. One element is a pod, all of
//! them are `shopmesh all` (ruling 3). What only one service needs does not belong here.

mod admin;
mod clock;
mod database;
mod limits;
mod openapi;
mod pod;
mod running;
mod service;
mod skew;
mod startup;

pub use clock::SystemClock;
pub use database::check_database;
pub use openapi::{CODES_EXTENSION, merge_documents, version};
pub use running::{Running, launch, run};
pub use service::Service;
