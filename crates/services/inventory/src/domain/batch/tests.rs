//! Cases by name, those of transfers in `transfers`; the same rules over random histories stand in `histories`.

mod histories;
mod transfers;

use shop_types::{Fingerprint, Quantity};
use uuid::Uuid;

use super::*;
use crate::domain::{Delta, Shortage};

fn sku(text: &str) -> Sku {
    text.parse().unwrap()
}

fn order(n: u8) -> OrderId {
    OrderId::from_uuid(Uuid::from_u128(u128::from(n)))
}

fn place(text: &str) -> LocationId {
    text.parse().unwrap()
}

/// A shop with three locations and no stock.
fn empty() -> Stored {
    Stored { locations: ["berlin", "zoo"].map(place).into(), ..Stored::default() }
}

fn lines(lines: &[(&str, u32)]) -> Lines {
    let line = |(name, quantity): &(&str, u32)| Line { sku: sku(name), quantity: Quantity::new(*quantity).unwrap() };
    Lines::new(lines.iter().map(line).collect()).unwrap()
}

fn reserve(n: u8, of: &[(&str, u32)]) -> Command {
    Command::Reserve { order: order(n), lines: lines(of) }
}

fn commit(n: u8) -> Command {
    Command::Commit { order: order(n) }
}

fn release(n: u8, scope: Scope) -> Command {
    Command::Release { order: order(n), scope }
}

fn key(id: &str, said: &str) -> Key {
    Key { id: id.to_owned(), fingerprint: Fingerprint::from_stored(said.to_owned()) }
}

fn set_on_hand(name: &str, pieces: u32, id: &str) -> Command {
    Command::SetOnHand { sku: sku(name), pieces, key: key(id, &format!("{name} {pieces}")) }
}

fn adjust(name: &str, delta: i64, id: Option<&str>) -> Command {
    adjust_at("main", name, delta, id)
}

fn adjust_at(location: &str, name: &str, delta: i64, id: Option<&str>) -> Command {
    Command::Adjust(Adjustment {
        sku: sku(name),
        location: place(location),
        delta: Delta::new(delta).unwrap(),
        reason: Reason::new("counted").unwrap(),
        by: UserId::from_uuid(Uuid::from_u128(9)),
        key: id.map(|id| key(id, &format!("{name} {delta} {location}"))),
    })
}

fn transfer(name: &str, from: &str, to: &str, pieces: u32, id: Option<&str>) -> Command {
    Command::Transfer(Transfer {
        id: TransferId::from_uuid(Uuid::from_u128(u128::from(pieces))),
        sku: sku(name),
        from: place(from),
        to: place(to),
        pieces: Quantity::new(pieces).unwrap(),
        reason: Reason::new("filled up").unwrap(),
        by: UserId::from_uuid(Uuid::from_u128(9)),
        key: id.map(|id| key(id, &format!("{name} {from} {to} {pieces}"))),
    })
}

/// What is stored after the writes of a decision, with every guard checked.
fn store(mut stored: Stored, writes: Writes) -> Stored {
    for Changed { before, after } in writes.stock {
        let shelf = stored.stock.entry(after.sku.clone()).or_default();
        assert_eq!(shelf.at(&after.location), before.as_ref());
        shelf.put(after);
    }
    for Changed { before, after } in writes.reservations {
        assert_eq!(stored.reservations.insert(after.order, after), before);
    }
    for done in writes.done {
        assert_eq!(stored.done.insert(done.key.id.clone(), done), None);
    }
    stored
}

/// Runs batches one after the other.
fn run(batches: &[Vec<Command>]) -> (Stored, Vec<Result<Answer, Error>>) {
    let mut stored = empty();
    let mut answers = Vec::new();
    for batch in batches {
        let decision = decide(&stored, batch);
        answers.extend(decision.answers);
        stored = store(stored, decision.writes);
    }
    (stored, answers)
}

fn state(answer: &Result<Answer, Error>) -> &State {
    match answer {
        Ok(Answer::Reservation(reservation)) => &reservation.state,
        Ok(Answer::Moved(_)) | Err(_) => panic!("not a reservation: {answer:?}"),
    }
}

fn counts(stored: &Stored, name: &str) -> (i64, i64, i64, i64) {
    counts_at(stored, name, "main")
}

fn counts_at(stored: &Stored, name: &str, location: &str) -> (i64, i64, i64, i64) {
    let stock = stored.stock[&sku(name)].at(&place(location)).unwrap();
    (stock.available, stock.reserved, stock.sold, stock.received)
}

#[test]
fn a_hold_becomes_a_sale_and_a_sale_can_come_back() {
    let (stored, answers) = run(&[
        vec![set_on_hand("mug", 5, "k"), reserve(1, &[("mug", 2)])],
        vec![commit(1)],
        vec![release(1, Scope::HoldOrSale)],
    ]);
    assert_eq!(state(&answers[1]), &State::Held);
    assert_eq!(state(&answers[2]), &State::Committed);
    assert_eq!(state(&answers[3]), &State::Restocked);
    assert_eq!(counts(&stored, "mug"), (5, 0, 0, 5));
}

