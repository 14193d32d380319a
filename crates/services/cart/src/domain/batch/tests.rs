//! Batches of commands on several carts.

use shop_types::{Currency, Money, ProductId, UserId};
use uuid::Uuid;

use super::super::Offer;
use super::*;

fn owner(n: u128) -> Owner {
    Owner::User(UserId::from_uuid(Uuid::from_u128(n)))
}

fn id(n: u128) -> CartId {
    CartId::from_uuid(Uuid::from_u128(n))
}

fn stored(carts: &[u128]) -> Stored {
    let currency: Currency = "EUR".parse().unwrap();
    let carts = carts.iter().map(|n| (id(*n), Cart::open(id(*n), owner(*n), 1, currency))).collect();
    Stored { carts, ..Stored::default() }
}

fn mug() -> Variant {
    Variant {
        sku: "mug".parse().unwrap(),
        product: ProductId::from_uuid(Uuid::from_u128(3)),
        name: "Mug".to_owned(),
        price: Money::new(500, "EUR".parse().unwrap()),
        offer: Offer::Sold,
    }
}

/// When everything is decided here.
const NOW: Timestamp = Timestamp::constant(1_700_000_000, 0);

fn decide<'c>(stored: &Stored, commands: impl IntoIterator<Item = &'c Command>) -> Decision {
    super::decide(stored, commands, NOW)
}

fn by(n: u128, cart: u128, change: Change) -> Command {
    Command::Change { cart: id(cart), owner: owner(n), change }
}

fn add(quantity: u32, key: Option<&str>) -> Change {
    Change::Add {
        items: vec![(mug(), Quantity::new(quantity).unwrap())],
        stock: Stock::new(),
        at: Timestamp::UNIX_EPOCH,
        key: key.map(|name| Key { id: name.to_owned(), fingerprint: Fingerprint::from_stored(quantity.to_string()) }),
    }
}

fn set(seen: i64, quantity: u32) -> Change {
    Change::SetQuantity { seen, sku: mug().sku, quantity: Quantity::new(quantity).unwrap(), stock: Stock::new() }
}

fn take_over(from: u128, policy: Policy, seen: Option<i64>) -> Change {
    let key = Key { id: format!("m{from}"), fingerprint: Fingerprint::from_stored(format!("{policy:?}")) };
    Change::Merge(Merge { from: id(from), guest: owner(from), policy, seen, key })
}

fn pieces(answer: &Result<Option<Cart>, Error>) -> u32 {
    answer.as_ref().unwrap().as_ref().unwrap().lines.iter().map(|line| line.quantity.get()).sum()
}

fn version(answer: &Result<Option<Cart>, Error>) -> i64 {
    answer.as_ref().unwrap().as_ref().unwrap().version
}

#[test]
fn a_strangers_cart_does_not_exist() {
    let changes = [
        add(1, None),
        set(1, 1),
        Change::Remove { seen: 1, sku: mug().sku },
        Change::Reprice { seen: 1, variants: vec![mug()], at: Timestamp::UNIX_EPOCH },
        Change::Empty,
        Change::Discard,
        take_over(3, Policy::Merge, None),
    ];
    for change in changes {
        let unknown = decide(&stored(&[]), &[by(2, 1, change.clone())]);
        let foreign = decide(&stored(&[1]), &[by(2, 1, change)]);
        assert_eq!(foreign.answers, [Err(Error::NoCart)]);
        assert_eq!(foreign, unknown);
    }
}

#[test]
fn of_two_writers_who_saw_one_version_the_second_is_stale() {
    let decision = decide(&stored(&[1]), &[by(1, 1, add(1, None)), by(1, 1, set(2, 5)), by(1, 1, set(2, 6))]);
    assert_eq!(pieces(&decision.answers[1]), 5);
    assert_eq!(decision.answers[2], Err(Error::Stale));
    assert_eq!(decision.carts.len(), 1);
    assert_eq!(decision.carts[0].after.as_ref().map(|cart| cart.version), Some(3));
}

#[test]
fn the_same_key_adds_once() {
    let before = stored(&[1]);
    let decision =
        decide(&before, &[by(1, 1, add(2, Some("k"))), by(1, 1, add(2, Some("k"))), by(1, 1, add(3, Some("k")))]);
    assert_eq!(pieces(&decision.answers[1]), 2);
    assert_eq!(decision.answers[2], Err(Error::KeyReused));
    assert_eq!(decision.done.len(), 1);
    let mut later = before;
    later.done.insert("k".to_owned(), Fingerprint::from_stored("2".to_owned()));
    let replay = decide(&later, &[by(1, 1, add(2, Some("k")))]);
    assert!(replay.carts.is_empty() && replay.done.is_empty());
}

#[test]
fn an_order_clears_the_version_it_was_made_from_and_nothing_else() {
    let clear = |ordered| Command::Clear { cart: id(1), ordered };
    let decision = decide(&stored(&[1]), &[by(1, 1, add(2, None)), clear(1), clear(2), clear(2)]);
    assert_eq!(pieces(&decision.answers[1]), 2);
    assert_eq!(pieces(&decision.answers[2]), 0);
    assert_eq!(decision.answers[2], decision.answers[3]);
    assert_eq!(decide(&stored(&[]), &[clear(1)]).answers, [Ok(None)]);
}

