//! The states of an order and which may follow which (orders 1.5).

/// Where an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
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
    /// Sent back by the buyer, and accepted: stock and money are on their way back.
    Returning,
    /// Sent back; the money was given back.
    Refunded,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 10] = [
        Self::Placed,
        Self::Confirmed,
        Self::Paid,
        Self::Shipped,
        Self::Delivered,
        Self::Rejected,
        Self::Cancelling,
        Self::Cancelled,
        Self::Returning,
        Self::Refunded,
    ];

    /// The word in documents, replies and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Placed => "placed",
            Self::Confirmed => "confirmed",
            Self::Paid => "paid",
            Self::Shipped => "shipped",
            Self::Delivered => "delivered",
            Self::Rejected => "rejected",
            Self::Cancelling => "cancelling",
            Self::Cancelled => "cancelled",
            Self::Returning => "returning",
            Self::Refunded => "refunded",
        }
    }

    /// The state of a stored or sent word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// What may follow.
    #[must_use]
    pub const fn next(self) -> &'static [Self] {
        match self {
            Self::Placed => &[Self::Confirmed, Self::Rejected],
            Self::Confirmed => &[Self::Paid, Self::Cancelling],
            Self::Paid => &[Self::Shipped, Self::Cancelling],
            Self::Shipped => &[Self::Delivered, Self::Returning],
            Self::Delivered => &[Self::Returning],
            Self::Cancelling => &[Self::Cancelled],
            Self::Returning => &[Self::Refunded],
            Self::Rejected | Self::Cancelled | Self::Refunded => &[],
        }
    }

    /// Whether it may still be sent: until then somebody needs to know where.
    #[must_use]
    pub const fn needs_address(self) -> bool {
        match self {
            Self::Placed | Self::Confirmed | Self::Paid => true,
            Self::Shipped
            | Self::Delivered
            | Self::Rejected
            | Self::Cancelling
            | Self::Cancelled
            | Self::Returning
            | Self::Refunded => false,
        }
    }

    /// Where staff may take it by hand (ruling 20).
    #[must_use]
    pub const fn next_by_staff(self) -> &'static [Self] {
        match self {
            Self::Paid => &[Self::Shipped],
            Self::Shipped => &[Self::Delivered],
            Self::Placed
            | Self::Confirmed
            | Self::Delivered
            | Self::Rejected
            | Self::Cancelling
            | Self::Cancelled
            | Self::Returning
            | Self::Refunded => &[],
        }
    }

    /// Whether `other` may follow.
    #[must_use]
    pub fn may_become(self, other: Self) -> bool {
        self.next().contains(&other)
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a placed order waits for; only `Driving` ones are taken up again by other pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Somebody reserves and authorises; if its lease runs out, anybody goes on.
    Driving,
    /// The buyer must act at the payment provider; the payment's event goes on, or the deadline ends it.
    AwaitsBuyer,
    /// The payment was declined: the hold on the stock waits for another attempt or the deadline (ruling 13).
    Declined,
    /// Nothing more to drive.
    Settled,
}

impl Phase {
    /// Every phase.
    pub const ALL: [Self; 4] = [Self::Driving, Self::AwaitsBuyer, Self::Declined, Self::Settled];

    /// The word in documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Driving => "driving",
            Self::AwaitsBuyer => "awaits_buyer",
            Self::Declined => "declined",
            Self::Settled => "settled",
        }
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
                "shipped -> returning",
                "delivered -> returning",
                "cancelling -> cancelled",
                "returning -> refunded",
            ]
        );
    }

    #[test]
    fn staff_ships_and_delivers_and_nothing_else() {
        for state in State::ALL {
            assert!(state.next_by_staff().iter().all(|next| state.may_become(*next)));
        }
        let by_hand: Vec<_> = State::ALL.into_iter().flat_map(State::next_by_staff).collect();
        assert_eq!(by_hand, [&State::Shipped, &State::Delivered]);
    }
}
