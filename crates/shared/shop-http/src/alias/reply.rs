//! What the replies of aliases have in common: both names of an id, decimal prices, and their kind of pages.

use serde::ser::Error;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use shop_types::Money;
use shop_types::page::PageInfo;
use utoipa::ToSchema;
use utoipa::openapi::schema::{ObjectBuilder, Type};

/// The id under both names, and the number that people use, where there is one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Ids {
    /// The id.
    id: String,
    /// The same.
    #[serde(rename = "_id")]
    same_id: String,
    /// The number that people use.
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<i64>,
}

impl Ids {
    /// The id and number of one thing.
    #[must_use]
    pub fn new(id: &impl ToString, number: impl Into<Option<i64>>) -> Self {
        let id = id.to_string();
        Self { same_id: id.clone(), id, number: number.into() }
    }
}

/// An amount as a decimal number with all places of its currency: `29.90`. Only written by `serde_json` to text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price(pub Money);

impl Serialize for Price {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RawValue::from_string(self.0.to_decimal()).map_err(S::Error::custom)?.serialize(serializer)
    }
}

impl utoipa::PartialSchema for Price {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        ObjectBuilder::new().schema_type(Type::Number).examples([serde_json::json!(29.99)]).into()
    }
}
impl ToSchema for Price {}

/// Where a page stands in its list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Pagination {
    /// This page, from 1.
    page: u32,
    /// Items asked for per page.
    limit: u32,
    /// Items in the whole list.
    total: u64,
    /// Pages in the whole list.
    pages: u64,
}

impl From<&PageInfo> for Pagination {
    fn from(page: &PageInfo) -> Self {
        Self { page: page.number, limit: page.size, total: page.total, pages: page.pages }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_a_number_with_its_places() {
        let price =
            |amount, currency: &str| serde_json::to_string(&Price(Money::new(amount, currency.parse().unwrap())));
        assert_eq!(price(2990, "EUR").unwrap(), "29.90");
        assert_eq!(price(i64::MAX, "EUR").unwrap(), "92233720368547758.07");
        assert_eq!(price(5, "JPY").unwrap(), "5");
    }

    #[test]
    fn an_id_is_told_under_both_names() {
        assert_eq!(serde_json::to_string(&Ids::new(&"x", 7)).unwrap(), r#"{"id":"x","_id":"x","number":7}"#);
        assert_eq!(serde_json::to_string(&Ids::new(&"x", None)).unwrap(), r#"{"id":"x","_id":"x"}"#);
    }
}
