//! Where an order is sent.

use std::fmt;

use shop_types::text::Broken;

/// How often the address of one order may change.
pub const MOST_CHANGES: usize = 20;

/// A line of an address: 1 to 100 characters, trimmed, none of them a control character.
#[derive(Clone, PartialEq, Eq)]
pub struct Line(String);

impl Line {
    /// Takes a line.
    ///
    /// # Errors
    /// [`Broken`] when nothing is left, or it is too long, or holds control characters.
    pub fn new(text: &str) -> Result<Self, Broken> {
        let text = text.trim();
        let good = (1..=100).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        let rule = Broken("must be 1 to 100 characters, none of them a control character");
        if good { Ok(Self(text.to_owned())) } else { Err(rule) }
    }

    /// Takes back what [`Self::as_str`] gave, from our own store.
    #[must_use]
    pub const fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where somebody lives stays out of logs.
impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Line(..)")
    }
}

/// A country by its two letters (ISO 3166-1), in upper case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Country(String);

impl Country {
    /// Takes the two letters.
    ///
    /// # Errors
    /// [`Broken`] for anything else.
    pub fn new(text: &str) -> Result<Self, Broken> {
        let good = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase());
        if good { Ok(Self(text.to_owned())) } else { Err(Broken("must be two capital letters (ISO 3166-1)")) }
    }

    /// Takes back what [`Self::as_str`] gave, from our own store.
    #[must_use]
    pub const fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The two letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where an order is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Who gets it.
    pub name: Line,
    /// Street and house.
    pub line1: Line,
    /// What does not fit in the first line.
    pub line2: Option<Line>,
    /// The town.
    pub city: Line,
    /// State, province or county.
    pub region: Option<Line>,
    /// Where there are such codes.
    pub postal_code: Option<Line>,
    /// The country.
    pub country: Country,
    /// For the carrier.
    pub phone: Option<Line>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_trimmed_and_have_both_bounds() {
        assert_eq!(Line::new("  12 St James's Square ").map(|line| line.0), Ok("12 St James's Square".to_owned()));
        assert!(Line::new(&"ß".repeat(100)).is_ok());
        for text in ["", "   ", "a\nb", "a\0", &"ß".repeat(101)] {
            assert!(Line::new(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn countries_are_two_capital_letters() {
        assert!(Country::new("GB").is_ok());
        for text in ["", "gb", "GBR", "G1", "É"] {
            assert!(Country::new(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn where_somebody_lives_is_not_printed() {
        assert_eq!(format!("{:?}", Line::new("Baker Street").unwrap()), "Line(..)");
    }
}
