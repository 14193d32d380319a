//! Carries outbox rows into the service's stream, and finds out which of them every consumer has.
//!
//! What belongs here: the loop and its order of steps. What does not: why a step is safe by itself (shop-redis'
//! `Stream`, shop-mongo's `outbox`).
//!
//! # Invariants
//! 1. A row is noted as published with the [`Mark`] of the data that took it. It is confirmed only while the stream still
//!    has that mark, and only when it stands below everything that any consumer group has not acknowledged.
//! 2. A group that the service table names and Redis does not have yet has acknowledged nothing: nothing is confirmed.
//! 3. When the mark changes, every row that is not confirmed is sent again under the new one. So it is, every five seconds,
//!    with rows that another relay noted under an old mark.
//! 4. The stream is trimmed only below what is confirmed, and never by length.
//! 5. A row that was sent and not noted is sent again: events may come twice, never not at all.

mod lease;

use std::time::Duration;

use prometheus::{IntCounterVec, IntGaugeVec};
use shop_mongo::Mongo;
use shop_mongo::bson::oid::ObjectId;
use shop_mongo::outbox::{self, Place, Row, StreamId, Wire};
use shop_redis::{Entry, Mark, Redis, Stream};
use shop_telemetry::metrics::Metrics;
use shop_types::Topic;
use shop_types::event::Audience;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::outage::Outage;
use crate::routes::consumers_of;
use lease::Lease;

pub(crate) use lease::setup as lease_setup;

