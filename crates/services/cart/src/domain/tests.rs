//! The rules of one cart.

use proptest::prelude::*;
use uuid::Uuid;

use super::*;

fn eur() -> Currency {
    "EUR".parse().unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn cart() -> Cart {
    let owner = Owner::User(UserId::from_uuid(Uuid::from_u128(1)));
    Cart::open(CartId::from_uuid(Uuid::from_u128(2)), owner, 7, eur())
}

fn variant(sku: &str, cents: i64) -> Variant {
    Variant {
        sku: sku.parse().unwrap(),
        product: ProductId::from_uuid(Uuid::from_u128(3)),
        name: sku.to_uppercase(),
        price: Money::new(cents, eur()),
        offer: Offer::Sold,
    }
}

fn pieces(n: u32) -> Quantity {
    Quantity::new(n).unwrap()
}

#[test]
fn adding_a_sku_again_adds_up_at_the_price_of_now() {
    let cart = cart().add(&[(variant("mug", 500), pieces(2))], at(0)).unwrap();
    let cart = cart.add(&[(variant("mug", 600), pieces(3))], at(9)).unwrap();
    assert_eq!(cart.lines.len(), 1);
    assert_eq!((cart.lines[0].quantity, cart.lines[0].priced_at), (pieces(5), at(9)));
    assert_eq!(cart.total(), Ok(Money::new(3000, eur())));
    assert_eq!(cart.version, 3);
}

#[test]
fn a_cart_has_at_most_100_lines_and_a_line_a_million_pieces() {
    let full = (0..100).fold(cart(), |cart, n| cart.add(&[(variant(&format!("s{n}"), 1), pieces(1))], at(0)).unwrap());
    assert_eq!(full.add(&[(variant("one-more", 1), pieces(1))], at(0)), Err(Error::Full));
    let more = full.add(&[(variant("s5", 1), pieces(999_999))], at(0)).unwrap();
    assert_eq!(more.add(&[(variant("s5", 1), pieces(1))], at(0)), Err(Error::TooMany));
}

#[test]
fn items_that_come_together_make_one_version_or_none() {
    let (mugs, cups) = ((variant("mug", 500), pieces(2)), (variant("cup", 300), pieces(1)));
    let both = cart().add(&[mugs.clone(), cups, mugs.clone()], at(0)).unwrap();
    let lines: Vec<_> = both.lines.iter().map(|line| (line.sku.as_str(), line.quantity)).collect();
    assert_eq!((both.version, lines), (2, vec![("mug", pieces(4)), ("cup", pieces(1))]));
    let gone = Variant { offer: Offer::Withdrawn, ..variant("jug", 1) };
    assert_eq!(cart().add(&[mugs, (gone, pieces(1))], at(0)), Err(Error::NotSold));
}

#[test]
fn a_total_that_cannot_be_told_is_refused() {
    let dear = variant("yacht", i64::MAX / 2);
    assert_eq!(cart().add(&[(dear.clone(), pieces(3))], at(0)), Err(Error::TooMuch));
    let one = cart().add(&[(dear.clone(), pieces(2))], at(0)).unwrap();
    assert_eq!(one.add(&[(variant("boat", i64::MAX / 2), pieces(1))], at(0)), Err(Error::TooMuch));
    assert_eq!(one.set_quantity(&dear.sku, pieces(3)), Err(Error::TooMuch));
    assert_eq!(one.reprice(&[variant("yacht", i64::MAX)], at(1)), Err(Error::TooMuch));
}

#[test]
fn what_is_not_sold_or_not_in_our_currency_cannot_be_added() {
    let gone = Variant { offer: Offer::Withdrawn, ..variant("mug", 1) };
    assert_eq!(cart().add(&[(gone.clone(), pieces(1))], at(0)), Err(Error::NotSold));
    let foreign = Variant { price: Money::new(1, "USD".parse().unwrap()), ..variant("mug", 1) };
    assert_eq!(
        cart().add(&[(foreign.clone(), pieces(1))], at(0)),
        Err(Error::OtherCurrency { sku: "mug".parse().unwrap() })
    );
}

#[test]
fn lines_change_and_go() {
    let cart = cart().add(&[(variant("mug", 500), pieces(2))], at(0)).unwrap();
    let sku = cart.lines[0].sku.clone();
    assert_eq!(cart.set_quantity(&sku, pieces(2)).unwrap().version, 2);
    assert_eq!(cart.set_quantity(&sku, pieces(4)).unwrap().version, 3);
    assert!(cart.remove(&sku).unwrap().lines.is_empty());
    let other = "cup".parse().unwrap();
    assert_eq!(cart.remove(&other), Err(Error::NoLine));
    assert_eq!(cart.set_quantity(&other, pieces(1)), Err(Error::NoLine));
}

#[test]
fn an_order_empties_only_the_version_it_was_made_from() {
    let cart = cart().add(&[(variant("mug", 500), pieces(2))], at(0)).unwrap();
    assert_eq!(cart.clear(1), cart);
    let cleared = cart.clear(2);
    assert!(cleared.lines.is_empty());
    assert_eq!(cleared.version, 3);
    assert_eq!(cleared.clear(2), cleared);
}

#[test]
fn an_order_empties_a_cart_that_only_prices_have_changed_of() {
    let ordered = cart().add(&[(variant("mug", 500), pieces(2))], at(0)).unwrap();
    let dearer = ordered.reprice(&[variant("mug", 501)], at(90)).unwrap();
    assert_eq!((dearer.version, dearer.since), (3, ordered.since), "another cart to look at, the same to order");
    assert!(dearer.clear(ordered.since).lines.is_empty());
    let same = dearer.set_quantity(&dearer.lines[0].sku, pieces(2)).unwrap();
    assert_eq!((same.version, same.since), (3, ordered.since));
    let more = dearer.add(&[(variant("cup", 300), pieces(1))], at(91)).unwrap();
    assert_eq!((more.version, more.since), (4, 4));
    assert_eq!(more.clear(ordered.since), more, "its owner wants other things now");
}

#[test]
fn prices_grow_old_after_a_minute() {
    let cart = cart().add(&[(variant("mug", 500), pieces(1))], at(0)).unwrap();
    assert!(cart.stale_skus(at(60)).is_empty());
    assert_eq!(cart.stale_skus(at(61)), [cart.lines[0].sku.clone()]);
}

#[test]
fn new_prices_make_a_new_version_and_the_same_prices_do_not() {
    let cart = cart().add(&[(variant("mug", 500), pieces(1))], at(0)).unwrap();
    let same = cart.reprice(&[variant("mug", 500)], at(90)).unwrap();
    assert_eq!((same.version, same.stale_skus(at(91)).len()), (cart.version, 0));
    let dearer = cart.reprice(&[variant("mug", 501)], at(90)).unwrap();
    assert_eq!(dearer.version, cart.version + 1);
    assert_eq!(dearer.total(), Ok(Money::new(501, eur())));
}

#[test]
fn a_line_that_has_gone_from_the_catalog_is_marked_and_keeps_its_price() {
    let cart = cart().add(&[(variant("mug", 500), pieces(1))], at(0)).unwrap();
    let marked = cart.reprice(&[], at(90)).unwrap();
    assert_eq!((marked.lines[0].offer, marked.lines[0].unit_price.amount), (Offer::Withdrawn, 500));
    let back = marked.reprice(&[variant("mug", 500)], at(180)).unwrap();
    assert_eq!(back.lines[0].offer, Offer::Sold);
}

proptest! {
    #[test]
    fn the_total_is_the_sum_of_prices_times_pieces(lines in prop::collection::vec((0_i64..1_000_000, 1_u32..1000), 0..50)) {
        let filled = lines.iter().enumerate().fold(cart(), |cart, (n, (cents, q))| {
            cart.add(&[(variant(&format!("s{n}"), *cents), pieces(*q))], at(0)).unwrap()
        });
        let sum: i64 = lines.iter().map(|(cents, q)| cents * i64::from(*q)).sum();
        prop_assert_eq!(filled.total(), Ok(Money::new(sum, eur())));
        prop_assert_eq!(filled.version, 1 + i64::try_from(lines.len()).unwrap());
    }
}
