//! Carries outbox rows into the service's stream, and finds out which of them every consumer has.
//!
//! What belongs here: the loops and their order of steps. What does not: why a step is safe by itself (shop-redis'
//! `Stream`, shop-mongo's `outbox`).
//!
//! While a process holds the lease, two loops run beside each other under one mark, so that confirming much never delays
//! what is new: one publishes, one confirms and trims.
//!
//! # Invariants
//! 1. A row is noted as published with the [`Mark`] of the data that took it, at the place of the last row of its batch. It
//!    is confirmed only while the stream still has that mark, and only when that place is below everything that any
//!    consumer group has not acknowledged.
//! 2. A group that the service table names and Redis does not have yet has acknowledged nothing: nothing is confirmed.
//! 3. When the mark changes, every row that is not confirmed is sent again under the new one. So it is, every five seconds,
//!    with rows that another relay noted under an old mark.
//! 4. The stream is trimmed only below what is confirmed, and never by length.
//! 5. A row that was sent and not noted is sent again: events may come twice, never not at all.
//! 6. A stream that is full, or a Redis without memory, takes nothing: rows wait in MongoDB until it has room. That is no
//!    reason to give up the lease, and confirming goes on meanwhile.
//! 7. A group that the service table does not name holds entries as any other, until the stream is full: then it goes, if
//!    nobody has asked for it within an hour, or ever. It is left of a version that was rolled back, and would hold up all
//!    others. One that is just being made by a later version is made again, as new as it was.

mod lease;

use std::time::Duration;

use prometheus::{IntCounterVec, IntGaugeVec};
use shop_faults::Bug;
use shop_mongo::Mongo;
use shop_mongo::bson::oid::ObjectId;
use shop_mongo::outbox::{self, Row, StreamId, Wire};
use shop_redis::{Entry, Mark, Redis, Stream};
use shop_telemetry::metrics::Metrics;
use shop_types::{EventId, Topic};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::outage::Outage;
use crate::routes::consumers_of;
use lease::Lease;

pub(crate) use lease::setup as lease_setup;

