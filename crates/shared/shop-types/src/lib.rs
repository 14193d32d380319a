//! The vocabulary of the shop: money, ids, callers, error kinds, events.
//!
//! Pure values that every other crate may use. Nothing here does I/O, reads a clock or makes a random number,
//! and nothing here knows of HTTP, gRPC, MongoDB or Redis.

pub mod audit;
pub mod caller;
pub mod clock;
pub mod error;
pub mod event;
pub mod id;
pub mod idempotency;
pub mod lease;
pub mod money;
pub mod named;
pub mod page;
pub mod rate;
pub mod text;

pub use audit::{AuditTrail, StaffCall};
pub use caller::{Caller, Role};
pub use clock::Clock;
pub use error::{Detail, ErrorKind, ServiceError};
pub use event::{Envelope, Event, Topic};
pub use id::{CallId, CartId, CategoryId, EventId, Id, ImageId, ImportId, OrderId, ProductId, SessionId, UserId};
pub use idempotency::{Fingerprint, IdempotencyKey};
pub use lease::{Lease, LeaseSource};
pub use money::{Currency, Money};
pub use named::{Named, NamedCart, NamedUser};
pub use page::{Page, PageInfo};
pub use rate::Rate;
pub use text::{Email, Quantity, Sku};
