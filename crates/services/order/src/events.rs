//! Events in: what payment tells of an order's money; and that an account was deleted, so that its person is forgotten.

use std::sync::Arc;

use shop_events::{HandleError, Handler, each};
use shop_types::{Envelope, ErrorKind, Event, ServiceError, Topic};

use crate::app::{App, Error, PaymentNews};

/// What this service listens to.
pub(crate) const TOPICS: &[Topic] = &[
    Topic::PaymentAuthorized,
    Topic::PaymentDeclined,
    Topic::PaymentCaptured,
    Topic::PaymentVoided,
    Topic::PaymentRefunded,
    Topic::PaymentFailed,
    Topic::UserDeleted,
];

/// Applies batches of events, each event once; a batch becomes one group commit.
pub(crate) fn handler(app: &Arc<App>) -> Handler {
    each(app, handle)
}

async fn handle(app: Arc<App>, envelope: Envelope) -> Result<(), HandleError> {
    let (news, fact) = match envelope.event {
        Event::PaymentAuthorized(fact) => (PaymentNews::Authorized, fact),
        Event::PaymentDeclined(fact) => (PaymentNews::Declined, fact),
        Event::PaymentCaptured(fact) => (PaymentNews::Captured, fact),
        Event::PaymentVoided(fact) => (PaymentNews::Voided, fact),
        Event::PaymentRefunded(fact) => (PaymentNews::Refunded, fact),
        Event::PaymentFailed(fact) => (PaymentNews::Failed, fact),
        Event::UserDeleted(fact) => {
            return app.follow_deletion(envelope.id, fact.user_id).await.map_err(HandleError::of);
        }
        Event::OrderCreated(_)
        | Event::OrderConfirmed(_)
        | Event::OrderRejected(_)
        | Event::OrderCancelling(_)
        | Event::OrderCancelled(_)
        | Event::OrderPaid(_)
        | Event::OrderShipped(_)
        | Event::OrderDelivered(_)
        | Event::OrderReturning(_)
        | Event::OrderReturned(_)
        | Event::StockChanged(_)
        | Event::UserCreated(_)
        | Event::PasswordForgotten(_)
        | Event::EmailEntered(_)
        | Event::SessionRevoked(_)
        | Event::StaffCalled(_)
        | Event::StaffAnswered(_) => {
            return Err(HandleError::Poison("order listens to payments and deleted accounts alone".into()));
        }
    };
    app.follow_payment(envelope.id, news, fact).await.map_err(|error| undone(&error))
}

/// A payment without its order will never have one; everything else may succeed when it is delivered again.
fn undone(error: &Error) -> HandleError {
    if error.kind() == ErrorKind::NotFound { HandleError::Poison(error.to_string()) } else { HandleError::retry(error) }
}
