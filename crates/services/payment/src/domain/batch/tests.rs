//! What groups of commands lead to.

mod refunds;

use super::*;
use crate::domain::{AfterCapture, Event, Kind, Refund, RefundState, State, Tell};
use shop_types::{Money, UserId};
use std::time::Duration;

fn order(n: u128) -> OrderId {
    OrderId::from_uuid(uuid::Uuid::from_u128(n))
}

fn id(n: u128) -> PaymentId {
    PaymentId::first(order(n))
}

fn eur(amount: i64) -> Money {
    Money::new(amount, "EUR".parse().unwrap())
}

fn payment(n: u128, state: State) -> Payment {
    Payment {
        id: id(n),
        owner: None,
        amount: eur(500),
        method: Some("tok_visa".parse().unwrap()),
        state,
        refunds: Vec::new(),
        version: 3,
        created: Timestamp::UNIX_EPOCH,
        since: Timestamp::UNIX_EPOCH,
        tries: 4,
    }
}

fn refund(n: u32, amount: i64, state: RefundState) -> Refund {
    Refund { n, amount, state, reason: "late".parse().unwrap(), at: Timestamp::UNIX_EPOCH }
}

fn captured(n: u128) -> Payment {
    payment(n, State::Captured { hold: "hold".into() })
}

fn authorized(n: u128) -> Payment {
    payment(n, State::Authorized { hold: "hold".into() })
}

fn open(n: u128) -> Command {
    let method = "tok_visa".parse().unwrap();
    Command::Open(Opening { id: id(n), owner: None, amount: eur(500), method })
}

fn verdict(event: u128, n: u128, outcome: Outcome) -> Verdict {
    let event = EventId::from_uuid(uuid::Uuid::from_u128(event));
    Verdict { event, order: order(n), payment: Some(id(n)), owner: None, total: eur(500), outcome }
}

fn now() -> Timestamp {
    Timestamp::from_second(1_000).unwrap()
}

fn decide_all(payments: Vec<Payment>, commands: &[Command]) -> Decided {
    decide(Read { payments, ..Read::default() }, [], commands, now())
}

/// The payments in an answer.
fn shown(answer: &Answer) -> Vec<Payment> {
    match answer.as_ref().unwrap() {
        Reply::Payments(payments) => payments.clone(),
        Reply::Refund(reply) => vec![reply.payment.clone()],
    }
}

/// The kinds of the payments in an answer.
fn kinds(answer: &Answer) -> Vec<Kind> {
    shown(answer).iter().map(|payment| payment.state.kind()).collect()
}

#[test]
fn an_attempt_is_opened_once_however_often_it_is_asked_for() {
    let decided = decide_all(vec![], &[open(1), open(1)]);

    assert_eq!(decided.answers[0], decided.answers[1]);
    assert_eq!(decided.changes.len(), 1);
    assert_eq!((decided.changes[0].from, decided.changes[0].next_try), (None, Some(LEASE)));
    let again = decide_all(vec![authorized(1)], &[open(1)]);
    assert_eq!((shown(&again.answers[0]), again.changes.len()), (vec![authorized(1)], 0));
}

#[test]
fn an_attempt_keeps_its_amount_and_method() {
    let known = payment(1, State::Created);
    for other in
        [Payment { amount: eur(501), ..known.clone() }, Payment { method: Some("tok_other".parse().unwrap()), ..known }]
    {
        let decided = decide_all(vec![other], &[open(1)]);
        assert_eq!((decided.answers, decided.changes.len()), (vec![Err(Refusal::Mismatch)], 0));
    }
}

#[test]
fn a_confirmed_order_takes_the_money() {
    let decided = decide_all(vec![authorized(1)], &[Command::Obey(verdict(9, 1, Outcome::Confirmed))]);

    assert_eq!(kinds(&decided.answers[0]), [Kind::Capturing]);
    let change = &decided.changes[0];
    assert_eq!((change.from, change.payment.version, change.next_try), (Some(3), 4, Some(LEASE)));
    assert_eq!((change.payment.since, change.payment.tries), (now(), 0));
    assert!(decided.told.is_empty());
}

#[test]
fn the_same_verdict_twice_in_one_group_takes_the_money_once() {
    let confirmed = Command::Obey(verdict(9, 1, Outcome::Confirmed));
    let decided = decide_all(vec![authorized(1)], &[confirmed.clone(), confirmed]);

    assert_eq!(decided.changes.len(), 1);
    assert_eq!(decided.changes[0].payment.version, 4);
    assert_eq!(kinds(&decided.answers[1]), [Kind::Capturing]);
}

