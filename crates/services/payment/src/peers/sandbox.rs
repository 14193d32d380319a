//! The sandbox provider over HTTP: no real money.
//!
//! Its answers are read into strict types, within bounds, and must be about what was asked: another amount, currency or
//! reference is an answer that does not fit, never a success.

mod answers;

use std::time::Duration;

use anyhow::Context as _;
use futures::FutureExt;
use jiff::Timestamp;
use reqwest::{Client, Method as Verb, StatusCode, Url};
use serde_json::{Value, json};
use shop_config::Secret;
use shop_types::Money;
use tokio::time::Instant;

use super::{
    Answer as Awaited, Bookings, BookingsPage, Hint, Hold, Placed, Placement, Provider, Return, Unknown, Untrusted,
    Verdict, Webhook, signature,
};
use crate::domain::{PaymentId, Standing};
use answers::{Answer, Event, FailureBody, Ledger, List, Status};

/// Longest answer about one payment.
const ANSWER_BYTES: usize = 64 * 1024;
/// Longest part of the ledger.
const LEDGER_BYTES: usize = 2 * 1024 * 1024;
/// Entries of the ledger read at once.
const ENTRIES: &str = "500";
/// Before a key in use is tried again; doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
/// The header with the signature of a webhook.
const SIGNATURE: &str = "sandbox-signature";

/// A client of the sandbox provider.
#[derive(Debug)]
pub(crate) struct Sandbox {
    client: Client,
    base: Url,
    api_key: Secret,
    webhook_secret: Option<Secret>,
}

impl Sandbox {
    /// Makes the client; nothing is sent yet. Without a secret no webhook is trusted.
    ///
    /// # Errors
    /// The URL is not one of HTTP, or the client cannot be made.
    pub(crate) fn new(url: &str, api_key: Secret, webhook_secret: Option<Secret>) -> anyhow::Result<Self> {
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
        Ok(Self { client, base, api_key, webhook_secret })
    }

    /// Asks under a key. While an earlier request with the key is being worked on, this one waits for its answer.
    async fn post(&self, path: &str, key: &str, body: Value, limit: Duration) -> Result<Answer, Unknown> {
        let until = Instant::now() + limit;
        let mut pause = FIRST_PAUSE;
        loop {
            let request = self.request(Verb::POST, path)?.header("Idempotency-Key", key).json(&body);
            let request = request.timeout(until.saturating_duration_since(Instant::now()));
            let answer = Answer::read(request.send().await.map_err(Unknown::NoAnswer)?, ANSWER_BYTES).await?;
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

    async fn get(&self, path: &str, most_bytes: usize, limit: Duration) -> Result<Answer, Unknown> {
        let request = self.request(Verb::GET, path)?.timeout(limit);
        let answer = Answer::read(request.send().await.map_err(Unknown::NoAnswer)?, most_bytes).await?;
        if answer.status == StatusCode::OK { Ok(answer) } else { Err(answer.unexpected()) }
    }

    fn request(&self, verb: Verb, path: &str) -> Result<reqwest::RequestBuilder, Unknown> {
        let url = self.base.join(path).map_err(|_| Unknown::Nonsense("its id of the hold"))?;
        Ok(self.client.request(verb, url).bearer_auth(self.api_key.expose()))
    }
}

impl Provider for Sandbox {
    fn name(&self) -> &'static str {
        "sandbox"
    }

    fn authorize(&self, hold: Hold, key: String, limit: Duration) -> Awaited<'_, Placement> {
        async move {
            let Hold { payment, amount, method } = hold;
            let body = json!({
                "amount": amount.amount, "currency": amount.currency, "reference": payment.to_string(),
                "method": method.as_str(),
            });
            let answer = self.post("v1/authorizations", &key, body, limit).await?;
            if answer.status == StatusCode::CREATED {
                return answer.authorization(payment, amount)?.placement();
            }
            match (answer.status, answer.failure()) {
                // What we ask for can never be held: nothing was, and the buyer may try another means.
                (StatusCode::UNPROCESSABLE_ENTITY, Some(FailureBody { code, .. }))
                    if code == "unknown_method" || code == "invalid_request" =>
                {
                    Ok(Placement::Refused(code))
                }
                _ => Err(answer.unexpected()),
            }
        }
        .boxed()
    }

