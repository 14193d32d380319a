//! A payment as a document, and back. A document that does not fit is corrupt, never guessed at.
//!
//! ```text
//! {
//!   _id: "<order id>:<attempt>", order_id: string, attempt: long, user_id: string | null,
//!   amount: long (minor units), currency: "EUR", method: string | null,
//!   state: "CREATED" | "REQUIRES_ACTION" | "AUTHORIZED" | "DECLINED" | "CAPTURING" | "CAPTURED" | "FAILED" | "VOIDING"
//!        | "VOIDED" | "CANCELLING" | "CANCELLED" | "REFUNDING" | "REFUNDED",
//!   hold: string | null (the provider's id), next_action_url: string | null, refund_after_capture: bool,
//!   reason: string | null (the provider's word for a refusal),
//!   refunds: [{n: long (1, 2, ..), amount: long, state: "PENDING" | "DONE" | "FAILED", reason: string, at: date}],
//!   version: long, created_at: date, since: date, tries: long, next_try_at: date (only while the provider is asked)
//! }
//! ```
//!
//! The amounts of refunds that are not FAILED add up to `amount` at most, and in REFUNDED those that are DONE to `amount`.

use bson::{Bson, DateTime, Document, doc};
use jiff::Timestamp;
use serde::Deserialize;
use shop_mongo::Error;
use shop_types::Money;

use crate::domain::{AfterCapture, Kind, Method, Payment, PaymentId, Refund, RefundState, State};

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
    next_action_url: Option<String>,
    refund_after_capture: bool,
    reason: Option<String>,
    refunds: Vec<RefundDocument>,
    version: i64,
    created_at: DateTime,
    since: DateTime,
    tries: i64,
}

#[derive(Debug, Deserialize)]
struct RefundDocument {
    n: i64,
    amount: i64,
    state: String,
    reason: String,
    at: DateTime,
}

/// All fields of a payment but its id.
pub(super) fn fields(payment: &Payment) -> Document {
    let Payment { id, owner, amount, method, state, refunds, version, created, since, tries } = payment;
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
        "next_action_url": state.next_action(),
        "refund_after_capture": refund_after_capture,
        "reason": state.reason(),
        "refunds": refunds.iter().map(refund_fields).collect::<Vec<Bson>>(),
        "version": version,
        "created_at": DateTime::from_millis(created.as_millisecond()),
        "since": DateTime::from_millis(since.as_millisecond()),
        "tries": i64::from(*tries),
    }
}

fn refund_fields(refund: &Refund) -> Bson {
    let Refund { n, amount, state, reason, at } = refund;
    let at = DateTime::from_millis(at.as_millisecond());
    doc! { "n": i64::from(*n), "amount": amount, "state": state.word(), "reason": reason.as_str(), "at": at }.into()
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
    let state = read_state(&document)?;
    let currency = document.currency.parse().map_err(|_| Unreadable("currency"))?;
    let owner = document.user_id.map(|text| text.parse()).transpose().map_err(|_| Unreadable("user_id"))?;
    let method = document.method.map(|text| text.parse()).transpose().map_err(|_| Unreadable("method"))?;
    let payment = Payment {
        id,
        owner,
        amount: Money::new(document.amount, currency),
        method,
        state,
        refunds: document.refunds.iter().map(read_refund).collect::<Result<_, _>>()?,
        version: document.version,
        created: time(document.created_at, "created_at")?,
        since: time(document.since, "since")?,
        tries: u32::try_from(document.tries).map_err(|_| Unreadable("tries"))?,
    };
    let all_back = matches!(payment.state, State::Refunded { .. });
    let fits = payment.left() >= 0 && (!all_back || payment.given_back() == payment.amount.amount);
    if fits { Ok(payment) } else { Err(Unreadable("refunds")) }
}

fn read_state(document: &PaymentDocument) -> Result<State, Unreadable> {
    let kind = Kind::ALL.into_iter().find(|kind| kind.word() == document.state).ok_or(Unreadable("state"))?;
    let hold = || document.hold.clone().ok_or(Unreadable("hold"));
    let reason = || document.reason.clone().ok_or(Unreadable("reason"));
    Ok(match kind {
        Kind::Created => State::Created,
        Kind::RequiresAction => {
            let url = document.next_action_url.clone().ok_or(Unreadable("next_action_url"))?;
            State::RequiresAction { hold: hold()?, url }
        }
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
    })
}

fn read_refund(document: &RefundDocument) -> Result<Refund, Unreadable> {
    const FIELD: Unreadable = Unreadable("refunds");
    let n = u32::try_from(document.n).ok().filter(|n| *n > 0).ok_or(FIELD)?;
    let amount = Some(document.amount).filter(|amount| *amount > 0).ok_or(FIELD)?;
    let state = RefundState::from_word(&document.state).ok_or(FIELD)?;
    let reason = document.reason.parse().map_err(|_| FIELD)?;
    Ok(Refund { n, amount, state, reason, at: time(document.at, "refunds")? })
}

fn time(at: DateTime, field: &'static str) -> Result<Timestamp, Unreadable> {
    Timestamp::from_millisecond(at.timestamp_millis()).map_err(|_| Unreadable(field))
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
            refunds: Vec::new(),
            version: 3,
            created: Timestamp::from_millisecond(1_001).unwrap(),
            since: Timestamp::from_millisecond(2_002).unwrap(),
            tries: 4,
        }
    }

    fn refund(n: u32, amount: i64, state: RefundState) -> Refund {
        Refund { n, amount, state, reason: "late".parse().unwrap(), at: Timestamp::from_millisecond(3_003).unwrap() }
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
            State::RequiresAction { hold: hold(), url: "https://bank/1".into() },
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
        ] {
            let payment = payment(state);
            assert_eq!(read_back(&payment, doc! {}).unwrap(), payment);
        }
        let refunded = Payment {
            refunds: vec![refund(1, 200, RefundState::Failed), refund(2, 500, RefundState::Done)],
            ..payment(State::Refunded { hold: hold() })
        };
        assert_eq!(read_back(&refunded, doc! {}).unwrap(), refunded);
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
            doc! { "state": "REQUIRES_ACTION" },
            doc! { "state": "REFUNDED" },
            doc! { "refunds": [{ "n": 0_i64, "amount": 1_i64, "state": "DONE", "reason": "x", "at": DateTime::MIN }] },
            doc! { "refunds": [{ "n": 1_i64, "amount": 0_i64, "state": "DONE", "reason": "x", "at": DateTime::MIN }] },
            doc! { "refunds": [{ "n": 1_i64, "amount": 1_i64, "state": "done", "reason": "x", "at": DateTime::MIN }] },
            doc! { "refunds": [{ "n": 1_i64, "amount": 501_i64, "state": "PENDING", "reason": "x", "at": DateTime::MIN }] },
        ] {
            assert!(matches!(read_back(&authorized, change.clone()), Err(Error::Corrupt { .. })), "{change}");
        }
    }
}
