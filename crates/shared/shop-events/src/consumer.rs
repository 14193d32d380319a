//! Hands the events of streams to a service, and says to Redis what became of them.
//!
//! What belongs here: the loops. How one batch is handled stands in `consumer/batch`.
//!
//! # Invariants
//! 1. An entry is acknowledged only after its effect, or its dead letter, is durable; or because it is of a topic that this
//!    service does not consume. Whatever ends before that is delivered again, to any pod: an entry that was given out 30 s
//!    ago, and not acknowledged, belongs to whoever claims it.
//! 2. New entries never wait for old ones: two loops for each stream, one that reads what nobody was given, one that claims.
//! 3. What has failed is tried again one event at a time (those of one aggregate in their order), so that one bad event
//!    spoils no batch twice. The fifth delivery is the last; deliveries that failed because something was away do not
//!    count.
//! 4. While something is away, a loop pauses: it does not pull the whole stream into the list of unacknowledged entries.
//!    What is away for some events of a batch alone holds nobody up.
//! 5. A batch that takes long is left at work, and the next one is read; so many batches at most, then reading waits.

mod ask;
mod batch;
mod entry;
mod trace;

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use prometheus::{IntCounterVec, IntGaugeVec};
use shop_mongo::Mongo;
use shop_redis::{Batch, Mark, Redis, Stream, StreamId, Subscription};
use shop_telemetry::metrics::Metrics;
use shop_types::{Clock, Topic};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::outage::Outage;
use crate::routes::streams_of;
use crate::{Handler, dead_letters};
use batch::Away;

pub(crate) use ask::ask;
pub(crate) use entry::envelope;
pub(crate) use trace::span_of;

/// Events of one batch: as many as a group commit takes.
const BATCH: u32 = 128;
/// Entries claimed at once; they are handled one by one, in the time that [`IDLE`] leaves.
const CLAIM_BATCH: u32 = 32;
/// An entry given out so long ago belongs to whoever claims it. Longer than its handler may take.
const IDLE: Duration = Duration::from_secs(30);
/// Reading waits so long for a batch before it goes on beside it.
const PATIENCE: Duration = Duration::from_millis(250);
/// Batches of one stream at work at once.
const MOST_AT_WORK: usize = 8;
/// A wake-up may be lost: so often a consumer looks by itself.
const POLL_EVERY: Duration = Duration::from_millis(250);
/// What comes sooner after a batch waits for more, so that a busy stream makes large groups and few transactions. An event
/// that comes alone never waits.
const PACE: Duration = Duration::from_millis(20);
const CLAIM_EVERY: Duration = Duration::from_millis(500);
const MEASURE_EVERY: Duration = Duration::from_secs(5);
/// A consumer of an ended pod is forgotten after so long.
const FORGET_AFTER: Duration = Duration::from_secs(3600);

/// What all loops of one consumer share.
struct Consumer {
    service: String,
    /// This process, among the consumers of the group.
    name: String,
    mongo: Mongo,
    handler: Handler,
    clock: Arc<dyn Clock>,
    measures: Measures,
    stop: CancellationToken,
}

/// One stream of a consumer.
struct Source {
    consumer: Arc<Consumer>,
    stream: Stream,
    topics: Vec<Topic>,
}

