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

/// A request that one client repeats.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Client {
    method: String,
    /// One after the other, again and again.
    targets: Vec<String>,
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
    ensure!(!clients.is_empty() && clients.iter().all(|client| !client.targets.is_empty()), "nobody sends anything");
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
        while let Some(due) = pace.next().await {
            let answer = match timeout(LONGEST, self.send(number)).await {
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
                answers.entry(answer).or_default().push(since(due));
            }
            if let Some(wait) = retry_after.take() {
                pace.heed(wait).await;
            }
        }
        answers
    }

    /// Sends the next request and tells what was answered.
    async fn send(&mut self, number: usize) -> anyhow::Result<Answer> {
        if self.connection.as_ref().is_none_or(SendRequest::is_closed) {
            self.connection = Some(connect(&self.address).await?);
        }
        let request = self.request(number)?;
        let connection = self.connection.as_mut().context("there is a connection")?;
        connection.ready().await?;
        let response = connection.send_request(request).await?;
        let status = response.status();
        let seconds = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let body = response.into_body().collect().await?.to_bytes();
        let text = if status.is_success() { status.as_str().to_owned() } else { refusal(status, &body) };
        Ok(Answer { text, retry_after: seconds.map(Duration::from_secs) })
    }

    fn request(&self, number: usize) -> anyhow::Result<Request<Full<Bytes>>> {
        let client = &self.client;
        let target = client.targets.get(number % client.targets.len()).context("there is a target")?;
        let mut request = Request::builder().method(client.method.as_str()).uri(target).header(HOST, &self.address);
        if let Some(token) = &client.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if client.keyed {
            request = request.header("idempotency-key", format!("{}{number}", self.keys));
        }
        if client.body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        Ok(request.body(Full::from(client.body.clone().unwrap_or_default()))?)
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

    /// Waits as long as the other side asked for; with a rate the next request has its time already.
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
