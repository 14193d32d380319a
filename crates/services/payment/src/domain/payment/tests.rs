//! A payment as a whole: its questions, its pauses, and refunds in any order.

use proptest::prelude::*;

use super::*;
use crate::domain::{AfterCapture, RefundState::*};

const ORDER: &str = "00000000-0000-7000-8000-000000000001";

fn payment(state: State) -> Payment {
    Payment {
        id: PaymentId::first(ORDER.parse().unwrap()),
        owner: None,
        amount: eur(500),
        method: None,
        state,
        refunds: Vec::new(),
        version: 1,
        created: Timestamp::UNIX_EPOCH,
        since: Timestamp::UNIX_EPOCH,
        tries: 0,
    }
}

fn eur(amount: i64) -> Money {
    Money::new(amount, "EUR".parse().unwrap())
}

fn captured() -> Payment {
    payment(State::Captured { hold: hold() })
}

fn hold() -> String {
    "hold".into()
}

fn hours(n: i64) -> Timestamp {
    Timestamp::from_second(n * 3600).unwrap()
}

fn refund(payment: &Payment, amount: Option<i64>) -> Result<(Payment, u32), Unrefundable> {
    payment.refund(amount.map(eur), "late".parse().unwrap(), Timestamp::UNIX_EPOCH)
}

fn on(payment: &Payment, event: Event) -> (Payment, Option<Tell>) {
    match payment.on(event, Timestamp::UNIX_EPOCH).unwrap() {
        Move::Stay => (payment.clone(), None),
        Move::Go { payment, tell } => (*payment, tell),
    }
}

#[test]
fn every_state_knows_what_to_ask_of_the_provider() {
    let pending = refund(&captured(), Some(200)).unwrap().0;
    for (payment, expected) in [
        (payment(State::Created), "hold"),
        (payment(State::RequiresAction { hold: hold(), url: "https://bank/1".into() }), "look"),
        (payment(State::Authorized { hold: hold() }), "-"),
        (payment(State::Declined { reason: "no".into() }), "-"),
        (payment(State::Capturing { hold: hold(), then: AfterCapture::Keep }), "capture"),
        (captured(), "-"),
        (pending.clone(), "refund 1"),
        (payment(State::Failed { hold: hold(), reason: "no".into() }), "-"),
        (payment(State::Voiding { hold: hold() }), "void"),
        (payment(State::Voided { hold: hold() }), "-"),
        (payment(State::Cancelling), "look"),
        (payment(State::Cancelled), "-"),
        (on(&pending, Event::Cancel).0, "refund 1"),
        (on(&on(&pending, Event::Cancel).0, Event::RefundDone { n: 1 }).0, "refund 2"),
        (payment(State::Refunded { hold: hold() }), "-"),
    ] {
        let question = match payment.question() {
            None => "-".to_owned(),
            Some(Question::Hold) => "hold".to_owned(),
            Some(Question::Look) => "look".to_owned(),
            Some(Question::Capture { .. }) => "capture".to_owned(),
            Some(Question::Void { .. }) => "void".to_owned(),
            Some(Question::Refund { refund, .. }) => format!("refund {}", refund.n),
        };
        assert_eq!(question, expected, "{payment:?}");
        assert_eq!(payment.is_settling(), expected != "-", "{payment:?}");
        let waits = matches!(payment.state, State::RequiresAction { .. });
        assert_eq!(payment.is_urgent(), payment.is_settling() && !waits, "{payment:?}");
    }
}

#[test]
fn pauses_double_up_to_a_bound() {
    let pauses = |state: State| -> Vec<u64> {
        [0, 1, 2, 5, 6, 9, 10, u32::MAX]
            .map(|tries| Payment { tries, ..payment(state.clone()) }.pause().as_secs())
            .to_vec()
    };
    assert_eq!(pauses(State::Created), [1, 2, 4, 32, 60, 60, 60, 60]);
    assert_eq!(pauses(State::Cancelling), [1, 2, 4, 32, 64, 512, 600, 600]);
}

#[test]
fn a_cancelled_payment_is_looked_for_for_25_hours() {
    let cancelled = payment(State::Cancelling);
    assert!(!cancelled.cannot_appear_any_more(hours(25)));
    assert!(cancelled.cannot_appear_any_more(Timestamp::from_second(25 * 3600 + 1).unwrap()));
}

