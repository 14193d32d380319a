//! Driving an order to its verdict (W2 to W6), and taking over where a driver fell silent: order's `app/drive`.

use std::rc::Rc;

use inventory::domain::{Line, Lines, State as Reserved};
use order::domain::{Change, Order, Phase, Rejection, State};
use payment::domain::batch::Opening;
use payment::domain::{Kind, PaymentId};
use shop_types::{Envelope, Event, OrderId};

use super::Orders;
use super::writing::{Answer, LEASE};
use crate::engine::{Millis, SECOND, Service};
use crate::store::{Failed, OrderRow};
use crate::world::Pod;

/// A driver was silent, and another goes on.
pub(crate) const TAKEN_OVER: &str = "an order is taken over";

/// A driver gives up before its lease ends.
const DRIVE: Millis = 8 * SECOND;
const FIRST_PAUSE: Millis = SECOND / 4;
const LONGEST_PAUSE: Millis = 2 * SECOND;
const RESERVE: Millis = 2 * SECOND;
const AUTHORIZE: Millis = 3 * SECOND;

enum Stock {
    Held,
    Refused,
    Over,
}

enum Hold {
    Authorized,
    Declined(String),
    ActionNeeded(String),
    Unknown,
    Over,
}

impl Orders {
    /// Takes an order as far as it goes within the lease. `None`: somebody stayed away; another driver will go on.
    pub(super) async fn drive(&self, order: Order, leased: Millis) -> Option<Order> {
        let (id, until) = (order.id, leased + DRIVE);
        // A later attempt finds its stock held: nothing but a verdict gives it back.
        if order.attempt == 1 {
            match self.insist(until, async || self.reserve(&order).await).await? {
                Stock::Held => {}
                Stock::Refused => {
                    let reason = Rejection::SoldOut { shortages: Vec::new() };
                    return self.decide(id, Change::Reject { reason }).await;
                }
                Stock::Over => return self.decide(id, Change::Reject { reason: Rejection::Withdrawn }).await,
            }
        }
        let payment = order.payment_id();
        let mut pause = FIRST_PAUSE;
        loop {
            match self.insist(until, async || self.authorize(&order).await).await? {
                Hold::Authorized => return self.decide(id, Change::Confirm { payment }).await,
                Hold::Declined(reason) => return self.decide(id, Change::Decline { payment, reason }).await,
                Hold::ActionNeeded(url) => return self.decide(id, Change::AwaitBuyer { payment, url }).await,
                Hold::Over => return self.decide(id, Change::Decline { payment, reason: "withdrawn".into() }).await,
                Hold::Unknown => {
                    let waited = self.pause(&mut pause, until).await;
                    let now = self.order(id).await?;
                    if !waited || now.phase() != Phase::Driving || now.attempt != order.attempt {
                        return Some(now);
                    }
                }
            }
        }
    }

    /// Takes over orders whose driver is silent, and rejects those whose deadline has passed.
    pub(super) async fn recover(self: Rc<Self>) {
        let sim = &self.shop.sim;
        let database = self.shop.database(Service::Order);
        loop {
            let due = database.tables().orders.rows().filter_map(due).min();
            if due.is_none_or(|due| due > sim.now()) {
                sim.wait(&[&database.changed], due).await;
                continue;
            }
            let overdue = database.read(|tables| {
                let late = |row: &&OrderRow| row.order.state == State::Placed && row.deadline < sim.now();
                tables.orders.rows().filter(late).map(|row| row.order.id).collect::<Vec<_>>()
            });
            for id in overdue.await.unwrap_or_default() {
                self.decide(id, Change::Reject { reason: Rejection::Deadline }).await;
            }
            let leased = sim.now();
            match self.take_over(None).await {
                Ok(Some(order)) => {
                    let driver = Rc::clone(&self);
                    sim.spawn(self.process, async move { drop(driver.drive(order, leased).await) });
                }
                Ok(None) => {}
                Err(_) => sim.sleep(SECOND).await,
            }
        }
    }

    /// Takes over an order whose driver is silent, by the database's clock.
    pub(super) async fn take_over(&self, id: Option<OrderId>) -> Result<Option<Order>, Failed> {
        let now = self.shop.sim.now();
        let take = self.shop.database(Service::Order).update(|tables, txn| {
            let silent = |row: &&OrderRow| {
                let it = id.is_none_or(|id| id == row.order.id);
                it && row.order.phase() == Phase::Driving && row.lease_until < now
            };
            let row = tables.orders.rows().find(silent)?;
            self.shop.reach(TAKEN_OVER);
            let row = OrderRow { lease_until: now + LEASE, ..row.clone() };
            txn.put(|tables| &mut tables.orders, row.order.id, row.clone());
            Some(row.order)
        });
        take.await
    }

