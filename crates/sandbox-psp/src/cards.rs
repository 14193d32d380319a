//! The test cards: which method token behaves how. What a behaviour then does to the book stands in `book`.

/// What can be asked of a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

/// How a try gets lost; its caller waits until they give up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// The first try with a key, on the way in: nothing is applied.
    Before,
    /// Every try, on the way in: nothing is ever applied.
    Always,
    /// The first answer, on the way out: the operation has been applied.
    After,
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
    /// The operation whose tries get lost.
    pub loss: Option<(Operation, Loss)>,
}

impl Card {
    const fn good(token: &'static str) -> Self {
        Self { token, authorize_refusal: None, capture_refusal: None, loss: None }
    }

    const fn losing(token: &'static str, operation: Operation, loss: Loss) -> Self {
        Self { loss: Some((operation, loss)), ..Self::good(token) }
    }

    const fn declined(token: &'static str, word: &'static str) -> Self {
        Self { authorize_refusal: Some(word), ..Self::good(token) }
    }

    /// How tries of an operation get lost, if they do.
    #[must_use]
    pub fn loss_of(&self, operation: Operation) -> Option<Loss> {
        self.loss.filter(|loss| loss.0 == operation).map(|loss| loss.1)
    }

    /// The bank's word for refusing an operation, if it does.
    #[must_use]
    pub const fn refusal_of(&self, operation: Operation) -> Option<&'static str> {
        match operation {
            Operation::Authorize => self.authorize_refusal,
            Operation::Capture => self.capture_refusal,
            Operation::Void | Operation::Refund => None,
        }
    }
}

/// Every card there is.
pub const CARDS: &[Card] = &[
    Card::good("tok_visa"),
    Card::declined("tok_declined", "card_declined"),
    Card::declined("tok_insufficient_funds", "insufficient_funds"),
    Card::losing("tok_timeout_before", Operation::Authorize, Loss::Before),
    Card::losing("tok_timeout_after", Operation::Authorize, Loss::After),
    Card::losing("tok_timeout_always", Operation::Authorize, Loss::Always),
    Card { capture_refusal: Some("capture_refused"), ..Card::good("tok_capture_fails") },
    Card::losing("tok_capture_timeout_before", Operation::Capture, Loss::Before),
    Card::losing("tok_capture_timeout_after", Operation::Capture, Loss::After),
    Card::losing("tok_void_timeout_after", Operation::Void, Loss::After),
    Card::losing("tok_refund_timeout_after", Operation::Refund, Loss::After),
];

/// The card that a method token names.
#[must_use]
pub fn card(token: &str) -> Option<&'static Card> {
    CARDS.iter().find(|card| card.token == token)
}
