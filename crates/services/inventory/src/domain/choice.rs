//! From which location each line of an order is taken.
//!
//! One location serves a whole line. Best is one for all lines, since the order is one parcel then: the first that has all of
//! them. Where none has, each line comes from the first location that has enough of it. Locations are asked in their own
//! order: `main`, then by id.

use std::collections::BTreeMap;

use shop_types::Sku;

use super::location::LocationId;
use super::{Line, Lines, Shelf, Shortage};

/// Chooses a location for each line; otherwise says of each line that has none how much there is where there is most.
pub(super) fn choose(stock: &BTreeMap<Sku, Shelf>, lines: &Lines) -> Result<BTreeMap<Sku, LocationId>, Vec<Shortage>> {
    let lines = lines.as_slice();
    if let Some(location) = one_for_all(stock, lines) {
        return Ok(lines.iter().map(|line| (line.sku.clone(), location.clone())).collect());
    }
    let (mut chosen, mut shortages) = (BTreeMap::new(), Vec::new());
    for line in lines {
        let Line { sku, quantity } = line;
        if let Some(location) = fitting(stock, line).next() {
            chosen.insert(sku.clone(), location.clone());
        } else {
            let available = stock.get(sku).map(Shelf::sellable).unwrap_or_default();
            shortages.push(Shortage { sku: sku.clone(), requested: *quantity, available });
        }
    }
    if shortages.is_empty() { Ok(chosen) } else { Err(shortages) }
}

/// The first location that has all lines. It has the first one, too.
fn one_for_all<'s>(stock: &'s BTreeMap<Sku, Shelf>, lines: &[Line]) -> Option<&'s LocationId> {
    let (first, others) = lines.split_first()?;
    fitting(stock, first).find(|location| others.iter().all(|line| fits(stock, line, location)))
}

/// The locations that have enough of a line, in their order.
fn fitting<'s>(stock: &'s BTreeMap<Sku, Shelf>, line: &Line) -> impl Iterator<Item = &'s LocationId> {
    let wanted = i64::from(line.quantity.get());
    let shelf = stock.get(&line.sku).into_iter().flat_map(Shelf::stocks);
    shelf.filter(move |stock| stock.available >= wanted).map(|stock| &stock.location)
}

fn fits(stock: &BTreeMap<Sku, Shelf>, line: &Line, location: &LocationId) -> bool {
    let stock = stock.get(&line.sku).and_then(|shelf| shelf.at(location));
    stock.is_some_and(|stock| stock.available >= i64::from(line.quantity.get()))
}

#[cfg(test)]
mod tests;
