//! The states of an order and which may follow which (orders 1.5).

/// Where an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum State {
    /// Written down; stock and money are being held.
    Placed,
    /// Stock and money are held. The promise to the buyer.
    Confirmed,
    /// The money was taken.
    Paid,
    /// On its way.
    Shipped,
    /// Arrived.
    Delivered,
    /// Will not happen; nothing was taken.
    Rejected,
    /// Being undone: stock and money are on their way back.
    Cancelling,
    /// Undone.
    Cancelled,
}

impl State {
    pub(crate) const ALL: [Self; 8] = [
        Self::Placed,
        Self::Confirmed,
        Self::Paid,
        Self::Shipped,
        Self::Delivered,
        Self::Rejected,
        Self::Cancelling,
        Self::Cancelled,
    ];

    /// The word in documents, replies and logs.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Placed => "placed",
            Self::Confirmed => "confirmed",
            Self::Paid => "paid",
            Self::Shipped => "shipped",
            Self::Delivered => "delivered",
            Self::Rejected => "rejected",
            Self::Cancelling => "cancelling",
            Self::Cancelled => "cancelled",
        }
    }

    /// The state of a stored or sent word.
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// What may follow.
    pub(crate) const fn next(self) -> &'static [Self] {
        match self {
            Self::Placed => &[Self::Confirmed, Self::Rejected],
            Self::Confirmed => &[Self::Paid, Self::Cancelling],
            Self::Paid => &[Self::Shipped, Self::Cancelling],
            Self::Shipped => &[Self::Delivered],
            Self::Cancelling => &[Self::Cancelled],
            Self::Delivered | Self::Rejected | Self::Cancelled => &[],
        }
    }

    /// Whether `other` may follow.
    pub(crate) fn may_become(self, other: Self) -> bool {
        self.next().contains(&other)
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a placed order waits for; only `Driving` ones are taken up again by other pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Somebody reserves and authorises; if its lease runs out, anybody goes on.
    Driving,
    /// The payment was declined: the hold on the stock waits for the deadline (ruling 13).
    Declined,
    /// Nothing more to drive.
    Settled,
}

impl Phase {
    /// The word in documents.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Driving => "driving",
            Self::Declined => "declined",
            Self::Settled => "settled",
        }
    }

    /// The phase of a stored word.
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        [Self::Driving, Self::Declined, Self::Settled].into_iter().find(|phase| phase.as_str() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_is_found_by_its_word() {
        for state in State::ALL {
            assert_eq!(State::from_word(state.as_str()), Some(state));
        }
        assert_eq!(State::from_word("lost"), None);
    }

    #[test]
    fn only_the_documented_changes_are_allowed() {
        let allowed: Vec<_> = State::ALL
            .into_iter()
            .flat_map(|from| State::ALL.into_iter().map(move |to| (from, to)))
            .filter(|(from, to)| from.may_become(*to))
            .map(|(from, to)| format!("{from} -> {to}"))
            .collect();
        assert_eq!(
            allowed,
            [
                "placed -> confirmed",
                "placed -> rejected",
                "confirmed -> paid",
                "confirmed -> cancelling",
                "paid -> shipped",
                "paid -> cancelling",
                "shipped -> delivered",
                "cancelling -> cancelled",
            ]
        );
    }
}
