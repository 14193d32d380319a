//! Events in: an order was confirmed, so its cart is done with; an account was deleted, so nobody needs its cart.

use std::sync::Arc;

use shop_events::{HandleError, Handler, each};
use shop_types::{Envelope, Event, Topic};

use crate::app::App;

/// What is consumed.
pub(crate) const TOPICS: &[Topic] = &[Topic::OrderConfirmed, Topic::UserDeleted];

/// Hands each event to the [`App`]; those of one delivery share its group.
#[must_use]
pub(crate) fn handler(app: &Arc<App>) -> Handler {
    each(app, handle)
}

async fn handle(app: Arc<App>, envelope: Envelope) -> Result<(), HandleError> {
    let fact = match envelope.event {
        Event::OrderConfirmed(fact) => fact,
        Event::UserDeleted(fact) => {
            return app.drop_cart_of(envelope.id, fact.user_id).await.map_err(HandleError::of);
        }
        Event::OrderCreated(_)
        | Event::OrderRejected(_)
        | Event::OrderCancelling(_)
        | Event::OrderCancelled(_)
        | Event::OrderPaid(_)
        | Event::OrderShipped(_)
        | Event::OrderDelivered(_)
        | Event::OrderReturning(_)
        | Event::OrderReturned(_)
        | Event::PaymentAuthorized(_)
        | Event::PaymentDeclined(_)
        | Event::PaymentCaptured(_)
        | Event::PaymentVoided(_)
        | Event::PaymentRefunded(_)
        | Event::PaymentFailed(_)
        | Event::StockChanged(_)
        | Event::UserCreated(_)
        | Event::PasswordForgotten(_)
        | Event::EmailEntered(_)
        | Event::SessionRevoked(_)
        | Event::StaffCalled(_)
        | Event::StaffAnswered(_) => return Ok(()),
    };
    app.clear_ordered(envelope.id, fact.cart).await.map_err(HandleError::of)
}
