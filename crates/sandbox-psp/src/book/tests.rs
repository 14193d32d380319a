//! The rules, one sentence each.

use super::*;

fn authorize(reference: &str, method: &str) -> Command {
    Command::Authorize { amount: 500, currency: "EUR".into(), reference: reference.into(), method: method.into() }
}

/// Decides under a key and, when that leads to an entry, takes it in.
fn put(book: &mut Book, key: &str, command: &Command) -> Decision {
    let fingerprint = format!("{command:?}");
    let decision = book.decide(ask(command, key, &fingerprint, book.entries().len()), false);
    if let Decision::Write(entry, _) = &decision {
        book.apply(Entry::clone(entry)).unwrap();
    }
    decision
}

fn ask<'a>(command: &'a Command, key: &'a str, fingerprint: &'a str, n: usize) -> Ask<'a> {
    let new_id = Uuid::from_u128(u128::try_from(n).unwrap() + 1);
    Ask { command, key, fingerprint, now: Timestamp::UNIX_EPOCH, new_id }
}

fn held(book: &mut Book, reference: &str, method: &str) -> String {
    let Decision::Write(entry, _) = put(book, reference, &authorize(reference, method)) else { panic!("no hold") };
    entry.authorization
}

fn refusal(decision: Decision) -> Refusal {
    let Decision::Refuse(refusal) = decision else { panic!("not refused: {decision:?}") };
    refusal
}

#[test]
fn the_same_key_and_request_give_the_first_answer() {
    let mut book = Book::default();
    let Decision::Write(first, _) = put(&mut book, "k", &authorize("r", "tok_visa")) else { panic!("no hold") };

    assert_eq!(put(&mut book, "k", &authorize("r", "tok_visa")), Decision::Replay(first));
    assert_eq!(book.entries().len(), 1);
}

#[test]
fn the_same_key_for_another_request_is_refused() {
    let mut book = Book::default();
    let id = held(&mut book, "r", "tok_visa");

    assert_eq!(refusal(put(&mut book, "r", &authorize("r2", "tok_visa"))), Refusal::KeyReused);
    assert_eq!(refusal(put(&mut book, "r", &Command::Capture { id })), Refusal::KeyReused);
}

#[test]
fn a_reference_never_holds_money_twice() {
    let mut book = Book::default();
    for (reference, method) in [("r1", "tok_visa"), ("r2", "tok_declined")] {
        let _first = held(&mut book, reference, method);
        assert_eq!(refusal(put(&mut book, "other", &authorize(reference, "tok_visa"))), Refusal::ReferenceInUse);
    }
}

#[test]
fn declined_cards_hold_nothing() {
    let mut book = Book::default();
    for (method, code) in [("tok_declined", "card_declined"), ("tok_insufficient_funds", "insufficient_funds")] {
        let id = held(&mut book, method, method);
        let declined = book.authorization(&id).unwrap();
        assert_eq!((declined.status, declined.decline_code.as_deref()), (Status::Declined, Some(code)));
        assert_eq!(
            refusal(put(&mut book, "capture", &Command::Capture { id })),
            Refusal::WrongStatus(Status::Declined)
        );
    }
}

#[test]
fn money_is_taken_once_whatever_the_key() {
    let mut book = Book::default();
    let id = held(&mut book, "r", "tok_visa");
    put(&mut book, "c1", &Command::Capture { id: id.clone() });

    assert_eq!(
        refusal(put(&mut book, "c2", &Command::Capture { id: id.clone() })),
        Refusal::WrongStatus(Status::Captured)
    );
    assert_eq!(refusal(put(&mut book, "v", &Command::Void { id: id.clone() })), Refusal::WrongStatus(Status::Captured));
    assert_eq!(book.authorization(&id).unwrap().captured_amount, 500);
}

#[test]
fn a_hold_that_was_given_back_cannot_be_taken() {
    let mut book = Book::default();
    let id = held(&mut book, "r", "tok_visa");
    put(&mut book, "v", &Command::Void { id: id.clone() });

    assert_eq!(refusal(put(&mut book, "c", &Command::Capture { id })), Refusal::WrongStatus(Status::Voided));
}

