//! Events in: what payment tells of an order's money.

use std::sync::Arc;

use futures::future::{BoxFuture, join_all};
use shop_events::{HandleError, Handler};
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
];

/// Applies batches of events, each event once; a batch becomes one group commit.
pub(crate) fn handler(app: &Arc<App>) -> Handler {
    let app = Arc::clone(app);
    Arc::new(move |batch: Vec<Envelope>| -> BoxFuture<'static, Vec<Result<(), HandleError>>> {
        let app = Arc::clone(&app);
        Box::pin(async move { join_all(batch.into_iter().map(|envelope| handle(&app, envelope))).await })
    })
}

async fn handle(app: &App, envelope: Envelope) -> Result<(), HandleError> {
    let (news, fact) = match envelope.event {
        Event::PaymentAuthorized(fact) => (PaymentNews::Authorized, fact),
        Event::PaymentDeclined(fact) => (PaymentNews::Declined, fact),
        Event::PaymentCaptured(fact) => (PaymentNews::Captured, fact),
        Event::PaymentVoided(fact) => (PaymentNews::Voided, fact),
        Event::PaymentRefunded(fact) => (PaymentNews::Refunded, fact),
        Event::PaymentFailed(fact) => (PaymentNews::Failed, fact),
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
        | Event::SessionRevoked(_) => {
            return Err(HandleError::Poison("order listens to payment alone".into()));
        }
    };
    app.follow_payment(envelope.id, news, fact).await.map_err(|error| undone(&error))
}

/// A payment without its order will never have one; everything else may succeed when it is delivered again.
fn undone(error: &Error) -> HandleError {
    match error.kind() {
        ErrorKind::NotFound => HandleError::Poison(error.to_string()),
        ErrorKind::Malformed
        | ErrorKind::Unauthenticated
        | ErrorKind::PaymentDeclined
        | ErrorKind::Forbidden
        | ErrorKind::Conflict
        | ErrorKind::Gone
        | ErrorKind::Stale
        | ErrorKind::TooLarge
        | ErrorKind::UnsupportedMedia
        | ErrorKind::Invalid
        | ErrorKind::PreconditionRequired
        | ErrorKind::RateLimited
        | ErrorKind::Unavailable
        | ErrorKind::Internal => HandleError::retry(error),
    }
}
