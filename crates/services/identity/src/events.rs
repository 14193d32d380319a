//! Events in: an order was placed, so whoever placed it has one more; staff or a program has called, which is written down.

use std::sync::Arc;

use futures::future::BoxFuture;
use shop_events::{HandleError, Handler};
use shop_types::{Envelope, Event, EventId, StaffCall, Topic};

use crate::app::App;
use crate::domain::CustomerOrder;

/// What is consumed.
pub(crate) const TOPICS: &[Topic] = &[Topic::OrderCreated, Topic::StaffCalled, Topic::StaffAnswered];

/// Hands the events of one delivery to the [`App`] together.
pub(crate) fn handler(app: &Arc<App>) -> Handler {
    let app = Arc::clone(app);
    Arc::new(move |batch: Vec<Envelope>| -> BoxFuture<'static, Vec<Result<(), HandleError>>> {
        let app = Arc::clone(&app);
        Box::pin(async move { handle(&app, batch).await })
    })
}

async fn handle(app: &App, batch: Vec<Envelope>) -> Vec<Result<(), HandleError>> {
    let are_calls: Vec<bool> = batch.iter().map(|event| call(event).is_some()).collect();
    let calls: Vec<(EventId, StaffCall)> = batch.iter().filter_map(call).collect();
    let others = batch.iter().filter(|event| call(event).is_none());
    let (events, orders): (Vec<_>, Vec<_>) = others.map(|event| (event.id, placed(event))).unzip();
    let remembered = async { if events.is_empty() { Ok(()) } else { app.remember_orders(events, orders).await } };
    let written = async { if calls.is_empty() { Ok(()) } else { app.write_calls(calls).await } };
    // What has become of the one says nothing about the other.
    let (remembered, written) = futures::join!(remembered, written);
    let outcome = |is_call| if is_call { &written } else { &remembered };
    are_calls.into_iter().map(|is_call| outcome(is_call).as_ref().map_err(HandleError::retry).copied()).collect()
}

/// The call that an event tells of; `None` for other events.
fn call(envelope: &Envelope) -> Option<(EventId, StaffCall)> {
    let (Event::StaffCalled(call) | Event::StaffAnswered(call)) = &envelope.event else { return None };
    Some((envelope.id, call.clone()))
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
        | Event::SessionRevoked(_)
        | Event::StaffCalled(_)
        | Event::StaffAnswered(_) => None,
    }
}
