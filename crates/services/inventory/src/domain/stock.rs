//! What there is of a SKU, in one location and in all of them.

use std::collections::BTreeMap;

use shop_types::Sku;

use super::location::LocationId;

/// Where the pieces of one SKU are that came into one location. Each of them is in exactly one of three places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stock {
    /// Which variant.
    pub sku: Sku,
    /// Which location.
    pub location: LocationId,
    /// Pieces that can be sold now.
    pub available: i64,
    /// Pieces that orders hold.
    pub reserved: i64,
    /// Pieces that have been sold and paid for.
    pub sold: i64,
    /// Pieces that ever came in, less those written off: always `available + reserved + sold`.
    pub received: i64,
    /// Grows by one with every movement; 0 means that nothing has been stored yet.
    pub version: i64,
}

impl Stock {
    /// A SKU of which nothing ever came into a location.
    #[must_use]
    pub const fn none(sku: Sku, location: LocationId) -> Self {
        Self { sku, location, available: 0, reserved: 0, sold: 0, received: 0, version: 0 }
    }

    /// Pieces on the shelf: those that can be sold and those that orders hold.
    #[must_use]
    pub const fn on_hand(&self) -> i64 {
        self.available + self.reserved
    }

    /// Whether every piece is in exactly one place and no count is below zero (invariant I1).
    #[must_use]
    pub fn is_balanced(&self) -> bool {
        let sum = self.available.checked_add(self.reserved).and_then(|sum| sum.checked_add(self.sold));
        self.available >= 0 && self.reserved >= 0 && self.sold >= 0 && sum == Some(self.received)
    }
}

/// The stock of one SKU in all locations where some ever came in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shelf(BTreeMap<LocationId, Stock>);

impl Shelf {
    /// The stock in one location, if any ever came in.
    #[must_use]
    pub fn at(&self, location: &LocationId) -> Option<&Stock> {
        self.0.get(location)
    }

    /// The stock in each location, in the order in which they serve orders.
    pub fn stocks(&self) -> impl Iterator<Item = &Stock> {
        self.0.values()
    }

    /// The same, to be changed.
    pub fn stocks_mut(&mut self) -> impl Iterator<Item = &mut Stock> {
        self.0.values_mut()
    }

    /// Replaces the stock in its location.
    pub fn put(&mut self, stock: Stock) {
        self.0.insert(stock.location.clone(), stock);
    }

    /// The most pieces that one line of an order can get: a line is served from one location, so it is not their sum.
    #[must_use]
    pub fn sellable(&self) -> i64 {
        self.stocks().map(|stock| stock.available).max().unwrap_or_default()
    }

    /// Grows with every movement, wherever it is.
    #[must_use]
    pub fn version(&self) -> i64 {
        self.stocks().map(|stock| stock.version).sum()
    }
}

/// Puts stock together by SKU.
pub fn shelves(stock: impl IntoIterator<Item = Stock>) -> BTreeMap<Sku, Shelf> {
    let mut shelves: BTreeMap<Sku, Shelf> = BTreeMap::new();
    for stock in stock {
        shelves.entry(stock.sku.clone()).or_default().put(stock);
    }
    shelves
}
