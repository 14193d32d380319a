//! What products and variants are told apart by: names and values, such as the colour.

use std::collections::BTreeMap;

use super::{Error, Lines, text};

const MOST: usize = 20;
const LONGEST_NAME: usize = 40;
pub(super) const NAME: &str = "must be named by 1 to 40 lower-case letters, digits, hyphens and underscores";
const VALUE: &str = "must be 1 to 100 characters on one line";

/// Values by name, each name once, in the order of the names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Attributes(BTreeMap<String, String>);

impl Attributes {
    /// Checks names and values; `field` is where they stand in the request.
    pub(crate) fn new(field: &str, values: BTreeMap<String, String>) -> Result<Self, Error> {
        if values.len() > MOST {
            return Err(Error::invalid(field, "must be at most 20"));
        }
        let checked = values.into_iter().map(|(name, value)| {
            // A name that is none is not repeated: it may be anything.
            if !is_name(&name) {
                return Err(Error::invalid(field, NAME));
            }
            let value = text(&format!("{field}.{name}"), &value, 1..=100, Lines::One, VALUE)?;
            Ok((name, value))
        });
        checked.collect::<Result<_, _>>().map(Self)
    }

    /// Takes back what was checked before it was stored.
    pub(crate) fn from_stored(values: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(values.into_iter().collect())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub(crate) fn into_inner(self) -> BTreeMap<String, String> {
        self.0
    }
}

/// Whether an attribute can have this name.
pub(super) fn is_name(name: &str) -> bool {
    let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_');
    (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(name: &str, value: &str) -> Result<Attributes, Error> {
        Attributes::new("attributes", BTreeMap::from([(name.to_owned(), value.to_owned())]))
    }

    #[test]
    fn names_are_plain_and_values_short() {
        assert_eq!(one("colour", " dark blue ").unwrap().iter().collect::<Vec<_>>(), [("colour", "dark blue")]);
        for name in ["", "Colour", "a.b", "$where", "a b", &"x".repeat(41)] {
            assert_eq!(one(name, "x"), Err(Error::invalid("attributes", NAME)), "{name}");
        }
        for value in ["", "  ", "a\nb", &"x".repeat(101)] {
            assert_eq!(one("colour", value), Err(Error::invalid("attributes.colour", VALUE)), "{value}");
        }
    }

    #[test]
    fn there_are_at_most_twenty() {
        let many = |count: usize| (0..count).map(|n| (format!("n{n}"), "x".to_owned())).collect();
        assert!(Attributes::new("attributes", many(20)).is_ok());
        assert!(Attributes::new("attributes", many(21)).is_err());
    }
}
