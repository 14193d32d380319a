//! Money: minor units and ISO 4217. Integers all the way; decimal text is parsed digit by digit, never as a float.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// An ISO 4217 code, three upper-case letters.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Currency([u8; 3]);

impl Currency {
    /// Digits behind the point: 0, 2 or 3. What is not listed has 2 (ISO 4217, list one).
    #[must_use]
    pub const fn exponent(self) -> u32 {
        match &self.0 {
            b"BIF" | b"CLP" | b"DJF" | b"GNF" | b"ISK" | b"JPY" | b"KMF" | b"KRW" | b"PYG" | b"RWF" | b"UGX"
            | b"UYI" | b"VND" | b"VUV" | b"XAF" | b"XOF" | b"XPF" => 0,
            b"BHD" | b"IQD" | b"JOD" | b"KWD" | b"LYD" | b"OMR" | b"TND" => 3,
            _ => 2,
        }
    }
}

impl FromStr for Currency {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match <[u8; 3]>::try_from(text.as_bytes()) {
            Ok(code) if code.iter().all(u8::is_ascii_uppercase) => Ok(Self(code)),
            Ok(_) | Err(_) => Err(Error::Currency),
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{}", char::from(*b)))
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// An amount in minor units (cents for EUR, yen for JPY) of one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Money {
    /// Minor units; may be negative in differences, never in prices.
    pub amount: i64,
    /// ISO 4217 code.
    #[schema(value_type = String, pattern = "^[A-Z]{3}$", example = "EUR")]
    pub currency: Currency,
}

/// A calculation or a text that is not money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not three upper-case letters.
    #[error("must be an ISO 4217 code of three upper-case letters")]
    Currency,
    /// Two currencies in one sum.
    #[error("amounts of different currencies cannot be added")]
    Mixed,
    /// Beyond 64 bits.
    #[error("the amount is too large")]
    Overflow,
    /// Not a plain decimal number.
    #[error("must be a decimal number such as 29.99")]
    Decimal,
    /// More digits behind the point than the currency has.
    #[error("has more decimal places than the currency")]
    Precision,
}

impl Money {
    /// An amount of minor units.
    #[must_use]
    pub const fn new(amount: i64, currency: Currency) -> Self {
        Self { amount, currency }
    }

    /// Nothing, in a currency.
    #[must_use]
    pub const fn zero(currency: Currency) -> Self {
        Self::new(0, currency)
    }

    /// Reads decimal text such as `29.99` exactly.
    ///
    /// # Errors
    /// [`Error::Decimal`] for anything but an optional sign, digits and one point; [`Error::Precision`] when it has more
    /// places than the currency (trailing zeros too: `1.000` EUR is refused); [`Error::Overflow`] beyond 64 bits.
    pub fn parse_decimal(text: &str, currency: Currency) -> Result<Self, Error> {
        let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let is_number = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !is_number(whole) || !is_number(fraction) || digits.ends_with('.') {
            return Err(Error::Decimal);
        }
        let places = usize::try_from(currency.exponent()).map_err(|_| Error::Overflow)?;
        if fraction.len() > places {
            return Err(Error::Precision);
        }
        let all: String =
            whole.chars().chain(fraction.chars()).chain(std::iter::repeat_n('0', places - fraction.len())).collect();
        let sign = if negative { "-" } else { "" };
        let amount = format!("{sign}{all}").parse().map_err(|_| Error::Overflow)?;
        Ok(Self { amount, currency })
    }

    /// Decimal text with exactly as many places as the currency has; [`Self::parse_decimal`] reads it back.
    #[must_use]
    pub fn to_decimal(self) -> String {
        let places = usize::try_from(self.currency.exponent()).unwrap_or(2);
        let digits = format!("{:0>width$}", self.amount.unsigned_abs(), width = places + 1);
        let (whole, fraction) = digits.split_at(digits.len() - places);
        let sign = if self.amount < 0 { "-" } else { "" };
        if places == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
    }

    /// The sum of two amounts of one currency.
    ///
    /// # Errors
    /// [`Error::Mixed`] for two currencies, [`Error::Overflow`] beyond 64 bits.
    pub fn checked_add(self, other: Self) -> Result<Self, Error> {
        if self.currency != other.currency {
            return Err(Error::Mixed);
        }
        self.amount.checked_add(other.amount).map(|amount| Self { amount, ..self }).ok_or(Error::Overflow)
    }

    /// The amount so many times.
    ///
    /// # Errors
    /// [`Error::Overflow`] beyond 64 bits.
    pub fn checked_mul(self, times: u32) -> Result<Self, Error> {
        self.amount.checked_mul(i64::from(times)).map(|amount| Self { amount, ..self }).ok_or(Error::Overflow)
    }

    /// The sum of amounts; zero of `currency` for none.
    ///
    /// # Errors
    /// As [`Self::checked_add`].
    pub fn sum(currency: Currency, amounts: impl IntoIterator<Item = Self>) -> Result<Self, Error> {
        amounts.into_iter().try_fold(Self::zero(currency), Self::checked_add)
    }