#[test]
fn a_refused_capture_is_final() {
    let mut book = Book::default();
    let id = held(&mut book, "r", "tok_capture_fails");
    let capture = Command::Capture { id: id.clone() };

    let Decision::Write(entry, _) = put(&mut book, "c", &capture) else { panic!("not written") };
    assert_eq!((entry.kind, entry.reason.as_deref()), (Kind::CaptureRefused, Some("capture_refused")));
    assert_eq!(put(&mut book, "c", &capture), Decision::Replay(entry));
    assert_eq!(book.authorization(&id).unwrap().status, Status::Failed);
}

#[test]
fn refunds_never_exceed_the_capture() {
    let mut book = Book::default();
    let id = held(&mut book, "r", "tok_visa");
    let refund = |amount| Command::Refund { id: id.clone(), amount };
    assert_eq!(refusal(put(&mut book, "f", &refund(1))), Refusal::WrongStatus(Status::Authorized));
    put(&mut book, "c", &Command::Capture { id: id.clone() });

    put(&mut book, "f1", &refund(300));
    assert_eq!(refusal(put(&mut book, "f2", &refund(201))), Refusal::OverRefund);
    put(&mut book, "f3", &refund(200));
    assert_eq!(refusal(put(&mut book, "f4", &refund(1))), Refusal::OverRefund);
    assert_eq!(refusal(put(&mut book, "f5", &refund(i64::MAX))), Refusal::OverRefund);
    assert_eq!(book.authorization(&id).unwrap().refunded_amount, 500);
}

#[test]
fn a_try_lost_on_the_way_in_applies_nothing_and_its_repeat_succeeds() {
    let mut book = Book::default();
    let command = authorize("r", "tok_timeout_before");

    assert_eq!(put(&mut book, "k", &command), Decision::Lose);
    assert!(book.entries().is_empty());
    assert!(matches!(book.decide(ask(&command, "k", "f", 0), true), Decision::Write(..)));
    let always = authorize("r", "tok_timeout_always");
    assert_eq!(book.decide(ask(&always, "k", "f", 0), true), Decision::Lose);
}

#[test]
fn what_does_not_exist_is_refused() {
    let mut book = Book::default();
    assert_eq!(refusal(put(&mut book, "k", &authorize("r", "4242"))), Refusal::UnknownMethod);
    assert_eq!(refusal(put(&mut book, "k", &Command::Void { id: "auth_x".into() })), Refusal::NotFound);
}

#[test]
fn a_ledger_with_a_gap_or_a_stranger_is_refused() {
    let mut book = Book::default();
    held(&mut book, "r", "tok_visa");
    let first = book.entries()[0].clone();

    assert_eq!(book.apply(first.clone()), Err(Broken::Gap { expected: 2, found: 1 }));
    let stranger = Entry { sequence: 2, kind: Kind::Voided, authorization: "auth_x".into(), ..first };
    assert_eq!(book.apply(stranger), Err(Broken::Unknown(2)));
    assert_eq!(book.entries().len(), 1);
}

#[test]
fn replaying_the_entries_gives_the_same_book() {
    let mut book = Book::default();
    let id = held(&mut book, "r", "tok_visa");
    held(&mut book, "r2", "tok_declined");
    put(&mut book, "c", &Command::Capture { id: id.clone() });
    put(&mut book, "f", &Command::Refund { id: id.clone(), amount: 20 });

    let mut replayed = Book::default();
    for entry in book.entries() {
        let line = serde_json::to_string(entry).unwrap();
        replayed.apply(serde_json::from_str(&line).unwrap()).unwrap();
    }

    assert_eq!(replayed.authorization(&id), book.authorization(&id));
    assert_eq!(replayed.by_reference("r2"), book.by_reference("r2"));
    assert_eq!(replayed.entries(), book.entries());
}
