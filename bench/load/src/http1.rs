//! Clients over HTTP/1.1: one connection each, made again when it breaks.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use futures::future::try_join_all;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, RETRY_AFTER};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::time::{sleep, sleep_until, timeout};

use crate::figures::{Figures, since};
use crate::random::random;

/// No request is waited for longer.
const LONGEST: Duration = Duration::from_secs(30);
/// The place in a body for a text of its own.
const FRESH: &str = "{fresh}";
/// Between two tries to connect.
const PAUSE: Duration = Duration::from_millis(50);

/// Who sends what.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Plan {
    /// `HOST:PORT`.
    address: String,
    /// For so long requests are sent and not counted.
    warm_up_seconds: f64,
    /// For so long they are counted.
    seconds: f64,
    /// Requests a second of all clients together; absent: as fast as they are answered.
    rate: Option<f64>,
    clients: Vec<Client>,
}

/// What one client sends.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Client {
    /// One after the other, again and again.
    steps: Vec<Step>,
    /// After the last of them.
    pause_seconds: f64,
}

/// One request.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    /// Stands before its answers in the report, if it has one.
    name: Option<String>,
    method: String,
    target: String,
    /// [`FRESH`] in it stands for what no other request has.
    body: Option<String>,
    token: Option<String>,
    /// Whether each request has an Idempotency-Key of its own.
    keyed: bool,
}

/// When requests are to be sent.
struct Pace {
    counts_from: Instant,
    ends: Instant,
    rate: Option<f64>,
    sent: AtomicU64,
    began: Instant,
}

/// Runs a plan.
///
/// # Errors
/// When the plan cannot be read or the first connections cannot be made.
pub(crate) async fn run(plan: &Path) -> anyhow::Result<Figures> {
    let text = std::fs::read(plan).with_context(|| format!("failed to read {}", plan.display()))?;
    let Plan { address, warm_up_seconds, seconds, rate, clients } =
        serde_json::from_slice(&text).with_context(|| format!("{} is no plan", plan.display()))?;
    ensure!(!clients.is_empty() && clients.iter().all(|client| !client.steps.is_empty()), "nobody sends anything");
    let connections = try_join_all(clients.iter().map(|_| connect(&address))).await?;
    let began = Instant::now();
    let counts_from = began + Duration::from_secs_f64(warm_up_seconds);
    let ends = counts_from + Duration::from_secs_f64(seconds);
    let pace = Arc::new(Pace { counts_from, ends, rate, sent: AtomicU64::new(0), began });
    let mut senders = Vec::new();
    for (client, connection) in clients.into_iter().zip(connections) {
        let sender = Sender {
            address: address.clone(),
            client,
            keys: format!("{:016x}-", random()?),
            connection: Some(connection),
        };
        senders.push(tokio::spawn(sender.run(Arc::clone(&pace))));
    }
    tokio::time::sleep_until(counts_from.into()).await;
    let mut figures = Figures::begin()?;
    for sender in senders {
        figures.add(sender.await.context("a client panicked")?);
    }
    Ok(figures)
}

struct Sender {
    address: String,
    client: Client,
    keys: String,
    connection: Option<SendRequest<Full<Bytes>>>,
}

/// What was answered.
struct Answer {
    /// The status, and the code of an error.
    text: String,
    retry_after: Option<Duration>,
}

impl Sender {
    async fn run(mut self, pace: Arc<Pace>) -> BTreeMap<String, Vec<u64>> {
        let mut answers = BTreeMap::<String, Vec<u64>>::new();
        let (mut number, mut retry_after) = (0, None);
        let pause = Duration::from_secs_f64(self.client.pause_seconds);
        while let Some(due) = pace.next().await {
            let step = number % self.client.steps.len();
            let answer = match timeout(LONGEST, self.send(step, number)).await {
                Ok(Ok(answer)) => {
                    retry_after = answer.retry_after;
                    answer.text
                }
                Ok(Err(error)) => {
                    self.connection = None;
                    // A refused connection would else be tried a hundred thousand times a second.
                    sleep(PAUSE).await;
                    format!("no answer: {error}")
                }
                Err(_) => {
                    self.connection = None;
                    format!("no answer within {} s", LONGEST.as_secs())
                }
            };
            number += 1;
            if due >= pace.counts_from {
                let name = self.client.steps.get(step).and_then(|step| step.name.as_deref());
                let answer = name.map_or_else(|| answer.clone(), |name| format!("{name} {answer}"));
                answers.entry(answer).or_default().push(since(due));
            }
            if let Some(wait) = retry_after.take() {
                pace.heed(wait).await;
            }
            if !pause.is_zero() && step + 1 == self.client.steps.len() {
                pace.heed(pause).await;
            }
        }
        answers
    }

