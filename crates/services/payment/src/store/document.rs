//! A payment as a document, and back. A document that does not fit is corrupt, never guessed at.

use bson::{DateTime, Document, doc};
use jiff::Timestamp;
use serde::Deserialize;
use shop_mongo::Error;
use shop_types::Money;

use crate::domain::{AfterCapture, Kind, Method, Payment, PaymentId, State};

/// A payment as it is read.
#[derive(Debug, Deserialize)]
pub(super) struct PaymentDocument {
    #[serde(rename = "_id")]
    id: String,
    user_id: Option<String>,
    amount: i64,
    currency: String,
    method: Option<String>,
    state: String,
    hold: Option<String>,
    refund_after_capture: bool,
    reason: Option<String>,
    version: i64,
    created_at: DateTime,
    since: DateTime,
    tries: i64,
}

/// All fields of a payment but its id.
pub(super) fn fields(payment: &Payment) -> Document {
    let Payment { id, owner, amount, method, state, version, created, since, tries } = payment;
    let refund_after_capture = matches!(state, State::Capturing { then: AfterCapture::Refund, .. });
    doc! {
        "order_id": id.order.to_string(),
        "attempt": i64::from(id.attempt()),
        "user_id": owner.map(|owner| owner.to_string()),
        "amount": amount.amount,
        "currency": amount.currency.to_string(),
        "method": method.as_ref().map(Method::as_str),
        "state": state.kind().word(),
        "hold": state.hold(),
        "refund_after_capture": refund_after_capture,
        "reason": state.reason(),
        "version": version,
        "created_at": DateTime::from_millis(created.as_millisecond()),
        "since": DateTime::from_millis(since.as_millisecond()),
        "tries": i64::from(*tries),
    }
}

/// A stored payment has a field that does not fit.
#[derive(Debug, thiserror::Error)]
#[error("the field {0} of a payment does not fit")]
struct Unreadable(&'static str);

impl TryFrom<PaymentDocument> for Payment {
    type Error = Error;

    fn try_from(document: PaymentDocument) -> Result<Self, Error> {
        read(document).map_err(|error| Error::Corrupt { what: "payment", source: std::sync::Arc::new(error) })
    }
}

fn read(document: PaymentDocument) -> Result<Payment, Unreadable> {
    let id: PaymentId = document.id.parse().map_err(|_| Unreadable("_id"))?;
    let kind = Kind::ALL.into_iter().find(|kind| kind.word() == document.state).ok_or(Unreadable("state"))?;
    let hold = || document.hold.clone().ok_or(Unreadable("hold"));
    let reason = || document.reason.clone().ok_or(Unreadable("reason"));
    let state = match kind {
        Kind::Created => State::Created,
        Kind::Authorized => State::Authorized { hold: hold()? },
        Kind::Declined => State::Declined { reason: reason()? },
        Kind::Capturing => {
            let then = if document.refund_after_capture { AfterCapture::Refund } else { AfterCapture::Keep };
            State::Capturing { hold: hold()?, then }
        }
        Kind::Captured => State::Captured { hold: hold()? },
        Kind::Failed => State::Failed { hold: hold()?, reason: reason()? },
        Kind::Voiding => State::Voiding { hold: hold()? },
        Kind::Voided => State::Voided { hold: hold()? },
        Kind::Cancelling => State::Cancelling,
        Kind::Cancelled => State::Cancelled,
        Kind::Refunding => State::Refunding { hold: hold()? },
        Kind::Refunded => State::Refunded { hold: hold()? },
    };
    let currency = document.currency.parse().map_err(|_| Unreadable("currency"))?;
    let owner = document.user_id.map(|text| text.parse()).transpose().map_err(|_| Unreadable("user_id"))?;
    let method = document.method.map(|text| text.parse()).transpose().map_err(|_| Unreadable("method"))?;
    let time = |at: DateTime, field| Timestamp::from_millisecond(at.timestamp_millis()).map_err(|_| Unreadable(field));
    Ok(Payment {
        id,
        owner,
        amount: Money::new(document.amount, currency),
        method,
        state,
        version: document.version,
        created: time(document.created_at, "created_at")?,
        since: time(document.since, "since")?,
        tries: u32::try_from(document.tries).map_err(|_| Unreadable("tries"))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payment(state: State) -> Payment {
        Payment {
            id: "00000000-0000-7000-8000-000000000001:2".parse().unwrap(),
            owner: Some("00000000-0000-7000-8000-000000000002".parse().unwrap()),
            amount: Money::new(500, "EUR".parse().unwrap()),
            method: Some("tok_visa".parse().unwrap()),
            state,
            version: 3,
            created: Timestamp::from_millisecond(1_001).unwrap(),
            since: Timestamp::from_millisecond(2_002).unwrap(),
            tries: 4,
        }
    }

    fn read_back(payment: &Payment, change: Document) -> Result<Payment, Error> {
        let mut document = doc! { "_id": payment.id.to_string() };
        document.extend(fields(payment));
        document.extend(change);
        bson::deserialize_from_document::<PaymentDocument>(document).unwrap().try_into()
    }

    #[test]
    fn every_state_survives_the_store() {
        let (hold, reason) = (|| "hold".to_owned(), || "no".to_owned());
        for state in [
            State::Created,
            State::Authorized { hold: hold() },
            State::Declined { reason: reason() },
            State::Capturing { hold: hold(), then: AfterCapture::Keep },
            State::Capturing { hold: hold(), then: AfterCapture::Refund },
            State::Captured { hold: hold() },
            State::Failed { hold: hold(), reason: reason() },
            State::Voiding { hold: hold() },
            State::Voided { hold: hold() },
            State::Cancelling,
            State::Cancelled,
            State::Refunding { hold: hold() },
            State::Refunded { hold: hold() },
        ] {
            let payment = payment(state);
            assert_eq!(read_back(&payment, doc! {}).unwrap(), payment);
        }
        let guest = Payment { owner: None, method: None, ..payment(State::Cancelled) };
        assert_eq!(read_back(&guest, doc! {}).unwrap(), guest);
    }

    #[test]
    fn a_document_that_does_not_fit_is_corrupt() {
        let authorized = payment(State::Authorized { hold: "hold".into() });
        for change in [
            doc! { "_id": "x" },
            doc! { "state": "GONE" },
            doc! { "hold": bson::Bson::Null },
            doc! { "currency": "eur" },
            doc! { "user_id": "me" },
            doc! { "method": "" },
            doc! { "tries": -1_i64 },
        ] {
            assert!(matches!(read_back(&authorized, change.clone()), Err(Error::Corrupt { .. })), "{change}");
        }
    }
}