#[test]
fn a_confirmation_that_names_no_payment_or_one_without_a_hold_is_refused_every_time() {
    let nameless = Verdict { payment: None, ..verdict(9, 1, Outcome::Confirmed) };
    let unknown = verdict(9, 1, Outcome::Confirmed);
    for (payments, verdict) in [(vec![authorized(1)], nameless), (vec![], unknown)] {
        let decided = decide_all(payments, &[Command::Obey(verdict.clone()), Command::Obey(verdict)]);
        assert_eq!(decided.answers, [Err(Refusal::Unknown), Err(Refusal::Unknown)]);
        assert!(decided.changes.is_empty());
    }
    let seen = [EventId::from_uuid(uuid::Uuid::from_u128(9))];
    let early = [Command::Obey(verdict(9, 1, Outcome::Confirmed))];
    let read = Read { payments: vec![payment(1, State::Created)], ..Read::default() };
    let decided = decide(read, seen, &early, now());
    assert!(matches!(decided.answers[0], Err(Refusal::Illegal(_))), "{decided:?}");
}

#[test]
fn a_rejection_cancels_every_attempt_of_the_order() {
    let second = Payment { id: PaymentId::new(order(1), 2).unwrap(), ..payment(1, State::Created) };
    let stranger = authorized(2);
    let declined = payment(1, State::Declined { reason: "no".into() });
    let rejected = Verdict { payment: Some(second.id), ..verdict(9, 1, Outcome::Rejected) };

    let decided = decide_all(vec![declined, second, stranger], &[Command::Obey(rejected)]);

    assert_eq!(kinds(&decided.answers[0]), [Kind::Declined, Kind::Cancelling]);
    assert_eq!(decided.changes.len(), 1);
    assert!(decided.told.is_empty());
}

#[test]
fn a_rejection_before_the_attempt_leaves_a_tombstone_that_a_late_driver_finds() {
    for payment in [Some(id(1)), None] {
        let rejected = Verdict { payment, ..verdict(9, 1, Outcome::Rejected) };

        let decided = decide_all(vec![], &[Command::Obey(rejected), open(1)]);

        assert_eq!(kinds(&decided.answers[1]), [Kind::Cancelled]);
        let change = &decided.changes[0];
        assert_eq!((change.from, change.next_try, change.payment.id), (None, None, id(1)));
        assert!(decided.told.is_empty(), "nobody waits for a payment that never was");
    }
}

#[test]
fn a_rejection_without_a_named_payment_adds_nothing_beside_known_attempts() {
    let rejected = Verdict { payment: None, ..verdict(9, 1, Outcome::Rejected) };
    let decided = decide_all(vec![authorized(1)], &[Command::Obey(rejected)]);
    assert_eq!(kinds(&decided.answers[0]), [Kind::Voiding]);
}

#[test]
fn an_undone_order_hears_the_last_word_again_when_it_was_said_too_early() {
    let hold = || "hold".to_owned();
    for (state, tell) in [
        (State::Voided { hold: hold() }, Tell::Voided),
        (State::Failed { hold: hold(), reason: "no".into() }, Tell::Failed),
        (State::Refunded { hold: hold() }, Tell::Refunded { n: 2 }),
        (State::Cancelled, Tell::Voided),
    ] {
        let undone = Command::Obey(verdict(9, 1, Outcome::Undone));
        let refunds = vec![refund(1, 200, RefundState::Done), refund(2, 300, RefundState::Done)];
        let told = Payment { refunds, ..payment(1, state) };
        let decided = decide_all(vec![told], &[undone.clone(), undone]);

        assert_eq!(decided.told.len(), 1, "once per event");
        assert_eq!((decided.told[0].tell, decided.told[0].payment.version), (tell, 4));
        assert_eq!((decided.changes.len(), decided.changes[0].payment.version), (1, 4));
    }
}

#[test]
fn an_undone_order_waits_for_what_is_under_way() {
    let capturing = payment(1, State::Capturing { hold: "hold".into(), then: AfterCapture::Keep });
    let undone = Command::Obey(verdict(9, 1, Outcome::Undone));
    let done = Command::Follow { id: id(1), event: Event::CaptureDone };

    let decided = decide_all(vec![capturing], &[undone, done]);

    assert_eq!(kinds(&decided.answers[1]), [Kind::Refunding]);
    assert_eq!(decided.told.iter().map(|told| (told.member, told.tell)).collect::<Vec<_>>(), [(1, Tell::Captured)]);
}

