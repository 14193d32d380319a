//! What is well-formed.

use super::*;

fn line(sku: &str, quantity: u32) -> Line {
    Line { sku: sku.parse().unwrap(), quantity: Quantity::new(quantity).unwrap() }
}

#[test]
fn lines_in_another_order_are_the_same_lines() {
    assert_eq!(Lines::new(vec![line("b", 1), line("a", 2)]), Lines::new(vec![line("a", 2), line("b", 1)]));
}

#[test]
fn lines_are_1_to_200_and_name_a_sku_once() {
    let many = |n: usize| (0..n).map(|i| line(&format!("sku-{i}"), 1)).collect::<Vec<_>>();
    assert!(Lines::new(many(0)).is_err());
    assert!(Lines::new(many(200)).is_ok());
    assert!(Lines::new(many(201)).is_err());
    assert!(Lines::new(vec![line("a", 1), line("a", 2)]).is_err());
}

#[test]
fn differences_and_reasons_have_limits() {
    assert!([0, 1_000_001, -1_000_001, i64::MIN, i64::MAX].into_iter().all(|n| Delta::new(n).is_err()));
    assert!([1, -1, 1_000_000, -1_000_000].into_iter().all(|n| Delta::new(n).is_ok()));
    assert!(["", "  ", "a\nb", "a\0", &"ä".repeat(201)].into_iter().all(|text| Reason::new(text).is_err()));
    assert_eq!(Reason::new(" counted ").unwrap().as_str(), "counted");
    assert!(Reason::new(&"ä".repeat(200)).is_ok());
}

#[test]
fn counts_that_do_not_add_up_are_noticed() {
    let good = Stock {
        available: 3,
        reserved: 2,
        sold: 1,
        received: 6,
        ..Stock::none("a".parse().unwrap(), LocationId::main())
    };
    assert!(good.is_balanced());
    assert!(!Stock { received: 7, ..good.clone() }.is_balanced());
    assert!(!Stock { available: -1, received: 2, ..good.clone() }.is_balanced());
    assert!(!Stock { available: i64::MAX, reserved: i64::MAX, ..good }.is_balanced());
}

#[test]
fn what_can_be_sold_is_what_lies_in_the_fullest_location() {
    let stock = |location: &str, available, version| Stock {
        available,
        received: available,
        version,
        ..Stock::none("a".parse().unwrap(), location.parse().unwrap())
    };
    let shelves = shelves([stock("zoo", 4, 1), stock("main", 2, 3), stock("berlin", 4, 5)]);
    let shelf = &shelves[&"a".parse().unwrap()];
    assert_eq!((shelf.sellable(), shelf.version()), (4, 9));
    let order: Vec<_> = shelf.stocks().map(|stock| stock.location.as_str()).collect();
    assert_eq!(order, ["main", "berlin", "zoo"]);
    assert_eq!((Shelf::default().sellable(), Shelf::default().version()), (0, 0));
}
