//! Carts of guests and customers: lines, prices as last shown, totals.
//!
//! See README.md for the routes, calls, events and collections of this service.

pub mod domain;
