//! A product as it is shown: beside what is known of its stock. The stock is a copy of what inventory tells, never the truth.

use std::collections::HashMap;

use shop_types::Sku;

use super::Product;

/// A product with what is known of its stock.
#[derive(Debug, Clone)]
pub(crate) struct Listing {
    pub(crate) product: Product,
    /// Pieces that can be sold, by SKU; absent where nothing was told yet.
    pub(crate) available: HashMap<Sku, i64>,
}
