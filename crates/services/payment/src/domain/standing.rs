//! What a look-up at the provider says about a payment, and what follows from it. A webhook only asks for a look-up.

use jiff::Timestamp;

use super::{Event, Payment, Question, State};

/// Where a payment stands at the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// The provider has never heard of it. A request that is still under way may change that.
    Unheard,
    /// The buyer has to confirm; nothing is held yet.
    Waiting {
        /// The provider's id of what may become a hold.
        hold: String,
        /// Where the buyer confirms.
        url: String,
    },
    /// The money is held.
    Held {
        /// The provider's id.
        hold: String,
    },
    /// The hold was refused.
    Refused {
        /// The provider's word for why.
        reason: String,
    },
    /// The hold was given back.
    GivenBack,
    /// The money could not be taken, and is not held any more.
    Failed {
        /// The provider's word for why.
        reason: String,
    },
    /// The money was taken.
    Captured {
        /// The numbers of our refunds that were given back since.
        refunds: Vec<u32>,
        /// Whether nothing of it is left there, also by refunds that are not ours, such as of somebody at the provider's console.
        is_all_back: bool,
    },
}

/// The provider's word for a hold that is gone and that nobody here gave back.
const GIVEN_BACK: &str = "given_back";

/// The provider says what cannot be: somebody has to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Contradiction(pub &'static str);

impl Payment {
    /// What a look-up tells this payment; `None`: nothing new.
    ///
    /// # Errors
    /// [`Contradiction`] when the provider did what nobody here had asked for.
    pub fn learn(&self, standing: Standing, now: Timestamp) -> Result<Option<Event>, Contradiction> {
        match &self.state {
            State::Created | State::RequiresAction { .. } => self.learn_of_hold(standing),
            State::Cancelling | State::Cancelled => self.learn_of_late_hold(standing, now),
            State::Capturing { .. } => learn_of_capture(standing),
            State::Voiding { .. } => learn_of_void(&standing),
            State::Captured { .. } | State::Refunding { .. } => self.learn_of_refund(&standing),
            State::Authorized { .. }
            | State::Declined { .. }
            | State::Failed { .. }
            | State::Voided { .. }
            | State::Refunded { .. } => Ok(None),
        }
    }

    fn learn_of_hold(&self, standing: Standing) -> Result<Option<Event>, Contradiction> {
        Ok(match standing {
            Standing::Unheard => None,
            Standing::Waiting { hold, url } => {
                (self.state == State::Created).then_some(Event::ActionNeeded { hold, url })
            }
            Standing::Held { hold } => Some(Event::Held { hold }),
            Standing::Refused { reason } | Standing::Failed { reason } => Some(Event::Refused { reason }),
            Standing::GivenBack => Some(Event::Refused { reason: GIVEN_BACK.to_owned() }),
            Standing::Captured { .. } => return Err(Contradiction("a capture that nobody asked for")),
        })
    }

    fn learn_of_late_hold(&self, standing: Standing, now: Timestamp) -> Result<Option<Event>, Contradiction> {
        Ok(match standing {
            Standing::Unheard => self.cannot_appear_any_more(now).then_some(Event::NothingHeld),
            Standing::Waiting { hold, .. } | Standing::Held { hold } => Some(Event::Held { hold }),
            Standing::Refused { .. } | Standing::GivenBack | Standing::Failed { .. } => Some(Event::NothingHeld),
            Standing::Captured { .. } => return Err(Contradiction("a capture that nobody asked for")),
        })
    }

    fn learn_of_refund(&self, standing: &Standing) -> Result<Option<Event>, Contradiction> {
        let Some(Question::Refund { refund, .. }) = self.question() else { return Ok(None) };
        match standing {
            // What others have given back is back: ours can only be refused from then on, and the order would never end.
            Standing::Captured { refunds, is_all_back } => {
                Ok((*is_all_back || refunds.contains(&refund.n)).then_some(Event::RefundDone { n: refund.n }))
            }
            Standing::Unheard
            | Standing::Waiting { .. }
            | Standing::Held { .. }
            | Standing::Refused { .. }
            | Standing::GivenBack
            | Standing::Failed { .. } => Err(Contradiction("the captured money is not there")),
        }
    }
}

fn learn_of_capture(standing: Standing) -> Result<Option<Event>, Contradiction> {
    Ok(match standing {
        Standing::Held { .. } => None,
        Standing::Captured { .. } => Some(Event::CaptureDone),
        Standing::GivenBack => Some(Event::CaptureRefused { reason: GIVEN_BACK.to_owned() }),
        Standing::Failed { reason } => Some(Event::CaptureRefused { reason }),
        Standing::Unheard | Standing::Waiting { .. } | Standing::Refused { .. } => {
            return Err(Contradiction("the hold is not there"));
        }
    })
}

fn learn_of_void(standing: &Standing) -> Result<Option<Event>, Contradiction> {
    Ok(match standing {
        Standing::Waiting { .. } | Standing::Held { .. } => None,
        Standing::GivenBack | Standing::Failed { .. } | Standing::Refused { .. } => Some(Event::VoidDone),
        Standing::Captured { .. } => return Err(Contradiction("a capture that nobody asked for")),
        Standing::Unheard => return Err(Contradiction("the hold is not there")),
    })
}

#[cfg(test)]
mod tests;
