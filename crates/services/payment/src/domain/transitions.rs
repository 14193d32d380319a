//! The transitions: every event, and what it does to every state. What refunds do, which are more than a state, stands in
//! `payment`.

use shop_types::event::PaymentFact;

use super::state::{AfterCapture, Kind, State};

/// Something that a payment has to follow: a verdict of its order, a request of staff, or an answer of the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The order was confirmed and names this payment: take the money (W7).
    Confirm,
    /// The order will not happen, or is undone.
    Cancel,
    /// Staff asks to take the money now.
    Capture,
    /// Staff asks to give the hold back.
    Void,
    /// The provider holds the money.
    Held {
        /// Its id of the hold.
        hold: String,
    },
    /// The provider will hold the money once the buyer has confirmed.
    ActionNeeded {
        /// Its id of what may become a hold.
        hold: String,
        /// Where the buyer confirms.
        url: String,
    },
    /// The provider refused to hold the money, for good.
    Refused {
        /// Its word for why.
        reason: String,
    },
    /// The provider has taken the money.
    CaptureDone,
    /// The provider refuses to take the money, for good, and holds nothing any more.
    CaptureRefused {
        /// Its word for why.
        reason: String,
    },
    /// The provider has given the hold back.
    VoidDone,
    /// The provider has given a refund back.
    RefundDone {
        /// Which.
        n: u32,
    },
    /// The provider refuses a refund, for good.
    RefundRefused {
        /// Which.
        n: u32,
    },
    /// The provider holds nothing under this payment's name, and never will.
    NothingHeld,
}

/// What an event does to a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Nothing: it has happened already, or comes too late to matter.
    Stay,
    /// It goes on.
    Go {
        /// Where to.
        state: State,
        /// What others are told, if anything.
        tell: Option<Tell>,
    },
}

/// What others are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tell {
    /// `payment.authorized`.
    Authorized,
    /// `payment.declined`.
    Declined,
    /// `payment.captured`.
    Captured,
    /// `payment.voided`.
    Voided,
    /// `payment.refunded`.
    Refunded {
        /// The refund that was given back.
        n: u32,
    },
    /// `payment.failed`.
    Failed,
}

impl Tell {
    /// The event about a payment.
    #[must_use]
    pub const fn event(self, fact: PaymentFact) -> shop_types::Event {
        match self {
            Self::Authorized => shop_types::Event::PaymentAuthorized(fact),
            Self::Declined => shop_types::Event::PaymentDeclined(fact),
            Self::Captured => shop_types::Event::PaymentCaptured(fact),
            Self::Voided => shop_types::Event::PaymentVoided(fact),
            Self::Refunded { .. } => shop_types::Event::PaymentRefunded(fact),
            Self::Failed => shop_types::Event::PaymentFailed(fact),
        }
    }
}

/// The present state does not allow what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the payment is {}", .state.word())]
pub struct Illegal {
    /// The present state.
    pub state: Kind,
    /// The states that would allow it.
    pub allowed: &'static [Kind],
}

/// The states from which the money can be taken, or in which it already is.
const CAPTURABLE: &[Kind] = &[Kind::Authorized, Kind::Capturing, Kind::Captured];
/// The states from which the hold can be given back, or in which it already is.
const VOIDABLE: &[Kind] = &[Kind::Authorized, Kind::Voiding, Kind::Voided];

impl State {
    /// What an event does to this state.
    ///
    /// # Errors
    /// [`Illegal`] when the state does not allow what the order or staff asks; nothing may change then. Answers of the
    /// provider are never illegal: those that come too late change nothing.
    pub fn on(&self, event: Event) -> Result<Step, Illegal> {
        match event {
            Event::Confirm => self.confirm(),
            Event::Capture => self.capture(),
            Event::Cancel => Ok(self.cancel()),
            Event::Void => self.void(),
            Event::Held { hold } => Ok(self.held(hold)),
            Event::ActionNeeded { hold, url } => Ok(self.action_needed(hold, url)),
            Event::Refused { reason } => Ok(self.refused(reason)),
            Event::CaptureDone => Ok(self.capture_done()),
            Event::CaptureRefused { reason } => Ok(self.capture_refused(reason)),
            Event::VoidDone => Ok(self.void_done()),
            Event::RefundDone { .. } | Event::RefundRefused { .. } => Ok(Step::Stay),
            Event::NothingHeld => Ok(self.nothing_held()),
        }
    }

