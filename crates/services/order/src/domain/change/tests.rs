//! Every change in every state, and what it tells.

use shop_types::{Money, OrderId, ProductId, Quantity, Topic, UserId};
use uuid::Uuid;

use super::*;
use crate::domain::{Draft, Line, Owner};

fn eur(amount: i64) -> Money {
    Money::new(amount, "EUR".parse().unwrap())
}

/// An address in a street.
pub(crate) fn address(line1: &str) -> Address {
    let line = |text| address::Line::new(text).unwrap();
    Address {
        name: line("Ada King"),
        line1: line(line1),
        line2: None,
        city: line("London"),
        region: None,
        postal_code: None,
        country: address::Country::new("GB").unwrap(),
        phone: None,
    }
}

/// An order of two mugs that somebody drives.
pub(crate) fn placed() -> Order {
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
        address: Some(address("1 Old Street")),
    };
    Order::place(OrderId::from_uuid(Uuid::from_u128(3)), 7, draft, Timestamp::UNIX_EPOCH).0
}

/// The order after a change that must be one.
pub(crate) fn apply(order: &Order, change: Change) -> Order {
    match order.change(change, Timestamp::UNIX_EPOCH) {
        Ok(Changed::To(next, _)) => *next,
        other => panic!("expected a change, got {other:?}"),
    }
}

/// The order after its present attempt was declined.
pub(crate) fn declined(order: &Order) -> Order {
    apply(order, Change::Decline { payment: order.payment_id(), reason: "card_declined".into() })
}

/// The order while its buyer is at their bank.
pub(crate) fn redirected(order: &Order) -> Order {
    apply(order, Change::AwaitBuyer { payment: order.payment_id(), url: "https://bank.example/3ds".into() })
}

fn settle(payment: &str) -> Change {
    Change::Settle { payment: payment.to_owned(), reason: Settlement::GivenBack }
}

/// An order in each state, by the shortest way there.
pub(crate) fn in_state(state: State) -> Order {
    let order = placed();
    let payment = order.payment_id();
    let before = |state, change| apply(&in_state(state), change);
    match state {
        State::Placed => order,
        State::Rejected => before(State::Placed, Change::Reject { reason: Rejection::Deadline }),
        State::Confirmed => before(State::Placed, Change::Confirm { payment }),
        State::Paid => before(State::Confirmed, Change::Pay { payment }),
        State::Shipped => before(State::Paid, Change::Advance { to: State::Shipped }),
        State::Delivered => before(State::Shipped, Change::Advance { to: State::Delivered }),
        State::Cancelling => before(State::Confirmed, Change::Cancel),
        State::Cancelled => before(State::Cancelling, settle(&payment)),
        State::Returning => before(State::Delivered, Change::Return),
        State::Refunded => before(State::Returning, settle(&payment)),
    }
}

/// Every situation: the states, and what a placed order can wait for.
fn situations() -> Vec<Order> {
    let placed = placed();
    let mut all = vec![placed.clone(), redirected(&placed), declined(&placed)];
    all.extend(State::ALL.into_iter().filter(|state| *state != State::Placed).map(in_state));
    all
}

/// The state, or what a placed order waits for.
fn word(order: &Order) -> &'static str {
    if order.state == State::Placed { order.phase().as_str() } else { order.state.as_str() }
}

/// What payments tell, or ask for.
fn facts(payment: &str) -> [Change; 6] {
    let payment = payment.to_owned();
    [
        Change::Confirm { payment: payment.clone() },
        Change::AwaitBuyer { payment: payment.clone(), url: "https://bank.example".into() },
        Change::Decline { payment: payment.clone(), reason: "card_declined".into() },
        Change::Pay { payment: payment.clone() },
        Change::Settle { payment: payment.clone(), reason: Settlement::Failed },
        Change::KeepRest { payment },
    ]
}

/// What people and the clock want.
fn wishes() -> [Change; 7] {
    [
        Change::Reject { reason: Rejection::Deadline },
        Change::PayAgain { method: "tok_other".into() },
        Change::Cancel,
        Change::Advance { to: State::Shipped },
        Change::Advance { to: State::Delivered },
        Change::Return,
        Change::Readdress { address: address("2 New Street") },
    ]
}