/// Starts consuming topics in the consumer group of a service. It goes on until `stop` is cancelled and the batches under
/// way have ended, whatever MongoDB and Redis do. A service consumes all its topics of one stream by one call.
///
/// Metrics: `events_handled_total{topic,result}` with `handled`, `retried`, `away` and `dead`,
/// `events_dead_letters_total{topic}`, `stream_lag_entries{stream}`, and `dead_letters`: those that wait for somebody, as
/// the database counts them.
#[expect(clippy::too_many_arguments, reason = "it has one caller, the kit, which has exactly these")]
pub fn spawn_consumer(
    service: &str,
    topics: &[Topic],
    mongo: Mongo,
    redis: Redis,
    handler: Handler,
    clock: Arc<dyn Clock>,
    metrics: &Metrics,
    stop: CancellationToken,
) -> JoinHandle<()> {
    let measures = Measures::register(metrics);
    let streams = streams_of(service, topics);
    let service = service.to_owned();
    tokio::spawn(async move {
        let (measures, streams) = match (measures, streams) {
            (Ok(measures), Ok(streams)) => (measures, streams),
            (Err(error), _) => {
                tracing::error!(%error, "Failed to register the metrics of the consumer of {service}; it does not run");
                return;
            }
            (_, Err(reason)) => {
                tracing::error!(reason, "The consumer of {service} does not run");
                return;
            }
        };
        let name = format!("{service}-{}", clock.new_id());
        let consumer = Arc::new(Consumer { service, name, mongo, handler, clock, measures, stop });
        let sources = streams.into_iter().map(|(producer, topics)| {
            let stream = redis.stream(producer);
            Arc::new(Source { consumer: Arc::clone(&consumer), stream, topics })
        });
        consumer.ensure().await;
        tokio::join!(join_all(sources.map(Source::run)), consumer.count_letters());
    })
}

struct Measures {
    handled: IntCounterVec,
    given_up: IntCounterVec,
    letters: IntGaugeVec,
    lag: IntGaugeVec,
}

impl Measures {
    fn register(metrics: &Metrics) -> Result<Self, prometheus::Error> {
        Ok(Self {
            handled: metrics.counter(
                "events_handled_total",
                "Deliveries of events by how they ended",
                &["topic", "result"],
            )?,
            given_up: metrics.counter("events_dead_letters_total", "Events that were given up", &["topic"])?,
            letters: metrics.gauge("dead_letters", "Events that were given up and wait for an admin", &[])?,
            lag: metrics.gauge("stream_lag_entries", "Entries that this service has not acknowledged", &["stream"])?,
        })
    }
}

impl Consumer {
    /// Makes the collections, for as long as it takes.
    async fn ensure(&self) {
        let mut outage = Outage::new(format!("the consumer of {}", self.service));
        while !self.stop.is_cancelled() {
            match self.mongo.ensure(&crate::consumer_setup()).await {
                Ok(()) => return outage.over(),
                Err(error) => {
                    let pause = outage.failed(&error);
                    self.pause(pause).await;
                }
            }
        }
    }

    /// Shows how many dead letters there are. What fails here is tried again soon.
    async fn count_letters(&self) {
        while !self.stop.is_cancelled() {
            match dead_letters::count(&self.mongo).await {
                Ok(count) => {
                    let count = i64::try_from(count).unwrap_or(i64::MAX);
                    self.measures.letters.with_label_values::<&str>(&[]).set(count);
                }
                Err(error) => tracing::debug!(%error, "Failed to count the dead letters of {}", self.service),
            }
            self.pause(MEASURE_EVERY).await;
        }
    }

    async fn pause(&self, pause: Duration) {
        tokio::select! {
            () = sleep(pause) => {}
            () = self.stop.cancelled() => {}
        }
    }
}

impl Source {
    async fn run(self: Arc<Self>) {
        tokio::join!(self.read_new(), self.claim_old());
    }

    /// Hands over what nobody was given yet.
    async fn read_new(self: &Arc<Self>) {
        let mut at_work = JoinSet::new();
        let mut wake = self.stream.wake();
        let mut outage = Outage::new(format!("reading of {} by {}", self.stream.producer(), self.consumer.service));
        while !self.consumer.stop.is_cancelled() {
            wake.drain();
            let began = Instant::now();
            let batch = match self.stream.read(&self.consumer.service, &self.consumer.name, BATCH).await {
                Ok(batch) => batch,
                Err(error) => {
                    self.recover(error, &mut outage).await;
                    continue;
                }
            };
            let full = batch.deliveries.len() >= BATCH as usize;
            match self.begin(batch, &mut at_work).await {
                Ok(()) => outage.over(),
                Err(away) => {
                    let pause = outage.failed(&away);
                    self.consumer.pause(pause).await;
                    continue;
                }
            }
            if !full {
                self.wait(&mut wake).await;
                sleep_until(began + PACE).await;
            }
        }
        while at_work.join_next().await.is_some() {}
    }

