//! Every change in every state, and what it tells.

use shop_types::{ProductId, Quantity, Topic};
use uuid::Uuid;

use super::*;

fn eur(amount: i64) -> Money {
    Money::new(amount, "EUR".parse().unwrap())
}

fn placed() -> Order {
    let line = Line {
        sku: "mug".parse().unwrap(),
        product: ProductId::from_uuid(Uuid::from_u128(1)),
        name: "Mug".into(),
        quantity: Quantity::new(2).unwrap(),
        unit_price: eur(500),
        total: eur(1000),
    };
    let draft = Draft {
        owner: Owner::User(UserId::from_uuid(Uuid::from_u128(2))),
        cart: None,
        lines: vec![line],
        total: eur(1000),
        payment_method: "tok_visa".into(),
    };
    Order::place(OrderId::from_uuid(Uuid::from_u128(3)), 7, draft, Timestamp::UNIX_EPOCH).0
}

fn apply(order: &Order, change: Change) -> Order {
    match order.change(change, Timestamp::UNIX_EPOCH) {
        Ok(Changed::To(next, _)) => *next,
        other => panic!("expected a change, got {other:?}"),
    }
}

fn payment(order: &Order) -> String {
    order.payment_id()
}

fn settle(payment: &str) -> Change {
    Change::Settle { payment: payment.to_owned(), reason: "payment_given_back" }
}

/// An order in each state, by the shortest way there.
fn in_state(state: State) -> Order {
    let order = placed();
    let payment = payment(&order);
    let confirmed = || apply(&order, Change::Confirm { payment: payment.clone() });
    let mut raw = match state {
        State::Placed => order.clone(),
        State::Rejected => apply(&order, Change::Reject { reason: "sold_out" }),
        State::Confirmed => confirmed(),
        State::Paid | State::Shipped | State::Delivered => {
            apply(&confirmed(), Change::Pay { payment: payment.clone() })
        }
        State::Cancelling => apply(&confirmed(), Change::Cancel),
        State::Cancelled => apply(&apply(&confirmed(), Change::Cancel), settle(&payment)),
    };
    raw.state = state;
    raw
}

fn changes(order: &Order) -> Vec<Change> {
    let payment = payment(order);
    vec![
        Change::Confirm { payment: payment.clone() },
        Change::Reject { reason: "deadline" },
        Change::Decline { payment: payment.clone(), reason: "card_declined".into() },
        Change::Pay { payment: payment.clone() },
        Change::Cancel,
        Change::Settle { payment, reason: "payment_failed" },
    ]
}

#[test]
fn every_change_in_every_state_is_a_step_of_the_state_machine_or_nothing() {
    for state in State::ALL {
        let order = in_state(state);
        for change in changes(&order) {
            match order.change(change.clone(), Timestamp::UNIX_EPOCH) {
                Ok(Changed::To(next, event)) => {
                    let waits = next.state == state && next.phase == Phase::Declined;
                    assert!(state.may_become(next.state) || waits, "{state} -> {} by {change:?}", next.state);
                    assert_eq!(next.version, order.version + 1);
                    assert_eq!(next.history.len(), order.history.len() + 1);
                    assert_eq!(event.is_none(), waits, "{change:?}");
                }
                Ok(Changed::Nothing) => {}
                Err(Error::Illegal { from, .. }) => {
                    assert!(matches!(from, State::Shipped | State::Delivered));
                    // Its inbox row is written with the decision: an event that were refused would count as handled.
                    assert_eq!(change, Change::Cancel, "what an event asks for is never refused");
                }
                Err(other) => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn confirmation_and_rejection_exclude_each_other() {
    let order = placed();
    let confirmed = apply(&order, Change::Confirm { payment: payment(&order) });
    let late = confirmed.change(Change::Reject { reason: "deadline" }, Timestamp::UNIX_EPOCH);
    assert_eq!(late, Ok(Changed::Nothing));
    let rejected = apply(&order, Change::Reject { reason: "deadline" });
    let late = rejected.change(Change::Confirm { payment: payment(&order) }, Timestamp::UNIX_EPOCH);
    assert_eq!(late, Ok(Changed::Nothing));
}

#[test]
fn another_attempts_payment_changes_nothing() {
    let order = placed();
    let other = format!("{}:2", order.id);
    for change in
        [Change::Confirm { payment: other.clone() }, Change::Decline { payment: other.clone(), reason: "x".into() }]
    {
        assert_eq!(order.change(change, Timestamp::UNIX_EPOCH), Ok(Changed::Nothing));
    }
}

#[test]
fn a_declined_order_keeps_its_hold_until_the_deadline() {
    let order = placed();
    let declined = apply(&order, Change::Decline { payment: payment(&order), reason: "card_declined".into() });
    assert_eq!((declined.state, declined.phase), (State::Placed, Phase::Declined));
    assert_eq!(declined.reason(), Some("card_declined"));
    assert_eq!(apply(&declined, Change::Reject { reason: "deadline" }).state, State::Rejected);
}

#[test]
fn cancelling_tells_payment_and_inventory_and_ends_when_the_money_is_settled() {
    let paid = in_state(State::Paid);
    let Ok(Changed::To(cancelling, Some(event))) = paid.change(Change::Cancel, Timestamp::UNIX_EPOCH) else {
        panic!("a paid order can be cancelled")
    };
    assert_eq!((cancelling.state, event.topic()), (State::Cancelling, Topic::OrderCancelling));
    let cancelled = apply(&cancelling, settle(&payment(&paid)));
    assert_eq!((cancelled.state, cancelled.reason()), (State::Cancelled, Some("requested")));
}

#[test]
fn cancelling_twice_is_cancelling_once() {
    let cancelling = in_state(State::Cancelling);
    assert_eq!(cancelling.change(Change::Cancel, Timestamp::UNIX_EPOCH), Ok(Changed::Nothing));
}

#[test]
fn money_that_is_lost_undoes_the_order_and_its_repetition_ends_it() {
    for state in [State::Confirmed, State::Paid] {
        let order = in_state(state);
        let lost = Change::Settle { payment: payment(&order), reason: "payment_failed" };
        let undoing = apply(&order, lost.clone());
        assert_eq!((undoing.state, undoing.reason()), (State::Cancelling, Some("payment_failed")));
        let undone = apply(&undoing, lost.clone());
        assert_eq!((undone.state, undone.reason()), (State::Cancelled, Some("payment_failed")));
        assert_eq!(undone.change(lost, Timestamp::UNIX_EPOCH), Ok(Changed::Nothing));
        let strangers = settle(&format!("{}:2", order.id));
        assert_eq!(order.change(strangers, Timestamp::UNIX_EPOCH), Ok(Changed::Nothing));
    }
}

#[test]
fn money_that_was_taken_implies_that_it_was_held() {
    let order = placed();
    let pay = Change::Pay { payment: payment(&order) };
    let confirm = Change::Confirm { payment: payment(&order) };
    assert_eq!(order.implied_by(&pay), Some(confirm.clone()));
    assert_eq!(apply(&apply(&order, confirm), pay.clone()).state, State::Paid);
    assert_eq!(in_state(State::Rejected).implied_by(&pay), None);
}

#[test]
fn an_earlier_version_shows_the_state_of_that_time() {
    let paid = in_state(State::Paid);
    let then = paid.clone().at(2);
    assert_eq!((then.state, then.version, then.lines.clone()), (State::Confirmed, 2, paid.lines.clone()));
    assert_eq!(paid.clone().at(99), paid);
}
