//! The ledger of the payment provider: JSON lines, oldest first, and what they add up to.
//!
//! What an entry must say: `sequence` (growing), `kind`, `authorization` (the provider's id of a hold), `reference` (our
//! name for it, `<order id>:<attempt>`), `amount` in minor units and `currency`. Whatever else it says is passed over, so
//! that the ledger of another provider can be written down the same way.

mod source;

use serde::{Deserialize, Serialize};

pub(crate) use source::Ledger;
pub use source::{BadUrl, LedgerSource};

/// What an entry records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// The buyer has to confirm; nothing is held.
    RequiresAction,
    Authorized,
    Declined,
    Captured,
    CaptureRefused,
    Voided,
    Cancelled,
    Refunded,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) sequence: u64,
    pub(crate) kind: Kind,
    pub(crate) authorization: String,
    pub(crate) reference: String,
    pub(crate) amount: i64,
    pub(crate) currency: String,
}

impl Entry {
    /// The order that the reference names; the whole reference when it is none of ours.
    pub(crate) fn order(&self) -> &str {
        order_of(&self.reference)
    }
}

/// The order in the name of a payment.
pub(crate) fn order_of(payment: &str) -> &str {
    payment.split_once(':').map_or(payment, |(order, _)| order)
}

/// What a hold came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hold {
    pub(crate) authorization: String,
    pub(crate) reference: String,
    pub(crate) currency: String,
    /// Minor units that are held now.
    pub(crate) open: i64,
    /// How often money was taken, and how much.
    pub(crate) captures: u32,
    pub(crate) captured: i64,
    /// How much was given back after it was taken.
    pub(crate) refunded: i64,
}

/// Adds entries up, one hold for each authorization in the order of their first entry.
pub(crate) fn holds(entries: &[Entry]) -> Vec<Hold> {
    let mut holds: Vec<Hold> = Vec::new();
    for entry in entries {
        let known = holds.iter().position(|hold| hold.authorization == entry.authorization);
        let place = known.unwrap_or_else(|| {
            holds.push(Hold {
                authorization: entry.authorization.clone(),
                reference: entry.reference.clone(),
                currency: entry.currency.clone(),
                open: 0,
                captures: 0,
                captured: 0,
                refunded: 0,
            });
            holds.len() - 1
        });
        let Some(hold) = holds.get_mut(place) else { continue };
        match entry.kind {
            Kind::Authorized => hold.open = entry.amount,
            Kind::Captured => {
                hold.open = 0;
                hold.captures += 1;
                hold.captured += entry.amount;
            }
            Kind::RequiresAction | Kind::Declined | Kind::CaptureRefused | Kind::Voided | Kind::Cancelled => {
                hold.open = 0;
            }
            Kind::Refunded => hold.refunded += entry.amount,
        }
    }
    holds
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(sequence: u64, authorization: &str, kind: Kind, amount: i64) -> Entry {
        Entry {
            sequence,
            kind,
            authorization: authorization.into(),
            reference: "o:1".into(),
            amount,
            currency: "EUR".into(),
        }
    }

    #[test]
    fn entries_add_up_to_holds() {
        let holds = holds(&[
            entry(1, "a", Kind::RequiresAction, 500),
            entry(2, "a", Kind::Authorized, 500),
            entry(3, "b", Kind::Authorized, 500),
            entry(4, "a", Kind::Captured, 500),
            entry(5, "a", Kind::Refunded, 100),
            entry(6, "a", Kind::Refunded, 50),
            entry(7, "c", Kind::Authorized, 500),
            entry(8, "c", Kind::CaptureRefused, 500),
        ]);
        let sums: Vec<_> = holds.iter().map(|h| (h.open, h.captures, h.captured, h.refunded)).collect();
        assert_eq!(sums, [(0, 1, 500, 150), (500, 0, 0, 0), (0, 0, 0, 0)]);
    }

    #[test]
    fn a_reference_names_its_order() {
        assert_eq!(order_of("0190:2"), "0190");
        assert_eq!(order_of("stranger"), "stranger");
    }
}