    /// Hands over a batch beside those at work, and waits for it; not for long, unless too many are at work. Tells when
    /// something is away.
    async fn begin(self: &Arc<Self>, batch: Batch, at_work: &mut JoinSet<Result<(), Away>>) -> Result<(), Away> {
        if batch.deliveries.is_empty() {
            return Ok(());
        }
        let source = Arc::clone(self);
        let newest = at_work.spawn(async move { source.handle_together(batch).await }).id();
        let patience = Instant::now() + PATIENCE;
        loop {
            let ended = tokio::select! {
                ended = at_work.join_next_with_id() => ended,
                () = sleep_until(patience), if at_work.len() < MOST_AT_WORK => return Ok(()),
            };
            match ended {
                Some(Ok((id, result))) => {
                    result?;
                    if id == newest {
                        return Ok(());
                    }
                }
                // Its entries come again, like those of a process that died.
                Some(Err(panic)) => tracing::error!(%panic, "A batch of {} ended badly", self.stream.producer()),
                None => return Ok(()),
            }
        }
    }

    /// Hands over what was given out and not acknowledged in time.
    async fn claim_old(&self) {
        let Consumer { service, name, .. } = &*self.consumer;
        let mut outage = Outage::new(format!("claiming of {} by {service}", self.stream.producer()));
        let mut from = StreamId::ZERO;
        let mut measured = None::<Instant>;
        while !self.consumer.stop.is_cancelled() {
            let (batch, next) = match self.stream.claim_idle(service, name, IDLE, CLAIM_BATCH, from).await {
                Ok(claimed) => claimed,
                Err(error) => {
                    self.recover(error, &mut outage).await;
                    continue;
                }
            };
            from = next;
            if measured.is_none_or(|at| at.elapsed() >= MEASURE_EVERY) {
                measured = Some(Instant::now());
                self.measure(&batch.mark).await;
            }
            let found = !batch.deliveries.is_empty();
            match self.handle_apart(batch).await {
                Ok(()) => outage.over(),
                Err(away) => {
                    let pause = outage.failed(&away);
                    self.consumer.pause(pause).await;
                }
            }
            if from == StreamId::ZERO || !found {
                self.consumer.pause(CLAIM_EVERY).await;
            }
        }
    }

    /// Makes the group when it is gone, else waits.
    async fn recover(&self, mut error: shop_redis::Error, outage: &mut Outage) {
        if matches!(error, shop_redis::Error::NoGroup { .. }) {
            match self.stream.ensure_group(&self.consumer.service).await {
                Ok(()) => return,
                Err(failed) => error = failed,
            }
        }
        let pause = outage.failed(&error);
        self.consumer.pause(pause).await;
    }

    async fn wait(&self, wake: &mut Subscription) {
        let woken = async {
            // When nobody can be woken any more, looking now and then goes on.
            if wake.next().await.is_none() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = woken => {}
            () = self.consumer.pause(POLL_EVERY) => {}
        }
    }

    /// Shows how far behind the group is, and forgets consumers of ended pods. What fails here is tried again soon.
    async fn measure(&self, mark: &Mark) {
        let service = &self.consumer.service;
        let measured = async {
            let floor = self.stream.floor(mark, &[]).await?;
            let lag = floor.groups.iter().find(|group| group.name == *service).map_or(0, |group| group.lag);
            self.consumer.measures.lag.with_label_values(&[self.stream.producer()]).set(lag);
            self.stream.forget_consumers(service, FORGET_AFTER).await
        };
        if let Err(error) = measured.await {
            tracing::debug!(%error, "Failed to measure how far {service} is behind {}", self.stream.producer());
        }
    }
}
