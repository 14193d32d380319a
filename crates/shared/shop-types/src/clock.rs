//! Time and fresh ids as an argument. What belongs here: the trait. The real clock lives in the kit, the
//! fake one in the testkit.

use jiff::Timestamp;
use uuid::Uuid;

/// Gives the present time and fresh ids, so that rules and tests can move both by hand.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// The present time of this pod. Leases use the database's clock instead (orders 1.5 f).
    fn now(&self) -> Timestamp;
    /// A new UUIDv7, unique across all pods.
    fn new_id(&self) -> Uuid;
}
