//! HTTP conventions of every service: who may call what and how often, one error body, strict input, replies with a version.
//!
//! The one crate that knows actix-web's insides: middleware, extractors and error rendering live here, so that a handler
//! only parses, calls its `App` and answers. What does not belong here: routes, what a service does, MongoDB, Redis, gRPC.

pub mod access;
pub mod alias;
pub mod body;
pub mod codes;
pub mod cors;
pub mod error;
pub mod extract;
pub mod form;
pub mod guard;
pub mod limit;
pub mod packed;
pub mod query;
pub mod reply;
pub mod server;

mod strict;

pub use access::{Access, AccessTable, Method, Refused, Route};
pub use alias::Alias;
pub use body::{Body, NoBody, fingerprint};
pub use codes::{CODES, Code};
pub use cors::Cors;
pub use error::{ErrorBody, HttpError, Problem};
pub use extract::{IfMatch, Key, LoggedIn, MaybeGuest, MaybeIfNoneMatch, MaybeKey, PathId, PathText, Who};
pub use form::FormFields;
pub use guard::Guard;
pub use limit::{Limiter, Limits};
pub use query::{PageQuery, Paged, PlainPageQuery, PlainPaged, Query};
pub use server::Mount;
