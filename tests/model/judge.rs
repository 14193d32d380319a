//! What must hold once everything has come to rest: the invariants I1 to I11 of the fault model, in the model's words.

use std::collections::{BTreeMap, BTreeSet};

use inventory::domain::batch::Cause;
use inventory::domain::{Lines, Reservation, State as Reserved};
use order::domain::{Entry, Order, State};
use shop_types::{Money, OrderId, Sku};

use crate::consumer::hears;
use crate::engine::Service;
use crate::orders::Said;
use crate::provider::{Hold, Status};
use crate::store::Tables;
use crate::world::Shop;

/// Judges a shop at rest.
pub(crate) fn judge(shop: &Shop, told: &[(String, Said)], received: &BTreeMap<Sku, i64>) -> Vec<String> {
    let mut wrong = Vec::new();
    stock(shop, received, &mut wrong);
    orders(shop, told, &mut wrong);
    money(shop, &mut wrong);
    events(shop, &mut wrong);
    wrong
}

/// I1, I2, I7 for stock, and that what is shown is what is there.
fn stock(shop: &Shop, received: &BTreeMap<Sku, i64>, wrong: &mut Vec<String>) {
    let tables = shop.database(Service::Inventory).tables();
    for (sku, stock) in tables.stock.iter() {
        let pieces = |state: &dyn Fn(&Reserved) -> bool| -> i64 {
            tables.reservations.rows().filter(|row| state(&row.state)).map(|row| pieces_of(row, sku)).sum()
        };
        let (held, sold) = (pieces(&|state| *state == Reserved::Held), pieces(&|state| *state == Reserved::Committed));
        if !stock.is_balanced() || stock.received != received[sku] {
            wrong.push(format!("I1: {stock:?} does not add up to {}", received[sku]));
        }
        if (stock.reserved, stock.sold) != (held, sold) {
            wrong.push(format!("I2: {stock:?}, but orders hold {held} and have bought {sold}"));
        }
        let witness = shop.database(Service::Witness).tables();
        let shown = witness.shown.get(sku);
        // Versions that leave what can be sold as it is are not told.
        if stock.version > 1 && shown.is_none_or(|(_, available)| *available != stock.available) {
            wrong.push(format!("I6: {shown:?} is shown of {stock:?}"));
        }
    }
    let mut seen = BTreeSet::new();
    for ((sku, _), movement) in tables.movements.iter() {
        if !seen.insert((sku, cause(&movement.cause))) {
            wrong.push(format!("I7: {:?} moved {sku} twice", movement.cause));
        }
    }
}

fn pieces_of(reservation: &Reservation, sku: &Sku) -> i64 {
    let lines = reservation.lines.as_ref().map_or(&[][..], Lines::as_slice);
    lines.iter().filter(|line| line.sku == *sku).map(|line| i64::from(line.quantity.get())).sum()
}

fn cause(cause: &Cause) -> String {
    format!("{cause:?}")
}

/// I3, I8, I9, I11.
fn orders(shop: &Shop, told: &[(String, Said)], wrong: &mut Vec<String>) {
    let tables = shop.database(Service::Order).tables();
    for (id, row) in tables.orders.iter() {
        let order = &row.order;
        let attempts: BTreeSet<u32> =
            tables.claims.rows().filter(|claim| claim.order == *id).map(|claim| claim.attempt).collect();
        if attempts != (1..=order.attempt).collect() {
            wrong.push(format!("I3: order {id} has {} attempts, and keys have opened {attempts:?}", order.attempt));
        }
        match order.state {
            State::Paid | State::Shipped | State::Delivered | State::Rejected | State::Cancelled | State::Refunded => {}
            State::Placed | State::Confirmed | State::Cancelling | State::Returning => {
                wrong.push(format!("I8: order {id} stays {}", order.state));
            }
        }
        if !is_a_path(&order.history) || order.version != i64::try_from(order.history.len()).unwrap_or(0) {
            wrong.push(format!("I9: the history of {id} is none: v{} {:?}", order.version, order.history));
        }
        if Money::sum(order.total.currency, order.lines.iter().map(|line| line.total)) != Ok(order.total) {
            wrong.push(format!("I11: the lines of {id} are not its total"));
        }
    }
    let mut last_words = BTreeMap::new();
    for (key, said) in told {
        acknowledged(&tables, key, said, wrong);
        let is_last = matches!(said, Said::Confirmed(..) | Said::Declined(_) | Said::Rejected(_));
        if is_last && last_words.insert(key, said).is_some_and(|earlier| earlier != said) {
            wrong.push(format!("I3: {key} was told {said:?}, and something else before"));
        }
    }
}

