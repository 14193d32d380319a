//! Events in: the verdicts of the order and the capture of its money.

use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt, join_all};
use shop_events::{HandleError, Handler};
use shop_types::{Envelope, ErrorKind, Event, ServiceError, Topic};

use crate::app::{App, Error};
use crate::domain::{Command, Scope};

/// What is consumed.
pub(crate) const TOPICS: &[Topic] =
    &[Topic::OrderRejected, Topic::OrderCancelling, Topic::OrderReturning, Topic::PaymentCaptured];

/// Hands each event to the [`App`]; those of one delivery share its group.
#[must_use]
pub(crate) fn handler(app: &Arc<App>) -> Handler {
    let app = Arc::clone(app);
    Arc::new(move |envelopes: Vec<Envelope>| -> BoxFuture<'static, Vec<Result<(), HandleError>>> {
        let app = Arc::clone(&app);
        async move { join_all(envelopes.iter().map(|envelope| handle(&app, envelope))).await }.boxed()
    })
}

async fn handle(app: &App, envelope: &Envelope) -> Result<(), HandleError> {
    let command = match &envelope.event {
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
        | Event::SessionRevoked(_) => return Ok(()),
    };
    app.obey(envelope.id, command).await.map_err(|error| undone(&error))
}

/// What a rule forbids stays forbidden; everything else may succeed when it is delivered again.
fn undone(error: &Error) -> HandleError {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::Conflict | ErrorKind::Invalid => HandleError::Poison(error.to_string()),
        ErrorKind::Malformed
        | ErrorKind::Unauthenticated
        | ErrorKind::PaymentDeclined
        | ErrorKind::Forbidden
        | ErrorKind::Gone
        | ErrorKind::Stale
        | ErrorKind::TooLarge
        | ErrorKind::UnsupportedMedia
        | ErrorKind::PreconditionRequired
        | ErrorKind::RateLimited
        | ErrorKind::Unavailable
        | ErrorKind::Internal => HandleError::retry(error),
    }
}
