//! What is written down when somebody changes another person's or a program's account. Entries are never changed or removed.

use jiff::Timestamp;
use shop_types::{Id, OrderId, Role, UserId};

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
    /// A program has told that this order is theirs. The first ones were written down without saying which.
    OrderLinked(Option<OrderId>),
}

/// What an action is about, beside whom.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct About {
    /// The role before and after.
    pub(crate) roles: Option<(Role, Role)>,
    pub(crate) order: Option<OrderId>,
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
            Self::OrderLinked(_) => "order_linked",
        }
    }

    /// What it is about.
    pub(crate) const fn about(self) -> About {
        match self {
            Self::RoleChanged { from, to } => About { roles: Some((from, to)), order: None },
            Self::OrderLinked(order) => About { roles: None, order },
            Self::Created
            | Self::DetailsChanged
            | Self::Deactivated
            | Self::Activated
            | Self::Deleted
            | Self::KeyCreated
            | Self::KeyRemoved => About { roles: None, order: None },
        }
    }

    /// The action of a stored word; `None` for what is none.
    pub(crate) fn from_stored(word: &str, about: About) -> Option<Self> {
        match (word, about.roles, about.order) {
            ("role_changed", Some((from, to)), None) => Some(Self::RoleChanged { from, to }),
            ("order_linked", None, order) => Some(Self::OrderLinked(order)),
            ("created", None, None) => Some(Self::Created),
            ("details_changed", None, None) => Some(Self::DetailsChanged),
            ("deactivated", None, None) => Some(Self::Deactivated),
            ("activated", None, None) => Some(Self::Activated),
            ("deleted", None, None) => Some(Self::Deleted),
            ("api_key_created", None, None) => Some(Self::KeyCreated),
            ("api_key_removed", None, None) => Some(Self::KeyRemoved),
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
            Action::OrderLinked(Some(OrderId::from_uuid(uuid::Uuid::from_u128(7)))),
            Action::OrderLinked(None),
        ] {
            assert_eq!(Action::from_stored(action.word(), action.about()), Some(action));
        }
        assert_eq!(Action::from_stored("role_changed", About::default()), None);
        assert_eq!(Action::from_stored("forgotten", About::default()), None);
    }
}
