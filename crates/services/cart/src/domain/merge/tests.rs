//! Two carts that become one.

use jiff::Timestamp;
use proptest::prelude::*;
use shop_types::{CartId, Currency, Money, ProductId, UserId};
use uuid::Uuid;

use super::*;
use crate::domain::{Offer, Owner, Variant};

const POLICIES: [Policy; 3] = [Policy::Merge, Policy::KeepGuest, Policy::KeepAccount];

fn eur() -> Currency {
    "EUR".parse().unwrap()
}

fn account() -> Cart {
    let owner = Owner::User(UserId::from_uuid(Uuid::from_u128(1)));
    Cart::open(CartId::from_uuid(Uuid::from_u128(2)), owner, 7, eur())
}

fn guest() -> Cart {
    Cart::open(CartId::from_uuid(Uuid::from_u128(3)), Owner::Guest("0".repeat(64)), 8, eur())
}

/// The cart with so many pieces of a SKU more, at a price that was asked for at a second.
fn with(cart: &Cart, sku: &str, pieces: u32, cents: i64, second: i64) -> Cart {
    let variant = Variant {
        sku: sku.parse().unwrap(),
        product: ProductId::from_uuid(Uuid::from_u128(3)),
        name: sku.to_uppercase(),
        price: Money::new(cents, eur()),
        offer: Offer::Sold,
    };
    let at = Timestamp::from_second(second).unwrap();
    cart.add(&[(variant, Quantity::new(pieces).unwrap())], at).unwrap()
}

fn lines(cart: &Cart) -> Vec<(&str, u32, i64)> {
    cart.lines.iter().map(|line| (line.sku.as_str(), line.quantity.get(), line.unit_price.amount)).collect()
}

#[test]
fn lines_of_both_add_up_at_the_price_that_was_asked_for_last() {
    let mine = with(&with(&account(), "mug", 2, 500, 10), "cup", 1, 300, 10);
    let theirs = with(&with(&guest(), "jug", 4, 900, 20), "cup", 2, 350, 20);
    let older = with(&guest(), "mug", 1, 450, 5);
    let merged = mine.take_over(&theirs, Policy::Merge).unwrap();
    assert_eq!(lines(&merged), [("mug", 2, 500), ("cup", 3, 350), ("jug", 4, 900)]);
    assert_eq!((merged.id, &merged.owner, merged.version), (mine.id, &mine.owner, mine.version + 1));
    assert_eq!(lines(&mine.take_over(&older, Policy::Merge).unwrap()), [("mug", 3, 500), ("cup", 1, 300)]);
}

#[test]
fn one_side_can_be_kept_alone() {
    let mine = with(&account(), "mug", 2, 500, 10);
    let theirs = with(&guest(), "cup", 1, 300, 20);
    assert_eq!(lines(&mine.take_over(&theirs, Policy::KeepGuest).unwrap()), [("cup", 1, 300)]);
    assert_eq!(mine.take_over(&theirs, Policy::KeepAccount).unwrap(), mine);
}

#[test]
fn an_empty_cart_changes_nothing_unless_it_shall_be_kept() {
    let mine = with(&account(), "mug", 2, 500, 10);
    assert_eq!(mine.take_over(&guest(), Policy::Merge).unwrap(), mine);
    assert!(mine.take_over(&guest(), Policy::KeepGuest).unwrap().lines.is_empty());
    assert!(POLICIES.iter().all(|policy| account().take_over(&guest(), *policy).unwrap() == account()));
}

#[test]
fn what_does_not_fit_into_one_cart_is_refused() {
    let half = |cart: Cart, name: &str, count: u32| {
        (0..count).fold(cart, |cart, n| with(&cart, &format!("{name}{n}"), 1, 1, 0))
    };
    let (mine, theirs) = (half(account(), "a", 60), half(guest(), "b", 40));
    assert_eq!(mine.take_over(&theirs, Policy::Merge).unwrap().lines.len(), MAX_LINES);
    let more = with(&theirs, "b40", 1, 1, 0);
    assert_eq!(mine.take_over(&more, Policy::Merge), Err(Error::Full));
    assert_eq!(mine.take_over(&more, Policy::KeepGuest).unwrap().lines.len(), 41);

    let (many, one) = (with(&account(), "mug", Quantity::MAX, 1, 0), with(&guest(), "mug", 1, 1, 0));
    assert_eq!(many.take_over(&one, Policy::Merge), Err(Error::TooMany));
    let (dear, dearer) = (with(&account(), "yacht", 1, i64::MAX / 2, 0), with(&guest(), "boat", 2, i64::MAX / 2, 0));
    assert_eq!(dear.take_over(&dearer, Policy::Merge), Err(Error::TooMuch));
}