/// Rows of one round trip each: read, sent, noted.
const BATCH: u32 = 512;
const POLL_EVERY: Duration = Duration::from_millis(200);
/// What comes sooner after a batch waits for more: one batch of ten rows costs little more than one of one. An event that
/// comes alone never waits.
const PACE: Duration = Duration::from_millis(20);
const CONFIRM_EVERY: Duration = Duration::from_secs(5);
/// Longer than a pod needs to come back, or a roll-out to end.
const ABANDONED_AFTER: Duration = Duration::from_secs(3600);
const ASK_FOR_LEASE_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Mongo(#[from] shop_mongo::Error),
    #[error(transparent)]
    Redis(#[from] shop_redis::Error),
    #[error("the outbox holds an id that is none")]
    MalformedId,
    #[error(transparent)]
    Injected(#[from] shop_faults::Injected),
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
/// Metrics: `outbox_backlog_rows{state}` with `unpublished` and `unconfirmed` (0 in pods that do not relay; while
/// Redis is away each pod that tries says how many there are),
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
            let pause = match self.turn(&mut lease, &mut ensured, &mut outage).await {
                Ok(()) => {
                    self.show(outbox::Backlog::default());
                    ASK_FOR_LEASE_EVERY
                }
                Err(error) => {
                    // What waits while Redis is away is what somebody wants to know; without MongoDB nobody knows.
                    if let Ok(backlog) = outbox::backlog(&self.mongo).await {
                        self.show(backlog);
                    }
                    outage.failed(&error)
                }
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
        while !self.stop.is_cancelled() {
            let mark = self.open().await?;
            // Whichever ends first ends the others. Only publishing heeds the stop, so that a batch is not left half-way.
            let ended = tokio::select! {
                ended = self.publish_all(&mark, outage) => ended,
                changed = self.confirm_all(&mark) => Err(changed),
                ended = keep(lease) => ended,
            };
            match ended {
                // The data is not what it was: everything goes out again under the new mark.
                Err(Error::Redis(shop_redis::Error::EpochChanged { .. })) => {}
                ended => return ended,
            }
        }
        Ok(())
    }

    async fn open(&self) -> Result<Mark, Error> {
        let mark = self.stream.open(&ObjectId::new().to_hex()).await?;
        let again = self.send_again(&mark).await?;
        if again > 0 {
            tracing::warn!(rows = again, "Redis may have lost events of {}; sending {again} again", self.service);
        }
        Ok(mark)
    }

    /// Makes every row unpublished that is not confirmed and that other data than this took; answers how many.
    async fn send_again(&self, mark: &Mark) -> Result<u64, Error> {
        if shop_faults::planted(Bug::RelayTrustsPublished) {
            return Ok(0);
        }
        Ok(outbox::republish_unconfirmed(&self.mongo, &wire(mark)).await?)
    }

    /// Sends rows as they come, until the stop or an error other than a stream that has no room.
    async fn publish_all(&self, mark: &Mark, outage: &mut Outage) -> Result<(), Error> {
        while !self.stop.is_cancelled() {
            let began = Instant::now();
            match self.publish(mark).await {
                Ok(sent) => {
                    outage.over();
                    if sent < BATCH as usize {
                        self.wait_for_rows().await;
                        sleep_until(began + PACE).await;
                    }
                }
                Err(Error::Redis(error @ shop_redis::Error::Full { .. })) => {
                    let pause = outage.failed(&error);
                    match self.make_room(mark).await {
                        Err(Error::Redis(error @ shop_redis::Error::EpochChanged { .. })) => return Err(error.into()),
                        Err(error) => tracing::debug!(%error, "Failed to look for groups that nobody reads with"),
                        Ok(()) => {}
                    }
                    self.pause(pause).await;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Removes the groups that nobody reads any more; what they held goes when it is next confirmed.
    async fn make_room(&self, mark: &Mark) -> Result<(), Error> {
        for group in self.stream.remove_abandoned_groups(mark, &self.consumers, ABANDONED_AFTER).await? {
            let service = &self.service;
            tracing::warn!(
                group,
                "Removed the group {group} of the full stream of {service}: no service reads with it"
            );
        }
        Ok(())
    }

    /// Confirms and trims now and then, until the data has changed; answers that.
    async fn confirm_all(&self, mark: &Mark) -> Error {
        let mut outage = Outage::new(format!("confirming of {}", self.service));
        loop {
            let pause = match self.confirm(mark).await {
                Ok(()) => {
                    outage.over();
                    CONFIRM_EVERY
                }
                Err(changed @ Error::Redis(shop_redis::Error::EpochChanged { .. })) => return changed,
                Err(error) => outage.failed(&error),
            };
            sleep(pause).await;
        }
    }

    async fn publish(&self, mark: &Mark) -> Result<usize, Error> {
        let rows = outbox::next_unpublished(&self.mongo, BATCH).await?;
        if rows.is_empty() {
            return Ok(0);
        }
        let entries: Vec<Entry> = rows.iter().map(entry).collect();
        let ids = self.stream.append(mark, &entries).await?;
        shop_faults::at("RELAY").await?;
        let Some(last) = ids.last() else { return Ok(0) };
        let events: Vec<EventId> = rows.iter().map(|row| row.id).collect();
        outbox::mark_published(&self.mongo, &wire(mark), &events, place(*last)?).await?;
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
        self.send_again(mark).await?;
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

/// Keeps the lease until another relay has it.
async fn keep(lease: &mut Lease) -> Result<(), Error> {
    while lease.holds().await? {
        sleep(ASK_FOR_LEASE_EVERY).await;
    }
    Ok(())
}

fn entry(row: &Row) -> Entry {
    let mirrored = Topic::from_name(&row.topic).is_some_and(Topic::is_mirrored);
    Entry {
        event_id: row.id.to_string(),
        topic: row.topic.clone(),
        json: row.body.clone(),
        mirror: mirrored.then(|| row.topic.clone()),
    }
}

fn wire(mark: &Mark) -> Wire {
    Wire { run_id: mark.run_id.clone(), epoch: mark.epoch.clone() }
}

fn place(id: shop_redis::StreamId) -> Result<StreamId, Error> {
    id.to_string().parse().map_err(|_| Error::MalformedId)
}