fn acknowledged(tables: &Tables, key: &str, said: &Said, wrong: &mut Vec<String>) {
    let (id, total) = match said {
        Said::Confirmed(id, total) | Said::Pending(id, total) => (id, Some(total)),
        Said::Declined(id) | Said::Rejected(id) => (id, None),
        Said::Busy | Said::Refused | Said::Done | Said::Unknown => return,
    };
    let key_of = tables.claims.get(&key.to_owned()).map(|claim| &claim.order);
    let order = tables.orders.get(id).map(|row| &row.order);
    if key_of != Some(id) || order.is_none_or(|order| total.is_some_and(|total| order.total != *total)) {
        wrong.push(format!("I3: {said:?} was said to {key}, which stands for {key_of:?}: {order:?}"));
    }
    let Some(order) = order else { return };
    let confirmed = order.history.iter().any(|entry| entry.state == State::Confirmed);
    let kept = match said {
        Said::Confirmed(..) => confirmed,
        Said::Rejected(_) => order.state == State::Rejected,
        Said::Pending(..) | Said::Declined(_) | Said::Busy | Said::Refused | Said::Done | Said::Unknown => true,
    };
    if !kept {
        wrong.push(format!("I3: {said:?} was said of an order whose history is {:?}", order.history));
    }
}

fn is_a_path(history: &[Entry]) -> bool {
    let waits = |from: State, to: State| from == State::Placed && to == State::Placed;
    history.first().is_some_and(|first| first.state == State::Placed)
        && history.windows(2).all(|pair| {
            let (from, to) = (pair[0].state, pair[1].state);
            from.may_become(to) || waits(from, to)
        })
}

/// I3 for what was refused, I4, I5: by the ledger of the provider.
fn money(shop: &Shop, wrong: &mut Vec<String>) {
    let tables = shop.database(Service::Order).tables();
    let holds = shop.provider.holds();
    for hold in holds.iter().filter(|hold| matches!(hold.status, Status::Held | Status::Waiting)) {
        wrong.push(format!("I4: {} still holds the money of {}", hold.id, hold.reference));
    }
    for (id, row) in tables.orders.iter() {
        let captured: Vec<&Hold> =
            holds.iter().filter(|hold| is_of(hold, *id) && hold.status == Status::Captured).collect();
        if captured.len() > 1 {
            wrong.push(format!("I5: order {id} was charged {} times", captured.len()));
        }
        let kept: i64 = captured.iter().map(|hold| hold.amount.amount - hold.given_back()).sum();
        let expected = due(&row.order, given_back(shop, &row.order));
        if kept != expected {
            wrong.push(format!(
                "I4: {kept} instead of {expected} was kept for order {id}, which is {}",
                row.order.state
            ));
        }
    }
    if let Some(stray) = holds.iter().find(|hold| tables.orders.iter().all(|(id, _)| !is_of(hold, *id))) {
        wrong.push(format!("I4: {stray:?} is of no order"));
    }
    for reservation in shop.database(Service::Inventory).tables().reservations.rows() {
        let state = tables.orders.get(&reservation.order).map(|row| row.order.state);
        let fits = match reservation.state {
            Reserved::Committed => matches!(state, Some(State::Paid | State::Shipped | State::Delivered)),
            Reserved::Refused { .. } => state == Some(State::Rejected),
            Reserved::Released => matches!(state, Some(State::Rejected | State::Cancelled | State::Refunded)),
            Reserved::Restocked => matches!(state, Some(State::Rejected | State::Cancelled | State::Refunded)),
            Reserved::Held => false,
        };
        if !fits {
            wrong.push(format!(
                "I2: the stock of order {} is {} and it is {state:?}",
                reservation.order,
                reservation.state.word()
            ));
        }
    }
}

fn is_of(hold: &Hold, order: OrderId) -> bool {
    hold.reference.split(':').next() == Some(order.to_string().as_str())
}

/// What the shop may keep.
const fn due(order: &Order, given_back: i64) -> i64 {
    match order.state {
        State::Paid | State::Shipped | State::Delivered => order.total.amount - given_back,
        State::Placed
        | State::Confirmed
        | State::Rejected
        | State::Cancelling
        | State::Cancelled
        | State::Returning
        | State::Refunded => 0,
    }
}

/// What staff has given back of the money of an order that goes on, by the shop's own books.
fn given_back(shop: &Shop, order: &Order) -> i64 {
    let tables = shop.database(Service::Payment).tables();
    let paid = tables.payments.rows().filter(|row| Some(row.payment.id.to_string()) == order.payment);
    paid.map(|row| row.payment.given_back()).sum()
}

/// I6 and I7 for events.
fn events(shop: &Shop, wrong: &mut Vec<String>) {
    for producer in Service::ALL {
        for row in shop.database(producer).tables().outbox.rows() {
            let (event, name) = (row.envelope.id, row.envelope.event.topic().name());
            if !row.confirmed {
                wrong.push(format!("I6: {name} {event} is not confirmed"));
            }
            for group in Service::ALL.into_iter().filter(|group| *group != producer && hears(*group, &row.envelope)) {
                if !shop.database(group).tables().inbox.has(&event) {
                    wrong.push(format!("I6: {} has never had {name} {event}", group.name()));
                }
            }
            let effects = shop.database(Service::Witness).tables().effects.get(&event).copied().unwrap_or(0);
            if effects != 1 {
                wrong.push(format!("I7: {name} {event} took effect {effects} times"));
            }
        }
    }
    for service in Service::ALL {
        for (event, letter) in shop.database(service).tables().letters.iter() {
            wrong.push(format!("I6: {} has given up {event}: {letter}", service.name()));
        }
    }
}