    fn capture(&self, placed: Placed, key: String, limit: Duration) -> Awaited<'_, Verdict> {
        async move {
            let Placed { payment, hold, amount } = placed;
            let path = format!("v1/authorizations/{hold}/capture");
            let answer = self.post(&path, &key, json!({}), limit).await?;
            if answer.status == StatusCode::OK {
                answer.authorization(payment, amount)?.must_be(&[Status::Captured])?;
                return Ok(Verdict::Done);
            }
            match (answer.status, answer.failure()) {
                // Refused by the bank, or given back behind our back: it can never be taken.
                (StatusCode::PAYMENT_REQUIRED, Some(FailureBody { code, .. })) => Ok(Verdict::Refused(code)),
                (StatusCode::CONFLICT, Some(FailureBody { code, status: Some(status) })) if status.is_over() => {
                    Ok(Verdict::Refused(code))
                }
                _ => Err(answer.unexpected()),
            }
        }
        .boxed()
    }

    fn void(&self, placed: Placed, key: String, limit: Duration) -> Awaited<'_, ()> {
        async move {
            let Placed { payment, hold, amount } = placed;
            let path = format!("v1/authorizations/{hold}/void");
            let answer = self.post(&path, &key, json!({}), limit).await?;
            if answer.status == StatusCode::OK {
                return answer.authorization(payment, amount)?.must_be(&[Status::Voided, Status::Cancelled]);
            }
            match (answer.status, answer.failure()) {
                // The hold is gone already, by another way than ours.
                (StatusCode::CONFLICT, Some(FailureBody { status: Some(status), .. })) if status.is_over() => Ok(()),
                _ => Err(answer.unexpected()),
            }
        }
        .boxed()
    }

    fn refund(&self, refund: Return, key: String, limit: Duration) -> Awaited<'_, Verdict> {
        async move {
            let Return { refund, hold, amount } = refund;
            let path = format!("v1/authorizations/{hold}/refunds");
            let body = json!({ "amount": amount.amount, "reference": refund.to_string() });
            let answer = self.post(&path, &key, body, limit).await?;
            if answer.status == StatusCode::CREATED {
                answer.authorization(refund.payment, amount)?.must_be(&[Status::Refunded])?;
                return Ok(Verdict::Done);
            }
            match (answer.status, answer.failure()) {
                (StatusCode::CONFLICT, Some(FailureBody { code, .. })) if code == "over_refund" => {
                    Ok(Verdict::Refused(code))
                }
                _ => Err(answer.unexpected()),
            }
        }
        .boxed()
    }

    fn find(&self, payment: PaymentId, amount: Money, limit: Duration) -> Awaited<'_, Standing> {
        async move {
            let path = format!("v1/authorizations?reference={payment}");
            let mut items = self.get(&path, ANSWER_BYTES, limit).await?.parse::<List>()?.items.into_iter();
            match (items.next(), items.next()) {
                (None, _) => Ok(Standing::Unheard),
                (Some(found), None) => found.about(payment, amount)?.standing(payment),
                (Some(_), Some(_)) => Err(Unknown::Nonsense("two holds under one reference")),
            }
        }
        .boxed()
    }

    fn bookings(&self, which: Bookings, from: Option<String>, limit: Duration) -> Awaited<'_, BookingsPage> {
        async move {
            let mut url = self.base.join("v1/ledger").map_err(|_| Unknown::Nonsense("its address"))?;
            {
                let mut query = url.query_pairs_mut();
                match &which {
                    Bookings::Since(time) => query.append_pair("since", &time.to_string()),
                    // A name that the provider gave may hold anything.
                    Bookings::Of(reference) => query.append_pair("reference", reference),
                };
                query.append_pair("after", from.as_deref().unwrap_or("0")).append_pair("limit", ENTRIES);
            }
            self.get(url.as_str(), LEDGER_BYTES, limit).await?.parse::<Ledger>()?.page()
        }
        .boxed()
    }

    fn hint(&self, webhook: Webhook<'_>, now: Timestamp) -> Result<Hint, Untrusted> {
        let secret = self.webhook_secret.as_ref().ok_or(Untrusted::NoSecret)?;
        let header = (webhook.header)(SIGNATURE).ok_or(Untrusted::Unsigned)?;
        signature::check(secret, header, webhook.body, now)?;
        let event: Event = serde_json::from_slice(webhook.body).map_err(|_| Untrusted::NotAnEvent)?;
        event.hint()
    }
}

#[cfg(test)]
mod tests;
