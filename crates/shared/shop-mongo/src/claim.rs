//! The claim of a request on its idempotency key, as a handler makes it and a store writes it.

use shop_types::caller::Subject;
use shop_types::{Fingerprint, IdempotencyKey};

use crate::idempotency::{Row, Start, row_id};

/// "This key of this subject on this route means this request."
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    id: String,
    fingerprint: Fingerprint,
}

impl Claim {
    /// Claims a key. `route` is the operation's id, the same on every version of its path.
    #[must_use]
    pub fn new(subject: Subject, route: &str, key: &IdempotencyKey, fingerprint: Fingerprint) -> Self {
        Self { id: row_id(&subject.to_string(), route, key), fingerprint }
    }

    /// The name of the idempotency row.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether a row was written for the same request; otherwise the key was used for something else (422).
    #[must_use]
    pub fn fits(&self, row: &Row) -> bool {
        row.fits(&self.fingerprint)
    }

    /// The row to write in the transaction of the request's first effect.
    #[must_use]
    pub fn start(&self, resource: impl Into<String>) -> Start {
        Start { id: self.id.clone(), fingerprint: self.fingerprint.clone(), resource: resource.into() }
    }
}