    /// Splits by weights so that the parts add up exactly: each part is rounded down, and the units left over go to
    /// the largest remainders, earlier parts first. No weights, or only zeros: everything goes to the first part.
    #[must_use]
    pub fn split(self, weights: &[u32]) -> Vec<Self> {
        let sum: i128 = weights.iter().map(|w| i128::from(*w)).sum();
        if sum == 0 {
            return (0..weights.len()).map(|n| if n == 0 { self } else { Self::zero(self.currency) }).collect();
        }
        let total = i128::from(self.amount);
        let mut parts: Vec<(usize, i128, i128)> = weights
            .iter()
            .enumerate()
            .map(|(n, w)| (n, (total * i128::from(*w)).div_euclid(sum), (total * i128::from(*w)).rem_euclid(sum)))
            .collect();
        let mut left = total - parts.iter().map(|part| part.1).sum::<i128>();
        parts.sort_by(|a, b| b.2.cmp(&a.2).then(a.0.cmp(&b.0)));
        for part in &mut parts {
            if left > 0 {
                part.1 += 1;
                left -= 1;
            }
        }
        parts.sort_by_key(|part| part.0);
        parts.into_iter().map(|part| Self { amount: i64::try_from(part.1).unwrap_or(i64::MAX), ..self }).collect()
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.to_decimal(), self.currency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn currency(code: &str) -> Currency {
        code.parse().unwrap()
    }

    #[test]
    fn decimal_text_is_exact() {
        assert_eq!(Money::parse_decimal("29.99", currency("EUR")).unwrap().amount, 2999);
        assert_eq!(Money::parse_decimal("29.9", currency("EUR")).unwrap().amount, 2990);
        assert_eq!(Money::parse_decimal("300", currency("JPY")).unwrap().amount, 300);
        assert_eq!(Money::parse_decimal("1.234", currency("KWD")).unwrap().amount, 1234);
        assert_eq!(Money::parse_decimal("-0.05", currency("EUR")).unwrap().to_decimal(), "-0.05");
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in ["", ".", "1.", ".5", "1e3", "1,5", "+1", " 1", "NaN", "--1", "0x10"] {
            assert_eq!(Money::parse_decimal(text, currency("EUR")), Err(Error::Decimal), "{text:?}");
        }
        assert_eq!(Money::parse_decimal("29.999", currency("EUR")), Err(Error::Precision));
        assert_eq!(Money::parse_decimal("1.5", currency("JPY")), Err(Error::Precision));
        assert_eq!(Money::parse_decimal("92233720368547758.08", currency("EUR")), Err(Error::Overflow));
    }

    #[test]
    fn currencies_do_not_mix() {
        let one = Money::new(1, currency("EUR"));
        assert_eq!(one.checked_add(Money::new(1, currency("USD"))), Err(Error::Mixed));
        assert_eq!(Money::new(i64::MAX, currency("EUR")).checked_add(one), Err(Error::Overflow));
        assert!("eur".parse::<Currency>().is_err());
    }

    fn any_currency() -> impl Strategy<Value = Currency> {
        prop::sample::select(vec!["EUR", "JPY", "KWD"]).prop_map(currency)
    }

    // `PROPTEST_CASES=1000000` asks each of these a million times.
    proptest! {
        #[test]
        fn decimal_text_survives_the_round_trip(amount: i64, currency in any_currency()) {
            let money = Money::new(amount, currency);
            prop_assert_eq!(Money::parse_decimal(&money.to_decimal(), currency), Ok(money));
        }

        #[test]
        fn text_that_is_read_means_what_it_says(text in r"-?[0-9]{1,8}(\.[0-9]{1,4})?", currency in any_currency()) {
            let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
            let places = usize::try_from(currency.exponent()).unwrap();
            match Money::parse_decimal(&text, currency) {
                Ok(money) => prop_assert_eq!(money.amount, format!("{whole}{fraction:0<places$}").parse::<i64>().unwrap()),
                Err(error) => prop_assert_eq!((error, fraction.len() > places), (Error::Precision, true)),
            }
        }

        #[test]
        fn the_parts_of_a_split_add_up(amount: i64, weights in prop::collection::vec(0_u32.., 1..20)) {
            let money = Money::new(amount, currency("EUR"));
            prop_assert_eq!(Money::sum(money.currency, money.split(&weights)), Ok(money));
        }

        #[test]
        fn no_part_of_a_split_is_a_unit_away_from_its_share(amount: i64, weights in prop::collection::vec(0_u32.., 1..20)) {
            let sum: i128 = weights.iter().map(|weight| i128::from(*weight)).sum();
            prop_assume!(sum > 0);
            for (part, weight) in Money::new(amount, currency("EUR")).split(&weights).into_iter().zip(&weights) {
                let away = i128::from(part.amount) * sum - i128::from(amount) * i128::from(*weight);
                prop_assert!(away.abs() < sum, "{part} of {amount} for {weight} of {sum}");
            }
        }

        #[test]
        fn sums_are_exact_or_refused(amounts in prop::collection::vec(any::<i64>(), 0..8)) {
            let currency = currency("EUR");
            let exact: Vec<i128> = amounts.iter().scan(0, |sum, amount| { *sum += i128::from(*amount); Some(*sum) }).collect();
            let sum = Money::sum(currency, amounts.iter().map(|amount| Money::new(*amount, currency)));
            if exact.iter().all(|sum| i64::try_from(*sum).is_ok()) {
                prop_assert_eq!(i128::from(sum.unwrap().amount), exact.last().copied().unwrap_or(0));
            } else {
                prop_assert_eq!(sum, Err(Error::Overflow));
            }
        }

        #[test]
        fn many_pieces_cost_so_many_times_one(price: i64, pieces: u32) {
            let exact = i64::try_from(i128::from(price) * i128::from(pieces));
            let cost = Money::new(price, currency("EUR")).checked_mul(pieces).map(|cost| cost.amount);
            prop_assert_eq!(cost, exact.map_err(|_| Error::Overflow));
        }
    }
}
