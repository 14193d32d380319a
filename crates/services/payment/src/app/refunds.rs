//! Giving back a part of the captured money, or all of it, because staff says so.

use std::sync::Arc;

use super::{App, Error};
use crate::domain::batch::{Command, RefundReply, RefundRequest, Reply};
use crate::domain::{Payment, Refund, RefundState};

/// A refund as its callers are told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refunded {
    /// Its payment.
    pub(crate) payment: Payment,
    /// The refund, in the state that the first caller was told.
    pub(crate) refund: Refund,
    /// Whether somebody was told before.
    pub(crate) replayed: bool,
}

impl App {
    /// Gives money back: writes it down, asks the provider, and answers DONE, or PENDING when there was no answer in time.
    /// The same key gives the same refund and the same answer, whatever has become of it since.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Illegal`] when nothing was captured; [`Error::OverRefund`] for more than is left;
    /// [`Error::KeyReused`]. [`Error::Store`]: whether it was written down is unknown; repeat it with the same key.
    pub(crate) async fn refund(self: &Arc<Self>, request: RefundRequest) -> Result<Refunded, Error> {
        let (id, key) = (request.id, request.key.clone());
        let asked = self.submit_refund(Command::Refund(request)).await?;
        if let Some(said) = asked.said {
            return answer(asked.payment, asked.n, said, true);
        }
        let n = asked.n;
        let payment = if state_of(&asked.payment, n)? == RefundState::Pending {
            self.settle_in_foreground(asked.payment).await?
        } else {
            asked.payment
        };
        let state = state_of(&payment, n)?;
        let answered = self.submit_refund(Command::Answered { id, key, state }).await?;
        answer(answered.payment, n, answered.said.unwrap_or(state), false)
    }

    async fn submit_refund(&self, command: Command) -> Result<RefundReply, Error> {
        match self.store.submit(command).await?? {
            Reply::Refund(reply) => Ok(*reply),
            Reply::Payments(_) => Err(Error::NotFound),
        }
    }
}

fn state_of(payment: &Payment, n: u32) -> Result<RefundState, Error> {
    payment.refund_of(n).map(|refund| refund.state).ok_or(Error::NotFound)
}

fn answer(payment: Payment, n: u32, said: RefundState, replayed: bool) -> Result<Refunded, Error> {
    let refund = payment.refund_of(n).ok_or(Error::NotFound)?.clone();
    Ok(Refunded { refund: Refund { state: said, ..refund }, payment, replayed })
}
