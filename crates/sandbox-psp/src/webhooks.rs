//! Telling the shop what was booked: one signed webhook an entry, sent until it is taken or the process ends.
//!
//! Nothing is promised about order or number: that is what receivers have to live with, and what tests make happen.

pub mod forge;
pub mod signature;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use reqwest::Client;
use serde::Serialize;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::book::Entry;
use crate::faults::Delivery;
use crate::metrics::Metrics;

/// How long the receiver may take for one.
const TRY: Duration = Duration::from_secs(5);
/// The pause after the first try that failed; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Tries at once.
const AT_ONCE: usize = 16;
/// How long one that is to come after the next waits for a next one.
const HELD_BACK: Duration = Duration::from_secs(2);

/// What a webhook says.
#[derive(Debug, Clone, Serialize)]
pub struct Event {
    /// Its id; the same at every try.
    pub id: String,
    /// `authorization.` and the kind of the entry.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it was booked.
    pub created: Timestamp,
    /// What was booked.
    pub data: Entry,
}

impl Event {
    /// Tells of an entry.
    #[must_use]
    pub fn of(entry: Entry, id: Uuid) -> Self {
        let kind = format!("authorization.{}", entry.kind.as_str());
        Self { id: format!("evt_{}", id.simple()), kind, created: entry.at, data: entry }
    }
}

/// Where entries are handed over to be told; without a receiver they are not.
#[derive(Debug, Clone, Default)]
pub struct Dispatch(Option<mpsc::UnboundedSender<(Event, Option<Delivery>)>>);

impl Dispatch {
    /// Whether anybody is told.
    #[must_use]
    pub const fn is_wanted(&self) -> bool {
        self.0.is_some()
    }

    /// Hands an event over, with what is to happen to it.
    pub fn send(&self, event: Event, fate: Option<Delivery>) {
        let Some(queue) = &self.0 else { return };
        if queue.send((event, fate)).is_err() {
            tracing::debug!("An event comes after the last webhook");
        }
    }
}

/// Sends webhooks to one receiver.
#[derive(Debug)]
pub struct Courier {
    client: Client,
    url: String,
    secret: Vec<u8>,
    metrics: Arc<Metrics>,
    slots: Semaphore,
}

impl Courier {
    /// Makes the client; nothing is sent yet.
    ///
    /// # Errors
    /// The client cannot be made.
    pub fn new(url: String, secret: Vec<u8>, metrics: Arc<Metrics>) -> anyhow::Result<Self> {
        let builder = Client::builder().timeout(TRY).redirect(reqwest::redirect::Policy::none()).no_proxy();
        // Without TLS no root certificates are needed; images without any must work.
        let builder = if url.starts_with("http://") { builder.tls_certs_only([]) } else { builder };
        let client = builder.build().context("failed to make the client of webhooks")?;
        Ok(Self { client, url, secret, metrics, slots: Semaphore::new(AT_ONCE) })
    }

    /// Starts telling; ends with `stop`.
    #[must_use]
    pub fn start(self: &Arc<Self>, stop: CancellationToken) -> (Dispatch, JoinHandle<()>) {
        let (sender, queue) = mpsc::unbounded_channel();
        let courier = Arc::clone(self);
        let task = tokio::spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = courier.work(queue) => {}
            }
        });
        (Dispatch(Some(sender)), task)
    }

    async fn work(self: Arc<Self>, mut queue: mpsc::UnboundedReceiver<(Event, Option<Delivery>)>) {
        // Dropping the set ends what is under way.
        let mut tours = JoinSet::new();
        let mut held: Option<(Event, Instant)> = None;
        loop {
            let next = match &held {
                None => queue.recv().await,
                Some((_, until)) => match timeout_at(*until, queue.recv()).await {
                    Ok(next) => next,
                    Err(_elapsed) => {
                        self.tour(&mut tours, held.take().map(|(event, _)| event));
                        continue;
                    }
                },
            };
            let Some((event, fate)) = next else { return };
            let before = held.take().map(|(event, _)| event);
            match fate {
                Some(Delivery::Reordered) if before.is_none() => held = Some((event, Instant::now() + HELD_BACK)),
                Some(Delivery::Lost) => {
                    self.metrics.webhook("lost");
                    self.tour(&mut tours, before);
                }
                Some(Delivery::Duplicated) => {
                    self.tour(&mut tours, [event.clone(), event].into_iter().chain(before));
                }
                Some(Delivery::Reordered) | None => self.tour(&mut tours, std::iter::once(event).chain(before)),
            }
            while tours.try_join_next().is_some() {}
        }
    }

    /// Starts sending events, one after the other.
    fn tour(self: &Arc<Self>, tours: &mut JoinSet<()>, events: impl IntoIterator<Item = Event>) {
        let (courier, events) = (Arc::clone(self), events.into_iter().collect::<Vec<_>>());
        tours.spawn(async move {
            for event in events {
                courier.insist(&event).await;
            }
        });
    }

    /// Sends an event until it is taken.
    async fn insist(&self, event: &Event) {
        let mut pause = FIRST_PAUSE;
        while let Err(error) = self.send(event).await {
            tracing::warn!(event = event.id, error = format!("{error:#}"), "A webhook was not taken; it is sent again");
            self.metrics.webhook("refused");
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        self.metrics.webhook("taken");
    }

    async fn send(&self, event: &Event) -> anyhow::Result<()> {
        let _slot = self.slots.acquire().await?;
        let body = serde_json::to_vec(event)?;
        let signed = signature::header(&self.secret, now(), &body)?;
        let status = self.post(body, Some(signed)).await?;
        anyhow::ensure!((200..300).contains(&status), "the receiver answered {status}");
        Ok(())
    }

    async fn post(&self, body: Vec<u8>, signed: Option<String>) -> Result<u16, reqwest::Error> {
        let mut request = self.client.post(&self.url).header("Content-Type", "application/json").body(body);
        if let Some(signed) = signed {
            request = request.header(signature::HEADER, signed);
        }
        Ok(request.send().await?.status().as_u16())
    }
}

/// Signatures carry the true time, however far the ledger's clock was put forward.
#[expect(clippy::disallowed_methods, reason = "the provider is a stranger to the shop and has its own clock")]
fn now() -> i64 {
    Timestamp::now().as_second()
}
