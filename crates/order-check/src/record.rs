//! Documents as they lie in the database, read field by field.
//!
//! The names and words here repeat those of the services on purpose and share nothing with them: a mistake there must not
//! become a mistake here. A document that does not fit is told as a contradiction, never passed over.

mod event;
mod order;
mod payment;
mod stock;

use jiff::Timestamp;
use shop_mongo::{Bson, Document};

pub(crate) use event::Event;
#[cfg(test)]
pub(crate) use order::Step;
pub(crate) use order::{Line, Order, Phase, State};
pub(crate) use payment::{Done, Payment, PaymentState};
pub(crate) use stock::{Cause, Move, Movement, Reservation, ReservationState, Stock};

/// A stored document does not have the shape or the words that are known here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the field {field} {why}")]
pub(crate) struct Unreadable {
    field: String,
    why: String,
}

impl Unreadable {
    fn new(field: impl Into<String>, why: impl Into<String>) -> Self {
        Self { field: field.into(), why: why.into() }
    }

    /// A word that no rule here knows.
    fn word(field: &str, word: &str) -> Self {
        Self::new(field, format!("says {word:?}, which is unknown here"))
    }
}

/// Reads the fields of a document.
#[derive(Debug, Clone, Copy)]
struct Fields<'d>(&'d Document);

impl<'d> Fields<'d> {
    fn get(self, field: &str) -> Option<&'d Bson> {
        self.0.get(field).filter(|value| !matches!(value, Bson::Null))
    }

    fn text(self, field: &str) -> Result<&'d str, Unreadable> {
        self.optional_text(field)?.ok_or_else(|| Unreadable::new(field, "is missing"))
    }

    fn optional_text(self, field: &str) -> Result<Option<&'d str>, Unreadable> {
        match self.get(field) {
            None => Ok(None),
            Some(Bson::String(text)) => Ok(Some(text)),
            Some(_) => Err(Unreadable::new(field, "is no text")),
        }
    }

    fn whole(self, field: &str) -> Result<i64, Unreadable> {
        match self.get(field) {
            None => Err(Unreadable::new(field, "is missing")),
            Some(Bson::Int64(number)) => Ok(*number),
            Some(Bson::Int32(number)) => Ok(i64::from(*number)),
            Some(_) => Err(Unreadable::new(field, "is no whole number")),
        }
    }

    fn is_true(self, field: &str) -> Result<bool, Unreadable> {
        match self.get(field) {
            Some(Bson::Boolean(value)) => Ok(*value),
            Some(_) | None => Err(Unreadable::new(field, "is neither true nor false")),
        }
    }

    fn time(self, field: &str) -> Result<Timestamp, Unreadable> {
        match self.get(field) {
            Some(Bson::DateTime(at)) => Ok(at.to_jiff()),
            Some(_) | None => Err(Unreadable::new(field, "is no time")),
        }
    }

    /// The documents in an array; none for a field that is not there.
    fn documents(self, field: &str) -> Result<Vec<Fields<'d>>, Unreadable> {
        match self.get(field) {
            None => Ok(Vec::new()),
            Some(Bson::Array(values)) => {
                let one = |(n, value): (usize, &'d Bson)| {
                    let document = value.as_document().map(Fields);
                    document.ok_or_else(|| Unreadable::new(format!("{field}[{n}]"), "is no document"))
                };
                values.iter().enumerate().map(one).collect()
            }
            Some(_) => Err(Unreadable::new(field, "is no array")),
        }
    }

    /// A field that must be there and be an array of documents.
    fn required_documents(self, field: &str) -> Result<Vec<Fields<'d>>, Unreadable> {
        if self.get(field).is_none() {
            return Err(Unreadable::new(field, "is missing"));
        }
        self.documents(field)
    }
}
