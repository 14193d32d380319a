//! From text to a typed value in two steps, so that every way to be wrong keeps its name: `parse` reads JSON and is where
//! syntax, depth and repeated fields fail; `decode` turns the value into a type and is where types, rules, unknown and
//! missing fields fail.
//!
//! serde's derives report those four through separate functions of `serde::de::Error`, but `serde_json` folds them into one
//! text. With an error type of our own ([`Fault`]) nothing is told apart by matching messages.

pub(crate) mod decode;
pub(crate) mod fault;
pub(crate) mod parameters;
pub(crate) mod parse;

pub(crate) use decode::{decode, decode_loosely};
pub(crate) use fault::{Fault, Kind};

/// What becomes of fields that a type does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unknown {
    /// The request is refused: it may have meant something.
    Refused,
    /// They are passed over, as on the aliases.
    Ignored,
}