#[test]
fn a_captured_payment_of_an_undone_order_is_given_back() {
    let captured = payment(1, State::Captured { hold: "hold".into() });
    let decided = decide_all(vec![captured], &[Command::Obey(verdict(9, 1, Outcome::Undone))]);
    assert_eq!(kinds(&decided.answers[0]), [Kind::Refunding]);
    assert_eq!(decided.changes[0].next_try, Some(LEASE));
    let refunds = &decided.changes[0].payment.refunds;
    assert_eq!(
        (refunds.len(), refunds[0].n, refunds[0].amount, refunds[0].reason.as_str()),
        (1, 1, 500, "order_undone")
    );
}

#[test]
fn one_that_waits_for_its_buyer_is_looked_up_after_a_pause_and_asked_about_by_nobody() {
    let needed = Event::ActionNeeded { hold: "hold".into(), url: "https://bank/1".into() };
    let decided = decide_all(vec![payment(1, State::Created)], &[Command::Follow { id: id(1), event: needed }]);
    assert_eq!(kinds(&decided.answers[0]), [Kind::RequiresAction]);
    assert_eq!((decided.changes[0].next_try, decided.told.len()), (Some(Duration::from_secs(1)), 0));
}

#[test]
fn the_order_tells_who_pays() {
    let owner = Some(UserId::from_uuid(uuid::Uuid::from_u128(7)));
    let confirmed = Verdict { owner, ..verdict(9, 1, Outcome::Confirmed) };
    let moved = decide_all(vec![authorized(1)], &[Command::Obey(confirmed.clone())]);
    assert_eq!((moved.changes[0].payment.owner, moved.changes[0].payment.version), (owner, 4));

    let captured = payment(1, State::Captured { hold: "hold".into() });
    let only_owner = decide_all(vec![captured], &[Command::Obey(confirmed.clone())]);
    assert_eq!((only_owner.changes[0].payment.owner, only_owner.changes[0].payment.version), (owner, 4));
    assert_eq!(only_owner.changes[0].next_try, None);

    let known = Payment { owner, ..payment(1, State::Captured { hold: "hold".into() }) };
    assert!(decide_all(vec![known], &[Command::Obey(confirmed)]).changes.is_empty());
}

#[test]
fn an_unanswered_payment_is_asked_for_again_later() {
    let postponed = |version| Command::Postpone { id: id(1), version };
    let decided = decide_all(vec![payment(1, State::Created)], &[postponed(3)]);

    let change = &decided.changes[0];
    assert_eq!((change.from, change.payment.version, change.payment.tries), (Some(3), 3, 5));
    assert_eq!(change.next_try, Some(Duration::from_secs(16)));
    assert!(decide_all(vec![payment(1, State::Created)], &[postponed(2)]).changes.is_empty());
    assert!(decide_all(vec![authorized(1)], &[postponed(3)]).changes.is_empty());
}

#[test]
fn what_staff_may_not_do_changes_nothing() {
    let capture = Command::Follow { id: id(1), event: Event::Capture };
    let unknown = Command::Follow { id: id(2), event: Event::Void };
    let decided = decide_all(vec![payment(1, State::Cancelled)], &[capture, unknown]);

    assert!(matches!(decided.answers[0], Err(Refusal::Illegal(_))));
    assert_eq!(decided.answers[1], Err(Refusal::Unknown));
    assert!(decided.changes.is_empty() && decided.told.is_empty());
}

#[test]
fn a_group_reads_what_its_commands_are_about() {
    let postpone = Command::Postpone { id: id(3), version: 1 };
    let commands = [open(1), Command::Obey(verdict(9, 2, Outcome::Rejected)), postpone];
    let Needs { payments, orders, keys } = needs(&commands);
    assert_eq!(payments.into_iter().collect::<Vec<_>>(), [id(1), id(2), id(3)]);
    assert_eq!(orders.into_iter().collect::<Vec<_>>(), [order(2)]);
    assert!(keys.is_empty());
}

#[test]
fn an_event_that_was_refused_has_not_been_handled() {
    let commands =
        [Command::Obey(verdict(8, 1, Outcome::Confirmed)), Command::Obey(verdict(9, 2, Outcome::Confirmed)), open(3)];
    let decided = decide_all(vec![authorized(1)], &commands);
    assert_eq!(handled(&commands, &decided.answers), [EventId::from_uuid(uuid::Uuid::from_u128(8))]);
}
