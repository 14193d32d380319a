//! How e-mail addresses are stored. The only place that writes, finds or reads one, so that encryption with a blind index
//! changes this file and nothing else.

use sha2::{Digest as _, Sha256};
use shop_mongo::{Document, doc};
use shop_types::Email;
use shop_types::idempotency::hex;

use super::documents::Unreadable;

/// The field of a user's address.
pub(super) const FIELD: &str = "email";
/// The unique index on it.
pub(super) const INDEX: &str = "email";

/// What is stored of an address.
pub(super) fn stored(email: &Email) -> String {
    email.as_str().to_owned()
}

/// By what an address is known where its account is not named.
pub(super) fn digest(email: &Email) -> String {
    hex(&Sha256::digest(email.as_str()))
}

/// The address that was stored.
pub(super) fn read(stored: &str) -> Result<Email, Unreadable> {
    stored.parse().map_err(|_| Unreadable("email"))
}

/// Finds the account of an address.
pub(super) fn filter(email: &Email) -> Document {
    doc! { FIELD: { "$eq": stored(email) } }
}
