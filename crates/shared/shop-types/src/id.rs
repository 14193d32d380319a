//! Identifiers: UUIDv7 as text, one type per thing, so that an order id never stands where a cart id is meant.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::Uuid;

/// Marks an [`Id`] as one of an order.
#[derive(Debug)]
pub enum OrderKind {}
/// Marks an [`Id`] as one of a cart.
#[derive(Debug)]
pub enum CartKind {}
/// Marks an [`Id`] as one of a product.
#[derive(Debug)]
pub enum ProductKind {}
/// Marks an [`Id`] as one of a category.
#[derive(Debug)]
pub enum CategoryKind {}
/// Marks an [`Id`] as one of an import of products.
#[derive(Debug)]
pub enum ImportKind {}
/// Marks an [`Id`] as one of an image of a product.
#[derive(Debug)]
pub enum ImageKind {}
/// Marks an [`Id`] as one of a user: customer, staff or admin.
#[derive(Debug)]
pub enum UserKind {}
/// Marks an [`Id`] as one of a login session.
#[derive(Debug)]
pub enum SessionKind {}
/// Marks an [`Id`] as one of an event.
#[derive(Debug)]
pub enum EventKind {}
/// Marks an [`Id`] as one of a call by staff or a program.
#[derive(Debug)]
pub enum CallKind {}

/// Names an order.
pub type OrderId = Id<OrderKind>;
/// Names a cart.
pub type CartId = Id<CartKind>;
/// Names a product.
pub type ProductId = Id<ProductKind>;
/// Names a category.
pub type CategoryId = Id<CategoryKind>;
/// Names an import of products.
pub type ImportId = Id<ImportKind>;
/// Names an image of a product.
pub type ImageId = Id<ImageKind>;
/// Names a user.
pub type UserId = Id<UserKind>;
/// Names a login session.
pub type SessionId = Id<SessionKind>;
/// Names an event.
pub type EventId = Id<EventKind>;
/// Names a call by staff or a program.
pub type CallId = Id<CallKind>;

/// A UUID that names one `K`; written as lower-case hyphenated text everywhere.
pub struct Id<K>(Uuid, PhantomData<fn() -> K>);

/// A text is not an id. The answer to a caller is "not found" (404), never 400 or 500.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an id: must be a UUID")]
pub struct MalformedId;

impl<K> Id<K> {
    /// Wraps a UUID that was made by a [`crate::Clock`] or read from our own store.
    #[must_use]
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid, PhantomData)
    }

    /// When the id was made, to the millisecond: ours are of version 7 and tell it; others are `None`.
    #[must_use]
    pub fn made_at(&self) -> Option<Timestamp> {
        let (seconds, nanoseconds) = self.0.get_timestamp()?.to_unix();
        Timestamp::new(i64::try_from(seconds).ok()?, i32::try_from(nanoseconds).ok()?).ok()
    }

    /// The UUID itself.
    #[must_use]
    pub const fn as_uuid(&self) -> Uuid {
        self.0
    }
}

impl<K> FromStr for Id<K> {
    type Err = MalformedId;

    /// Reads the hyphenated form only: braces, URNs and bare hex would give one thing several names.
    fn from_str(text: &str) -> Result<Self, MalformedId> {
        if text.len() != 36 {
            return Err(MalformedId);
        }
        Uuid::try_parse(text).map(Self::from_uuid).map_err(|_| MalformedId)
    }
}

impl<K> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

impl<K> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Id<K> {}
impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<K> Eq for Id<K> {}
impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}
impl<K> Hash for Id<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl<K> Serialize for Id<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, K> Deserialize<'de> for Id<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl<K> utoipa::PartialSchema for Id<K> {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .format(Some(utoipa::openapi::SchemaFormat::KnownFormat(utoipa::openapi::KnownFormat::Uuid)))
            .into()
    }
}

impl<K> utoipa::ToSchema for Id<K> {
    fn name() -> std::borrow::Cow<'static, str> {
        "Id".into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_text() {
        let id = OrderId::from_uuid(Uuid::from_u128(7));
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn only_the_hyphenated_form_is_an_id() {
        for text in [
            "",
            "1",
            "urn:uuid:00000000-0000-0000-0000-000000000007",
            "00000000000000000000000000000007",
            "{\"$gt\":\"\"}",
        ] {
            assert_eq!(text.parse::<OrderId>(), Err(MalformedId), "{text}");
        }
    }
}
