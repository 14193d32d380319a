//! Cases by name, then the same rules over random histories.

use proptest::prelude::*;
use shop_types::{Fingerprint, Quantity};
use uuid::Uuid;

use super::*;

fn sku(text: &str) -> Sku {
    text.parse().unwrap()
}

fn order(n: u8) -> OrderId {
    OrderId::from_uuid(Uuid::from_u128(u128::from(n)))
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
    Command::Adjust(Adjustment {
        sku: sku(name),
        delta: Delta::new(delta).unwrap(),
        reason: Reason::new("counted").unwrap(),
        by: UserId::from_uuid(Uuid::from_u128(9)),
        key: id.map(|id| key(id, &format!("{name} {delta}"))),
    })
}

/// What is stored after the writes of a decision, with every guard checked.
fn store(mut stored: Stored, writes: Writes) -> Stored {
    for Changed { before, after } in writes.stock {
        assert_eq!(stored.stock.insert(after.sku.clone(), after), before);
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
    let mut stored = Stored::default();
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
        Ok(Answer::Stock(_)) | Err(_) => panic!("not a reservation: {answer:?}"),
    }
}

fn counts(stored: &Stored, name: &str) -> (i64, i64, i64, i64) {
    let stock = &stored.stock[&sku(name)];
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
    assert_eq!(stored, Stored::default());
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
    let mut stored = Stored::default();
    let bad = Stock { available: 5, received: 4, version: 1, ..Stock::none(sku("mug")) };
    stored.stock.insert(sku("mug"), bad);
    let decision = decide(&stored, &[reserve(1, &[("mug", 1)]), adjust("mug", 1, None), adjust("cup", 1, None)]);
    assert_eq!(decision.answers[0], Err(Error::Unbalanced { sku: sku("mug") }));
    assert_eq!(decision.answers[1], Err(Error::Unbalanced { sku: sku("mug") }));
    assert!(decision.answers[2].is_ok());
    assert_eq!(decision.writes.stock.len(), 1);
    assert!(decision.writes.reservations.is_empty());
}

const SKUS: [&str; 3] = ["cup", "mug", "pot"];

fn any_command() -> impl Strategy<Value = Command> {
    let name = prop::sample::select(SKUS.to_vec());
    let wanted = prop::collection::btree_map(name.clone(), 1_u32..6, 1..=3);
    let scope = prop::sample::select(vec![Scope::Hold, Scope::HoldOrSale]);
    prop_oneof![
        4 => (0_u8..8, wanted).prop_map(|(n, of)| reserve(n, &of.into_iter().collect::<Vec<_>>())),
        2 => (0_u8..8).prop_map(commit),
        2 => (0_u8..8, scope).prop_map(|(n, scope)| release(n, scope)),
        1 => (name.clone(), 0_u32..12, 0_u8..4).prop_map(|(name, n, id)| set_on_hand(name, n, &id.to_string())),
        2 => (name, prop_oneof![-6_i64..0, 1_i64..9], prop::option::of(0_u8..4))
            .prop_map(|(name, n, id)| adjust(name, n, id.map(|id| id.to_string()).as_deref())),
    ]
}

/// I1 and I2 of every SKU.
fn assert_sound(stored: &Stored) {
    for (name, stock) in &stored.stock {
        assert!(stock.is_balanced(), "{stock:?}");
        let pieces = |wanted: &State| -> i64 {
            let matching = stored.reservations.values().filter(|r| &r.state == wanted).filter_map(|r| r.lines.as_ref());
            matching
                .flat_map(Lines::as_slice)
                .filter(|line| &line.sku == name)
                .map(|line| i64::from(line.quantity.get()))
                .sum()
        };
        assert_eq!(stock.reserved, pieces(&State::Held), "reserved pieces of {name}");
        assert_eq!(stock.sold, pieces(&State::Committed), "sold pieces of {name}");
    }
}

/// Every version of a SKU has its movement, and the movements lead from nothing to what is stored.
fn assert_history(stored: &Stored, movements: &[Movement]) {
    for (name, stock) in &stored.stock {
        let mut last = Stock::none(name.clone());
        for movement in movements.iter().filter(|movement| &movement.after.sku == name) {
            assert_eq!(moved(&last, movement.change).as_ref(), Ok(&movement.after));
            last = movement.after.clone();
        }
        assert_eq!(&last, stock);
    }
}

proptest! {
    #[test]
    fn no_history_loses_oversells_or_splits_an_order(batches in prop::collection::vec(prop::collection::vec(any_command(), 1..12), 1..12)) {
        let mut stored = Stored::default();
        let mut movements = Vec::new();
        for batch in &batches {
            let decision = decide(&stored, batch);
            prop_assert_eq!(decision.answers.len(), batch.len());
            movements.extend(decision.writes.movements.iter().cloned());
            stored = store(stored, decision.writes);
            assert_sound(&stored);
        }
        assert_history(&stored, &movements);
    }

    #[test]
    fn one_batch_comes_to_the_same_as_one_command_at_a_time(commands in prop::collection::vec(any_command(), 1..60)) {
        let together = run(std::slice::from_ref(&commands));
        let apart = run(&commands.into_iter().map(|command| vec![command]).collect::<Vec<_>>());
        prop_assert_eq!(together, apart);
    }

    #[test]
    fn doing_every_command_twice_in_a_row_is_doing_it_once(commands in prop::collection::vec(any_command(), 1..60)) {
        let keyed: Vec<_> = commands.into_iter().filter(|c| !matches!(c, Command::Adjust(Adjustment { key: None, .. }))).collect();
        let once = run(std::slice::from_ref(&keyed));
        let doubled: Vec<_> = keyed.into_iter().flat_map(|command| [command.clone(), command]).collect();
        let twice = run(&[doubled]);
        prop_assert_eq!(&once.0, &twice.0);
        for (n, answer) in once.1.iter().enumerate() {
            prop_assert_eq!(answer, &twice.1[2 * n]);
            prop_assert_eq!(answer, &twice.1[2 * n + 1]);
        }
    }

    #[test]
    fn holds_never_exceed_what_is_there(stock in 0_u32..40, wants in prop::collection::vec(1_u32..10, 1..40)) {
        let mut commands = vec![set_on_hand("mug", stock, "k")];
        commands.extend((0_u8..).zip(&wants).map(|(n, q)| reserve(n, &[("mug", *q)])));
        let (stored, answers) = run(&[commands]);
        let held: u32 = answers[1..].iter().zip(&wants).filter(|(a, _)| state(a) == &State::Held).map(|(_, q)| q).sum();
        prop_assert!(held <= stock);
        prop_assert_eq!(stored.stock[&sku("mug")].reserved, i64::from(held));
        // First come, first served: whoever was refused did not fit at that moment.
        let mut left = stock;
        for (answer, q) in answers[1..].iter().zip(&wants) {
            let fits = *q <= left;
            prop_assert_eq!(state(answer) == &State::Held, fits);
            left -= if fits { *q } else { 0 };
        }
    }
}
