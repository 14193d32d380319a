//! Values that several contracts share, between their gRPC message and their type. Each service converts its own messages.

use shop_types::{Money, money};

/// Money as a message.
#[must_use]
pub fn money_to_proto(money: Money) -> shop_proto::money::Money {
    shop_proto::money::Money { amount: money.amount, currency: money.currency.to_string() }
}

/// Money from a message.
///
/// # Errors
/// [`money::Error::Currency`] when the currency is not three upper-case letters.
pub fn money_from_proto(message: &shop_proto::money::Money) -> Result<Money, money::Error> {
    let shop_proto::money::Money { amount, currency } = message;
    Ok(Money::new(*amount, currency.parse()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_survives_its_message() {
        for (amount, currency) in [(2999, "EUR"), (0, "JPY"), (i64::MIN, "KWD")] {
            let money = Money::new(amount, currency.parse().unwrap());
            assert_eq!(money_from_proto(&money_to_proto(money)), Ok(money));
        }
    }

    #[test]
    fn a_message_without_a_currency_is_not_money() {
        let message = shop_proto::money::Money { amount: 1, currency: String::new() };
        assert_eq!(money_from_proto(&message), Err(money::Error::Currency));
    }
}
