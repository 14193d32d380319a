//! Events in: an order was placed, so whoever placed it has one more.

use std::sync::Arc;

use futures::future::BoxFuture;
use shop_events::{HandleError, Handler};
use shop_types::{Envelope, Event, Topic};

use crate::app::App;
use crate::domain::CustomerOrder;

/// What is consumed.
pub(crate) const TOPICS: &[Topic] = &[Topic::OrderCreated];

/// Hands the events of one delivery to the [`App`] together.
pub(crate) fn handler(app: &Arc<App>) -> Handler {
    let app = Arc::clone(app);
    Arc::new(move |batch: Vec<Envelope>| -> BoxFuture<'static, Vec<Result<(), HandleError>>> {
        let app = Arc::clone(&app);
        Box::pin(async move { handle(&app, batch).await })
    })
}

async fn handle(app: &App, batch: Vec<Envelope>) -> Vec<Result<(), HandleError>> {
    let count = batch.len();
    let (events, orders): (Vec<_>, Vec<_>) = batch.into_iter().map(|event| (event.id, placed(&event))).unzip();
    let outcome = app.remember_orders(events, orders).await;
    (0..count).map(|_| outcome.as_ref().map_err(HandleError::retry).copied()).collect()
}

/// The order of a person; `None` for a guest's.
fn placed(envelope: &Envelope) -> Option<CustomerOrder> {
    match &envelope.event {
        Event::OrderCreated(fact) => {
            let (order, number, at) = (fact.order_id, Some(fact.number), envelope.occurred_at);
            fact.user_id.map(|user| CustomerOrder { order, user, number, at })
        }
        Event::OrderConfirmed(_)
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
        | Event::UserDeleted(_)
        | Event::PasswordForgotten(_)
        | Event::EmailEntered(_)
        | Event::SessionRevoked(_) => None,
    }
}