#[test]
fn one_short_line_refuses_the_whole_order_and_names_every_short_line() {
    let (stored, answers) = run(&[
        vec![set_on_hand("mug", 5, "a"), set_on_hand("cup", 1, "b")],
        vec![reserve(1, &[("mug", 5), ("cup", 2), ("pot", 1)])],
    ]);
    let short = |name, requested, available| Shortage {
        sku: sku(name),
        requested: Quantity::new(requested).unwrap(),
        available,
    };
    assert_eq!(state(&answers[2]), &State::Refused { shortages: vec![short("cup", 2, 1), short("pot", 1, 0)] });
    assert_eq!(counts(&stored, "mug"), (5, 0, 0, 5));
    assert!(!stored.stock.contains_key(&sku("pot")));
}

#[test]
fn a_refusal_stays_one_when_stock_comes_in() {
    let (_, answers) = run(&[
        vec![reserve(1, &[("mug", 1)])],
        vec![set_on_hand("mug", 5, "k"), reserve(1, &[("mug", 1)]), release(1, Scope::Hold)],
    ]);
    assert_eq!(answers[0], answers[2]);
    assert_eq!(answers[0], answers[3]);
}

#[test]
fn a_tombstone_stops_a_late_reservation() {
    let (stored, answers) =
        run(&[vec![set_on_hand("mug", 5, "k"), release(1, Scope::Hold)], vec![reserve(1, &[("mug", 1)]), commit(1)]]);
    assert!(answers[1..].iter().all(|answer| state(answer) == &State::Released));
    assert_eq!(counts(&stored, "mug"), (5, 0, 0, 5));
}

#[test]
fn a_capture_after_the_release_does_nothing() {
    let (stored, answers) = run(&[vec![
        set_on_hand("mug", 5, "k"),
        reserve(1, &[("mug", 1)]),
        release(1, Scope::HoldOrSale),
        commit(1),
        reserve(2, &[("mug", 1)]),
        commit(2),
        release(2, Scope::HoldOrSale),
        commit(2),
    ]]);
    assert_eq!(state(&answers[3]), &State::Released);
    assert_eq!(state(&answers[7]), &State::Restocked);
    assert_eq!(counts(&stored, "mug"), (5, 0, 0, 5));
}

#[test]
fn a_rejection_leaves_a_sale_alone() {
    let (stored, answers) =
        run(&[vec![set_on_hand("mug", 5, "k"), reserve(1, &[("mug", 1)]), commit(1), release(1, Scope::Hold)]]);
    assert_eq!(state(&answers[3]), &State::Committed);
    assert_eq!(counts(&stored, "mug"), (4, 0, 1, 5));
}

#[test]
fn an_order_cannot_change_what_it_asked_for() {
    let (_, answers) = run(&[vec![set_on_hand("mug", 5, "k"), reserve(1, &[("mug", 1)]), reserve(1, &[("mug", 2)])]]);
    assert_eq!(answers[2], Err(Error::OtherLines { order: order(1) }));
}

#[test]
fn committing_what_was_never_reserved_is_an_error_and_leaves_no_trace() {
    let (stored, answers) = run(&[vec![commit(1)]]);
    assert_eq!(answers, [Err(Error::NoReservation { order: order(1) })]);
    assert_eq!(stored, empty());
}

#[test]
fn staff_cannot_take_off_what_orders_hold() {
    let (stored, answers) = run(&[vec![
        adjust("mug", 5, None),
        reserve(1, &[("mug", 3)]),
        adjust("mug", -3, None),
        set_on_hand("mug", 2, "a"),
        adjust("mug", -2, None),
    ]]);
    let below = Err(Error::BelowZero { sku: sku("mug"), available: 2 });
    assert_eq!(answers[2], below);
    assert_eq!(answers[3], below);
    assert!(answers[4].is_ok());
    assert_eq!(counts(&stored, "mug"), (0, 3, 0, 3));
}

#[test]
fn what_is_on_hand_counts_held_pieces() {
    let (stored, _) = run(&[vec![adjust("mug", 5, None), reserve(1, &[("mug", 3)]), set_on_hand("mug", 10, "a")]]);
    assert_eq!(counts(&stored, "mug"), (7, 3, 0, 10));
}

#[test]
fn stock_has_a_ceiling() {
    let batch: Vec<_> = std::iter::repeat_n(adjust("mug", 1_000_000, None), 1001).collect();
    let (stored, answers) = run(&[batch]);
    assert_eq!(answers[1000], Err(Error::AboveLimit { sku: sku("mug") }));
    assert_eq!(counts(&stored, "mug").0, MAX_ON_HAND);
}

