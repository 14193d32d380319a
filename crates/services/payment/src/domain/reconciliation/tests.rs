//! What differs, and what only is under way.

use jiff::Timestamp;

use super::*;
use crate::domain::{AfterCapture, PaymentId, Refund, RefundState};

const PAYMENT: &str = "00000000-0000-7000-8000-000000000001:1";

fn eur(amount: i64) -> Money {
    Money::new(amount, "EUR".parse().unwrap())
}

fn payment(state: State) -> Payment {
    Payment {
        id: PAYMENT.parse::<PaymentId>().unwrap(),
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

fn with_refund(state: State, amount: i64, refund: RefundState) -> Payment {
    let refund = Refund { n: 1, amount, state: refund, reason: "late".parse().unwrap(), at: Timestamp::UNIX_EPOCH };
    Payment { refunds: vec![refund], ..payment(state) }
}

fn hold() -> String {
    "hold".into()
}

fn booked(bookings: &[(Booking, i64)]) -> Sums {
    let mut sums = Sums::zero("EUR".parse().unwrap());
    for (booking, amount) in bookings {
        sums.add(*booking, *amount);
    }
    sums
}

/// The kinds in which a payment and bookings differ.
fn kinds(payment: &Payment, bookings: &[(Booking, i64)]) -> Vec<Kind> {
    compare(PAYMENT, Some(payment), booked(bookings)).into_iter().map(|difference| difference.kind).collect()
}

#[test]
fn books_that_agree_do_not_differ() {
    use Booking::{Captured, Held, Refunded, Released};
    let captured = State::Captured { hold: hold() };
    for (payment, bookings) in [
        (payment(State::Created), &[][..]),
        (payment(State::Created), &[(Held, 500)]),
        (payment(State::RequiresAction { hold: hold(), url: "https://bank/1".into() }), &[]),
        (payment(State::Authorized { hold: hold() }), &[(Held, 500)]),
        (payment(State::Declined { reason: "no".into() }), &[]),
        (payment(State::Capturing { hold: hold(), then: AfterCapture::Keep }), &[(Held, 500)]),
        (payment(State::Capturing { hold: hold(), then: AfterCapture::Keep }), &[(Held, 500), (Captured, 500)]),
        (payment(captured.clone()), &[(Held, 500), (Captured, 500)]),
        (with_refund(captured.clone(), 200, RefundState::Pending), &[(Held, 500), (Captured, 500)]),
        (with_refund(captured.clone(), 200, RefundState::Pending), &[(Held, 500), (Captured, 500), (Refunded, 200)]),
        (with_refund(captured.clone(), 200, RefundState::Done), &[(Held, 500), (Captured, 500), (Refunded, 200)]),
        (with_refund(captured, 200, RefundState::Failed), &[(Held, 500), (Captured, 500)]),
        (payment(State::Failed { hold: hold(), reason: "no".into() }), &[(Held, 500), (Released, 500)]),
        (payment(State::Voiding { hold: hold() }), &[(Held, 500)]),
        (payment(State::Voided { hold: hold() }), &[(Held, 500), (Released, 500)]),
        (payment(State::Cancelling), &[(Held, 500)]),
        (payment(State::Cancelled), &[]),
        (
            with_refund(State::Refunded { hold: hold() }, 500, RefundState::Done),
            &[(Held, 500), (Captured, 500), (Refunded, 500)],
        ),
    ] {
        assert_eq!(kinds(&payment, bookings), [], "{payment:?} {bookings:?}");
    }
}

#[test]
fn books_that_contradict_each_other_differ_in_what_they_contradict() {
    use Booking::{Captured, Held, Refunded, Released};
    let captured = State::Captured { hold: hold() };
    for (payment, bookings, expected) in [
        (payment(State::Authorized { hold: hold() }), &[][..], &[Kind::Held][..]),
        (payment(State::Authorized { hold: hold() }), &[(Held, 499)], &[Kind::Held]),
        (payment(State::Created), &[(Held, 500), (Held, 500)], &[Kind::Held]),
        (payment(State::Created), &[(Held, 500), (Captured, 500)], &[Kind::Captured]),
        (payment(State::Cancelled), &[(Held, 500)], &[Kind::Held]),
        (payment(State::Voided { hold: hold() }), &[(Held, 500), (Captured, 500)], &[Kind::Captured]),
        (payment(captured.clone()), &[(Held, 500), (Released, 500)], &[Kind::Captured]),
        (payment(captured.clone()), &[(Held, 500)], &[Kind::Held, Kind::Captured]),
        (payment(captured.clone()), &[(Held, 500), (Captured, 500), (Refunded, 1)], &[Kind::Refunded]),
        (
            with_refund(captured, 200, RefundState::Done),
            &[(Held, 500), (Captured, 500), (Refunded, 200), (Refunded, 200)],
            &[Kind::Refunded],
        ),
    ] {
        assert_eq!(kinds(&payment, bookings), expected, "{payment:?} {bookings:?}");
    }
}

#[test]
fn a_difference_says_what_both_books_say() {
    let found = compare(PAYMENT, Some(&payment(State::Captured { hold: hold() })), booked(&[(Booking::Held, 500)]));
    let said: Vec<_> = found.iter().map(|one| (one.kind, one.ours, one.theirs)).collect();
    assert_eq!(said, [(Kind::Held, eur(0), eur(500)), (Kind::Captured, eur(500), eur(0))]);
    assert!(found.iter().all(|one| one.reference == PAYMENT));
}

#[test]
fn money_of_another_currency_never_fits() {
    let mut dollars = Sums::zero("USD".parse().unwrap());
    assert_eq!(compare(PAYMENT, Some(&payment(State::Cancelled)), dollars), []);
    dollars.add(Booking::Held, 500);
    let found = compare(PAYMENT, Some(&payment(State::Authorized { hold: hold() })), dollars);
    assert_eq!((found.len(), found[0].kind, found[0].theirs.currency), (1, Kind::Held, dollars.currency));
}

#[test]
fn money_moved_under_a_name_that_nobody_has_is_unknown() {
    let moved = booked(&[(Booking::Held, 500), (Booking::Captured, 500), (Booking::Refunded, 200)]);
    let found = compare("somebody else", None, moved);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].kind, found[0].ours, found[0].theirs), (Kind::Unknown, eur(0), eur(300)));
    assert_eq!(compare("somebody else", None, booked(&[(Booking::Held, 500), (Booking::Released, 500)])), []);
}

#[test]
fn everything_is_read_once_an_hour_and_what_is_new_otherwise() {
    let now: Timestamp = "2026-11-20T12:00:00Z".parse().unwrap();
    let ago = |minutes| Some(now - SignedDuration::from_mins(minutes));
    let everything = Reach { since: now - WINDOW, is_everything: true };
    let newest = |minutes| Reach { since: now - SignedDuration::from_mins(minutes), is_everything: false };
    for (last, all, expected) in [
        (None, None, everything),
        (ago(1), ago(1), newest(11)),
        (ago(30), ago(60), newest(40)),
        // An hour is over, or the times of a clock that was wrong.
        (ago(1), ago(61), everything),
        (ago(1), ago(-5), everything),
        (ago(-5), ago(1), newest(10)),
        (None, ago(1), everything),
    ] {
        assert_eq!(Past { last, everything: all }.reach(now), expected, "{last:?} {all:?}");
    }
}
