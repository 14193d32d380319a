//! Events in: what orders have come to.

use std::sync::Arc;

use shop_events::{HandleError, Handler, each};
use shop_types::event::OrderFact;
use shop_types::{Envelope, EventId, Topic};

use crate::app::App;
use crate::domain::PaymentId;
use crate::domain::batch::{Outcome, Verdict};

/// What is consumed.
pub(crate) const TOPICS: &[Topic] =
    &[Topic::OrderConfirmed, Topic::OrderRejected, Topic::OrderCancelling, Topic::OrderReturning];

/// Hands each event to the [`App`]; those of one delivery share its group.
pub(crate) fn handler(app: &Arc<App>) -> Handler {
    each(app, handle)
}

async fn handle(app: Arc<App>, envelope: Envelope) -> Result<(), HandleError> {
    let Some((outcome, fact)) = Outcome::told_by(envelope.event) else { return Ok(()) };
    let verdict = verdict(envelope.id, fact, outcome);
    app.obey(verdict?).await.map_err(HandleError::of)
}

fn verdict(event: EventId, fact: OrderFact, outcome: Outcome) -> Result<Verdict, HandleError> {
    let OrderFact { order_id: order, user_id: owner, total, payment_id, .. } = fact;
    let payment = payment_id.map(|id| id.parse::<PaymentId>()).transpose();
    match payment {
        Ok(payment) if payment.is_none_or(|id| id.order == order) => {
            Ok(Verdict { event, order, payment, owner, total, outcome })
        }
        Ok(_) => Err(HandleError::Poison("the order names a payment of another order".into())),
        Err(error) => Err(HandleError::Poison(format!("the name of the payment {error}"))),
    }
}
