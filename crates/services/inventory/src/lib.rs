//! Stock and reservations: what can be sold, who holds it, and what became of it.
//!
//! See README.md for the routes, calls, events and collections of this service.

pub mod domain;
