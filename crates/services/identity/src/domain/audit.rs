//! What is written down: what somebody did to another person's or a program's account, and which writes staff and programs asked
//! for in all services. Entries are never removed, and only a call gets something added: its status.

use jiff::Timestamp;
use shop_types::{Id, OrderId, Role, StaffCall, UserId};

/// Marks an [`Id`] as one of an entry.
#[derive(Debug)]
pub(crate) enum AuditKind {}
/// Names an entry.
pub(crate) type AuditId = Id<AuditKind>;

/// The word of a call in the store and in answers.
pub(crate) const CALL: &str = "call";

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Line {
    /// What was done to an account.
    Entry(Entry),
    /// What a service was asked to do.
    Call(StaffCall),
}

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

    /// All words, in the order in which they are told.
    pub(crate) const WORDS: [&str; 9] = [
        "created",
        "details_changed",
        "role_changed",
        "deactivated",
        "activated",
        "deleted",
        "api_key_created",
        "api_key_removed",
        "order_linked",
    ];

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

/// The word of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Word(pub(crate) &'static str);

impl Word {
    /// The word that a text is; `None` for a text that is none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Action::WORDS.into_iter().chain([CALL]).find(|word| *word == text).map(Self)
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
            assert_eq!(Word::parse(action.word()), Some(Word(action.word())));
        }
        assert_eq!(Action::from_stored("role_changed", About::default()), None);
        assert_eq!(Action::from_stored("forgotten", About::default()), None);
        assert_eq!(Action::from_stored(CALL, About::default()), None);
        assert_eq!((Word::parse(CALL), Word::parse("forgotten")), (Some(Word(CALL)), None));
    }
}
