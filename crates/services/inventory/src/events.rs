//! Events in: the verdicts of the order and the capture of its money.

use std::sync::Arc;

use shop_events::{HandleError, Handler, each};
use shop_types::{Envelope, Event, Topic};

use crate::app::App;
use crate::domain::{Command, Scope};

/// What is consumed.
pub(crate) const TOPICS: &[Topic] =
    &[Topic::OrderRejected, Topic::OrderCancelling, Topic::OrderReturning, Topic::PaymentCaptured];

/// Hands each event to the [`App`]; those of one delivery share its group.
#[must_use]
pub(crate) fn handler(app: &Arc<App>) -> Handler {
    each(app, handle)
}

async fn handle(app: Arc<App>, envelope: Envelope) -> Result<(), HandleError> {
    let command = match envelope.event {
        // Also of a rejected order: staff may have taken its money by hand just before, and that sells.
        Event::OrderRejected(fact) | Event::OrderCancelling(fact) | Event::OrderReturning(fact) => {
            Command::Release { order: fact.order_id, scope: Scope::HoldOrSale }
        }
        Event::PaymentCaptured(fact) => Command::Commit { order: fact.order_id },
        Event::OrderCreated(_)
        | Event::OrderConfirmed(_)
        | Event::OrderCancelled(_)
        | Event::OrderPaid(_)
        | Event::OrderShipped(_)
        | Event::OrderDelivered(_)
        | Event::OrderReturned(_)
        | Event::PaymentAuthorized(_)
        | Event::PaymentDeclined(_)
        | Event::PaymentVoided(_)
        | Event::PaymentRefunded(_)
        | Event::PaymentFailed(_)
        | Event::StockChanged(_)
        | Event::UserCreated(_)
        | Event::PasswordForgotten(_)
        | Event::EmailEntered(_)
        | Event::SessionRevoked(_) => return Ok(()),
    };
    app.obey(envelope.id, command).await.map_err(HandleError::of)
}
