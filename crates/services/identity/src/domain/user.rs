//! Who has an account. What does not belong here: the password, which leaves the store only to be compared.

use std::str::FromStr;

use jiff::Timestamp;
use shop_types::text::Broken;
use shop_types::{Email, Role, UserId};

use super::audit::Action;

/// A person with an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) id: UserId,
    /// The number that people use.
    pub(crate) number: i64,
    pub(crate) email: Email,
    pub(crate) name: Name,
    pub(crate) role: Role,
    /// Grows with every change; also the `ETag`.
    pub(crate) version: i64,
    pub(crate) created_at: Timestamp,
    /// When anything of it was changed last.
    pub(crate) updated_at: Timestamp,
    /// Whether somebody proved that they read the address.
    pub(crate) is_verified: bool,
    /// Since when an admin keeps it closed.
    pub(crate) deactivated_at: Option<Timestamp>,
}

impl User {
    /// Whether its owner may log in.
    pub(crate) const fn is_active(&self) -> bool {
        self.deactivated_at.is_none()
    }
}

/// What an admin changes of somebody else's account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Role { from: Role, to: Role },
    Close,
    Open,
}

impl Change {
    /// What is written down about it.
    pub(crate) const fn action(self) -> Action {
        match self {
            Self::Role { from, to } => Action::RoleChanged { from, to },
            Self::Close => Action::Deactivated,
            Self::Open => Action::Activated,
        }
    }
}

/// What somebody is called: 1 to 100 characters on one line, trimmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name(String);

impl Name {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = Broken;

    fn from_str(text: &str) -> Result<Self, Broken> {
        let trimmed = text.trim();
        let good = (1..=100).contains(&trimmed.chars().count()) && !trimmed.chars().any(char::is_control);
        if good { Ok(Self(trimmed.to_owned())) } else { Err(Broken("must be 1 to 100 characters on one line")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_trimmed_and_of_any_script() {
        for name in ["A", "Zoë O’Neill-Łukasz", "山田 太郎", &"n".repeat(100)] {
            assert_eq!(format!("  {name} ").parse::<Name>().unwrap().as_str(), name);
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in ["", "  ", "a\nb", "a\0b", "\u{1b}[31m", &"n".repeat(101)] {
            assert!(text.parse::<Name>().is_err(), "{text:?}");
        }
    }
}
