//! What an admin types to find an account: an address, a number, or how a name begins.

use std::str::FromStr;

use shop_types::Email;
use shop_types::text::Broken;

/// How accounts are looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Search {
    /// The account of this address.
    Email(Email),
    /// The account with this number.
    Number(i64),
    /// Accounts whose name begins like this, in upper or lower case.
    Name(String),
}

impl FromStr for Search {
    type Err = Broken;

    fn from_str(text: &str) -> Result<Self, Broken> {
        let text = text.trim();
        if !(1..=254).contains(&text.chars().count()) || text.chars().any(char::is_control) {
            return Err(Broken("must be 1 to 254 characters on one line"));
        }
        let number = Some(text).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        if let Some(number) = number.and_then(|digits| digits.parse().ok()) {
            return Ok(Self::Number(number));
        }
        Ok(text.parse().map_or_else(|_| Self::Name(text.to_owned()), Self::Email))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_numbers_and_names_are_told_apart() {
        assert_eq!(" Ada@Example.org".parse(), Ok(Search::Email("ada@example.org".parse().unwrap())));
        assert_eq!("007".parse(), Ok(Search::Number(7)));
        for name in ["Ada", "ada@", "7 of 9", "-7", "99999999999999999999", ".*", "$gt"] {
            assert_eq!(name.parse(), Ok(Search::Name(name.to_owned())));
        }
        for text in ["", "  ", "a\0b", "a\nb", &"n".repeat(255)] {
            assert!(text.parse::<Search>().is_err(), "{text:?}");
        }
    }
}
