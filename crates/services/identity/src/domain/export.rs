//! A copy of what is kept of a person, made piece by piece: one keeper after the other is asked until nothing is left.

use jiff::Timestamp;
use shop_types::{Id, UserId};

/// Marks an [`Id`] as one of an export.
#[derive(Debug)]
pub(crate) enum ExportKind {}
/// Names an export.
pub(crate) type ExportId = Id<ExportKind>;

/// Who keeps something of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keeper {
    Identity,
    Order,
    Cart,
    Payment,
}

/// What has become of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExportState {
    Running,
    Done,
    /// It took too long.
    Failed,
}

/// An export on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Export {
    pub(crate) id: ExportId,
    pub(crate) user: UserId,
    pub(crate) state: ExportState,
    /// Who is asked now, or was last.
    pub(crate) keeper: Keeper,
    /// How many records this keeper has given.
    pub(crate) received: u32,
    /// How many records there are from all keepers.
    pub(crate) records: u32,
    /// How many pieces they are stored in.
    pub(crate) pieces: u32,
    pub(crate) created_at: Timestamp,
    /// When it is forgotten.
    pub(crate) forget_at: Timestamp,
}

impl Keeper {
    /// Everybody, in the order in which they are asked.
    pub(crate) const ALL: [Self; 4] = [Self::Identity, Self::Order, Self::Cart, Self::Payment];

    /// Its word in the store and in the copy: the name of the service.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Order => "order",
            Self::Cart => "cart",
            Self::Payment => "payment",
        }
    }

    /// The keeper of a stored word; `None` for what is none.
    pub(crate) fn from_stored(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|keeper| keeper.word() == word)
    }

    /// Who is asked when this one has given all.
    const fn next(self) -> Option<Self> {
        match self {
            Self::Identity => Some(Self::Order),
            Self::Order => Some(Self::Cart),
            Self::Cart => Some(Self::Payment),
            Self::Payment => None,
        }
    }
}

impl ExportState {
    const ALL: [Self; 3] = [Self::Running, Self::Done, Self::Failed];

    /// Its word in the store and in answers.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }

    /// The state of a stored word; `None` for what is none.
    pub(crate) fn from_stored(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }
}

impl Export {
    /// The export after its keeper has given so many records more. None is the end of this keeper, and that of the last one
    /// is the end of all.
    pub(crate) fn after(&self, given: u32) -> Self {
        if given > 0 {
            let (received, records) = (self.received.saturating_add(given), self.records.saturating_add(given));
            return Self { received, records, pieces: self.pieces.saturating_add(1), ..self.clone() };
        }
        match self.keeper.next() {
            Some(keeper) => Self { keeper, received: 0, ..self.clone() },
            None => Self { state: ExportState::Done, ..self.clone() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_is_asked_until_they_have_given_all() {
        let user = UserId::from_uuid(uuid::Uuid::from_u128(1));
        let mut export = Export {
            id: ExportId::from_uuid(uuid::Uuid::from_u128(2)),
            user,
            state: ExportState::Running,
            keeper: Keeper::Identity,
            received: 0,
            records: 0,
            pieces: 0,
            created_at: Timestamp::UNIX_EPOCH,
            forget_at: Timestamp::UNIX_EPOCH,
        };
        let mut asked = Vec::new();
        for given in [3, 0, 100, 7, 0, 0, 1, 0] {
            assert_eq!(export.state, ExportState::Running);
            asked.push((export.keeper, export.received));
            export = export.after(given);
        }
        let (order, payment) = (Keeper::Order, Keeper::Payment);
        let expected = [
            (Keeper::Identity, 0),
            (Keeper::Identity, 3),
            (order, 0),
            (order, 100),
            (order, 107),
            (Keeper::Cart, 0),
            (payment, 0),
            (payment, 1),
        ];
        assert_eq!(asked, expected);
        assert_eq!((export.state, export.records, export.pieces), (ExportState::Done, 111, 4));
    }

    #[test]
    fn every_word_survives_the_store() {
        for keeper in Keeper::ALL {
            assert_eq!(Keeper::from_stored(keeper.word()), Some(keeper));
        }
        for state in ExportState::ALL {
            assert_eq!(ExportState::from_stored(state.word()), Some(state));
        }
        assert_eq!(Keeper::from_stored("catalog"), None);
    }
}
