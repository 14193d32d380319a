//! What a request leads to, and what entries add up to. Pure.

use std::collections::HashMap;

use super::{Ask, Authorization, Command, Entry, Kind, Refund, Refusal, Status};
use crate::cards::{Card, card};

/// What entries add up to: one authorization or several, oldest first.
pub(super) fn add_up(entries: &[Entry]) -> Vec<Authorization> {
    let mut found: Vec<Authorization> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for entry in entries {
        let place = *places.entry(&entry.authorization).or_insert_with(|| {
            found.push(Authorization {
                id: entry.authorization.clone(),
                reference: entry.reference.clone(),
                amount: entry.amount,
                currency: entry.currency.clone(),
                method: entry.method.clone(),
                status: Status::RequiresAction,
                decline_code: None,
                captured_amount: 0,
                refunded_amount: 0,
                refunds: Vec::new(),
            });
            found.len() - 1
        });
        if let Some(known) = found.get_mut(place) {
            change(known, entry);
        }
    }
    found
}

/// What a request is about, what happens to that, and the bank's word for it.
pub(super) type Judged = (Authorization, Kind, Option<&'static str>);

/// What a request leads to.
///
/// # Errors
/// [`Refusal`] when it changes nothing.
pub(super) fn judge(ask: &Ask<'_>, subject: Option<&Authorization>) -> Result<Judged, Refusal> {
    let standing = |status: Status| {
        let found = subject.cloned().ok_or(Refusal::NotFound)?;
        if found.status == status { Ok(found) } else { Err(Refusal::WrongStatus(found.status)) }
    };
    Ok(match ask.command {
        Command::Authorize { amount, currency, reference, method } => {
            let card = card(method).ok_or(Refusal::UnknownMethod)?;
            let (kind, reason) = open(card);
            let subject = Authorization {
                id: format!("auth_{}", ask.new_id.simple()),
                reference: reference.clone(),
                amount: *amount,
                currency: currency.clone(),
                method: method.clone(),
                status: Status::Authorized,
                decline_code: None,
                captured_amount: 0,
                refunded_amount: 0,
                refunds: Vec::new(),
            };
            (subject, kind, reason)
        }
        Command::Capture { .. } => {
            let subject = standing(Status::Authorized)?;
            let reason = card(&subject.method).and_then(|card| card.capture_refusal);
            (subject, if reason.is_some() { Kind::CaptureRefused } else { Kind::Captured }, reason)
        }
        Command::Void { .. } => match standing(Status::RequiresAction) {
            Ok(subject) => (subject, Kind::Cancelled, None),
            Err(_) => (standing(Status::Authorized)?, Kind::Voided, None),
        },
        Command::Refund { amount, .. } => {
            let subject = standing(Status::Captured)?;
            if *amount > subject.captured_amount - subject.refunded_amount {
                return Err(Refusal::OverRefund);
            }
            (Authorization { amount: *amount, ..subject }, Kind::Refunded, None)
        }
        Command::Confirm { .. } => (standing(Status::RequiresAction)?, Kind::Authorized, None),
        Command::Refuse { .. } => (standing(Status::RequiresAction)?, Kind::Declined, Some("action_refused")),
    })
}

/// What becomes of a new hold on a card.
const fn open(card: &Card) -> (Kind, Option<&'static str>) {
    match card.authorize_refusal {
        Some(reason) => (Kind::Declined, Some(reason)),
        None if card.needs_action => (Kind::RequiresAction, None),
        None => (Kind::Authorized, None),
    }
}

/// What an entry does to its authorization.
fn change(subject: &mut Authorization, entry: &Entry) {
    match entry.kind {
        Kind::RequiresAction => subject.status = Status::RequiresAction,
        Kind::Authorized => subject.status = Status::Authorized,
        Kind::Declined => {
            subject.status = Status::Declined;
            subject.decline_code.clone_from(&entry.reason);
        }
        Kind::Captured => {
            subject.status = Status::Captured;
            subject.captured_amount = entry.amount;
        }
        Kind::CaptureRefused => subject.status = Status::Failed,
        Kind::Voided => subject.status = Status::Voided,
        Kind::Cancelled => subject.status = Status::Cancelled,
        Kind::Refunded => {
            subject.refunded_amount += entry.amount;
            let id = entry.refund.clone().unwrap_or_default();
            subject.refunds.push(Refund { id, amount: entry.amount, reference: entry.refund_reference.clone() });
        }
    }
}
