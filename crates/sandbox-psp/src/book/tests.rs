//! The rules, one sentence each.

use super::*;

fn authorize(reference: &str, method: &str) -> Command {
    Command::Authorize { amount: 500, currency: "EUR".into(), reference: reference.into(), method: method.into() }
}

/// What a request leads to, at some hour; what it leads to is taken in.
fn put_at(book: &mut Book, hour: i64, key: &str, command: &Command) -> Result<Entry, Refusal> {
    let fingerprint = format!("{command:?}");
    let new_id = Uuid::from_u128(u128::try_from(book.len()).unwrap() + 1);
    let now = Timestamp::from_second(hour * 3600).unwrap();
    let ask = Ask { command, key, fingerprint: &fingerprint, now, new_id };
    match book.saved(&ask).unwrap()? {
        Some(Saved::Entry(entry)) => return Ok(*entry),
        Some(Saved::Refused(refusal)) => return Err(refusal),
        Some(Saved::Broken) => panic!("nothing breaks here"),
        None => {}
    }
    let decided = book.decide(&ask).unwrap();
    match &decided {
        Ok(entry) => book.apply(entry.clone()).unwrap(),
        Err(refusal) if refusal.is_result() => book.save(&ask, Saved::Refused(refusal.clone())),
        Err(_) => {}
    }
    decided
}

fn put(book: &mut Book, key: &str, command: &Command) -> Result<Entry, Refusal> {
    put_at(book, 0, key, command)
}

fn held(book: &mut Book, reference: &str, method: &str) -> String {
    put(book, reference, &authorize(reference, method)).unwrap().authorization
}

fn all(book: &Book) -> Vec<Entry> {
    book.entries(0, usize::MAX).unwrap()
}

fn standing(book: &Book, id: &str) -> Authorization {
    book.authorization(id).unwrap().unwrap()
}

fn refusal(decided: Result<Entry, Refusal>) -> Refusal {
    decided.unwrap_err()
}

fn refund(id: &str, amount: i64) -> Command {
    Command::Refund { id: id.into(), amount, reference: None }
}

#[test]
fn the_same_key_and_request_give_the_first_answer() {
    let mut book = Book::default();
    let first = put(&mut book, "k", &authorize("r", "tok_visa"));

    assert_eq!(put(&mut book, "k", &authorize("r", "tok_visa")), first);
    assert_eq!(book.len(), 1);
}

#[test]
fn a_key_is_forgotten_after_a_day_and_not_before() {
    let mut book = Book::default();
    let first = put(&mut book, "k", &authorize("r", "tok_visa"));

    assert_eq!(put_at(&mut book, 23, "k", &authorize("r", "tok_visa")), first);
    assert_eq!(refusal(put_at(&mut book, 23, "k", &authorize("r2", "tok_visa"))), Refusal::KeyReused);
    let second = put_at(&mut book, 24, "k", &authorize("r", "tok_visa")).unwrap();

    assert_eq!((second.sequence, book.by_reference("r").unwrap().len()), (2, 2));
    assert_eq!(put_at(&mut book, 25, "k", &authorize("r", "tok_visa")).unwrap(), second);
}

#[test]
fn a_refusal_stands_under_its_key_too() {
    let mut book = Book::default();
    let id = held(&mut book, "r", "tok_visa");
    let capture = Command::Capture { id: id.clone() };
    assert_eq!(refusal(put(&mut book, "f", &refund(&id, 1))), Refusal::WrongStatus(Status::Authorized));
    put(&mut book, "c", &capture).unwrap();

    assert_eq!(refusal(put(&mut book, "f", &refund(&id, 1))), Refusal::WrongStatus(Status::Authorized));
    assert!(put(&mut book, "f2", &refund(&id, 1)).is_ok());
}

#[test]
fn the_same_key_for_another_request_is_refused() {
    let mut book = Book::default();
    let id = held(&mut book, "r", "tok_visa");

    assert_eq!(refusal(put(&mut book, "r", &authorize("r2", "tok_visa"))), Refusal::KeyReused);
    assert_eq!(refusal(put(&mut book, "r", &Command::Capture { id })), Refusal::KeyReused);
}

#[test]
fn another_key_holds_the_money_again_as_real_providers_do() {
    let mut book = Book::default();
    held(&mut book, "r", "tok_visa");
    assert!(put(&mut book, "other", &authorize("r", "tok_visa")).is_ok());
    let held: Vec<_> = book.by_reference("r").unwrap().iter().map(|one| one.status).collect();
    assert_eq!(held, [Status::Authorized, Status::Authorized]);
}

