//! The sandbox provider over HTTP: no real money.
//!
//! Its answers are read into strict types, within 64 KiB, and must be about what was asked: another amount, currency or
//! reference is an answer that does not fit, never a success.

use std::time::Duration;

use anyhow::Context as _;
use futures::FutureExt;
use futures::future::BoxFuture;
use reqwest::{Client, Method as Verb, Response, StatusCode, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use shop_config::Secret;
use shop_types::Money;
use tokio::time::Instant;

use super::{Found, Hold, Placed, Provider, Unknown, Verdict};
use crate::domain::PaymentId;

/// Longest answer that is read.
const ANSWER_BYTES: usize = 64 * 1024;
/// The provider's word for a key whose first request has no answer yet.
const KEY_IN_USE: &str = "idempotency_key_in_use";
/// Before a key in use is tried again; doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(20);

/// A client of the sandbox provider.
#[derive(Debug)]
pub(crate) struct Sandbox {
    client: Client,
    base: Url,
    api_key: Secret,
}

impl Sandbox {
    /// Makes the client; nothing is sent yet.
    ///
    /// # Errors
    /// The URL is not one of HTTP, or the client cannot be made.
    pub(crate) fn new(url: &str, api_key: Secret) -> anyhow::Result<Self> {
        let mut base = Url::parse(url).context("the URL of the payment provider is not a URL")?;
        anyhow::ensure!(
            matches!(base.scheme(), "http" | "https"),
            "the URL of the payment provider must be http or https"
        );
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        let builder = Client::builder()
            .connect_timeout(Duration::from_millis(500))
            .pool_idle_timeout(Duration::from_secs(60))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy();
        // Without TLS no root certificates are needed; images without any must work.
        let builder = if base.scheme() == "http" { builder.tls_certs_only([]) } else { builder };
        let client = builder.build().context("failed to make the client of the payment provider")?;
        Ok(Self { client, base, api_key })
    }

    /// Asks under a key. While an earlier request with the key is being worked on, this one waits for its answer.
    async fn post(&self, path: &str, key: String, body: Value, limit: Duration) -> Result<Answer, Unknown> {
        let until = Instant::now() + limit;
        let mut pause = FIRST_PAUSE;
        loop {
            let request = self.request(Verb::POST, path)?.header("Idempotency-Key", &key).json(&body);
            let request = request.timeout(until.saturating_duration_since(Instant::now()));
            let answer = Answer::read(request.send().await.map_err(Unknown::NoAnswer)?).await?;
            if !answer.is_key_in_use() {
                return Ok(answer);
            }
            if Instant::now() + pause >= until {
                return Err(Unknown::Busy);
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
    }

    fn request(&self, verb: Verb, path: &str) -> Result<reqwest::RequestBuilder, Unknown> {
        let url = self.base.join(path).map_err(|_| Unknown::Nonsense("its id of the hold"))?;
        Ok(self.client.request(verb, url).bearer_auth(self.api_key.expose()))
    }
}

/// An answer, read but not yet understood.
struct Answer {
    status: StatusCode,
    body: Vec<u8>,
}

#[derive(Deserialize)]
struct Failure {
    error: FailureBody,
}

#[derive(Deserialize)]
struct FailureBody {
    code: String,
    /// The authorization's status, when that is the reason.
    status: Option<Status>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    RequiresAction,
    Authorized,
    Declined,
    Captured,
    Failed,
    Voided,
    Cancelled,
    Refunded,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Authorization {
    id: String,
    reference: String,
    amount: i64,
    currency: String,
    status: Status,
    decline_code: Option<String>,
}

#[derive(Deserialize)]
struct List {
    items: Vec<Authorization>,
}

impl Answer {
    async fn read(mut response: Response) -> Result<Self, Unknown> {
        let (status, mut body) = (response.status(), Vec::new());
        while let Some(part) = response.chunk().await.map_err(Unknown::NoAnswer)? {
            if body.len() + part.len() > ANSWER_BYTES {
                return Err(Unknown::Nonsense("longer than 64 KiB"));
            }
            body.extend_from_slice(&part);
        }
        Ok(Self { status, body })
    }

    fn parse<T: DeserializeOwned>(&self) -> Result<T, Unknown> {
        serde_json::from_slice(&self.body).map_err(|_| Unknown::Nonsense("not the JSON of its API"))
    }

    /// The authorization that a good answer is about, checked against what was asked.
    fn authorization(&self, payment: PaymentId, amount: Money) -> Result<Authorization, Unknown> {
        self.parse::<Authorization>()?.about(payment, amount)
    }

    /// What a bad answer says, if it speaks the provider's language at all: a proxy in between does not.
    fn failure(&self) -> Option<FailureBody> {
        serde_json::from_slice::<Failure>(&self.body)
            .ok()
            .map(|failure| failure.error)
            .filter(|error| word(&error.code))
    }

    fn is_key_in_use(&self) -> bool {
        self.status == StatusCode::CONFLICT && self.failure().is_some_and(|failure| failure.code == KEY_IN_USE)
    }

    fn unexpected(&self) -> Unknown {
        let code = self.failure().map_or_else(|| "unknown".to_owned(), |error| error.code);
        Unknown::Unexpected { status: self.status.as_u16(), code }
    }
}

impl Authorization {
    fn about(self, payment: PaymentId, amount: Money) -> Result<Self, Unknown> {
        if self.reference != payment.to_string() {
            return Err(Unknown::Nonsense("another reference"));
        }
        if self.amount != amount.amount || self.currency != amount.currency.to_string() {
            return Err(Unknown::Nonsense("another amount"));
        }
        let id_good = (1..=128).contains(&self.id.len())
            && self.id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        if id_good { Ok(self) } else { Err(Unknown::Nonsense("its id of the hold")) }
    }
}

/// A word for why: stored, told to others and shown, so it must be one.
fn word(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

impl Provider for Sandbox {
    fn authorize(&self, hold: Hold, limit: Duration) -> BoxFuture<'_, Result<Verdict<String>, Unknown>> {
        async move {
            let Hold { payment, amount, method } = hold;
            let key = payment.to_string();
            let body = json!({
                "amount": amount.amount, "currency": amount.currency, "reference": key, "method": method.as_str(),
            });
            let answer = self.post("v1/authorizations", key, body, limit).await?;
            if answer.status == StatusCode::CREATED {
                let found = answer.authorization(payment, amount)?;
                return match (found.status, found.decline_code) {
                    (Status::Authorized, _) => Ok(Verdict::Done(found.id)),
                    (Status::Declined, Some(code)) if word(&code) => Ok(Verdict::Refused(code)),
                    (Status::Declined, _) => Ok(Verdict::Refused("declined".into())),
                    (
                        Status::RequiresAction
                        | Status::Captured
                        | Status::Failed
                        | Status::Voided
                        | Status::Cancelled
                        | Status::Refunded,
                        _,
                    ) => Err(Unknown::Nonsense("a status that a new hold cannot have")),
                };
            }
            match (answer.status, answer.failure()) {
                // What we ask for can never be held: nothing was, and the buyer may try another means.
                (StatusCode::UNPROCESSABLE_ENTITY, Some(FailureBody { code, .. }))
                    if code == "unknown_method" || code == "invalid_request" =>
                {
                    Ok(Verdict::Refused(code))
                }
                _ => Err(answer.unexpected()),
            }
        }
        .boxed()
    }

    fn capture(&self, placed: Placed, limit: Duration) -> BoxFuture<'_, Result<Verdict<()>, Unknown>> {
        async move {
            let Placed { payment, hold, amount } = placed;
            let path = format!("v1/authorizations/{hold}/capture");
            let answer = self.post(&path, format!("{payment}:capture"), json!({}), limit).await?;
            if answer.status == StatusCode::OK {
                return match answer.authorization(payment, amount)?.status {
                    Status::Captured => Ok(Verdict::Done(())),
                    Status::RequiresAction
                    | Status::Authorized
                    | Status::Declined
                    | Status::Failed
                    | Status::Voided
                    | Status::Cancelled
                    | Status::Refunded => Err(Unknown::Nonsense("a status that a capture cannot have")),
                };
            }
            match (answer.status, answer.failure()) {
                // Refused by the bank, or given back behind our back: it can never be taken.
                (StatusCode::PAYMENT_REQUIRED, Some(FailureBody { code, .. }))
                | (StatusCode::CONFLICT, Some(FailureBody { code, status: Some(Status::Voided | Status::Failed) })) => {
                    Ok(Verdict::Refused(code))
                }
                _ => Err(answer.unexpected()),
            }
        }
        .boxed()
    }

    fn void(&self, placed: Placed, limit: Duration) -> BoxFuture<'_, Result<(), Unknown>> {
        async move {
            let Placed { payment, hold, amount } = placed;
            let path = format!("v1/authorizations/{hold}/void");
            let answer = self.post(&path, format!("{payment}:void"), json!({}), limit).await?;
            if answer.status == StatusCode::OK {
                return match answer.authorization(payment, amount)?.status {
                    Status::Voided => Ok(()),
                    Status::RequiresAction
                    | Status::Authorized
                    | Status::Declined
                    | Status::Captured
                    | Status::Failed
                    | Status::Cancelled
                    | Status::Refunded => Err(Unknown::Nonsense("a status that a void cannot have")),
                };
            }
            match (answer.status, answer.failure()) {
                // The hold is gone already, by another way than ours.
                (StatusCode::CONFLICT, Some(FailureBody { status: Some(Status::Voided | Status::Failed), .. })) => {
                    Ok(())
                }
                _ => Err(answer.unexpected()),
            }
        }
        .boxed()
    }

    fn refund(&self, placed: Placed, limit: Duration) -> BoxFuture<'_, Result<(), Unknown>> {
        async move {
            let Placed { payment, hold, amount } = placed;
            let path = format!("v1/authorizations/{hold}/refunds");
            let body = json!({ "amount": amount.amount });
            let answer = self.post(&path, format!("{payment}:refund:1"), body, limit).await?;
            if answer.status != StatusCode::CREATED {
                return Err(answer.unexpected());
            }
            match answer.authorization(payment, amount)?.status {
                Status::Refunded => Ok(()),
                Status::RequiresAction
                | Status::Authorized
                | Status::Declined
                | Status::Captured
                | Status::Failed
                | Status::Voided
                | Status::Cancelled => Err(Unknown::Nonsense("a status that a refund cannot have")),
            }
        }
        .boxed()
    }

    fn find(&self, payment: PaymentId, amount: Money, limit: Duration) -> BoxFuture<'_, Result<Found, Unknown>> {
        async move {
            let request = self.request(Verb::GET, &format!("v1/authorizations?reference={payment}"))?;
            let answer = Answer::read(request.timeout(limit).send().await.map_err(Unknown::NoAnswer)?).await?;
            if answer.status != StatusCode::OK {
                return Err(answer.unexpected());
            }
            let mut items = answer.parse::<List>()?.items.into_iter();
            let (first, second) = (items.next(), items.next());
            if second.is_some() {
                return Err(Unknown::Nonsense("two holds under one reference"));
            }
            let Some(found) = first.map(|item| item.about(payment, amount)).transpose()? else {
                return Ok(Found::Nothing);
            };
            match (found.status, found.decline_code) {
                (Status::Authorized, _) => Ok(Found::Held(found.id)),
                (Status::Declined, Some(code)) if word(&code) => Ok(Found::Settled(code)),
                (Status::Declined | Status::Failed | Status::Voided | Status::Cancelled, _) => {
                    Ok(Found::Settled("declined".into()))
                }
                (Status::RequiresAction, _) => Err(Unknown::Nonsense("the buyer must act")),
                (Status::Captured | Status::Refunded, _) => Err(Unknown::Nonsense("a capture that nobody asked for")),
            }
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests;
