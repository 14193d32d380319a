//! The places where stock lies, and the order in which they serve orders.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use shop_types::ErrorKind;

/// The location that every shop has; stock is named `<sku>@<location>` (ruling 21).
const MAIN: &str = "main";

/// Locations of one shop, at most.
pub const MOST_LOCATIONS: usize = 100;

/// Names a location: 1 to 32 lower-case letters, digits and hyphens. Sorted as locations serve orders: `main` is the first,
/// the others follow by id.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LocationId(String);

impl LocationId {
    /// The location that every shop has, the first to serve orders.
    #[must_use]
    pub fn main() -> Self {
        Self(MAIN.to_owned())
    }

    /// Whether it is the one that every shop has.
    #[must_use]
    pub fn is_main(&self) -> bool {
        self.0 == MAIN
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for LocationId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let good = (1..=32).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if good { Ok(Self(text.to_owned())) } else { Err(Error::Id) }
    }
}

impl Ord for LocationId {
    fn cmp(&self, other: &Self) -> Ordering {
        (!self.is_main(), &self.0).cmp(&(!other.is_main(), &other.0))
    }
}

impl PartialOrd for LocationId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for LocationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What people call a location: 1 to 100 characters, none of them a control character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocationName(String);

impl LocationName {
    /// Takes a name, trimmed.
    ///
    /// # Errors
    /// [`Error::Name`].
    pub fn new(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        let good = (1..=100).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        if good { Ok(Self(text.to_owned())) } else { Err(Error::Name) }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A place where stock lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// Names it.
    pub id: LocationId,
    /// What people call it.
    pub name: LocationName,
    /// Grows with every change of the name.
    pub version: i64,
}

/// A broken rule. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The id is not one.
    #[error("must be 1 to 32 lower-case letters, digits and hyphens")]
    Id,
    /// The name is empty, too long or not plain text.
    #[error("must be 1 to 100 characters without control characters")]
    Name,
    /// There is no such location.
    #[error("there is no such location")]
    NoSuch,
    /// Another location has the id.
    #[error("another location has this id")]
    Taken,
    /// There are [`MOST_LOCATIONS`] already.
    #[error("there are {MOST_LOCATIONS} locations already")]
    TooMany,
    /// Every shop has it.
    #[error("orders are served from main first, so it stays")]
    Main,
    /// Something lies there, or was sold from there and may come back.
    #[error("there is stock in this location, or pieces of it are sold")]
    InUse,
    /// It was changed since it was read.
    #[error("the location was changed since you read it")]
    Stale,
    /// The key was used for something else.
    #[error("this idempotency key was used for another request")]
    KeyReused,
}

impl Error {
    /// What it means for the caller.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Id | Self::Name | Self::KeyReused => ErrorKind::Invalid,
            Self::NoSuch => ErrorKind::NotFound,
            Self::Taken | Self::TooMany | Self::Main | Self::InUse => ErrorKind::Conflict,
            Self::Stale => ErrorKind::Stale,
        }
    }

    /// A stable word.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Id | Self::Name => "invalid_field",
            Self::KeyReused => "idempotency_key_reused",
            Self::NoSuch => "not_found",
            Self::Taken => "location_taken",
            Self::TooMany => "too_many_locations",
            Self::Main => "location_main",
            Self::InUse => "location_in_use",
            Self::Stale => "version_conflict",
        }
    }

    /// The part of the request at fault, if a single one is.
    #[must_use]
    pub const fn field(&self) -> Option<&'static str> {
        match self {
            Self::Id => Some("id"),
            Self::Name => Some("name"),
            Self::KeyReused => Some("Idempotency-Key"),
            Self::Stale => Some("If-Match"),
            Self::NoSuch | Self::Taken | Self::TooMany | Self::Main | Self::InUse => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_plain_and_short() {
        for good in ["main", "berlin-2", "7", &"x".repeat(32)] {
            assert_eq!(good.parse::<LocationId>().map(|id| id.to_string()), Ok(good.to_owned()));
        }
        for bad in ["", "Main", "a b", "a@b", "a:b", "a.b", "ä", &"x".repeat(33)] {
            assert_eq!(bad.parse::<LocationId>(), Err(Error::Id), "{bad}");
        }
        assert!(LocationId::main().is_main());
    }

    #[test]
    fn main_comes_first_and_the_others_by_id() {
        let mut ids: Vec<LocationId> = ["zoo", "main", "7", "berlin"].iter().map(|id| id.parse().unwrap()).collect();
        ids.sort();
        assert_eq!(ids.iter().map(LocationId::as_str).collect::<Vec<_>>(), ["main", "7", "berlin", "zoo"]);
    }

    #[test]
    fn names_are_trimmed_and_plain() {
        assert_eq!(LocationName::new("  Berlin, shelf 2 ").unwrap().as_str(), "Berlin, shelf 2");
        for bad in ["", "  ", "a\nb", &"x".repeat(101)] {
            assert_eq!(LocationName::new(bad), Err(Error::Name), "{bad}");
        }
    }
}