#[test]
fn keys_count_as_forgotten_23_hours_after_they_were_used_first() {
    let late = Timestamp::from_second(23 * 3600 + 1).unwrap();
    let pending = refund(&captured(), Some(200)).unwrap().0;
    for asked in [
        payment(State::Created),
        payment(State::Capturing { hold: hold(), then: AfterCapture::Keep }),
        payment(State::Voiding { hold: hold() }),
        pending.clone(),
    ] {
        assert!(!asked.key_may_be_forgotten(hours(23)) && asked.key_may_be_forgotten(late), "{asked:?}");
    }
    for without in [payment(State::Cancelling), captured()] {
        assert!(!without.key_may_be_forgotten(hours(1000)), "{without:?}");
    }
    // A refund that was asked for later has a younger key.
    let (second, _) = pending.refund(Some(eur(1)), "late".parse().unwrap(), hours(20)).unwrap();
    let second = on(&second, Event::RefundDone { n: 1 }).0;
    assert!(!second.key_may_be_forgotten(hours(43)) && second.key_may_be_forgotten(hours(44)));
}

#[test]
fn a_refund_needs_captured_money() {
    for state in [
        State::Created,
        State::Authorized { hold: hold() },
        State::Capturing { hold: hold(), then: AfterCapture::Keep },
        State::Voided { hold: hold() },
        State::Cancelled,
    ] {
        let refused = refund(&payment(state.clone()), None).unwrap_err();
        let illegal = Illegal { state: state.kind(), allowed: &[Kind::Captured] };
        assert_eq!(refused, Unrefundable::Illegal(illegal), "{state:?}");
    }
    let dollars = captured().refund(Some(Money::new(1, "USD".parse().unwrap())), Reason::order_undone(), hours(0));
    assert_eq!(dollars, Err(Unrefundable::Currency));
}

#[test]
fn a_refund_without_an_amount_gives_back_what_is_left() {
    let (part, first) = refund(&captured(), Some(200)).unwrap();
    let (all, second) = refund(&part, None).unwrap();

    assert_eq!((first, second), (1, 2));
    assert_eq!((part.state.kind(), part.left()), (Kind::Captured, 300));
    assert_eq!((all.state.kind(), all.refunds[1].amount), (Kind::Refunding, 300));
    for amount in [None, Some(1)] {
        assert_eq!(refund(&all, amount), Err(Unrefundable::OverRefund { left: eur(0) }));
    }
    assert_eq!(refund(&part, Some(301)), Err(Unrefundable::OverRefund { left: eur(300) }));
}

#[test]
fn a_payment_has_at_most_a_hundred_refunds_and_an_undone_order_gets_the_rest_all_the_same() {
    let mut payment = captured();
    for n in 1..=MOST_REFUNDS {
        payment = refund(&payment, Some(1)).unwrap_or_else(|error| panic!("refund {n}: {error}")).0;
    }

    assert_eq!(refund(&payment, Some(1)), Err(Unrefundable::TooMany));

    let (undone, _) = on(&payment, Event::Cancel);
    assert_eq!((undone.left(), undone.refunds.len()), (0, MOST_REFUNDS + 1));
}

#[test]
fn a_cancel_makes_the_key_of_a_capture_that_is_under_way_no_younger() {
    let capturing = payment(State::Capturing { hold: hold(), then: AfterCapture::Keep });

    let Move::Go { payment: cancelled, .. } = capturing.on(Event::Cancel, hours(22)).unwrap() else {
        panic!("it stays")
    };

    assert_eq!(cancelled.state, State::Capturing { hold: hold(), then: AfterCapture::Refund });
    assert!(!cancelled.key_may_be_forgotten(hours(23)) && cancelled.key_may_be_forgotten(hours(24)));
}

#[test]
fn an_undone_order_gets_back_what_no_refund_has_promised_yet() {
    let (part, _) = refund(&captured(), Some(200)).unwrap();

    let (undone, tell) = on(&part, Event::Cancel);

    let refunds: Vec<_> = undone.refunds.iter().map(|one| (one.n, one.amount, one.state)).collect();
    assert_eq!((undone.state.kind(), refunds), (Kind::Refunding, vec![(1, 200, Pending), (2, 300, Pending)]));
    assert_eq!(tell, None);
    assert_eq!(on(&undone, Event::Cancel), (undone, None));
}

