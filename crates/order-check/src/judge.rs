//! The rules: what must hold for one order with all that belongs to it, and for the stock of one SKU. Pure.
//!
//! How things are read and brought together stands in `pass`.

mod clients;
mod course;
mod goods;
mod money;
mod shelf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::Invariant;
use crate::finding::{Finding, Findings, Weight};
use crate::history::Answer;
use crate::ledger::Hold;
use crate::record::{Cause, Move, Order, Payment, Reservation};

pub(crate) use shelf::{Shelf, shelf};

/// All that is known of one order, by its id.
#[derive(Debug, Default)]
pub(crate) struct Dossier {
    pub(crate) id: String,
    pub(crate) order: Option<Order>,
    pub(crate) reservation: Option<Reservation>,
    pub(crate) payments: Vec<Payment>,
    /// What the provider's ledger says; `None` when there is none to look at.
    pub(crate) holds: Option<Vec<Hold>>,
    /// Movements of stock for it; `None` when they were not looked at.
    pub(crate) moves: Option<Vec<Moved>>,
    /// What clients were answered about it.
    pub(crate) answers: Vec<Answer>,
}

/// A movement of stock for an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Moved {
    /// `<sku>@<location>`.
    pub(crate) stock: String,
    pub(crate) cause: Cause,
    pub(crate) change: Move,
}

/// Judges an order by every rule.
pub(crate) fn order(dossier: &Dossier) -> Findings {
    let mut found = Desk::about(format!("order {}", dossier.id));
    match &dossier.order {
        Some(order) => {
            course::judge(order, &mut found);
            goods::judge(order, dossier, &mut found);
            money::judge(order, dossier, &mut found);
            clients::judge(order, &dossier.answers, &mut found);
        }
        None => nobody_ordered(dossier, &mut found),
    }
    goods::judge_movements(dossier, &mut found);
    money::judge_captures(dossier, &mut found);
    found.findings
}

/// Something belongs to an order that is not there.
fn nobody_ordered(dossier: &Dossier, found: &mut Desk) {
    if clients::were_told(&dossier.answers) {
        found.firm(Invariant::I3, "was acknowledged and is not there", []);
    }
    if let Some(reservation) = &dossier.reservation {
        let facts = [("reservation", json!(reservation.state.word()))];
        found.firm(Invariant::I3, "has a reservation and is not there", facts);
    }
    for payment in &dossier.payments {
        let facts = [("payment", json!(payment.id)), ("state", json!(payment.state.word()))];
        found.firm(Invariant::I4, "has a payment and is not there", facts);
    }
    found.by_ledger = true;
    for hold in dossier.holds.iter().flatten() {
        let kept = hold.captured - hold.refunded;
        if hold.open != 0 || kept != 0 {
            let facts = [("reference", json!(hold.reference)), ("held", json!(hold.open)), ("kept", json!(kept))];
            found.firm(Invariant::I4, "is not there, and the ledger has money under its name", facts);
        }
    }
    found.by_ledger = false;
}

/// Where the rules write down what they find about one subject.
struct Desk {
    subject: String,
    findings: Findings,
    /// Whether what is found now rests on the ledger.
    by_ledger: bool,
}

impl Desk {
    fn about(subject: String) -> Self {
        Self { subject, findings: Findings::new(), by_ledger: false }
    }

    fn firm<const N: usize>(
        &mut self,
        invariant: Invariant,
        says: impl Into<String>,
        facts: [(&'static str, Value); N],
    ) {
        self.find(invariant, says, facts, Weight::Firm);
    }

    fn moving<const N: usize>(
        &mut self,
        since: Timestamp,
        invariant: Invariant,
        says: impl Into<String>,
        facts: [(&'static str, Value); N],
    ) {
        self.find(invariant, says, facts, Weight::Moving { since });
    }

    fn find<const N: usize>(
        &mut self,
        invariant: Invariant,
        says: impl Into<String>,
        facts: [(&'static str, Value); N],
        weight: Weight,
    ) {
        let finding = Finding::new(invariant, self.subject.clone(), says, facts, weight);
        self.findings.push(Finding { by_ledger: self.by_ledger, ..finding });
    }
}

#[cfg(test)]
mod tests;