    /// An order is only ever confirmed on a payment that is authorized; whatever it has become since then, it was
    /// confirmed before, or cancelled.
    fn confirm(&self) -> Result<Step, Illegal> {
        match self {
            Self::Authorized { hold } => {
                Ok(Step::to(Self::Capturing { hold: hold.clone(), then: AfterCapture::Keep }, None))
            }
            Self::Capturing { .. }
            | Self::Captured { .. }
            | Self::Failed { .. }
            | Self::Voiding { .. }
            | Self::Voided { .. }
            | Self::Cancelling
            | Self::Cancelled
            | Self::Refunding { .. }
            | Self::Refunded { .. } => Ok(Step::Stay),
            Self::Created | Self::RequiresAction { .. } | Self::Declined { .. } => Err(self.illegal(CAPTURABLE)),
        }
    }

    fn capture(&self) -> Result<Step, Illegal> {
        if CAPTURABLE.contains(&self.kind()) { self.confirm() } else { Err(self.illegal(CAPTURABLE)) }
    }

    fn void(&self) -> Result<Step, Illegal> {
        if VOIDABLE.contains(&self.kind()) { Ok(self.cancel()) } else { Err(self.illegal(VOIDABLE)) }
    }

    /// A cancel and a capture are never both under way: whichever comes first is finished, and a capture is given back.
    fn cancel(&self) -> Step {
        match self {
            Self::Created | Self::RequiresAction { .. } => Step::to(Self::Cancelling, None),
            Self::Authorized { hold } => Step::to(Self::Voiding { hold: hold.clone() }, None),
            Self::Capturing { hold, then: AfterCapture::Keep } => {
                Step::to(Self::Capturing { hold: hold.clone(), then: AfterCapture::Refund }, None)
            }
            Self::Captured { hold } => Step::to(Self::Refunding { hold: hold.clone() }, None),
            Self::Capturing { then: AfterCapture::Refund, .. }
            | Self::Declined { .. }
            | Self::Failed { .. }
            | Self::Voiding { .. }
            | Self::Voided { .. }
            | Self::Cancelling
            | Self::Cancelled
            | Self::Refunding { .. }
            | Self::Refunded { .. } => Step::Stay,
        }
    }

    /// A hold that turns up after the payment was cancelled or declined is given back, even behind a tombstone.
    fn held(&self, hold: String) -> Step {
        match self {
            Self::Created | Self::RequiresAction { .. } => Step::to(Self::Authorized { hold }, Some(Tell::Authorized)),
            Self::Cancelling | Self::Cancelled | Self::Declined { .. } => Step::to(Self::Voiding { hold }, None),
            Self::Authorized { .. }
            | Self::Capturing { .. }
            | Self::Captured { .. }
            | Self::Failed { .. }
            | Self::Voiding { .. }
            | Self::Voided { .. }
            | Self::Refunding { .. }
            | Self::Refunded { .. } => Step::Stay,
        }
    }

    /// What may become a hold is one for everybody who wants none.
    fn action_needed(&self, hold: String, url: String) -> Step {
        match self {
            Self::Created => Step::to(Self::RequiresAction { hold, url }, None),
            Self::Cancelling | Self::Cancelled | Self::Declined { .. } => Step::to(Self::Voiding { hold }, None),
            Self::RequiresAction { .. }
            | Self::Authorized { .. }
            | Self::Capturing { .. }
            | Self::Captured { .. }
            | Self::Failed { .. }
            | Self::Voiding { .. }
            | Self::Voided { .. }
            | Self::Refunding { .. }
            | Self::Refunded { .. } => Step::Stay,
        }
    }

    fn refused(&self, reason: String) -> Step {
        if matches!(self, Self::Created | Self::RequiresAction { .. }) {
            return Step::to(Self::Declined { reason }, Some(Tell::Declined));
        }
        self.nothing_held()
    }

    fn nothing_held(&self) -> Step {
        if *self == Self::Cancelling { Step::to(Self::Cancelled, Some(Tell::Voided)) } else { Step::Stay }
    }

    fn capture_done(&self) -> Step {
        let Self::Capturing { hold, then } = self else { return Step::Stay };
        let hold = hold.clone();
        let next = match then {
            AfterCapture::Keep => Self::Captured { hold },
            AfterCapture::Refund => Self::Refunding { hold },
        };
        Step::to(next, Some(Tell::Captured))
    }

    fn capture_refused(&self, reason: String) -> Step {
        let Self::Capturing { hold, .. } = self else { return Step::Stay };
        Step::to(Self::Failed { hold: hold.clone(), reason }, Some(Tell::Failed))
    }

    fn void_done(&self) -> Step {
        let Self::Voiding { hold } = self else { return Step::Stay };
        Step::to(Self::Voided { hold: hold.clone() }, Some(Tell::Voided))
    }

    pub(super) const fn illegal(&self, allowed: &'static [Kind]) -> Illegal {
        Illegal { state: self.kind(), allowed }
    }
}

impl Step {
    const fn to(state: State, tell: Option<Tell>) -> Self {
        Self::Go { state, tell }
    }
}

#[cfg(test)]
mod tests;