#[test]
fn prices_that_come_too_late_change_nothing() {
    let late = Change::Reprice { seen: 1, variants: Vec::new(), at: Timestamp::UNIX_EPOCH };
    let decision = decide(&stored(&[1]), &[by(1, 1, add(1, None)), by(1, 1, late)]);
    assert_eq!(decision.answers[0], decision.answers[1]);
}

#[test]
fn a_cart_bears_the_time_of_its_version() {
    let before = stored(&[1, 2]);
    let same = Change::Reprice { seen: 1, variants: Vec::new(), at: NOW };
    let decision = decide(&before, &[by(1, 1, add(1, None)), by(2, 2, same)]);
    let times: Vec<_> = decision.answers.into_iter().map(|answer| answer.unwrap().unwrap().updated_at).collect();
    assert_eq!(times, [NOW, before.carts[&id(2)].updated_at]);
    let late =
        Stored { carts: decision.carts.into_iter().filter_map(|c| Some((c.before.id, c.after?))).collect(), ..before };
    let earlier = super::decide(&late, &[by(1, 1, add(1, None))], NOW - jiff::SignedDuration::from_secs(9));
    let after = earlier.carts[0].after.as_ref().unwrap();
    assert_eq!((after.version, after.updated_at), (3, NOW), "another pod's clock is behind");
}

#[test]
fn an_emptied_cart_stays_and_is_emptied_once() {
    let empty = by(1, 1, Change::Empty);
    let decision = decide(&stored(&[1]), &[by(1, 1, add(2, None)), empty.clone(), empty, by(1, 1, add(1, None))]);
    let seen: Vec<_> = decision.answers.iter().map(|answer| (pieces(answer), version(answer))).collect();
    assert_eq!(seen, [(2, 2), (0, 3), (0, 3), (1, 4)]);
}

#[test]
fn a_discarded_cart_is_gone_for_those_behind() {
    let decision = decide(&stored(&[1]), &[by(1, 1, Change::Discard), by(1, 1, add(1, None))]);
    assert_eq!(decision.answers[1], Err(Error::NoCart));
    assert_eq!(decision.carts[0].after, None);
}

#[test]
fn commands_of_different_carts_do_not_meet() {
    let decision = decide(&stored(&[1, 2]), &[by(1, 1, add(1, None)), by(2, 2, add(2, None)), by(1, 2, add(9, None))]);
    assert_eq!(decision.carts.len(), 2);
    assert_eq!(pieces(&decision.answers[1]), 2);
    assert_eq!(decision.answers[2], Err(Error::NoCart));
}

#[test]
fn a_guests_cart_is_taken_over_once_and_is_gone_then() {
    let filled = [by(1, 1, add(1, None)), by(3, 3, add(2, None))];
    let again = [by(1, 1, take_over(3, Policy::Merge, None)), by(1, 1, take_over(3, Policy::Merge, None))];
    let after = [by(1, 1, take_over(3, Policy::KeepGuest, None)), by(3, 3, add(1, None))];
    let decision = decide(&stored(&[1, 3]), filled.iter().chain(&again).chain(&after));
    assert_eq!((pieces(&decision.answers[2]), pieces(&decision.answers[3])), (3, 3));
    assert_eq!(decision.answers[4..], [Err(Error::NoCart), Err(Error::NoCart)]);
    let left: Vec<_> = decision.carts.iter().map(|changed| changed.after.as_ref().map(|cart| cart.version)).collect();
    assert_eq!(left, [Some(3), None]);
    assert_eq!(decision.done.iter().map(|done| done.outcome).collect::<Vec<_>>(), ["merged"]);

    let mut later = stored(&[1]);
    later.done.insert("m3".to_owned(), Fingerprint::from_stored("Merge".to_owned()));
    let replay = decide(&later, &[by(1, 1, take_over(3, Policy::Merge, Some(9)))]);
    assert!(replay.answers[0].is_ok() && replay.carts.is_empty() && replay.done.is_empty());
}

#[test]
fn an_order_of_a_cart_that_was_taken_over_takes_its_pieces_along() {
    let filled = [by(1, 1, add(1, None)), by(3, 3, add(2, None)), by(1, 1, take_over(3, Policy::Merge, None))];
    let clear = |ordered| Command::Clear { cart: id(3), ordered };
    let clears = [clear(1), clear(2), clear(2)];
    let decision = decide(&stored(&[1, 3]), filled.iter().chain(&clears));
    let left: Vec<u32> = decision.answers[2..5].iter().map(pieces).collect();
    assert_eq!((left, &decision.answers[5]), (vec![3, 3, 1], &Ok(None)), "once");
    assert_eq!(decide(&stored(&[1]), &clears[..1]).answers, [Ok(None)], "nobody took it over");
}

#[test]
fn a_cart_that_is_not_proven_or_not_the_version_seen_is_not_taken_over() {
    let mut foreign = take_over(3, Policy::Merge, None);
    if let Change::Merge(merge) = &mut foreign {
        merge.guest = owner(4);
    }
    let refused = [by(1, 1, foreign), by(1, 1, take_over(3, Policy::KeepGuest, Some(2)))];
    let decision = decide(&stored(&[1, 3]), &refused);
    assert_eq!(decision.answers, [Err(Error::NoCart), Err(Error::Stale)]);
    assert!(decision.carts.is_empty() && decision.done.is_empty());
    assert!(decide(&stored(&[1, 3]), &[by(1, 1, take_over(3, Policy::Merge, Some(1)))]).answers[0].is_ok());
}
