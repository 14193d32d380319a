//! The service over real MongoDB and Redis, by HTTP, gRPC and events.

mod crowd;
mod events;
mod given;
mod reservations;
mod stock;
