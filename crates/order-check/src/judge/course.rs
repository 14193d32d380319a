//! The course of an order: its history (I9), whether it is stuck (I8), its lines (I11).

use serde_json::json;

use super::Desk;
use crate::Invariant;
use crate::record::{Line, Order, Phase, State};

pub(super) fn judge(order: &Order, found: &mut Desk) {
    judge_history(order, found);
    judge_rest(order, found);
    judge_lines(order, found);
}

/// I9: the n-th step belongs to version n, each may follow the one before it, and the last one is where the order stands.
fn judge_history(order: &Order, found: &mut Desk) {
    let steps = order.history.len();
    if i64::try_from(steps) != Ok(order.version) {
        let facts = [("version", json!(order.version)), ("steps", json!(steps))];
        found.firm(Invariant::I9, "is at another version than its history has steps", facts);
    }
    if order.history.first().is_none_or(|step| step.state != State::Placed) {
        let first = order.history.first().map(|step| step.state.word());
        found.firm(Invariant::I9, "did not begin as placed", [("first", json!(first))]);
    }
    for (n, pair) in order.history.windows(2).enumerate() {
        let [from, to] = pair else { continue };
        let follows = if to.forgets_address { from.state == to.state } else { from.state.next().contains(&to.state) };
        if !follows {
            let facts = [("version", json!(n + 2)), ("from", json!(from.state.word())), ("to", json!(to.state.word()))];
            found.firm(Invariant::I9, "went where its state does not lead", facts);
        }
    }
    if let Some(last) = order.history.last().filter(|last| last.state != order.state) {
        let facts = [("state", json!(order.state.word())), ("last", json!(last.state.word()))];
        found.firm(Invariant::I9, "is not where its history ends", facts);
    }
}

/// I8: who is on the way arrives; who waits for the buyer waits until the deadline.
fn judge_rest(order: &Order, found: &mut Desk) {
    let since = order.since();
    let facts = [("state", json!(order.state.word())), ("since", json!(since))];
    match (order.state, order.phase) {
        (State::Placed, Phase::Driving) => found.moving(since, Invariant::I8, "is being placed", facts),
        (State::Placed, Phase::Waiting) => {
            let facts = [("deadline", json!(order.deadline))];
            found.moving(order.deadline, Invariant::I8, "waits for its money beyond its deadline", facts);
        }
        (State::Placed, Phase::Settled) => {
            found.firm(Invariant::I8, "is placed, and nothing drives it any more", facts);
        }
        (State::Confirmed | State::Cancelling | State::Returning, _) => {
            found.moving(since, Invariant::I8, format!("is {}", order.state.word()), facts);
        }
        (
            State::Paid | State::Shipped | State::Delivered | State::Rejected | State::Cancelled | State::Refunded,
            Phase::Settled,
        ) => {}
        (
            State::Paid | State::Shipped | State::Delivered | State::Rejected | State::Cancelled | State::Refunded,
            Phase::Driving | Phase::Waiting,
        ) => found.firm(Invariant::I8, "is decided, and yet something drives it", facts),
    }
}

/// I11: each line is its price so many times, and all of them are the total.
fn judge_lines(order: &Order, found: &mut Desk) {
    for Line { sku, quantity, unit_price, total } in &order.lines {
        if unit_price.checked_mul(*quantity) != Some(*total) {
            let facts = [
                ("sku", json!(sku)),
                ("quantity", json!(quantity)),
                ("unitPrice", json!(unit_price)),
                ("lineTotal", json!(total)),
            ];
            found.firm(Invariant::I11, "has a line that is not its price so many times", facts);
        }
    }
    let sum = order.lines.iter().try_fold(0_i64, |sum, line| sum.checked_add(line.total));
    if sum != Some(order.total) {
        let facts = [("lines", json!(sum)), ("total", json!(order.total))];
        found.firm(Invariant::I11, "has lines that do not come to its total", facts);
    }
}
