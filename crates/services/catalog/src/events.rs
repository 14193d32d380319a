//! Events in: what inventory tells of stock.

use std::sync::Arc;

use futures::future::BoxFuture;
use shop_events::{HandleError, Handler};
use shop_types::{Envelope, Event, Topic};

use crate::app::App;

/// What this service listens to.
pub(crate) const TOPICS: &[Topic] = &[Topic::StockChanged];

/// Applies batches of events, each event once.
pub(crate) fn handler(app: &Arc<App>) -> Handler {
    let app = Arc::clone(app);
    Arc::new(move |batch: Vec<Envelope>| -> BoxFuture<'static, Vec<Result<(), HandleError>>> {
        let app = Arc::clone(&app);
        Box::pin(async move { handle(&app, batch).await })
    })
}

async fn handle(app: &App, batch: Vec<Envelope>) -> Vec<Result<(), HandleError>> {
    let count = batch.len();
    let facts = batch.into_iter().filter_map(|envelope| match envelope.event {
        Event::StockChanged(fact) => Some((envelope.id, fact)),
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
        | Event::PaymentAuthorized(_)
        | Event::PaymentDeclined(_)
        | Event::PaymentCaptured(_)
        | Event::PaymentVoided(_)
        | Event::PaymentRefunded(_)
        | Event::PaymentFailed(_)
        | Event::UserCreated(_)
        | Event::UserDeleted(_)
        | Event::PasswordForgotten(_)
        | Event::EmailEntered(_)
        | Event::SessionRevoked(_)
        | Event::StaffCalled(_)
        | Event::StaffAnswered(_) => None,
    });
    let outcome = app.remember_stock(facts.collect()).await;
    (0..count).map(|_| outcome.as_ref().map_err(HandleError::retry).copied()).collect()
}
