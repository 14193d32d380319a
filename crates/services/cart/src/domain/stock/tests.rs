//! What a cart takes of what there is.

use jiff::Timestamp;
use shop_types::{CartId, Currency, Money, ProductId, UserId};
use uuid::Uuid;

use super::super::{Offer, Owner, Variant};
use super::*;

fn sku(name: &str) -> Sku {
    name.parse().unwrap()
}

fn pieces(quantity: u32) -> Quantity {
    Quantity::new(quantity).unwrap()
}

fn with(cart: &Cart, items: &[(&str, u32)]) -> Cart {
    let product = ProductId::from_uuid(Uuid::from_u128(3));
    let item = |(name, quantity): &(&str, u32)| {
        let price = Money::new(500, "EUR".parse().unwrap());
        let variant = Variant { sku: sku(name), product, name: (*name).to_owned(), price, offer: Offer::Sold };
        (variant, pieces(*quantity))
    };
    cart.add(&items.iter().map(item).collect::<Vec<_>>(), Timestamp::UNIX_EPOCH).unwrap()
}

fn filled(items: &[(&str, u32)]) -> Cart {
    let currency: Currency = "EUR".parse().unwrap();
    let owner = Owner::User(UserId::from_uuid(Uuid::from_u128(1)));
    with(&Cart::open(CartId::from_uuid(Uuid::from_u128(2)), owner, 1, currency), items)
}

fn stock(known: &[(&str, i64)]) -> Stock {
    known.iter().map(|(name, available)| (sku(name), *available)).collect()
}

#[test]
fn a_line_takes_what_there_is_and_no_piece_more() {
    let before = filled(&[("mug", 2)]);
    let three = with(&before, &[("mug", 1)]);
    assert_eq!(three.clone().within(&stock(&[("mug", 3)]), &before), Ok(three.clone()));
    let short = vec![Shortage { sku: sku("mug"), requested: pieces(3), available: 2 }];
    assert_eq!(three.within(&stock(&[("mug", 2)]), &before), Err(Error::SoldOut { shortages: short }));
}

#[test]
fn all_short_lines_are_told_and_pieces_of_one_sku_count_together() {
    let before = filled(&[]);
    let after = with(&before, &[("mug", 2), ("cup", 1), ("mug", 2), ("pot", 5)]);
    let known = stock(&[("mug", 3), ("cup", 1), ("pot", 0)]);
    let short = [("mug", 4, 3), ("pot", 5, 0)].map(|(name, requested, available)| Shortage {
        sku: sku(name),
        requested: pieces(requested),
        available,
    });
    assert_eq!(after.within(&known, &before), Err(Error::SoldOut { shortages: short.to_vec() }));
}

#[test]
fn what_lies_in_a_cart_stays_and_may_grow_less_whatever_there_is() {
    let before = filled(&[("mug", 9), ("cup", 1)]);
    let known = stock(&[("mug", 2), ("cup", 5)]);
    let fewer = before.set_quantity(&sku("mug"), pieces(8)).unwrap();
    assert_eq!(fewer.clone().within(&known, &before), Ok(fewer));
    let other = with(&before, &[("cup", 1)]);
    assert_eq!(other.clone().within(&known, &before), Ok(other));
}

#[test]
fn nobody_is_refused_when_nobody_knows_what_there_is() {
    let before = filled(&[]);
    let after = with(&before, &[("mug", 1_000)]);
    assert_eq!(after.clone().within(&Stock::new(), &before), Ok(after));
}