const BATCH: u32 = 128;
const POLL_EVERY: Duration = Duration::from_millis(200);
const CONFIRM_EVERY: Duration = Duration::from_secs(5);
const ASK_FOR_LEASE_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Mongo(#[from] shop_mongo::Error),
    #[error(transparent)]
    Redis(#[from] shop_redis::Error),
    #[error("the outbox holds an id that is none")]
    MalformedId,
}

/// The relay of one service, in one process.
struct Relay {
    service: String,
    consumers: Vec<&'static str>,
    mongo: Mongo,
    stream: Stream,
    backlog: IntGaugeVec,
    published: IntCounterVec,
    stop: CancellationToken,
}

/// Starts the relay of a service. One pod at a time relays, by a lease; the others wait to take over. It goes on until
/// `stop` is cancelled, whatever MongoDB and Redis do.
///
/// Metrics: `outbox_backlog_rows{state}` with `unpublished` and `unconfirmed` (0 in pods that do not relay),
/// `events_published_total{topic}`.
#[must_use = "the task ends when it is told to stop; join it then"]
#[expect(clippy::needless_pass_by_value, reason = "takes its share of both servers, as a consumer does")]
pub fn spawn_relay(
    service: &str,
    mongo: Mongo,
    redis: Redis,
    metrics: &Metrics,
    stop: CancellationToken,
) -> JoinHandle<()> {
    let relay = Relay::new(service, mongo, &redis, metrics, stop);
    tokio::spawn(async move {
        match relay {
            Ok(relay) => relay.run().await,
            Err(error) => tracing::error!(%error, "Failed to register the metrics of the relay; it does not run"),
        }
    })
}

impl Relay {
    fn new(
        service: &str,
        mongo: Mongo,
        redis: &Redis,
        metrics: &Metrics,
        stop: CancellationToken,
    ) -> Result<Self, prometheus::Error> {
        Ok(Self {
            service: service.to_owned(),
            consumers: consumers_of(service),
            mongo,
            stream: redis.stream(service),
            backlog: metrics.gauge("outbox_backlog_rows", "Events that not every consumer has yet", &["state"])?,
            published: metrics.counter("events_published_total", "Events put into the stream", &["topic"])?,
            stop,
        })
    }

    async fn run(self) {
        let mut lease = Lease::new(self.mongo.clone());
        let mut outage = Outage::new(format!("the relay of {}", self.service));
        let mut ensured = false;
        while !self.stop.is_cancelled() {
            let ended = self.turn(&mut lease, &mut ensured, &mut outage).await;
            self.show(outbox::Backlog::default());
            let pause = match ended {
                Ok(()) => ASK_FOR_LEASE_EVERY,
                Err(error) => outage.failed(&error),
            };
            // Another pod may reach what this one does not.
            if let Err(error) = lease.release().await {
                tracing::debug!(%error, "Failed to give back the lease of the relay; it ends by itself");
            }
            self.pause(pause).await;
        }
    }

    /// Relays for as long as this process holds the lease.
    async fn turn(&self, lease: &mut Lease, ensured: &mut bool, outage: &mut Outage) -> Result<(), Error> {
        if !*ensured {
            self.mongo.ensure(&crate::relay_setup()).await?;
            *ensured = true;
        }
        if !lease.holds().await? {
            return Ok(());
        }
        let mut mark = self.open().await?;
        let mut confirmed = None::<Instant>;
        while !self.stop.is_cancelled() && lease.holds().await? {
            if confirmed.is_none_or(|at| at.elapsed() >= CONFIRM_EVERY) {
                mark = self.current(mark, async |mark| self.confirm(mark).await).await?;
                confirmed = Some(Instant::now());
            }
            let mut sent = 0;
            mark = self
                .current(mark, async |mark| {
                    sent = self.publish(mark).await?;
                    Ok(())
                })
                .await?;
            outage.over();
            if sent < BATCH as usize {
                self.wait_for_rows().await;
            }
        }
        Ok(())
    }

    /// Does a step under a mark; when the data has changed, the step is left and everything is sent again under the mark
    /// that is answered.
    async fn current(&self, mark: Mark, step: impl AsyncFnOnce(&Mark) -> Result<(), Error>) -> Result<Mark, Error> {
        match step(&mark).await {
            Ok(()) => Ok(mark),
            Err(Error::Redis(shop_redis::Error::EpochChanged { .. })) => self.open().await,
            Err(error) => Err(error),
        }
    }

    async fn open(&self) -> Result<Mark, Error> {
        let mark = self.stream.open(&ObjectId::new().to_hex()).await?;
        let again = outbox::republish_unconfirmed(&self.mongo, &wire(&mark)).await?;
        if again > 0 {
            tracing::warn!(rows = again, "Redis may have lost events of {}; sending {again} again", self.service);
        }
        Ok(mark)
    }

    async fn publish(&self, mark: &Mark) -> Result<usize, Error> {
        let rows = outbox::next_unpublished(&self.mongo, BATCH).await?;
        if rows.is_empty() {
            return Ok(0);
        }
        let entries: Vec<Entry> = rows.iter().map(entry).collect();
        let ids = self.stream.append(mark, &entries).await?;
        let places = rows.iter().zip(&ids).map(|(row, id)| Ok(Place { event: row.id, stream_id: place(*id)? }));
        outbox::mark_published(&self.mongo, &wire(mark), &places.collect::<Result<Vec<_>, Error>>()?).await?;
        for row in &rows {
            self.published.with_label_values(&[row.topic.as_str()]).inc();
        }
        Ok(rows.len())
    }

    async fn confirm(&self, mark: &Mark) -> Result<(), Error> {
        let floor = self.stream.floor(mark, &self.consumers).await?;
        if let Some(below) = floor.below {
            outbox::mark_confirmed_up_to(&self.mongo, &wire(mark), place(below)?).await?;
            self.stream.trim_below(mark, below).await?;
        }
        outbox::republish_unconfirmed(&self.mongo, &wire(mark)).await?;
        self.show(outbox::backlog(&self.mongo).await?);
        Ok(())
    }

    fn show(&self, backlog: outbox::Backlog) {
        let rows = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        self.backlog.with_label_values(&["unpublished"]).set(rows(backlog.unpublished));
        self.backlog.with_label_values(&["unconfirmed"]).set(rows(backlog.unconfirmed));
    }

    /// Until this process has written events, or it is time to look for those of others.
    async fn wait_for_rows(&self) {
        tokio::select! {
            () = self.mongo.outbox_written().notified() => {}
            () = self.pause(POLL_EVERY) => {}
        }
    }

    async fn pause(&self, pause: Duration) {
        tokio::select! {
            () = sleep(pause) => {}
            () = self.stop.cancelled() => {}
        }
    }
}

fn entry(row: &Row) -> Entry {
    let outward = Topic::from_name(&row.topic).is_some_and(|topic| topic.audience() == Audience::Outward);
    Entry {
        event_id: row.id.to_string(),
        topic: row.topic.clone(),
        json: row.body.clone(),
        mirror: outward.then(|| row.topic.clone()),
    }
}

fn wire(mark: &Mark) -> Wire {
    Wire { run_id: mark.run_id.clone(), epoch: mark.epoch.clone() }
}

fn place(id: shop_redis::StreamId) -> Result<StreamId, Error> {
    id.to_string().parse().map_err(|_| Error::MalformedId)
}
