//! Returns: the buyer's wish to send a whole order back, and what staff says to it. Stock and money follow the order
//! (see [`super::Change::Return`]).

use jiff::Timestamp;
use shop_types::{Id, OrderId};

use super::{Error, Order, Owner, State};

/// Marks an [`Id`] as one of a return.
#[derive(Debug)]
pub enum ReturnKind {}

/// Names a return.
pub type ReturnId = Id<ReturnKind>;

/// How far a return has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReturnState {
    /// The buyer wants it; nobody has decided.
    Requested,
    /// Staff has accepted it: stock and money go back.
    Accepted,
    /// Staff has refused it; the buyer may ask again.
    Refused,
}

impl ReturnState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Requested, Self::Accepted, Self::Refused];

    /// The word in documents and replies.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Accepted => "accepted",
            Self::Refused => "refused",
        }
    }

    /// The state of a stored word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

impl std::fmt::Display for ReturnState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What staff says to a return.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The order comes back.
    Accept,
    /// It does not.
    Refuse,
}

/// Why the buyer sends an order back: 1 to 200 characters, none of them a control character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnReason(String);

impl ReturnReason {
    /// Takes a reason, trimmed.
    ///
    /// # Errors
    /// [`Error::Invalid`] when nothing is left, or it is too long, or holds control characters.
    pub fn new(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        let good = (1..=200).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        let rule = "must be 1 to 200 characters, none of them a control character";
        if good { Ok(Self(text.to_owned())) } else { Err(Error::Invalid { field: "reason".into(), rule }) }
    }

    /// What stands for the words of somebody who has left the shop.
    #[must_use]
    pub fn forgotten() -> Self {
        Self("[forgotten]".to_owned())
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

/// A return of a whole order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Return {
    /// Its id.
    pub id: ReturnId,
    /// What comes back.
    pub order: OrderId,
    /// Whose order it is.
    pub owner: Owner,
    /// Why.
    pub reason: ReturnReason,
    /// How far it has come.
    pub state: ReturnState,
    /// 1 when it is requested; grows by one when it is decided, and when its reason is forgotten.
    pub version: i64,
    /// When it was requested, by the pod's clock.
    pub created_at: Timestamp,
    /// When it was decided, by the pod's clock.
    pub decided_at: Option<Timestamp>,
}

impl Return {
    /// Asks for a return of an order.
    ///
    /// # Errors
    /// [`Error::Illegal`] unless the order has left the house and was not sent back.
    pub fn request(id: ReturnId, order: &Order, reason: ReturnReason, now: Timestamp) -> Result<Self, Error> {
        if !order.state.may_become(State::Returning) {
            let allowed = order.state.next().to_vec();
            return Err(Error::Illegal { from: order.state, wanted: "returned", allowed });
        }
        Ok(Self {
            id,
            order: order.id,
            owner: order.owner.clone(),
            reason,
            state: ReturnState::Requested,
            version: 1,
            created_at: now,
            decided_at: None,
        })
    }

    /// Decides it, once.
    ///
    /// # Errors
    /// [`Error::ReturnDecided`].
    pub fn decide(&self, decision: Decision, now: Timestamp) -> Result<Self, Error> {
        let state = match (self.state, decision) {
            (ReturnState::Requested, Decision::Accept) => ReturnState::Accepted,
            (ReturnState::Requested, Decision::Refuse) => ReturnState::Refused,
            (from @ (ReturnState::Accepted | ReturnState::Refused), Decision::Accept | Decision::Refuse) => {
                return Err(Error::ReturnDecided { from });
            }
        };
        Ok(Self { state, version: self.version + 1, decided_at: Some(now), ..self.clone() })
    }

    /// The return without the buyer's words, as whoever asked for it has left the shop; `None` when they are gone.
    #[must_use]
    pub fn without_reason(&self) -> Option<Self> {
        let reason = ReturnReason::forgotten();
        (self.reason != reason).then(|| Self { reason, version: self.version + 1, ..self.clone() })
    }

    /// The return as it was requested.
    #[must_use]
    pub fn as_requested(self) -> Self {
        Self { state: ReturnState::Requested, version: 1, decided_at: None, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::change::tests::in_state;
    use uuid::Uuid;

    fn requested(state: State) -> Result<Return, Error> {
        let id = ReturnId::from_uuid(Uuid::from_u128(9));
        Return::request(id, &in_state(state), ReturnReason::new(" too small ").unwrap(), Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn only_what_has_left_the_house_can_be_returned() {
        for state in State::ALL {
            let expected = [State::Shipped, State::Delivered].contains(&state);
            assert_eq!(requested(state).is_ok(), expected, "{state}");
        }
    }

    #[test]
    fn a_return_is_decided_once() {
        let requested = requested(State::Delivered).unwrap();
        assert_eq!(
            (requested.state, requested.version, requested.reason.as_str()),
            (ReturnState::Requested, 1, "too small")
        );
        for (decision, state) in [(Decision::Accept, ReturnState::Accepted), (Decision::Refuse, ReturnState::Refused)] {
            let decided = requested.decide(decision, Timestamp::UNIX_EPOCH).unwrap();
            assert_eq!((decided.state, decided.version), (state, 2));
            for again in [Decision::Accept, Decision::Refuse] {
                let refused = decided.decide(again, Timestamp::UNIX_EPOCH);
                assert_eq!(refused, Err(Error::ReturnDecided { from: state }));
            }
            assert_eq!(decided.as_requested(), requested);
        }
    }

    #[test]
    fn a_reason_is_forgotten_once_and_nothing_else_is() {
        let requested = requested(State::Delivered).unwrap();
        let forgotten = requested.without_reason().unwrap();
        assert_eq!((forgotten.reason.as_str(), forgotten.version), ("[forgotten]", 2));
        assert_eq!(Return { reason: requested.reason.clone(), version: 1, ..forgotten.clone() }, requested);
        assert_eq!(forgotten.without_reason(), None);
        let decided = forgotten.decide(Decision::Refuse, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!((decided.version, decided.without_reason()), (3, None));
    }

    #[test]
    fn reasons_are_short_text() {
        for bad in ["", "  ", "a\nb", &"x".repeat(201)] {
            assert!(ReturnReason::new(bad).is_err(), "{bad:?}");
        }
        assert!(ReturnReason::new(&"ü".repeat(200)).is_ok());
    }

    #[test]
    fn every_state_is_found_by_its_word() {
        for state in ReturnState::ALL {
            assert_eq!(ReturnState::from_word(state.as_str()), Some(state));
        }
        assert_eq!(ReturnState::from_word("lost"), None);
    }
}
