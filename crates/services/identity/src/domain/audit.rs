//! What is written down when somebody changes another person's or a program's account. Entries are never changed or removed.

use jiff::Timestamp;
use shop_types::{Id, Role, UserId};

/// Marks an [`Id`] as one of an entry.
#[derive(Debug)]
pub(crate) enum AuditKind {}
/// Names an entry.
pub(crate) type AuditId = Id<AuditKind>;

/// Who did what to whom, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) id: AuditId,
    pub(crate) at: Timestamp,
    /// Who did it.
    pub(crate) actor: UserId,
    /// Whose account it was done to.
    pub(crate) user: UserId,
    pub(crate) action: Action,
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Created,
    /// The name or the e-mail address. Which ones they were is not kept: entries stay when the account is gone.
    DetailsChanged,
    RoleChanged {
        from: Role,
        to: Role,
    },
    Deactivated,
    Activated,
    Deleted,
    /// The account is an API key.
    KeyCreated,
    /// The account was an API key.
    KeyRemoved,
    /// A program has told that an order is theirs.
    OrderLinked,
}

impl Action {
    /// Its word in the store, in answers and in logs.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::DetailsChanged => "details_changed",
            Self::RoleChanged { .. } => "role_changed",
            Self::Deactivated => "deactivated",
            Self::Activated => "activated",
            Self::Deleted => "deleted",
            Self::KeyCreated => "api_key_created",
            Self::KeyRemoved => "api_key_removed",
            Self::OrderLinked => "order_linked",
        }
    }

    /// The role before and after, when it is about roles.
    pub(crate) const fn roles(self) -> Option<(Role, Role)> {
        match self {
            Self::RoleChanged { from, to } => Some((from, to)),
            Self::Created
            | Self::DetailsChanged
            | Self::Deactivated
            | Self::Activated
            | Self::Deleted
            | Self::KeyCreated
            | Self::KeyRemoved
            | Self::OrderLinked => None,
        }
    }

    /// The action of a stored word; `None` for what is none.
    pub(crate) fn from_stored(word: &str, roles: Option<(Role, Role)>) -> Option<Self> {
        match (word, roles) {
            ("role_changed", Some((from, to))) => Some(Self::RoleChanged { from, to }),
            ("created", None) => Some(Self::Created),
            ("details_changed", None) => Some(Self::DetailsChanged),
            ("deactivated", None) => Some(Self::Deactivated),
            ("activated", None) => Some(Self::Activated),
            ("deleted", None) => Some(Self::Deleted),
            ("api_key_created", None) => Some(Self::KeyCreated),
            ("api_key_removed", None) => Some(Self::KeyRemoved),
            ("order_linked", None) => Some(Self::OrderLinked),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_survives_the_store() {
        let roles = Action::RoleChanged { from: Role::Customer, to: Role::Staff };
        for action in [
            roles,
            Action::Created,
            Action::DetailsChanged,
            Action::Deactivated,
            Action::Activated,
            Action::Deleted,
            Action::KeyCreated,
            Action::KeyRemoved,
            Action::OrderLinked,
        ] {
            assert_eq!(Action::from_stored(action.word(), action.roles()), Some(action));
        }
        assert_eq!(Action::from_stored("role_changed", None), None);
        assert_eq!(Action::from_stored("forgotten", None), None);
    }
}
