//! What a batch changes: the difference between what was stored and what is so behind its last command.

use std::collections::BTreeMap;

use shop_types::event::StockFact;
use shop_types::{OrderId, Sku};

use super::{Done, Movement, Stored};
use crate::domain::{Reservation, Shelf, Stock};

/// A value that differs from what is stored. The write must be refused when the stored one is no longer `before`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed<T> {
    /// What was read; `None` when nothing is stored yet.
    pub before: Option<T>,
    /// What is to be stored.
    pub after: T,
}

/// Everything a batch changes. Either all of it is stored or nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Writes {
    /// Stock that moved, sorted by SKU and location, once per both.
    pub stock: Vec<Changed<Stock>>,
    /// What others hear of it, sorted by SKU. That held pieces are now sold changes nothing for them.
    pub facts: Vec<StockFact>,
    /// Reservations made or moved on, sorted by order.
    pub reservations: Vec<Changed<Reservation>>,
    /// Every single movement, in the order in which they happened.
    pub movements: Vec<Movement>,
    /// Keyed commands that were done.
    pub done: Vec<Done>,
}

impl Writes {
    pub(super) fn between(before: &Stored, after: Stored, movements: Vec<Movement>, done: Vec<Done>) -> Self {
        Self {
            stock: moved_stock(&before.stock, &after.stock),
            facts: facts(&before.stock, &after.stock),
            reservations: moved_reservations(&before.reservations, after.reservations),
            movements,
            done,
        }
    }
}

fn moved_stock(before: &BTreeMap<Sku, Shelf>, after: &BTreeMap<Sku, Shelf>) -> Vec<Changed<Stock>> {
    let change = |after: &Stock| {
        let before = before.get(&after.sku).and_then(|shelf| shelf.at(&after.location));
        (before != Some(after)).then(|| Changed { before: before.cloned(), after: after.clone() })
    };
    after.values().flat_map(Shelf::stocks).filter_map(change).collect()
}

fn moved_reservations(
    before: &BTreeMap<OrderId, Reservation>,
    after: BTreeMap<OrderId, Reservation>,
) -> Vec<Changed<Reservation>> {
    after
        .into_iter()
        .map(|(order, after)| Changed { before: before.get(&order).cloned(), after })
        .filter(|change| change.before.as_ref() != Some(&change.after))
        .collect()
}

/// What can be sold of each SKU of which that has changed, or that was not known.
fn facts(before: &BTreeMap<Sku, Shelf>, after: &BTreeMap<Sku, Shelf>) -> Vec<StockFact> {
    let differs =
        |(sku, shelf): &(&Sku, &Shelf)| before.get(*sku).is_none_or(|before| before.sellable() != shelf.sellable());
    let fact = |(sku, shelf): (&Sku, &Shelf)| StockFact {
        sku: sku.clone(),
        available: shelf.sellable(),
        version: shelf.version(),
    };
    after.iter().filter(differs).map(fact).collect()
}
