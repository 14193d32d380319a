//! One location for all, otherwise the first for each line, otherwise what is missing.

use shop_types::Quantity;

use super::*;
use crate::domain::{Stock, shelves};

/// Stock as `mug@main:5`.
fn stock(texts: &[&str]) -> BTreeMap<Sku, Shelf> {
    shelves(texts.iter().map(|text| {
        let (place, pieces) = text.split_once(':').unwrap();
        let (sku, location) = place.split_once('@').unwrap();
        let pieces = pieces.parse().unwrap();
        let none = Stock::none(sku.parse().unwrap(), location.parse().unwrap());
        Stock { available: pieces, received: pieces, version: 1, ..none }
    }))
}

fn lines(wanted: &[(&str, u32)]) -> Lines {
    let line =
        |(sku, quantity): &(&str, u32)| Line { sku: sku.parse().unwrap(), quantity: Quantity::new(*quantity).unwrap() };
    Lines::new(wanted.iter().map(line).collect()).unwrap()
}

/// The chosen locations, by SKU, or the shortages as SKU and available pieces.
fn chosen(there: &[&str], wanted: &[(&str, u32)]) -> Result<Vec<String>, Vec<(String, i64)>> {
    let told = |(sku, location): (Sku, LocationId)| format!("{sku}@{location}");
    choose(&stock(there), &lines(wanted))
        .map(|chosen| chosen.into_iter().map(told).collect())
        .map_err(|short| short.into_iter().map(|short| (short.sku.to_string(), short.available)).collect())
}

fn places(places: &[&str]) -> Vec<String> {
    places.iter().map(|place| (*place).to_owned()).collect()
}

#[test]
fn main_serves_what_it_has_and_the_others_follow_by_id() {
    let everywhere = ["mug@main:2", "mug@berlin:5", "mug@aachen:3"];
    assert_eq!(chosen(&everywhere, &[("mug", 2)]), Ok(places(&["mug@main"])));
    assert_eq!(chosen(&everywhere, &[("mug", 3)]), Ok(places(&["mug@aachen"])));
    assert_eq!(chosen(&everywhere, &[("mug", 4)]), Ok(places(&["mug@berlin"])));
}

#[test]
fn one_location_that_has_all_lines_is_better_than_two_that_come_before_it() {
    let there = ["cup@main:5", "mug@berlin:5", "cup@zoo:5", "mug@zoo:5"];
    assert_eq!(chosen(&there, &[("cup", 1), ("mug", 1)]), Ok(places(&["cup@zoo", "mug@zoo"])));
}

#[test]
fn where_none_has_all_each_line_comes_from_the_first_that_has_it() {
    let there = ["cup@main:5", "mug@main:1", "mug@berlin:5", "pot@zoo:1"];
    let wanted = [("cup", 1), ("mug", 2), ("pot", 1)];
    assert_eq!(chosen(&there, &wanted), Ok(places(&["cup@main", "mug@berlin", "pot@zoo"])));
}

#[test]
fn a_line_is_never_split_so_that_of_the_fullest_location_is_missing() {
    let there = ["mug@main:2", "mug@berlin:3", "cup@main:9"];
    let short = [("mug".to_owned(), 3), ("pot".to_owned(), 0)];
    assert_eq!(chosen(&there, &[("mug", 4), ("cup", 1), ("pot", 1)]), Err(short.to_vec()));
}
