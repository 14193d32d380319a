//! What holds for every book of addresses.

use uuid::Uuid;

use super::*;

fn id(n: u128) -> AddressId {
    AddressId::from_uuid(Uuid::from_u128(n))
}

fn place(city: &str) -> Place {
    Place {
        name: "Ada King".parse().unwrap(),
        line1: "12 St James's Square".parse().unwrap(),
        line2: Some("Flat 2".parse().unwrap()),
        city: city.parse().unwrap(),
        region: None,
        postal_code: Some("SW1Y 4JH".parse().unwrap()),
        country: "GB".parse().unwrap(),
        phone: None,
    }
}

fn book(addresses: u128) -> AddressBook {
    let empty = AddressBook::empty(UserId::from_uuid(Uuid::from_u128(1)));
    (1..=addresses).fold(empty, |book, n| book.with(id(n), place("London"), false).unwrap())
}

/// Id, version and mark of each address.
fn rows(book: &AddressBook) -> Vec<(u128, i64, bool)> {
    book.addresses.iter().map(|one| (one.id.as_uuid().as_u128(), one.version, one.is_default)).collect()
}

#[test]
fn the_first_address_is_the_default_and_later_ones_only_when_wished() {
    let book = book(2);
    assert_eq!(rows(&book), [(1, 1, true), (2, 1, false)]);
    let book = book.with(id(3), place("Paris"), true).unwrap();
    assert_eq!(rows(&book), [(1, 2, false), (2, 1, false), (3, 1, true)]);
    assert_eq!(book.version, 3);
}

#[test]
fn a_full_book_takes_no_more() {
    let full = book(20);
    assert_eq!(full.clone().with(id(21), place("Paris"), true), Err(Refused::Full));
    assert!(full.without(id(7)).unwrap().with(id(21), place("Paris"), false).is_ok());
}

#[test]
fn a_change_touches_what_it_names_and_nothing_else() {
    let change = PlaceChange { line2: Some(None), city: Some("Paris".parse().unwrap()), ..PlaceChange::default() };
    let changed = book(2).changed(id(2), 1, change, false).unwrap();
    assert_eq!(rows(&changed), [(1, 1, true), (2, 2, false)]);
    assert_eq!(changed.get(id(2)).unwrap().place, Place { line2: None, ..place("Paris") });
    assert_eq!(changed.get(id(1)).unwrap().place, place("London"));
    assert_eq!(changed.clone().changed(id(2), 1, PlaceChange::default(), true), Err(Refused::Stale(2)));
    assert_eq!(changed.changed(id(3), 1, PlaceChange::default(), true), Err(Refused::Unknown));
}

#[test]
fn the_default_moves_and_never_vanishes() {
    let moved = book(3).changed(id(2), 1, PlaceChange::default(), true).unwrap();
    assert_eq!(rows(&moved), [(1, 2, false), (2, 2, true), (3, 1, false)]);
    let same = moved.changed(id(2), 2, PlaceChange::default(), true).unwrap();
    assert_eq!(rows(&same), [(1, 2, false), (2, 3, true), (3, 1, false)]);
    let without = same.without(id(2)).unwrap();
    assert_eq!(rows(&without), [(1, 3, true), (3, 1, false)]);
    let without = without.without(id(3)).unwrap();
    assert_eq!(rows(&without), [(1, 3, true)]);
    let empty = without.without(id(1)).unwrap();
    assert_eq!((rows(&empty), empty.version), (Vec::new(), 8));
    assert_eq!(empty.without(id(1)), Err(Refused::Unknown));
}

#[test]
fn what_is_no_line_and_no_country_is_refused() {
    for text in ["", "  ", "a\nb", "a\0b", &"n".repeat(101)] {
        assert!(text.parse::<Line>().is_err(), "{text:?}");
    }
    assert_eq!(" Rue d'Été ".parse::<Line>().unwrap().as_str(), "Rue d'Été");
    for text in ["", "de", "DEU", "D1", "ÄÖ", " DE"] {
        assert!(text.parse::<Country>().is_err(), "{text:?}");
    }
}
