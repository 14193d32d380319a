//! Refunds that are asked for in groups, and their keys.

use super::*;
use crate::domain::{RefundId, Unrefundable};
use shop_types::Fingerprint;

fn key(name: &str) -> Key {
    Key { id: name.into(), fingerprint: Fingerprint::from_stored("f".into()) }
}

fn refund_of(n: u128, amount: Option<i64>, name: &str) -> Command {
    let reason = "late".parse().unwrap();
    Command::Refund(RefundRequest { id: id(n), amount: amount.map(eur), reason, key: key(name) })
}

/// The answer to a request for a refund: its number and what was said before.
fn replied(answer: &Answer) -> (u32, Option<RefundState>) {
    let Ok(Reply::Refund(reply)) = answer else { panic!("no refund: {answer:?}") };
    (reply.n, reply.said)
}

#[test]
fn the_same_key_makes_one_refund_and_another_key_another_one() {
    let commands = [refund_of(1, Some(200), "a"), refund_of(1, Some(200), "a"), refund_of(1, None, "b")];
    let decided = decide_all(vec![captured(1)], &commands);

    assert_eq!(decided.answers.iter().map(replied).collect::<Vec<_>>(), [(1, None), (1, None), (2, None)]);
    let refunds = &decided.changes[0].payment.refunds;
    assert_eq!(refunds.iter().map(|one| (one.n, one.amount)).collect::<Vec<_>>(), [(1, 200), (2, 300)]);
    assert_eq!((decided.changes.len(), decided.changes[0].payment.state.kind()), (1, Kind::Refunding));
    let names: Vec<_> = decided.starts.iter().map(|start| start.refund.to_string()).collect();
    assert_eq!(names, [format!("{}:refund:1", id(1)), format!("{}:refund:2", id(1))]);
    assert!(decided.told.is_empty(), "nothing is back yet");
}

#[test]
fn a_key_that_was_used_before_gives_its_refund_whatever_has_become_of_the_payment() {
    let done = Payment {
        refunds: vec![refund(1, 500, RefundState::Done)],
        ..payment(1, State::Refunded { hold: "hold".into() })
    };
    let known = |said| Known { fingerprint: key("a").fingerprint, refund: RefundId { payment: id(1), n: 1 }, said };
    for said in [None, Some(RefundState::Pending)] {
        let keys = [("a".to_owned(), known(said))].into();
        let read = Read { payments: vec![done.clone()], keys };
        let decided = decide(read, [], &[refund_of(1, Some(500), "a")], now());
        assert_eq!((replied(&decided.answers[0]), decided.changes.len()), ((1, said), 0));
    }
}

#[test]
fn a_key_is_of_one_request_alone() {
    let known = Known {
        fingerprint: Fingerprint::from_stored("other".into()),
        refund: RefundId { payment: id(1), n: 1 },
        said: None,
    };
    let read = Read { payments: vec![captured(1), captured(2)], keys: [("a".to_owned(), known.clone())].into() };
    let decided = decide(read, [], &[refund_of(1, None, "a")], now());
    assert_eq!((decided.answers, decided.changes.len()), (vec![Err(Refusal::KeyReused)], 0));

    let of_another = Known { fingerprint: key("a").fingerprint, ..known };
    let read = Read { payments: vec![captured(1), captured(2)], keys: [("a".to_owned(), of_another)].into() };
    let decided = decide(read, [], &[refund_of(2, None, "a")], now());
    assert_eq!(decided.answers, [Err(Refusal::KeyReused)]);
}

#[test]
fn whoever_is_told_first_decides_what_all_are_told() {
    let told = |state| Command::Answered { id: id(1), key: key("a"), state };
    let commands =
        [refund_of(1, None, "a"), told(RefundState::Pending), told(RefundState::Done), refund_of(1, None, "a")];
    let decided = decide_all(vec![captured(1)], &commands);

    let said = Some(RefundState::Pending);
    assert_eq!(decided.answers.iter().map(replied).collect::<Vec<_>>(), [(1, None), (1, said), (1, said), (1, said)]);
    assert_eq!(decided.ends, [End { key: "a".into(), state: RefundState::Pending, version: 4 }]);
    let unknown = decide_all(vec![captured(1)], &[told(RefundState::Done)]);
    assert_eq!(unknown.answers, [Err(Refusal::Unknown)]);
}

#[test]
fn two_refunds_in_one_group_cannot_give_back_more_than_was_taken() {
    let decided = decide_all(vec![captured(1)], &[refund_of(1, Some(300), "a"), refund_of(1, Some(300), "b")]);
    let left = Unrefundable::OverRefund { left: eur(200) };
    assert_eq!((decided.answers[1].clone(), decided.starts.len()), (Err(Refusal::Unrefundable(left)), 1));
}

#[test]
fn each_refund_is_told_with_what_is_kept_and_the_last_one_without() {
    let back = Payment {
        refunds: vec![refund(1, 200, RefundState::Pending), refund(2, 300, RefundState::Pending)],
        ..payment(1, State::Refunding { hold: "hold".into() })
    };
    let done = |n| Command::Follow { id: id(1), event: Event::RefundDone { n } };
    let decided = decide_all(vec![back], &[done(1), done(1), done(2)]);

    let facts: Vec<_> = decided.told.iter().map(|told| told.payment.fact(told.tell)).collect();
    assert_eq!(
        facts.iter().map(|fact| (fact.amount, fact.remaining)).collect::<Vec<_>>(),
        [(eur(200), Some(eur(300))), (eur(300), None)]
    );
    assert_eq!((decided.changes[0].payment.state.kind(), decided.changes[0].next_try), (Kind::Refunded, None));
}

#[test]
fn a_group_reads_the_keys_of_its_refunds() {
    let answered = Command::Answered { id: id(2), key: key("b"), state: RefundState::Done };
    let needs = needs(&[refund_of(1, None, "a"), answered]);
    assert_eq!(needs.keys.into_iter().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(needs.payments.into_iter().collect::<Vec<_>>(), [id(1), id(2)]);
}
