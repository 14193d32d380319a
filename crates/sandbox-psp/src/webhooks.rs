//! Telling the shop what was booked: one signed webhook an entry, sent until it is taken or the process ends.
//!
//! Nothing is promised about order or number: that is what receivers have to live with, and what tests make happen. While a
//! receiver refuses them, so many wait and no more: what is booked then is told to nobody.

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
/// Events that are being sent or wait for their next try, with a task each.
const UNDER_WAY: usize = 4096;
/// Events behind them; what comes while there are so many is dropped.
const QUEUE: usize = 4096;
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
pub struct Dispatch(Option<Queue>);

#[derive(Debug, Clone)]
struct Queue {
    events: mpsc::Sender<(Event, Option<Delivery>)>,
    metrics: Arc<Metrics>,
}

impl Dispatch {
    /// Whether anybody is told.
    #[must_use]
    pub const fn is_wanted(&self) -> bool {
        self.0.is_some()
    }

    /// Hands an event over, with what is to happen to it.
    pub fn send(&self, event: Event, fate: Option<Delivery>) {
        let Some(queue) = &self.0 else { return };
        match queue.events.try_send((event, fate)) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(_)) => queue.metrics.webhook("dropped"),
            Err(mpsc::error::TrySendError::Closed(_)) => tracing::debug!("An event comes after the last webhook"),
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
        self.start_within(QUEUE, UNDER_WAY, stop)
    }

    fn start_within(
        self: &Arc<Self>,
        queue: usize,
        under_way: usize,
        stop: CancellationToken,
    ) -> (Dispatch, JoinHandle<()>) {
        let (events, queue) = mpsc::channel(queue);
        let courier = Arc::clone(self);
        let task = tokio::spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = courier.work(queue, under_way) => {}
            }
        });
        (Dispatch(Some(Queue { events, metrics: Arc::clone(&self.metrics) })), task)
    }

    async fn work(self: Arc<Self>, mut queue: mpsc::Receiver<(Event, Option<Delivery>)>, under_way: usize) {
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
            while tours.len() >= under_way {
                tours.join_next().await;
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::book::Kind;

    #[tokio::test]
    async fn so_many_events_wait_for_a_receiver_that_refuses_and_what_comes_then_is_dropped() {
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let metrics = Arc::new(Metrics::new().unwrap());
        let courier = Arc::new(Courier::new(format!("http://{nobody}"), b"s".to_vec(), Arc::clone(&metrics)).unwrap());
        let stop = CancellationToken::new();
        let (dispatch, task) = courier.start_within(2, 3, stop.clone());
        let entry = Entry {
            sequence: 1,
            at: Timestamp::UNIX_EPOCH,
            kind: Kind::Authorized,
            authorization: "auth_1".into(),
            reference: "r".into(),
            amount: 1,
            currency: "EUR".into(),
            method: "tok_visa".into(),
            key: "k".into(),
            fingerprint: "f".into(),
            reason: None,
            refund: None,
            refund_reference: None,
        };
        let dropped = r#"sandbox_psp_webhooks_total{outcome="dropped"}"#;
        for n in 0..5 {
            dispatch.send(Event::of(entry.clone(), Uuid::from_u128(n)), None);
            // Until the courier has taken it up, or has no place for it.
            let taken = || dispatch.0.as_ref().unwrap().events.capacity() == 2;
            while n < 3 && !taken() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        let shown = || String::from_utf8(metrics.render().unwrap()).unwrap();
        assert!(!shown().contains(dropped), "three are under way and two wait");

        dispatch.send(Event::of(entry.clone(), Uuid::from_u128(5)), None);
        dispatch.send(Event::of(entry, Uuid::from_u128(6)), None);

        assert!(shown().contains(&format!("{dropped} 2")), "{}", shown());
        stop.cancel();
        task.await.unwrap();
    }
}