/// `-` changes nothing, `!` is refused, a word is where it leads.
const TABLE: [(&str, [&str; 6], [&str; 7]); 12] = [
    // confirm, await buyer, decline, pay, settle, keep rest; reject, pay again, cancel, ship, deliver, return, readdress
    (
        "driving",
        ["confirmed", "awaits_buyer", "declined", "-", "declined", "-"],
        ["rejected", "!", "rejected", "!", "!", "!", "!"],
    ),
    (
        "awaits_buyer",
        ["confirmed", "-", "declined", "-", "declined", "-"],
        ["rejected", "!", "rejected", "!", "!", "!", "!"],
    ),
    ("declined", ["-", "-", "-", "-", "-", "-"], ["rejected", "driving", "rejected", "!", "!", "!", "!"]),
    ("confirmed", ["-", "-", "-", "paid", "cancelling", "-"], ["-", "!", "cancelling", "!", "!", "!", "confirmed"]),
    ("paid", ["-", "-", "-", "-", "cancelling", "-"], ["-", "!", "cancelling", "shipped", "!", "!", "paid"]),
    ("shipped", ["-", "-", "-", "-", "-", "-"], ["-", "!", "!", "!", "delivered", "returning", "!"]),
    ("delivered", ["-", "-", "-", "-", "-", "-"], ["-", "!", "!", "!", "!", "returning", "!"]),
    ("rejected", ["-", "-", "-", "-", "-", "-"], ["-", "!", "-", "!", "!", "!", "!"]),
    ("cancelling", ["-", "-", "-", "-", "cancelled", "-"], ["-", "!", "-", "!", "!", "!", "!"]),
    ("cancelled", ["-", "-", "-", "-", "-", "-"], ["-", "!", "-", "!", "!", "!", "!"]),
    ("returning", ["-", "-", "-", "-", "refunded", "-"], ["-", "!", "!", "!", "!", "!", "!"]),
    ("refunded", ["-", "-", "-", "-", "-", "-"], ["-", "!", "!", "!", "!", "!", "!"]),
];

/// Applies a change, checks what holds for every one, and says where it leads.
fn leads_to(order: &Order, change: &Change) -> &'static str {
    match order.change(change.clone(), Timestamp::UNIX_EPOCH) {
        Ok(Changed::To(next, event)) => {
            let stays = next.state == order.state;
            assert!(stays || order.state.may_become(next.state), "{change:?}");
            assert_eq!(next.version, order.version + 1, "{change:?}");
            assert_eq!(next.history[..order.history.len()], order.history, "{change:?}");
            assert_eq!(next.history.last().map(|entry| entry.state), Some(next.state), "{change:?}");
            assert_eq!(next.history.len(), order.history.len() + 1, "{change:?}");
            let told = if stays { None } else { told_in(next.state) };
            assert_eq!(event.map(|event| event.topic()), told, "{change:?}");
            word(&next)
        }
        Ok(Changed::Nothing) => "-",
        Err(Error::Illegal { from, allowed, .. }) => {
            assert_eq!(from, order.state);
            assert!(allowed.iter().all(|state| from.may_become(*state)));
            "!"
        }
        Err(other) => panic!("{change:?}: {other:?}"),
    }
}

const fn told_in(state: State) -> Option<Topic> {
    match state {
        State::Placed => None,
        State::Confirmed => Some(Topic::OrderConfirmed),
        State::Paid => Some(Topic::OrderPaid),
        State::Shipped => Some(Topic::OrderShipped),
        State::Delivered => Some(Topic::OrderDelivered),
        State::Rejected => Some(Topic::OrderRejected),
        State::Cancelling => Some(Topic::OrderCancelling),
        State::Cancelled => Some(Topic::OrderCancelled),
        State::Returning => Some(Topic::OrderReturning),
        State::Refunded => Some(Topic::OrderReturned),
    }
}

#[test]
fn every_change_in_every_situation_leads_where_the_table_says() {
    assert_eq!(situations().iter().map(word).collect::<Vec<_>>(), TABLE.map(|(situation, _, _)| situation));
    for (order, (situation, by_fact, by_wish)) in situations().iter().zip(TABLE) {
        for (fact, expected) in facts(&order.payment_id()).into_iter().zip(by_fact) {
            // Its inbox row is written with the decision: what an event asks for must never be refused.
            assert_ne!(expected, "!");
            assert_eq!(leads_to(order, &fact), expected, "{situation} by {fact:?}");
        }
        for (wish, expected) in wishes().into_iter().zip(by_wish) {
            assert_eq!(leads_to(order, &wish), expected, "{situation} by {wish:?}");
        }
    }
}

#[test]
fn facts_about_another_attempt_change_nothing_anywhere() {
    for order in situations() {
        for foreign in [format!("{}:{}", order.id, order.attempt + 1), format!("{}:0", order.id), String::new()] {
            for fact in facts(&foreign) {
                assert_eq!(leads_to(&order, &fact), "-", "{} by {fact:?}", word(&order));
                assert!(order.implied_by(&fact).is_none_or(|implied| leads_to(&order, &implied) == "-"));
            }
        }
    }
}

