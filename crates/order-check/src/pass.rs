//! Going through a shop: each pass brings together what belongs together and has it judged.
//!
//! What belongs here: in which order things are read, and that no more of them is held than a page. The rules stand in
//! `judge`.

mod events;
mod orders;
mod rest;
mod stock;

use std::collections::BTreeMap;

use crate::Invariant;
use crate::finding::{Finding, Findings, Weight};
use crate::record::Unreadable;

pub(crate) use events::events;
pub(crate) use orders::{Beside, Suspect, look_again, orders};
pub(crate) use rest::unsettled;
pub(crate) use stock::stock;

/// What a pass has seen: how much of what, for the report.
pub(crate) type Seen = BTreeMap<(Invariant, &'static str), u64>;

/// A document that does not fit is a contradiction itself: what it says cannot be judged.
fn unreadable(invariant: Invariant, subject: String, error: &Unreadable) -> Finding {
    Finding::new(invariant, subject, format!("cannot be read: {error}"), [], Weight::Firm)
}

/// Takes what could be read, and writes down what could not.
fn read<T>(read: Result<T, Unreadable>, invariant: Invariant, subject: &str, findings: &mut Findings) -> Option<T> {
    match read {
        Ok(record) => Some(record),
        Err(error) => {
            findings.push(unreadable(invariant, subject.to_owned(), &error));
            None
        }
    }
}
