//! A contradiction that was found, and how firm it is. What it says is written where it is judged.

use jiff::Timestamp;
use serde_json::Value;

use crate::Invariant;

/// Something that contradicts an invariant.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// Which one.
    pub invariant: Invariant,
    /// What it is about, by its id: `order 0190…`, `stock mug@main`.
    pub subject: String,
    /// What contradicts what.
    pub says: String,
    /// The numbers, words and ids that contradict each other.
    pub facts: Vec<(&'static str, Value)>,
    /// How firm it is.
    pub weight: Weight,
    /// Whether it rests on the provider's ledger, which is read at another moment than the databases.
    pub by_ledger: bool,
}

/// How firm a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// Nothing that goes on explains it.
    Firm,
    /// It is so for a while in every shop; wrong only when it lasts.
    Moving {
        /// Since when it is so.
        since: Timestamp,
    },
}

/// Where findings go.
pub(crate) type Findings = Vec<Finding>;

impl Finding {
    pub(crate) fn new(
        invariant: Invariant,
        subject: impl Into<String>,
        says: impl Into<String>,
        facts: impl Into<Vec<(&'static str, Value)>>,
        weight: Weight,
    ) -> Self {
        Self { invariant, subject: subject.into(), says: says.into(), facts: facts.into(), weight, by_ledger: false }
    }
}
