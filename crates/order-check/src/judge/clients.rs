//! What clients were answered against what is there (I3), and whether they could read it (I10).

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::json;

use super::Desk;
use crate::Invariant;
use crate::history::{Answer, Told};
use crate::record::{Order, State};

/// Whether anybody was told that the order is placed.
pub(super) fn were_told(answers: &[Answer]) -> bool {
    answers.iter().any(|answer| answer.told() == Told::Acknowledged)
}

pub(super) fn judge(order: &Order, answers: &[Answer], found: &mut Desk) {
    let paid_again = answers.iter().any(|answer| answer.told() == Told::PaidAgain);
    for answer in answers {
        match answer.told() {
            Told::Acknowledged => acknowledged(order, answer, found),
            Told::NotToBe => {
                let over = matches!(order.state, State::Rejected | State::Cancelling | State::Cancelled);
                refused(over, order, answer, found);
            }
            Told::Declined => {
                let open = matches!(order.state, State::Placed | State::Rejected);
                refused(open || paid_again, order, answer, found);
            }
            Told::PaidAgain | Told::Read | Told::Else => {}
        }
    }
    could_be_read(answers, found);
}

fn acknowledged(order: &Order, answer: &Answer, found: &mut Desk) {
    if answer.total != Some(order.total) {
        let facts = [("acknowledged", json!(answer.total)), ("total", json!(order.total))];
        found.firm(Invariant::I3, "was acknowledged with another total", facts);
    }
    // Guests have no id to compare.
    if answer.user.is_some() && answer.user != order.user {
        let facts = [("acknowledgedTo", json!(answer.user)), ("user", json!(order.user))];
        found.firm(Invariant::I3, "was acknowledged to somebody else", facts);
    }
}

fn refused(fits: bool, order: &Order, answer: &Answer, found: &mut Desk) {
    if !fits {
        let facts = [("status", json!(answer.status)), ("at", json!(answer.at)), ("state", json!(order.state.word()))];
        found.firm(Invariant::I3, "was refused, and yet it goes on", facts);
    }
}

/// Whoever was told of it, and asks after that, sees it. A history cannot tell one guest from another: they are passed over.
fn could_be_read(answers: &[Answer], found: &mut Desk) {
    let mut told: BTreeMap<&str, Timestamp> = BTreeMap::new();
    let by_users = || answers.iter().filter_map(|answer| Some((answer.user.as_deref()?, answer)));
    for (user, answer) in by_users().filter(|(_, answer)| answer.told() == Told::Acknowledged) {
        let at = told.entry(user).or_insert(Timestamp::MAX);
        *at = answer.answered().min(*at);
    }
    for (user, answer) in by_users().filter(|(_, answer)| answer.told() == Told::Read && answer.status == Some(404)) {
        if let Some(since) = told.get(user).filter(|since| answer.at > **since) {
            let facts = [("user", json!(user)), ("told", json!(since)), ("asked", json!(answer.at))];
            found.firm(Invariant::I10, "was not there for whom it was acknowledged to", facts);
        }
    }
}