#[test]
fn pieces_that_were_bought_leave_the_cart_that_took_them_over() {
    let mine = with(&account(), "mug", 2, 500, 10);
    let theirs = with(&with(&guest(), "mug", 1, 500, 20), "cup", 4, 300, 20);
    let bought = |cart: &Cart| cart.without_bought(theirs.id, theirs.version);
    let merged = mine.take_over(&theirs, Policy::Merge).unwrap();
    assert!(merged.has_pieces_of(theirs.id) && !mine.has_pieces_of(theirs.id));
    let left = bought(&merged);
    assert_eq!((lines(&left), left.version), (vec![("mug", 2, 500)], merged.version + 1));
    assert_eq!(bought(&left), left, "once");
    assert_eq!(merged.without_bought(theirs.id, theirs.version - 1), merged, "an earlier version was ordered");
    assert_eq!(merged.without_bought(mine.id, mine.version), merged);
    assert!(bought(&mine.take_over(&theirs, Policy::KeepGuest).unwrap()).lines.is_empty());
    assert_eq!(bought(&mine.take_over(&theirs, Policy::KeepAccount).unwrap()), mine);
    assert_eq!(lines(&bought(&with(&merged, "cup", 3, 300, 30))), [("mug", 2, 500), ("cup", 3, 300)], "new ones stay");
    let (mug, said) = (merged.lines[0].sku.clone(), Quantity::new(5).unwrap());
    let wanted = merged.set_quantity(&mug, said).unwrap();
    assert_eq!(lines(&bought(&wanted)), [("mug", 5, 500)], "their owner has said how many");
}

#[test]
fn an_order_of_the_account_is_not_in_the_way_of_one_of_the_guest() {
    let merged =
        with(&account(), "mug", 2, 500, 10).take_over(&with(&guest(), "mug", 1, 500, 20), Policy::Merge).unwrap();
    let left = merged.without_bought(guest().id, 2);
    assert_eq!(
        (left.version, left.since),
        (merged.version + 1, merged.since),
        "the account has ordered all of it meanwhile"
    );
    assert!(left.clear(merged.since).lines.is_empty());
}

#[test]
fn a_guests_cart_at_other_prices_is_the_cart_that_they_ordered() {
    let ordered = with(&guest(), "mug", 1, 500, 10);
    let line = &ordered.lines[0];
    let dearer = Variant {
        sku: line.sku.clone(),
        product: line.product,
        name: line.name.clone(),
        price: Money::new(900, eur()),
        offer: Offer::Sold,
    };
    let shown = ordered.reprice(&[dearer], Timestamp::from_second(90).unwrap()).unwrap();
    assert_eq!(shown.version, ordered.version + 1);
    let merged = account().take_over(&shown, Policy::Merge).unwrap();
    assert!(merged.without_bought(ordered.id, ordered.since).lines.is_empty());
}

#[test]
fn a_line_remembers_the_last_ten_carts_that_it_came_from() {
    let guests: Vec<Cart> = (0..12)
        .map(|n| Cart { id: CartId::from_uuid(Uuid::from_u128(100 + n)), ..with(&guest(), "mug", 1, 500, 10) })
        .collect();
    let merged = guests.iter().fold(account(), |cart, guest| cart.take_over(guest, Policy::Merge).unwrap());
    assert_eq!((lines(&merged), merged.lines[0].brought.len()), (vec![("mug", 12, 500)], 10));
    let left = guests.iter().fold(merged, |cart, guest| cart.without_bought(guest.id, guest.version));
    assert_eq!(lines(&left), [("mug", 2, 500)]);
}

#[test]
fn the_same_lines_from_elsewhere_are_no_other_version() {
    let (mine, theirs) = (with(&account(), "mug", 2, 500, 10), with(&guest(), "mug", 2, 500, 10));
    let kept = mine.take_over(&theirs, Policy::KeepGuest).unwrap();
    assert_eq!((kept.version, lines(&kept)), (mine.version, lines(&mine)));
    assert!(kept.has_pieces_of(theirs.id));
}

proptest! {
    #[test]
    fn no_piece_is_lost_or_made(
        mine in prop::collection::vec((0_u32..9, 1_u32..50), 0..20),
        theirs in prop::collection::vec((0_u32..9, 1_u32..50), 0..20),
    ) {
        let fill = |cart: Cart, adds: &[(u32, u32)]| {
            adds.iter().fold(cart, |cart, (n, pieces)| with(&cart, &format!("s{n}"), *pieces, 1, 0))
        };
        let merged = fill(account(), &mine).take_over(&fill(guest(), &theirs), Policy::Merge).unwrap();
        for n in 0..9 {
            let added: u32 = mine.iter().chain(&theirs).filter(|(sku, _)| *sku == n).map(|(_, pieces)| pieces).sum();
            let found = merged.lines.iter().filter(|line| line.sku.as_str() == format!("s{n}"));
            prop_assert_eq!(found.map(|line| line.quantity.get()).sum::<u32>(), added);
        }
    }
}