#[test]
fn a_hold_that_needs_the_buyer_is_placed_by_the_buyer_alone() {
    let mut book = Book::default();
    let id = held(&mut book, "r", "tok_requires_action");
    assert_eq!(standing(&book, &id).status, Status::RequiresAction);
    let too_early = refusal(put(&mut book, "c", &Command::Capture { id: id.clone() }));
    assert_eq!(too_early, Refusal::WrongStatus(Status::RequiresAction));

    let confirmed = put(&mut book, "y", &Command::Confirm { id: id.clone() }).unwrap();

    assert_eq!((confirmed.kind, confirmed.amount), (Kind::Authorized, 500));
    let too_late = refusal(put(&mut book, "n", &Command::Refuse { id: id.clone() }));
    assert_eq!(too_late, Refusal::WrongStatus(Status::Authorized));
    assert!(put(&mut book, "c2", &Command::Capture { id }).is_ok());
}

#[test]
fn a_buyer_who_refuses_and_a_shop_that_takes_back_leave_nothing_held() {
    let mut book = Book::default();
    let (refused, taken_back) =
        (held(&mut book, "r1", "tok_requires_action"), held(&mut book, "r2", "tok_requires_action"));

    assert_eq!(put(&mut book, "n", &Command::Refuse { id: refused.clone() }).unwrap().kind, Kind::Declined);
    assert_eq!(put(&mut book, "v", &Command::Void { id: taken_back.clone() }).unwrap().kind, Kind::Cancelled);

    let declined = standing(&book, &refused);
    assert_eq!((declined.status, declined.decline_code.as_deref()), (Status::Declined, Some("action_refused")));
    let confirm = Command::Confirm { id: taken_back };
    assert_eq!(refusal(put(&mut book, "y", &confirm)), Refusal::WrongStatus(Status::Cancelled));
}

#[test]
fn declined_cards_hold_nothing() {
    let mut book = Book::default();
    for (method, code) in [("tok_declined", "card_declined"), ("tok_insufficient_funds", "insufficient_funds")] {
        let id = held(&mut book, method, method);
        let declined = standing(&book, &id);
        assert_eq!((declined.status, declined.decline_code.as_deref()), (Status::Declined, Some(code)));
        assert_eq!(refusal(put(&mut book, code, &Command::Capture { id })), Refusal::WrongStatus(Status::Declined));
    }
}

#[test]
fn money_is_taken_once_whatever_the_key() {
    let mut book = Book::default();
    let id = held(&mut book, "r", "tok_visa");
    put(&mut book, "c1", &Command::Capture { id: id.clone() }).unwrap();

    assert_eq!(
        refusal(put(&mut book, "c2", &Command::Capture { id: id.clone() })),
        Refusal::WrongStatus(Status::Captured)
    );
    assert_eq!(refusal(put(&mut book, "v", &Command::Void { id: id.clone() })), Refusal::WrongStatus(Status::Captured));
    assert_eq!(standing(&book, &id).captured_amount, 500);
}

#[test]
fn a_hold_that_was_given_back_cannot_be_taken() {
    let mut book = Book::default();
    let id = held(&mut book, "r", "tok_visa");
    put(&mut book, "v", &Command::Void { id: id.clone() }).unwrap();

    assert_eq!(refusal(put(&mut book, "c", &Command::Capture { id })), Refusal::WrongStatus(Status::Voided));
}

#[test]
fn a_refused_capture_is_final() {
    let mut book = Book::default();
    let id = held(&mut book, "r", "tok_capture_fails");
    let capture = Command::Capture { id: id.clone() };

    let entry = put(&mut book, "c", &capture).unwrap();
    assert_eq!((entry.kind, entry.reason.as_deref()), (Kind::CaptureRefused, Some("capture_refused")));
    assert_eq!(put(&mut book, "c", &capture), Ok(entry));
    assert_eq!(standing(&book, &id).status, Status::Failed);
}

#[test]
fn refunds_never_exceed_the_capture() {
    let mut book = Book::default();
    let id = held(&mut book, "r", "tok_visa");
    put(&mut book, "c", &Command::Capture { id: id.clone() }).unwrap();

    let named = Command::Refund { id: id.clone(), amount: 300, reference: Some("first".into()) };
    put(&mut book, "f1", &named).unwrap();
    assert_eq!(refusal(put(&mut book, "f2", &refund(&id, 201))), Refusal::OverRefund);
    put(&mut book, "f3", &refund(&id, 200)).unwrap();
    assert_eq!(refusal(put(&mut book, "f4", &refund(&id, 1))), Refusal::OverRefund);
    assert_eq!(refusal(put(&mut book, "f5", &refund(&id, i64::MAX))), Refusal::OverRefund);
    let refunded = standing(&book, &id);
    let refunds: Vec<_> = refunded.refunds.iter().map(|one| (one.amount, one.reference.as_deref())).collect();
    assert_eq!((refunded.refunded_amount, refunds), (500, vec![(300, Some("first")), (200, None)]));
}

