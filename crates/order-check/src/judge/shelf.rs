//! The stock of one SKU: its counts (I1), its reservations (I2), its ledger of movements (I1, I7).

use serde_json::json;

use super::Desk;
use crate::Invariant;
use crate::finding::Findings;
use crate::record::{Move, Stock};

/// What reservations and movements say about one SKU.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Shelf {
    /// Pieces that reservations hold.
    pub(crate) held: i64,
    /// Pieces that reservations have sold.
    pub(crate) sold: i64,
    /// What all movements come to.
    pub(crate) moved: Move,
    /// How many movements there are.
    pub(crate) movements: i64,
    /// The greatest version that a movement names.
    pub(crate) newest: i64,
}

/// Judges the stock of a SKU; `None` for one that only reservations or movements know.
pub(crate) fn shelf(id: &str, stock: Option<&Stock>, shelf: &Shelf) -> Findings {
    let mut found = Desk::about(format!("stock {id}"));
    if let Some(stock) = stock {
        judge(stock, shelf, &mut found);
    } else {
        let facts = [("held", json!(shelf.held)), ("sold", json!(shelf.sold)), ("movements", json!(shelf.movements))];
        found.firm(Invariant::I2, "is not there, and yet pieces of it were taken or moved", facts);
    }
    found.findings
}

fn judge(stock: &Stock, shelf: &Shelf, found: &mut Desk) {
    let Stock { available, reserved, sold, received, version, .. } = *stock;
    if available < 0 || reserved < 0 || sold < 0 {
        let facts = [("available", json!(available)), ("reserved", json!(reserved)), ("sold", json!(sold))];
        found.firm(Invariant::I1, "has fewer pieces than none somewhere", facts);
    }
    if available.checked_add(reserved).and_then(|sum| sum.checked_add(sold)) != Some(received) {
        let facts = [
            ("received", json!(received)),
            ("available", json!(available)),
            ("reserved", json!(reserved)),
            ("sold", json!(sold)),
        ];
        found.firm(Invariant::I1, "has received another number of pieces than it has", facts);
    }
    if shelf.moved != (Move { available, reserved, sold }) {
        let Move { available: by_available, reserved: by_reserved, sold: by_sold } = shelf.moved;
        let facts = [
            ("counts", json!([available, reserved, sold])),
            ("movements", json!([by_available, by_reserved, by_sold])),
        ];
        found.firm(Invariant::I1, "has other counts than its movements come to", facts);
    }
    if reserved != shelf.held {
        let facts = [("reserved", json!(reserved)), ("heldByOrders", json!(shelf.held))];
        found.firm(Invariant::I2, "has other reserved pieces than orders hold", facts);
    }
    if sold != shelf.sold {
        let facts = [("sold", json!(sold)), ("soldToOrders", json!(shelf.sold))];
        found.firm(Invariant::I2, "has other sold pieces than orders have bought", facts);
    }
    if version != shelf.movements || version != shelf.newest {
        let facts = [
            ("version", json!(version)),
            ("movements", json!(shelf.movements)),
            ("newestMovement", json!(shelf.newest)),
        ];
        found.firm(Invariant::I7, "has not one movement for each of its versions", facts);
    }
}
