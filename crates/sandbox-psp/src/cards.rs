//! The test cards: which method token behaves how. What a behaviour then does to the book stands in `desk`.

use serde::{Deserialize, Serialize};

/// What can be asked of a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Placing a hold.
    Authorize,
    /// Taking the money.
    Capture,
    /// Giving the hold back.
    Void,
    /// Giving the money back.
    Refund,
}

/// What goes wrong with a request, apart from what the bank says to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mishap {
    /// It gets lost on the way in: nothing is applied, and the caller waits.
    TimeoutBefore,
    /// It is applied, and its answer gets lost on the way out: the caller waits.
    TimeoutAfter,
    /// HTTP 500 before it is worked on: nothing is applied, and nothing is remembered under its key.
    ErrorBefore,
    /// It is applied, and answered by HTTP 500, now and whenever its key is used again.
    ErrorAfter,
    /// Working on it takes so many milliseconds, whether its caller waits or not.
    Slow(u64),
}

impl Mishap {
    /// The word in metrics and in what tests order.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TimeoutBefore => "timeout_before",
            Self::TimeoutAfter => "timeout_after",
            Self::ErrorBefore => "error_before",
            Self::ErrorAfter => "error_after",
            Self::Slow(_) => "slow",
        }
    }
}

/// How often a card has its mishap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times {
    /// At the first try with a key.
    First,
    /// At every try.
    Always,
}

/// A test card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Card {
    /// The method token that names it.
    pub token: &'static str,
    /// The bank's word for refusing every hold.
    pub authorize_refusal: Option<&'static str>,
    /// The bank's word for refusing every capture, for good.
    pub capture_refusal: Option<&'static str>,
    /// Whether the buyer has to confirm a hold before it is placed.
    pub needs_action: bool,
    /// The operation that goes wrong, and how.
    pub mishap: Option<(Operation, Mishap, Times)>,
}

impl Card {
    const fn good(token: &'static str) -> Self {
        Self { token, authorize_refusal: None, capture_refusal: None, needs_action: false, mishap: None }
    }

    const fn failing(token: &'static str, operation: Operation, mishap: Mishap) -> Self {
        Self { mishap: Some((operation, mishap, Times::First)), ..Self::good(token) }
    }

    const fn declined(token: &'static str, word: &'static str) -> Self {
        Self { authorize_refusal: Some(word), ..Self::good(token) }
    }

    /// What goes wrong with an operation; `tried` tells whether that has happened under the same key before.
    #[must_use]
    pub fn mishap_of(&self, operation: Operation, tried: bool) -> Option<Mishap> {
        let (of, mishap, times) = self.mishap?;
        (of == operation && (times == Times::Always || !tried)).then_some(mishap)
    }
}

/// Every card there is.
pub const CARDS: &[Card] = &[
    Card::good("tok_visa"),
    Card { needs_action: true, ..Card::good("tok_requires_action") },
    Card::declined("tok_declined", "card_declined"),
    Card::declined("tok_insufficient_funds", "insufficient_funds"),
    Card::failing("tok_timeout_before", Operation::Authorize, Mishap::TimeoutBefore),
    Card::failing("tok_timeout_after", Operation::Authorize, Mishap::TimeoutAfter),
    Card {
        mishap: Some((Operation::Authorize, Mishap::TimeoutBefore, Times::Always)),
        ..Card::good("tok_timeout_always")
    },
    Card::failing("tok_error_before", Operation::Authorize, Mishap::ErrorBefore),
    Card::failing("tok_error_after", Operation::Authorize, Mishap::ErrorAfter),
    Card { capture_refusal: Some("capture_refused"), ..Card::good("tok_capture_fails") },
    Card::failing("tok_capture_timeout_before", Operation::Capture, Mishap::TimeoutBefore),
    Card::failing("tok_capture_timeout_after", Operation::Capture, Mishap::TimeoutAfter),
    Card::failing("tok_capture_error_after", Operation::Capture, Mishap::ErrorAfter),
    Card::failing("tok_void_timeout_after", Operation::Void, Mishap::TimeoutAfter),
    Card::failing("tok_void_error_after", Operation::Void, Mishap::ErrorAfter),
    Card::failing("tok_refund_timeout_before", Operation::Refund, Mishap::TimeoutBefore),
    Card::failing("tok_refund_timeout_after", Operation::Refund, Mishap::TimeoutAfter),
    Card::failing("tok_refund_error_after", Operation::Refund, Mishap::ErrorAfter),
];

/// The card that a method token names.
#[must_use]
pub fn card(token: &str) -> Option<&'static Card> {
    CARDS.iter().find(|card| card.token == token)
}