    /// Sends the next request, whose number is its own, and tells what was answered.
    async fn send(&mut self, step: usize, number: usize) -> anyhow::Result<Answer> {
        if self.connection.as_ref().is_none_or(SendRequest::is_closed) {
            self.connection = Some(connect(&self.address).await?);
        }
        let step = self.client.steps.get(step).context("there is such a step")?;
        let request = step.request(&self.address, &format!("{}{number}", self.keys))?;
        let connection = self.connection.as_mut().context("there is a connection")?;
        connection.ready().await?;
        let response = connection.send_request(request).await?;
        let status = response.status();
        let seconds = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let body = response.into_body().collect().await?.to_bytes();
        let text = if status.is_success() { status.as_str().to_owned() } else { refusal(status, &body) };
        Ok(Answer { text, retry_after: seconds.map(Duration::from_secs) })
    }
}

impl Step {
    /// Makes the request; `fresh` is a text that no other has.
    fn request(&self, address: &str, fresh: &str) -> anyhow::Result<Request<Full<Bytes>>> {
        let mut request = Request::builder().method(self.method.as_str()).uri(&self.target).header(HOST, address);
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if self.keyed {
            request = request.header("idempotency-key", fresh);
        }
        if self.body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let body = self.body.as_deref().unwrap_or_default().replace(FRESH, fresh);
        Ok(request.body(Full::from(body))?)
    }
}

impl Pace {
    /// When the next request is due, once that is so; `None` at the end.
    async fn next(&self) -> Option<Instant> {
        let due = match self.rate {
            None => Instant::now(),
            Some(rate) => {
                let number = self.sent.fetch_add(1, Ordering::Relaxed);
                #[expect(clippy::cast_precision_loss, reason = "far fewer requests than that")]
                let due = self.began + Duration::from_secs_f64(number as f64 / rate);
                sleep_until(due.into()).await;
                due
            }
        };
        (due < self.ends).then_some(due)
    }

    /// Waits as long as the other side or the plan asks for; with a rate the next request has its time already.
    async fn heed(&self, wait: Duration) {
        if self.rate.is_none() {
            sleep_until((Instant::now() + wait).min(self.ends).into()).await;
        }
    }
}

async fn connect(address: &str) -> anyhow::Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(address).await.with_context(|| format!("cannot connect to {address}"))?;
    stream.set_nodelay(true)?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // Whoever sends hears of its end.
    tokio::spawn(connection);
    Ok(sender)
}

fn refusal(status: StatusCode, body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Refusal {
        code: String,
    }
    match serde_json::from_slice::<Refusal>(body) {
        Ok(Refusal { code }) => format!("{} {code}", status.as_u16()),
        Err(_) => status.as_u16().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_of_a_step_has_a_text_of_its_own() {
        let step = Step {
            name: None,
            method: "POST".into(),
            target: "/a?b=1".into(),
            body: Some("{\"email\": \"{fresh}@example.org\"}".into()),
            token: Some("t".into()),
            keyed: true,
        };
        let request = step.request("host:80", "k-7").unwrap();
        let header = |name: &str| request.headers()[name].to_str().unwrap().to_owned();
        assert_eq!((request.method().as_str(), request.uri().to_string().as_str()), ("POST", "/a?b=1"));
        assert_eq!((header("host"), header("authorization")), ("host:80".to_owned(), "Bearer t".to_owned()));
        assert_eq!(header("idempotency-key"), "k-7");
        assert_eq!(header("content-type"), "application/json");
        assert_eq!(
            format!("{:?}", request.body()),
            format!("{:?}", Full::<Bytes>::from("{\"email\": \"k-7@example.org\"}"))
        );
    }
}
