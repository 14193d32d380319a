//! The places where stock lies. Orders are served from `main`; elsewhere lies what staff counts and moves.

use std::fmt;
use std::str::FromStr;

use shop_types::ErrorKind;

use super::LOCATION;

/// Locations of one shop, at most.
pub const MOST_LOCATIONS: usize = 100;

/// Names a location: 1 to 32 lower-case letters, digits and hyphens.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LocationId(String);

impl LocationId {
    /// The location that orders are served from.
    #[must_use]
    pub fn main() -> Self {
        Self(LOCATION.to_owned())
    }

    /// Whether orders are served from it.
    #[must_use]
    pub fn is_main(&self) -> bool {
        self.0 == LOCATION
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
    /// A request names a location that is not there.
    #[error("must be the id of a location")]
    Unknown,
    /// Another location has the id.
    #[error("another location has this id")]
    Taken,
    /// There are [`MOST_LOCATIONS`] already.
    #[error("there are {MOST_LOCATIONS} locations already")]
    TooMany,
    /// Orders are served from it.
    #[error("orders are served from main, so it stays")]
    Main,
    /// Something lies there.
    #[error("there is stock in this location")]
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
            Self::Id | Self::Name | Self::Unknown | Self::KeyReused => ErrorKind::Invalid,
            Self::NoSuch => ErrorKind::NotFound,
            Self::Taken | Self::TooMany | Self::Main | Self::InUse => ErrorKind::Conflict,
            Self::Stale => ErrorKind::Stale,
        }
    }

    /// A stable word.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Id | Self::Name | Self::Unknown => "invalid_field",
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
            Self::Unknown => Some("location"),
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
    fn names_are_trimmed_and_plain() {
        assert_eq!(LocationName::new("  Berlin, shelf 2 ").unwrap().as_str(), "Berlin, shelf 2");
        for bad in ["", "  ", "a\nb", &"x".repeat(101)] {
            assert_eq!(LocationName::new(bad), Err(Error::Name), "{bad}");
        }
    }
}
