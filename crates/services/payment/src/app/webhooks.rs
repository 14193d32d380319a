//! What the provider tells by itself. A webhook is only a hint: what a look-up says counts.

use std::sync::Arc;

use super::{App, Error};
use crate::domain::{Kind, Payment};
use crate::peers::Webhook;

impl App {
    /// Takes a webhook: checks it, looks up the payment that it is about, and remembers its event only when that ended well:
    /// what breaks off before is told again by the provider. An event that is remembered does nothing.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a provider that this shop does not use; [`Error::Untrusted`]; [`Error::NoAnswer`] and
    /// [`Error::Store`]: the provider must tell it again.
    pub(crate) async fn hear(self: &Arc<Self>, provider: &str, webhook: Webhook<'_>) -> Result<(), Error> {
        if provider != self.provider.name() {
            return Err(Error::NotFound);
        }
        let hint = self.provider.hint(webhook, self.clock.now()).inspect_err(|_| self.calls.heard("refused"))?;
        if self.store.knows_event(provider, &hint.event).await? {
            self.calls.heard("repeated");
            return Ok(());
        }
        if let Some(id) = hint.payment
            && let Some(payment) = self.store.find(id).await?.filter(is_curious)
        {
            self.look_in_foreground(payment).await?;
        }
        let first = self.store.note_event(provider, &hint.event, hint.payment).await?;
        self.calls.heard(if first { "taken" } else { "repeated" });
        Ok(())
    }
}

/// Whether a look-up may tell a payment something new that nobody is asking for right now.
fn is_curious(payment: &Payment) -> bool {
    match payment.state.kind() {
        Kind::RequiresAction | Kind::Cancelling | Kind::Cancelled => true,
        Kind::Created
        | Kind::Authorized
        | Kind::Declined
        | Kind::Capturing
        | Kind::Captured
        | Kind::Failed
        | Kind::Voiding
        | Kind::Voided
        | Kind::Refunding
        | Kind::Refunded => payment.is_settling() && payment.tries > 0,
    }
}