    async fn reserve(&self, order: &Order) -> Option<Stock> {
        let line = |line: &order::domain::Line| Line { sku: line.sku.clone(), quantity: line.quantity };
        let (id, lines) = (order.id, Lines::new(order.lines.iter().map(line).collect()).expect("lines of an order"));
        let reservation = self.shop.call(Service::Inventory, RESERVE, async move |pod| match pod {
            Pod::Inventory(inventory) => inventory.reserve(id, lines).await,
            Pod::Orders(_) | Pod::Payments(_) | Pod::Witness => None,
        });
        Some(match reservation.await?.state {
            Reserved::Held | Reserved::Committed => Stock::Held,
            Reserved::Refused { .. } => Stock::Refused,
            Reserved::Released | Reserved::Restocked => Stock::Over,
        })
    }

    async fn authorize(&self, order: &Order) -> Option<Hold> {
        let opening = Opening {
            id: PaymentId::new(order.id, order.attempt).expect("attempts count from 1"),
            owner: order.owner.user(),
            amount: order.total,
            method: order.payment_method.parse().expect("a card"),
        };
        let payment = self.shop.call(Service::Payment, AUTHORIZE, async move |pod| match pod {
            Pod::Payments(payments) => payments.authorize(opening).await,
            Pod::Orders(_) | Pod::Inventory(_) | Pod::Witness => None,
        });
        let payment = payment.await?;
        Some(match payment.state.kind() {
            Kind::Authorized | Kind::Capturing | Kind::Captured | Kind::Refunding => Hold::Authorized,
            Kind::Declined => Hold::Declined(payment.state.reason().unwrap_or_default().to_owned()),
            Kind::Created => Hold::Unknown,
            Kind::RequiresAction => Hold::ActionNeeded(payment.state.next_action().unwrap_or_default().to_owned()),
            Kind::Failed | Kind::Voiding | Kind::Voided | Kind::Cancelling | Kind::Cancelled | Kind::Refunded => {
                Hold::Over
            }
        })
    }

    pub(super) async fn order(&self, id: OrderId) -> Option<Order> {
        let database = self.shop.database(Service::Order);
        database.read(|tables| tables.orders.get(&id).map(|row| row.order.clone())).await.ok()?
    }

    async fn decide(&self, id: OrderId, change: Change) -> Option<Order> {
        match self.change(id, change).await {
            Ok(Answer::Order(order)) => Some(*order),
            Ok(Answer::KeyTaken(_) | Answer::Missing | Answer::Refused(_)) | Err(_) => None,
        }
    }

    /// Repeats a step while its service is away.
    async fn insist<T>(&self, until: Millis, step: impl AsyncFn() -> Option<T>) -> Option<T> {
        let mut pause = FIRST_PAUSE;
        loop {
            if let Some(answer) = step().await {
                return Some(answer);
            }
            if !self.pause(&mut pause, until).await {
                return None;
            }
        }
    }

    async fn pause(&self, next: &mut Millis, until: Millis) -> bool {
        let (time, sim) = (*next, &self.shop.sim);
        *next = (time * 2).min(LONGEST_PAUSE);
        if sim.now() + time >= until {
            return false;
        }
        sim.sleep(time).await;
        true
    }
}

/// When somebody has to look at an order.
fn due(row: &OrderRow) -> Option<Millis> {
    let deadline = (row.order.state == State::Placed).then_some(row.deadline + 1);
    let lease = (row.order.phase() == Phase::Driving).then_some(row.lease_until + 1);
    deadline.into_iter().chain(lease).min()
}

/// What an event of a payment means for its order.
pub(super) fn change_of(envelope: &Envelope) -> Option<(OrderId, Change)> {
    use order::domain::Settlement;
    let (fact, change): (_, fn(String, Option<String>) -> Change) = match &envelope.event {
        Event::PaymentAuthorized(fact) => (fact, |payment, _| Change::Confirm { payment }),
        Event::PaymentDeclined(fact) => {
            (fact, |payment, reason| Change::Decline { payment, reason: reason.unwrap_or_default() })
        }
        Event::PaymentCaptured(fact) => (fact, |payment, _| Change::Pay { payment }),
        Event::PaymentRefunded(fact) if fact.remaining.is_some() => (fact, |payment, _| Change::KeepRest { payment }),
        Event::PaymentVoided(fact) | Event::PaymentRefunded(fact) => {
            (fact, |payment, _| Change::Settle { payment, reason: Settlement::GivenBack })
        }
        Event::PaymentFailed(fact) => (fact, |payment, _| Change::Settle { payment, reason: Settlement::Failed }),
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
        | Event::UserDeleted(_)
        | Event::PasswordForgotten(_)
        | Event::EmailEntered(_)
        | Event::SessionRevoked(_)
        | Event::StaffCalled(_)
        | Event::StaffAnswered(_) => return None,
    };
    Some((fact.order_id, change(fact.payment_id.clone(), fact.reason.clone())))
}
