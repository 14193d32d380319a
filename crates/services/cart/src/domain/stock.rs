//! How many pieces a cart takes: no more than can be sold.
//!
//! This spares buyers a way to the till that ends with a refusal, and is no more than that. Nothing is held: an order takes
//! the pieces or is refused, whatever a cart was told. So nobody is refused for want of an answer, and nobody who wants fewer
//! pieces than before, or logs in with a full cart.

use std::collections::BTreeMap;

use shop_types::{Quantity, Sku};

use super::{Cart, Error};

/// How many pieces one line could get of each of these SKUs a moment ago. Of the others nobody knows.
pub type Stock = BTreeMap<Sku, i64>;

/// A line that wants more than there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortage {
    /// Of what.
    pub sku: Sku,
    /// How many pieces the line would have.
    pub requested: Quantity,
    /// How many can be sold.
    pub available: i64,
}

impl Cart {
    /// The cart, if no line has more pieces than there are and more than it had before.
    ///
    /// # Errors
    /// [`Error::SoldOut`] with all lines of which that is so.
    pub(super) fn within(self, stock: &Stock, before: &Self) -> Result<Self, Error> {
        let had = |sku: &Sku| before.lines.iter().find(|line| &line.sku == sku).map_or(0, |line| line.quantity.get());
        let grown = self.lines.iter().filter(|line| line.quantity.get() > had(&line.sku));
        let short = grown.filter_map(|line| {
            let available = *stock.get(&line.sku)?;
            let short = i64::from(line.quantity.get()) > available;
            short.then(|| Shortage { sku: line.sku.clone(), requested: line.quantity, available })
        });
        let shortages: Vec<Shortage> = short.collect();
        if shortages.is_empty() { Ok(self) } else { Err(Error::SoldOut { shortages }) }
    }
}

#[cfg(test)]
mod tests;