#[test]
fn a_card_has_its_mishap_at_the_first_try_or_always() {
    let book = Book::default();
    let mishaps = |method| [false, true].map(|tried| book.mishap(&authorize("r", method), tried).unwrap());
    assert_eq!(mishaps("tok_timeout_before"), [Some(Mishap::TimeoutBefore), None]);
    assert_eq!(mishaps("tok_timeout_always"), [Some(Mishap::TimeoutBefore), Some(Mishap::TimeoutBefore)]);
    assert_eq!(mishaps("tok_error_after"), [Some(Mishap::ErrorAfter), None]);
    assert_eq!(mishaps("tok_capture_timeout_after"), [None, None]);
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
    let first = all(&book).remove(0);

    assert_eq!(book.apply(first.clone()), Err(Broken::Gap { expected: 2, found: 1 }));
    let stranger = Entry { sequence: 2, kind: Kind::Voided, authorization: "auth_x".into(), ..first };
    assert_eq!(book.apply(stranger), Err(Broken::Unknown(2)));
    assert_eq!(book.len(), 1);
}

#[test]
fn replaying_the_entries_gives_the_same_book() {
    let mut book = Book::default();
    let id = held(&mut book, "r", "tok_visa");
    held(&mut book, "r2", "tok_declined");
    held(&mut book, "r3", "tok_requires_action");
    put(&mut book, "c", &Command::Capture { id: id.clone() }).unwrap();
    put(&mut book, "f", &refund(&id, 20)).unwrap();

    let mut replayed = Book::default();
    for entry in &all(&book) {
        let line = serde_json::to_string(entry).unwrap();
        replayed.apply(serde_json::from_str(&line).unwrap()).unwrap();
    }

    assert_eq!(standing(&replayed, &id), standing(&book, &id));
    for reference in ["r2", "r3"] {
        assert_eq!(replayed.by_reference(reference).unwrap(), book.by_reference(reference).unwrap());
    }
    assert_eq!(replayed.entries_of("r").unwrap(), book.entries_of("r").unwrap());
    assert_eq!(all(&replayed), all(&book));
}

#[test]
fn what_was_written_is_found_as_what_was_not() {
    let folder = tempfile::tempdir().unwrap();
    let mut book = Book::open(&folder.path().join("ledger")).unwrap();
    let capture = |id: &str| Command::Capture { id: id.into() };
    let (first, second) = (held(&mut book, "r", "tok_visa"), held(&mut book, "other", "tok_visa"));
    assert_eq!(book.write().unwrap().len(), 2);
    assert!(book.fresh().is_empty() && book.write().unwrap().is_empty());

    let captured = put(&mut book, "c", &capture(&first)).unwrap();
    let again = put(&mut book, "again", &authorize("r", "tok_visa")).unwrap();

    assert_eq!(book.fresh(), [captured.clone(), again.clone()]);
    for _ in 0..2 {
        assert_eq!(put(&mut book, "c", &capture(&first)), Ok(captured.clone()), "its key");
        assert_eq!(put(&mut book, "r", &authorize("r", "tok_visa")).unwrap().authorization, first);
        assert_eq!(
            (standing(&book, &first).status, standing(&book, &second).status),
            (Status::Captured, Status::Authorized)
        );
        let of_r: Vec<_> = book.by_reference("r").unwrap().into_iter().map(|one| one.id).collect();
        assert_eq!(of_r, [first.clone(), again.authorization.clone()]);
        let sequences = |entries: Vec<Entry>| entries.iter().map(|entry| entry.sequence).collect::<Vec<_>>();
        assert_eq!(sequences(book.entries_of("r").unwrap()), [1, 3, 4]);
        assert_eq!(sequences(book.entries(1, 2).unwrap()), [2, 3]);
        assert_eq!(sequences(book.entries(3, 9).unwrap()), [4]);
        assert_eq!([4, 9].map(|behind| book.entries(behind, 9).unwrap().len()), [0, 0]);
        book.write().unwrap();
    }
    assert_eq!(book.authorization("auth_x").unwrap(), None);
}

#[test]
fn the_first_entry_of_a_time_is_found() {
    let mut book = Book::default();
    for (n, hour) in [1, 1, 2, 4].into_iter().enumerate() {
        put_at(&mut book, hour, &format!("k{n}"), &authorize("r", "tok_visa")).unwrap();
        if n == 1 {
            book.write().unwrap();
        }
    }
    let hour = |hour: i64| Timestamp::from_second(hour * 3600).unwrap();
    assert_eq!([0, 1, 2, 3, 4, 5].map(|n| book.first_since(hour(n)).unwrap()), [0, 0, 2, 3, 3, 4]);
}
