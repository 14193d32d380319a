//! Calls from service to service over gRPC: what travels with a call, how long it may take, when it is repeated.
//!
//! What belongs here: the client [`Channel`] under the generated clients, the server side layer, and the one translation
//! between [`shop_types::ServiceError`] and gRPC. What does not: the contracts (shop-proto) and what a call means (services).
//!
//! Services say `CatalogClient::new(mesh.channel("catalog"))` and `server::serve(listener, routes, stop)`; everything else
//! happens behind these two.

mod budget;
mod channel;
pub mod convert;
mod error;
mod mesh;
mod metadata;
mod metrics;
pub mod server;

pub use channel::Channel;
pub use error::{PeerError, status};
pub use mesh::{Error, Mesh};
pub use server::caller;
