//! Events in: the verdicts of the order and the capture of its money.

use std::sync::Arc;

use shop_events::{HandleError, Handler, each};
use shop_types::{Envelope, Topic};

use crate::app::App;
use crate::domain::Command;

/// What is consumed.
pub(crate) const TOPICS: &[Topic] =
    &[Topic::OrderRejected, Topic::OrderCancelling, Topic::OrderReturning, Topic::PaymentCaptured];

/// Hands each event to the [`App`]; those of one delivery share its group.
#[must_use]
pub(crate) fn handler(app: &Arc<App>) -> Handler {
    each(app, handle)
}

async fn handle(app: Arc<App>, envelope: Envelope) -> Result<(), HandleError> {
    let Some(command) = Command::asked_by(&envelope.event) else { return Ok(()) };
    app.obey(envelope.id, command).await.map_err(HandleError::of)
}