#[test]
fn a_late_fact_of_the_first_attempt_does_not_decide_the_second() {
    let first = placed();
    let second = apply(&declined(&first), Change::PayAgain { method: "tok_other".into() });
    assert_eq!((second.attempt, second.phase(), second.payment_method.as_str()), (2, Phase::Driving, "tok_other"));
    for order in [second.clone(), redirected(&second), declined(&second)] {
        for late in facts(&first.payment_id()) {
            assert_eq!(leads_to(&order, &late), "-", "{late:?}");
            assert!(order.implied_by(&late).is_none_or(|implied| leads_to(&order, &implied) == "-"));
        }
    }
    let confirmed = apply(&second, Change::Confirm { payment: second.payment_id() });
    assert_eq!(confirmed.payment, Some(second.payment_id()));
    // A hold of the first one that turned up late was given back: no reason to undo anything.
    for late in facts(&first.payment_id()) {
        assert_eq!(leads_to(&confirmed, &late), "-", "{late:?}");
    }
}

#[test]
fn a_rejection_names_the_attempt_that_may_still_hold_money() {
    let second = apply(&declined(&placed()), Change::PayAgain { method: "tok_other".into() });
    let Ok(Changed::To(_, Some(Event::OrderRejected(fact)))) =
        second.change(Change::Reject { reason: Rejection::Deadline }, Timestamp::UNIX_EPOCH)
    else {
        panic!("an order that is placed can be rejected")
    };
    assert_eq!((fact.payment_id, fact.reason.as_deref()), (Some(second.payment_id()), Some("deadline")));
}

#[test]
fn an_order_has_ten_attempts() {
    let mut order = declined(&placed());
    for attempt in 2..=MOST_ATTEMPTS {
        order = declined(&apply(&order, Change::PayAgain { method: "tok".into() }));
        assert_eq!(order.attempt, attempt);
    }
    let eleventh = order.change(Change::PayAgain { method: "tok".into() }, Timestamp::UNIX_EPOCH);
    assert_eq!(eleventh, Err(Error::TooManyAttempts { most: 10 }));
}

#[test]
fn the_same_address_changes_nothing_and_others_are_counted() {
    let mut order = in_state(State::Paid);
    let readdress = |line1: &str| Change::Readdress { address: address(line1) };
    assert_eq!(order.change(readdress("1 Old Street"), Timestamp::UNIX_EPOCH), Ok(Changed::Nothing));
    for n in 0..address::MOST_CHANGES {
        order = apply(&order, readdress(&format!("{n} New Street")));
    }
    let once_more = order.change(readdress("1 Old Street"), Timestamp::UNIX_EPOCH);
    assert_eq!(once_more, Err(Error::TooManyAddresses { most: 20 }));
    assert_eq!(apply(&order, Change::Advance { to: State::Shipped }).address(), Some(&address("19 New Street")));
}

#[test]
fn what_cannot_be_sent_any_more_forgets_its_addresses_once_and_nothing_else() {
    for order in situations() {
        let forgotten = order.change(Change::Forget, Timestamp::UNIX_EPOCH);
        if order.state.needs_address() {
            assert_eq!(forgotten, Ok(Changed::Nothing), "{}", word(&order));
            continue;
        }
        let Ok(Changed::To(next, None)) = forgotten else { panic!("{}: {forgotten:?}", word(&order)) };
        assert!(next.history.iter().all(|entry| entry.address.is_none()), "{}", word(&order));
        let mut expected = order.clone();
        expected.version += 1;
        for entry in &mut expected.history {
            entry.address = None;
        }
        expected.history.extend(next.history.last().cloned());
        assert_eq!(*next, expected);
        assert_eq!((next.reason(), next.phase()), (order.reason(), Phase::Settled), "{}", word(&order));
        assert_eq!(next.change(Change::Forget, Timestamp::UNIX_EPOCH), Ok(Changed::Nothing));
    }
    let undone = apply(&apply(&in_state(State::Cancelling), Change::Forget), settle(&placed().payment_id()));
    assert_eq!((undone.state, undone.reason()), (State::Cancelled, Some("requested")));
}

#[test]
fn a_return_and_a_cancel_end_with_the_reason_they_began_with() {
    for (state, reason) in [(State::Cancelled, "requested"), (State::Refunded, "requested")] {
        assert_eq!(in_state(state).reason(), Some(reason));
    }
    let order = in_state(State::Paid);
    let lost = Change::Settle { payment: order.payment_id(), reason: Settlement::Failed };
    let undone = apply(&apply(&order, lost.clone()), lost);
    assert_eq!((undone.state, undone.reason()), (State::Cancelled, Some("payment_failed")));
}

#[test]
fn money_that_was_taken_implies_that_it_was_held() {
    let order = placed();
    let pay = Change::Pay { payment: order.payment_id() };
    let confirm = Change::Confirm { payment: order.payment_id() };
    assert_eq!(order.implied_by(&pay), Some(confirm.clone()));
    assert_eq!(apply(&apply(&order, confirm), pay.clone()).state, State::Paid);
    assert_eq!(in_state(State::Rejected).implied_by(&pay), None);
}
