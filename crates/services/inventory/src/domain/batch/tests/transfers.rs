//! Transfers: all of it or nothing.

use super::*;

#[test]
fn a_transfer_moves_free_pieces_and_tells_both_ends() {
    let (stored, answers) = run(&[
        vec![adjust("mug", 5, None), reserve(1, &[("mug", 2)]), transfer("mug", "main", "zoo", 3, Some("k"))],
        vec![adjust_at("zoo", "mug", 1, None), transfer("mug", "main", "zoo", 3, Some("k"))],
    ]);
    assert_eq!((counts(&stored, "mug"), counts_at(&stored, "mug", "zoo")), ((0, 2, 0, 2), (4, 0, 0, 4)));
    let Ok(Answer::Moved(Moved::Transfer(Transferred { from, to, .. }))) = &answers[2] else { panic!("{answers:?}") };
    assert_eq!(((from.available, from.version), (to.available, to.version)), ((0, 3), (3, 1)));
    assert_eq!(answers[4], answers[2], "as it was then");
}

#[test]
fn the_two_movements_of_a_transfer_name_each_other() {
    let (stored, _) = run(&[vec![adjust("mug", 5, None)]]);
    let movements = decide(&stored, &[transfer("mug", "main", "zoo", 3, None)]).writes.movements;
    let end = |movement: &Movement| {
        let Cause::Transferred { id, other, other_version, .. } = &movement.cause else { panic!("{movement:?}") };
        (*id, other.to_string(), *other_version, movement.after.location.to_string(), movement.after.version)
    };
    let ends: Vec<_> = movements.iter().map(end).collect();
    let id = TransferId::from_uuid(Uuid::from_u128(3));
    let [zoo, main] = ["zoo", "main"].map(str::to_owned);
    assert_eq!(ends, [(id, zoo.clone(), 1, main.clone(), 2), (id, main, 2, zoo, 1)]);
}

#[test]
fn a_transfer_that_cannot_be_moves_nothing() {
    let (stored, answers) = run(&[vec![
        adjust("mug", 5, None),
        reserve(1, &[("mug", 3)]),
        transfer("mug", "main", "zoo", 3, None),
        transfer("mug", "main", "main", 1, None),
        transfer("mug", "main", "potsdam", 1, None),
        transfer("mug", "potsdam", "main", 1, None),
        transfer("cup", "zoo", "main", 1, None),
    ]]);
    let refused = [
        Err(Error::BelowZero { sku: sku("mug"), available: 2 }),
        Err(Error::SameLocation),
        Err(Error::NoLocation { field: "to" }),
        Err(Error::NoLocation { field: "from" }),
        Err(Error::BelowZero { sku: sku("cup"), available: 0 }),
    ];
    assert_eq!(answers[2..], refused);
    assert_eq!(counts(&stored, "mug"), (2, 3, 0, 5));
    assert!(stored.stock[&sku("mug")].at(&place("zoo")).is_none() && !stored.stock.contains_key(&sku("cup")));
}
