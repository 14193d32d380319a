//! What the sandbox answers, and how it is understood.

use jiff::Timestamp;
use reqwest::{Response, StatusCode, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use shop_types::{Currency, Money};

use crate::domain::reconciliation::Booking;
use crate::domain::{PaymentId, RefundId, Standing};
use crate::peers::{Booked, BookingsPage, Hint, Placement, Unknown, Untrusted};

/// The provider's word for a key whose first request has no answer yet.
const KEY_IN_USE: &str = "idempotency_key_in_use";
/// Longest address that a buyer is sent to.
const URL_BYTES: usize = 2048;

/// An answer, read but not yet understood.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    body: Vec<u8>,
}

#[derive(Deserialize)]
struct Failure {
    error: FailureBody,
}

#[derive(Deserialize)]
pub(super) struct FailureBody {
    pub(super) code: String,
    /// The authorization's status, when that is the reason.
    pub(super) status: Option<Status>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    RequiresAction,
    Authorized,
    Declined,
    Captured,
    Failed,
    Voided,
    Cancelled,
    Refunded,
}

impl Status {
    /// Nothing is held, and nothing can be any more.
    pub(super) const fn is_over(self) -> bool {
        match self {
            Self::Declined | Self::Failed | Self::Voided | Self::Cancelled => true,
            Self::RequiresAction | Self::Authorized | Self::Captured | Self::Refunded => false,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Authorization {
    id: String,
    reference: String,
    amount: i64,
    currency: String,
    status: Status,
    decline_code: Option<String>,
    next_action_url: Option<String>,
    #[serde(default)]
    refunded_amount: i64,
    #[serde(default)]
    refunds: Vec<Refund>,
}

#[derive(Deserialize)]
struct Refund {
    reference: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct List {
    pub(super) items: Vec<Authorization>,
}

#[derive(Deserialize)]
pub(super) struct Ledger {
    entries: Vec<Entry>,
    more: bool,
}

#[derive(Deserialize)]
struct Entry {
    sequence: u64,
    kind: Kind,
    reference: String,
    amount: i64,
    currency: Currency,
    at: Timestamp,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    RequiresAction,
    Authorized,
    Declined,
    Captured,
    CaptureRefused,
    Voided,
    Cancelled,
    Refunded,
}

/// The body of a webhook, as far as it is looked at.
#[derive(Deserialize)]
pub(super) struct Event {
    id: String,
    data: EventData,
}

#[derive(Deserialize)]
struct EventData {
    reference: String,
}

impl Answer {
    pub(super) async fn read(mut response: Response, most_bytes: usize) -> Result<Self, Unknown> {
        let (status, mut body) = (response.status(), Vec::new());
        while let Some(part) = response.chunk().await.map_err(Unknown::NoAnswer)? {
            if body.len() + part.len() > most_bytes {
                return Err(Unknown::Nonsense("longer than it may be"));
            }
            body.extend_from_slice(&part);
        }
        Ok(Self { status, body })
    }

    pub(super) fn parse<T: DeserializeOwned>(&self) -> Result<T, Unknown> {
        serde_json::from_slice(&self.body).map_err(|_| Unknown::Nonsense("not the JSON of its API"))
    }

    /// The authorization that a good answer is about, checked against what was asked.
    pub(super) fn authorization(&self, payment: PaymentId, amount: Money) -> Result<Authorization, Unknown> {
        self.parse::<Authorization>()?.about(payment, amount)
    }

    /// What a bad answer says, if it speaks the provider's language at all: a proxy in between does not.
    pub(super) fn failure(&self) -> Option<FailureBody> {
        serde_json::from_slice::<Failure>(&self.body)
            .ok()
            .map(|failure| failure.error)
            .filter(|error| word(&error.code))
    }

    pub(super) fn is_key_in_use(&self) -> bool {
        self.status == StatusCode::CONFLICT && self.failure().is_some_and(|failure| failure.code == KEY_IN_USE)
    }

    pub(super) fn unexpected(&self) -> Unknown {
        let code = self.failure().map_or_else(|| "unknown".to_owned(), |error| error.code);
        Unknown::Unexpected { status: self.status.as_u16(), code }
    }
}

impl Authorization {
    pub(super) fn about(self, payment: PaymentId, amount: Money) -> Result<Self, Unknown> {
        if self.reference != payment.to_string() {
            return Err(Unknown::Nonsense("another reference"));
        }
        if self.amount != amount.amount || self.currency != amount.currency.to_string() {
            return Err(Unknown::Nonsense("another amount"));
        }
        if id(&self.id) { Ok(self) } else { Err(Unknown::Nonsense("its id of the hold")) }
    }

    pub(super) fn must_be(&self, expected: &[Status]) -> Result<(), Unknown> {
        if expected.contains(&self.status) { Ok(()) } else { Err(Unknown::Nonsense("another status")) }
    }

    /// What a request for a hold has led to.
    pub(super) fn placement(self) -> Result<Placement, Unknown> {
        match self.status {
            Status::RequiresAction => {
                let url = self.action_url()?;
                Ok(Placement::ActionNeeded { hold: self.id, url })
            }
            Status::Authorized => Ok(Placement::Held(self.id)),
            Status::Declined => Ok(Placement::Refused(self.decline())),
            Status::Captured | Status::Failed | Status::Voided | Status::Cancelled | Status::Refunded => {
                Err(Unknown::Nonsense("a status that a new hold cannot have"))
            }
        }
    }

    /// Where it stands now.
    pub(super) fn standing(self, payment: PaymentId) -> Result<Standing, Unknown> {
        Ok(match self.status {
            Status::RequiresAction => {
                let url = self.action_url()?;
                Standing::Waiting { hold: self.id, url }
            }
            Status::Authorized => Standing::Held { hold: self.id },
            Status::Declined => Standing::Refused { reason: self.decline() },
            Status::Captured => {
                let ours =
                    self.refunds.iter().filter_map(|refund| refund.reference.as_deref()?.parse::<RefundId>().ok());
                let refunds = ours.filter(|refund| refund.payment == payment).map(|refund| refund.n).collect();
                Standing::Captured { refunds, is_all_back: self.refunded_amount >= self.amount }
            }
            Status::Failed => Standing::Failed { reason: "capture_refused".to_owned() },
            Status::Voided | Status::Cancelled => Standing::GivenBack,
            Status::Refunded => return Err(Unknown::Nonsense("a status that only refunds have")),
        })
    }

    fn decline(&self) -> String {
        self.decline_code.clone().filter(|code| word(code)).unwrap_or_else(|| "declined".to_owned())
    }

    /// Where the buyer is sent to: stored, told and shown, so it must be an address of the web.
    fn action_url(&self) -> Result<String, Unknown> {
        let url = self.next_action_url.as_deref().filter(|url| url.len() <= URL_BYTES);
        let url = url.and_then(|url| Url::parse(url).ok()).filter(|url| matches!(url.scheme(), "http" | "https"));
        url.map(String::from).ok_or(Unknown::Nonsense("where the buyer has to confirm"))
    }
}

impl Ledger {
    pub(super) fn page(self) -> Result<BookingsPage, Unknown> {
        let last = self.entries.last().map(|entry| entry.sequence.to_string());
        if self.more && last.is_none() {
            return Err(Unknown::Nonsense("more entries after none"));
        }
        let bookings = self.entries.into_iter().filter_map(Entry::booked).collect();
        Ok(BookingsPage { bookings, next: last.filter(|_| self.more) })
    }
}

impl Entry {
    /// The booking, when money moved.
    fn booked(self) -> Option<Booked> {
        let booking = match self.kind {
            Kind::Authorized => Booking::Held,
            Kind::Captured => Booking::Captured,
            Kind::CaptureRefused | Kind::Voided => Booking::Released,
            Kind::Refunded => Booking::Refunded,
            Kind::RequiresAction | Kind::Declined | Kind::Cancelled => return None,
        };
        let amount = Money::new(self.amount, self.currency);
        Some(Booked { reference: self.reference, booking, amount, at: self.at })
    }
}

impl Event {
    pub(super) fn hint(self) -> Result<Hint, Untrusted> {
        if !id(&self.id) {
            return Err(Untrusted::NotAnEvent);
        }
        Ok(Hint { event: self.id, payment: self.data.reference.parse().ok() })
    }
}

/// An id of the provider: stored and put into paths, so it must be one.
fn id(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// A word for why: stored, told to others and shown, so it must be one.
fn word(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}
