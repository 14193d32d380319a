//! Things that are named by their id, or by the number that people use.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};

use crate::Id;
use crate::id::{CartKind, MalformedId, UserKind};

/// Something named by its id, or by the number that people use: digits alone are always a number
/// (C10 of `docs/reference/promises.md`).
#[derive(Debug)]
pub enum Named<K> {
    /// By its id.
    Id(Id<K>),
    /// By its number.
    Number(i64),
}

/// An account, in the words of people.
pub type NamedUser = Named<UserKind>;
/// A cart, in the words of people.
pub type NamedCart = Named<CartKind>;

impl<K> Clone for Named<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Named<K> {}

impl<K> PartialEq for Named<K> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Id(one), Self::Id(other)) => one == other,
            (Self::Number(one), Self::Number(other)) => one == other,
            (Self::Id(_), Self::Number(_)) | (Self::Number(_), Self::Id(_)) => false,
        }
    }
}
impl<K> Eq for Named<K> {}

impl<K> FromStr for Named<K> {
    type Err = MalformedId;

    fn from_str(text: &str) -> Result<Self, MalformedId> {
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return text.parse().map(Self::Number).map_err(|_| MalformedId);
        }
        text.parse().map(Self::Id)
    }
}

impl<'de, K> Deserialize<'de> for Named<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NamedVisitor(PhantomData))
    }
}

struct NamedVisitor<K>(PhantomData<fn() -> K>);

impl<K> Visitor<'_> for NamedVisitor<K> {
    type Value = Named<K>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id or a number")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Named<K>, E> {
        i64::try_from(number).map(Named::Number).map_err(|_| E::custom("must be an id or a number"))
    }

    /// JSON Schema counts `12.0` among the integers.
    fn visit_f64<E: Error>(self, number: f64) -> Result<Named<K>, E> {
        const EXACT: f64 = 9_007_199_254_740_992.0;
        if number.fract() != 0.0 || !(0.0..EXACT).contains(&number) {
            return Err(E::custom("must be an id or a number"));
        }
        #[expect(clippy::cast_possible_truncation, reason = "it is whole, and smaller than 2^53")]
        Ok(Named::Number(number as i64))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Named<K>, E> {
        text.parse().map_err(|_| E::custom("must be an id or a number"))
    }
}

impl<K> utoipa::PartialSchema for Named<K> {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        use utoipa::openapi::schema::Type;
        utoipa::openapi::ObjectBuilder::new()
            .schema_type([Type::String, Type::Integer].into_iter().collect::<utoipa::openapi::schema::SchemaType>())
            .description(Some("An id, or the number that people use"))
            .minimum(Some(0))
            .maximum(Some(i64::MAX))
            .into()
    }
}
impl<K> utoipa::ToSchema for Named<K> {}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::id::OrderKind;

    fn named(json: serde_json::Value) -> Result<Named<OrderKind>, serde_json::Error> {
        serde_json::from_value(json)
    }

    #[test]
    fn digits_alone_are_a_number_as_text_or_not() {
        let id = "01980000-0000-7000-8000-000000000001";
        assert_eq!(named(json!(12)).unwrap(), Named::Number(12));
        assert_eq!(named(json!(12.0)).unwrap(), Named::Number(12));
        assert_eq!(named(json!("12")).unwrap(), Named::Number(12));
        assert_eq!(named(json!(id)).unwrap(), Named::Id(id.parse().unwrap()));
        for other in
            [json!(""), json!("x"), json!(-1), json!(1.5), json!("99999999999999999999"), json!(null), json!({})]
        {
            assert!(named(other.clone()).is_err(), "{other}");
        }
    }
}
