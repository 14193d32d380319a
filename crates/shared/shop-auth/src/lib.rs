//! Access tokens: who the caller is, proven by a signature and a key set that is mounted as a file.
//!
//! What belongs here: reading the key set, verifying, the set of revoked sessions, and signing (identity alone does that).
//! What does not: headers and routes (shop-http, shop-mesh), passwords, refresh tokens and sessions (identity).
//!
//! A token is a JWT of type `at+jwt` (RFC 9068) with exactly the headers `typ`, `alg` and `kid`. The algorithm is Ed25519
//! and nothing else; nothing in a token chooses an algorithm, a key or a place to get one from.

mod claims;
mod error;
mod key_set;
mod revocations;
mod signer;
mod verifier;

pub use claims::Claims;
pub use error::{Error, Refusal};
pub use key_set::{jwk_from_public, key_set_json};
pub use revocations::Revocations;
pub use signer::Signer;
pub use verifier::{LEEWAY, Verifier};