#[test]
fn the_same_key_counts_once_and_answers_the_same_for_ever() {
    let (stored, answers) = run(&[
        vec![adjust("mug", 5, Some("k")), adjust("mug", 5, Some("k"))],
        vec![adjust("mug", 1, None), adjust("mug", 5, Some("k")), adjust("mug", 6, Some("k"))],
    ]);
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0], answers[3]);
    assert_eq!(answers[4], Err(Error::KeyReused));
    assert_eq!(counts(&stored, "mug").0, 6);
}

#[test]
fn a_refused_adjustment_does_not_spend_its_key() {
    let (_, answers) =
        run(&[vec![adjust("mug", -1, Some("k"))], vec![adjust("mug", 1, None), adjust("mug", -1, Some("k"))]]);
    assert!(answers[0].is_err());
    assert!(answers[2].is_ok());
}

#[test]
fn setting_what_is_already_there_writes_nothing_but_the_first_zero_counts() {
    let decision = decide(&Stored::default(), &[set_on_hand("mug", 0, "a")]);
    assert_eq!(decision.writes.stock.len(), 1);
    let stored = store(Stored::default(), decision.writes);
    assert!(decide(&stored, &[set_on_hand("mug", 0, "b")]).writes.stock.is_empty());
}

#[test]
fn counts_that_do_not_add_up_stop_only_their_own_sku() {
    let mut stored = empty();
    let bad = Stock { available: 5, received: 4, version: 1, ..Stock::none(sku("mug"), place("berlin")) };
    stored.stock.entry(sku("mug")).or_default().put(bad);
    let commands = [reserve(1, &[("mug", 1)]), adjust_at("berlin", "mug", 1, None), adjust("cup", 1, None)];
    let decision = decide(&stored, &commands);
    assert_eq!(decision.answers[0], Err(Error::Unbalanced { sku: sku("mug") }));
    assert_eq!(decision.answers[1], Err(Error::Unbalanced { sku: sku("mug") }));
    assert!(decision.answers[2].is_ok());
    assert_eq!(decision.writes.stock.len(), 1);
    assert!(decision.writes.reservations.is_empty());
}

#[test]
fn an_order_is_held_sold_and_given_back_where_it_was_served_from() {
    let (stored, answers) = run(&[
        vec![adjust("mug", 1, None), adjust_at("berlin", "mug", 5, None), adjust("cup", 1, None)],
        vec![reserve(1, &[("cup", 1), ("mug", 3)])],
        // What comes in meanwhile changes nothing for an order that has its pieces.
        vec![adjust("mug", 9, None), commit(1)],
    ]);
    assert_eq!(state(&answers[5]), &State::Committed);
    let Ok(Answer::Reservation(held)) = &answers[3] else { panic!("{answers:?}") };
    assert_eq!((held.location_of(&sku("mug")), held.location_of(&sku("cup"))), (place("berlin"), place("main")));
    assert_eq!((counts_at(&stored, "mug", "berlin"), counts(&stored, "mug")), ((2, 0, 3, 5), (10, 0, 0, 10)));
    let back = decide(&stored, &[release(1, Scope::HoldOrSale), reserve(1, &[("cup", 1), ("mug", 3)])]);
    assert_eq!((state(&back.answers[0]), &back.answers[1]), (&State::Restocked, &back.answers[0]));
    let stored = store(stored, back.writes);
    assert_eq!((counts_at(&stored, "mug", "berlin"), counts(&stored, "cup")), ((5, 0, 0, 5), (1, 0, 0, 1)));
}

#[test]
fn nothing_comes_into_a_location_that_is_not_there() {
    let (stored, answers) = run(&[vec![adjust_at("potsdam", "mug", 5, None)]]);
    assert_eq!((stored, answers), (empty(), vec![Err(Error::NoLocation { field: "location" })]));
}

#[test]
fn others_hear_of_what_one_line_can_get_and_only_when_that_changes() {
    let told = |stored: &Stored, commands: &[Command]| {
        let decision = decide(stored, commands);
        let facts: Vec<_> = decision.writes.facts.iter().map(|fact| (fact.available, fact.version)).collect();
        (store(stored.clone(), decision.writes), facts)
    };
    let (stored, first) = told(&empty(), &[adjust_at("zoo", "mug", 5, None), adjust("mug", 2, None)]);
    let (stored, main) = told(&stored, &[reserve(1, &[("mug", 1)])]);
    let (stored, sold) = told(&stored, &[commit(1)]);
    let (stored, zoo) = told(&stored, &[reserve(2, &[("mug", 3)])]);
    let (_, back) = told(&stored, &[release(2, Scope::Hold), release(1, Scope::HoldOrSale)]);
    assert_eq!((first, main, sold, zoo, back), (vec![(5, 2)], vec![], vec![], vec![(2, 5)], vec![(5, 7)]));
}
