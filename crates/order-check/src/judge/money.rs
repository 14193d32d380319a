//! The money of an order: in the shop's own books and in the provider's ledger (I4), and how often it was taken (I5).

use serde_json::json;

use super::{Desk, Dossier};
use crate::Invariant;
use crate::ledger::Hold;
use crate::record::{Done, Order, Payment, PaymentState, Phase, State};

pub(super) fn judge(order: &Order, dossier: &Dossier, found: &mut Desk) {
    for payment in &dossier.payments {
        if payment.amount != order.total || payment.currency != order.currency {
            let facts = [
                ("payment", json!(payment.id)),
                ("amount", json!([payment.amount, payment.currency])),
                ("total", json!([order.total, order.currency])),
            ];
            found.firm(Invariant::I4, "has a payment of another amount", facts);
        }
    }
    for refund in dossier.payments.iter().flat_map(|payment| &payment.refunds) {
        if refund.done == Done::Perhaps {
            let facts = [("refund", json!(refund.amount)), ("since", json!(refund.at))];
            found.moving(refund.at, Invariant::I4, "has a refund that goes on", facts);
        }
    }
    judge_verdict(order, &dossier.payments, found);
    if let Some(holds) = &dossier.holds {
        found.by_ledger = true;
        judge_ledger(order, &dossier.payments, holds, found);
        found.by_ledger = false;
    }
}

/// The payment that the verdict names has come as far as the order says, and no other one keeps money.
fn judge_verdict(order: &Order, payments: &[Payment], found: &mut Desk) {
    let named = order.payment.as_ref().and_then(|id| payments.iter().find(|payment| payment.id == *id));
    let facts = || {
        let state = named.map_or("none", |payment| payment.state.word());
        [("state", json!(order.state.word())), ("payment", json!(order.payment)), ("paymentState", json!(state))]
    };
    let fits = |wanted: fn(PaymentState) -> bool| named.is_some_and(|payment| wanted(payment.state));
    let good = match order.state {
        State::Paid | State::Shipped | State::Delivered | State::Returning => fits(PaymentState::has_been_captured),
        State::Cancelled => fits(PaymentState::is_over),
        State::Refunded => fits(|state| state == PaymentState::Refunded),
        State::Confirmed | State::Cancelling => named.is_some(),
        State::Placed | State::Rejected => true,
    };
    if !good {
        found.firm(Invariant::I4, "names a payment that does not fit its state", facts());
    }
    let all_must_end = matches!(order.state, State::Rejected | State::Cancelled | State::Refunded);
    for payment in payments.iter().filter(|payment| all_must_end && !payment.state.is_over()) {
        let facts = [("payment", json!(payment.id)), ("paymentState", json!(payment.state.word()))];
        found.moving(order.since(), Invariant::I4, "will not happen, and has a payment that goes on", facts);
    }
}

/// The ledger says the same: what was taken and not given back is what the shop should have.
fn judge_ledger(order: &Order, payments: &[Payment], holds: &[Hold], found: &mut Desk) {
    for hold in holds {
        if hold.currency != order.currency {
            let facts = [("reference", json!(hold.reference)), ("currency", json!(hold.currency))];
            found.firm(Invariant::I4, "has money of another currency in the ledger", facts);
        }
        if hold.refunded > hold.captured {
            let facts = [("captured", json!(hold.captured)), ("refunded", json!(hold.refunded))];
            found.firm(Invariant::I4, "got more back than was taken", facts);
        }
    }
    let sum = |of: fn(&Hold) -> i64| holds.iter().map(of).sum::<i64>();
    let (open, captured, refunded) = (sum(|hold| hold.open), sum(|hold| hold.captured), sum(|hold| hold.refunded));
    let kept = captured - refunded;
    let (back, perhaps) = payments.iter().map(Payment::given_back).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
    let facts = || {
        [
            ("state", json!(order.state.word())),
            ("total", json!(order.total)),
            ("recordedRefunds", json!(back)),
            ("held", json!(open)),
            ("captured", json!(captured)),
            ("refunded", json!(refunded)),
        ]
    };
    let since = order.since();
    match order.state {
        State::Paid | State::Shipped | State::Delivered => {
            let should = order.total - back;
            if kept > should || kept < should - perhaps {
                found.firm(Invariant::I4, "is paid, and the ledger has another amount", facts());
            }
            if open != 0 {
                found.moving(since, Invariant::I4, "is paid, and money is held beside that", facts());
            }
        }
        State::Rejected => {
            if open != 0 || kept != 0 {
                found.moving(since, Invariant::I4, "is rejected, and the ledger has money of it", facts());
            }
        }
        State::Cancelled | State::Refunded => {
            if kept != 0 {
                found.firm(Invariant::I4, "is undone, and the ledger has money of it", facts());
            }
            if open != 0 {
                found.moving(since, Invariant::I4, "is undone, and money is held for it", facts());
            }
        }
        State::Confirmed => {
            if open + kept != order.total {
                found.moving(since, Invariant::I4, "is confirmed, and the ledger has another amount", facts());
            }
        }
        State::Placed => {
            let most = if order.phase == Phase::Driving { order.total } else { 0 };
            if open > most || kept != 0 {
                found.moving(since, Invariant::I4, "is only placed, and the ledger has too much", facts());
            }
        }
        State::Cancelling | State::Returning => {
            if kept < 0 || open + kept > order.total {
                found.firm(Invariant::I4, "is being undone, and the ledger has too much", facts());
            }
        }
    }
}

/// I5: of all attempts of an order at most one takes money, once.
pub(super) fn judge_captures(dossier: &Dossier, found: &mut Desk) {
    let by_books = dossier.payments.iter().filter(|payment| payment.state.has_been_captured());
    let by_books: Vec<&str> = by_books.map(|payment| payment.id.as_str()).collect();
    if by_books.len() > 1 {
        found.firm(Invariant::I5, "was taken by more than one payment", [("payments", json!(by_books))]);
    }
    found.by_ledger = true;
    let captures: u32 = dossier.holds.iter().flatten().map(|hold| hold.captures).sum();
    if captures > 1 {
        let amounts: Vec<i64> = dossier.holds.iter().flatten().map(|hold| hold.captured).collect();
        let facts = [("captures", json!(captures)), ("captured", json!(amounts))];
        found.firm(Invariant::I5, "was taken more than once at the provider", facts);
    }
    found.by_ledger = false;
}
