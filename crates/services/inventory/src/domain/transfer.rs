//! Transfers: pieces that staff moves from one location to another.

use shop_types::{Id, Quantity, Sku, UserId};

use super::location::LocationId;
use super::{Key, Reason, Stock};

/// Marks an [`Id`] as one of a transfer.
#[derive(Debug)]
pub enum TransferKind {}

/// Names a transfer: both of its movements carry it.
pub type TransferId = Id<TransferKind>;

/// A move of pieces that nobody holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// What it is named when it is done; a repeated one keeps its first name.
    pub id: TransferId,
    /// Of what.
    pub sku: Sku,
    /// Where from.
    pub from: LocationId,
    /// Where to.
    pub to: LocationId,
    /// How many.
    pub pieces: Quantity,
    /// Why.
    pub reason: Reason,
    /// Who says so.
    pub by: UserId,
    /// Its name, if the caller gave one: with it, it counts once.
    pub key: Option<Key>,
}

/// A transfer that was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transferred {
    /// Its name.
    pub id: TransferId,
    /// The stock right after it where the pieces were.
    pub from: Stock,
    /// The stock right after it where they are.
    pub to: Stock,
}