#[test]
fn what_the_provider_refuses_to_give_back_is_kept_and_can_be_refunded_again() {
    let (all, _) = refund(&captured(), None).unwrap();

    let (refused, tell) = on(&all, Event::RefundRefused { n: 1 });

    assert_eq!((refused.state.kind(), refused.left(), tell), (Kind::Captured, 500, None));
    assert_eq!(refused.refunds[0].state, Failed);
    let (again, n) = refund(&refused, None).unwrap();
    assert_eq!((n, again.state.kind()), (2, Kind::Refunding));
    assert_eq!(on(&refused, Event::RefundDone { n: 1 }), (refused, None));
}

#[test]
fn the_last_word_about_refunds_is_the_last_that_was_given_back() {
    let (all, _) = refund(&captured(), None).unwrap();
    let back = on(&all, Event::RefundDone { n: 1 }).0;
    assert_eq!(back.last_word(), Some(Tell::Refunded { n: 1 }));
    assert_eq!(
        (back.fact(Tell::Refunded { n: 1 }).amount, back.fact(Tell::Refunded { n: 1 }).remaining),
        (eur(500), None)
    );
    assert_eq!(captured().last_word(), None);
}

#[derive(Debug, Clone)]
enum Act {
    Refund(Option<i64>),
    Done(u32),
    Refused(u32),
    Cancel,
    Late(Event),
}

fn acts() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => prop::option::of(1_i64..600).prop_map(Act::Refund),
        4 => (1_u32..8).prop_map(Act::Done),
        1 => (1_u32..8).prop_map(Act::Refused),
        1 => Just(Act::Cancel),
        1 => prop_oneof![Just(Event::CaptureDone), Just(Event::Confirm), Just(Event::VoidDone)].prop_map(Act::Late),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn whatever_happens_no_more_goes_back_than_was_taken(acts in prop::collection::vec(acts(), 1..40)) {
        let mut payment = captured();
        let (mut told_amount, mut told_all) = (0, 0);
        for act in acts {
            let before = payment.clone();
            let tell = match act {
                Act::Refund(amount) => {
                    if let Ok((moved, n)) = refund(&payment, amount) {
                        prop_assert_eq!(moved.refund_of(n).unwrap().state, Pending);
                        prop_assert_eq!(moved.refund_of(n).unwrap().amount, amount.unwrap_or(before.left()));
                        payment = moved;
                    } else {
                        prop_assert!(amount.unwrap_or(1) > before.left());
                    }
                    None
                }
                Act::Done(n) => { let (moved, tell) = on(&payment, Event::RefundDone { n }); payment = moved; tell }
                Act::Refused(n) => { let (moved, tell) = on(&payment, Event::RefundRefused { n }); payment = moved; tell }
                Act::Cancel => { let (moved, tell) = on(&payment, Event::Cancel); payment = moved; tell }
                Act::Late(event) => { let (moved, tell) = on(&payment, event); payment = moved; tell }
            };
            if let Some(tell) = tell {
                let fact = payment.fact(tell);
                told_amount += fact.amount.amount;
                told_all += u32::from(fact.remaining.is_none());
                prop_assert_eq!(fact.remaining.map_or(0, |kept| kept.amount), 500 - told_amount);
            }
            prop_assert!(payment.version == before.version && payment == before || payment.version == before.version + 1);
            prop_assert!(payment.given_back() <= payment.promised() && payment.promised() <= 500);
            prop_assert_eq!(payment.given_back(), told_amount);
            prop_assert!(payment.refunds.iter().zip(1..).all(|(refund, n)| refund.n == n && refund.amount > 0));
            let pending = payment.refunds.iter().any(|refund| refund.state == Pending);
            prop_assert_eq!(payment.is_settling(), pending);
            let at_rest = payment.state.kind() == Kind::Refunded;
            prop_assert_eq!(at_rest, payment.given_back() == 500);
            prop_assert_eq!(payment.state.kind() == Kind::Captured, payment.left() > 0);
            prop_assert_eq!(payment.state.kind() == Kind::Refunding, payment.left() == 0 && pending);
            prop_assert_eq!(told_all, u32::from(at_rest));
        }
    }
}
