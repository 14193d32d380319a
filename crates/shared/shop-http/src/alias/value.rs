//! Values as aliases take them: decimal prices.

use std::fmt;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer};
use shop_types::money::{self, Currency, Money};
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};

/// A decimal number as it was written, such as `29.99`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decimal(String);

impl Decimal {
    /// The amount in minor units, exactly. Zeros behind the last place of the currency say nothing and are allowed.
    ///
    /// # Errors
    /// As [`Money::parse_decimal`].
    pub fn money(&self, currency: Currency) -> Result<Money, money::Error> {
        let places = usize::try_from(currency.exponent()).map_err(|_| money::Error::Overflow)?;
        let text = match self.0.split_once('.') {
            Some((whole, fraction)) if fraction.len() > places => {
                let (kept, rest) = fraction.split_at_checked(places).ok_or(money::Error::Decimal)?;
                let rest = rest.trim_end_matches('0');
                match format!("{kept}{rest}") {
                    none if none.is_empty() => whole.to_owned(),
                    fraction => format!("{whole}.{fraction}"),
                }
            }
            Some(_) | None => self.0.clone(),
        };
        Money::parse_decimal(&text, currency)
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AsWritten)
    }
}

impl utoipa::PartialSchema for Decimal {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(Type::Number).examples([serde_json::json!(29.99)]).into()
    }
}
impl ToSchema for Decimal {}

struct AsWritten;

impl Visitor<'_> for AsWritten {
    type Value = Decimal;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a decimal number")
    }

    fn visit_u64<E>(self, number: u64) -> Result<Decimal, E> {
        Ok(Decimal(number.to_string()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Decimal, E> {
        Ok(Decimal(number.to_string()))
    }

    /// The body of an alias keeps numbers that are no whole ones as their text.
    fn visit_str<E>(self, text: &str) -> Result<Decimal, E> {
        Ok(Decimal(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_read_digit_by_digit() {
        let cents = |text: &str, currency: &str| {
            Decimal(text.to_owned()).money(currency.parse().unwrap()).map(|money| money.amount)
        };
        for (text, amount) in
            [("29.99", 2999), ("29.9", 2990), ("29", 2900), ("0.10", 10), ("1.500", 150), ("1.0", 100)]
        {
            assert_eq!(cents(text, "EUR"), Ok(amount), "{text}");
        }
        assert_eq!(cents("100.0", "JPY"), Ok(100));
        assert_eq!(cents("0.1234", "KWD"), Err(money::Error::Precision));
        assert_eq!(cents("29.999", "EUR"), Err(money::Error::Precision));
        for text in ["", "1e2", "1.", ".5", "1.2.3", "1.ä0", "0x1"] {
            assert_eq!(cents(text, "EUR"), Err(money::Error::Decimal), "{text}");
        }
    }
}
