//! One batch: read its envelopes, hand them to the service, and settle each entry by how it ended.
//!
//! What belongs here: which end leads to what. What does not: when there is a batch (`consumer`).

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use futures::future::join_all;
use shop_faults::Bug;
use shop_mongo::bson::DateTime;
use shop_redis::{Batch, Delivery, Mark, Retry};
use shop_types::{Envelope, EventId};
use tokio::time::Instant;

use super::ask::ask;
use super::entry::{Content, Read};
use super::{IDLE, Source};
use crate::dead_letters::{self, Letter};
use crate::handler::Verdict;

/// Claimed entries that are not begun by then are left for the next claim: it must not find them still at work.
const LAST_BEGIN: Duration = Duration::from_secs(15);
/// The delivery after which an event that fails is given up.
const MOST_DELIVERIES: u32 = 5;
/// The first pause before an event comes again; it doubles each time.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The pause before an event comes again when something was away.
const AWAY_PAUSE: Duration = Duration::from_secs(2);

/// Something that events need is away; the text of the last cause.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Away(String);

impl Source {
    /// Hands over new entries as one batch.
    pub(super) async fn handle_together(&self, batch: Batch) -> Result<(), Away> {
        if batch.deliveries.is_empty() {
            return Ok(());
        }
        if shop_faults::planted(Bug::AckBeforeCommit) {
            let all: Vec<_> = batch.deliveries.iter().map(|delivery| delivery.stream_id).collect();
            self.tell_redis(&batch.mark, &all, &[]).await;
        }
        let entries = self.read(batch.deliveries);
        let verdicts = self.hand_over(&entries).await;
        self.settle(&batch.mark, entries, verdicts).await
    }

    /// Hands over claimed entries one by one; those of one aggregate in their order, others beside each other.
    pub(super) async fn handle_apart(&self, batch: Batch) -> Result<(), Away> {
        if batch.deliveries.is_empty() {
            return Ok(());
        }
        let last_begin = Instant::now() + LAST_BEGIN;
        let mut lanes = BTreeMap::<String, Vec<Read>>::new();
        for entry in self.read(batch.deliveries) {
            lanes.entry(entry.lane()).or_default().push(entry);
        }
        let lanes = lanes.into_values().map(|lane| self.handle_lane(&batch.mark, lane, last_begin));
        join_all(lanes).await.into_iter().collect()
    }

    async fn handle_lane(&self, mark: &Mark, lane: Vec<Read>, last_begin: Instant) -> Result<(), Away> {
        let mut ended = Ok(());
        for entry in lane {
            let late = Instant::now() >= last_begin || self.consumer.stop.is_cancelled();
            let verdict = match &entry.content {
                Content::Event(_) if late => HashMap::from([(entry.delivery.stream_id, not_begun())]),
                // It has taken down whoever had it: five processes are enough.
                Content::Event(_) if entry.delivery.deliveries > MOST_DELIVERIES => {
                    let reason = format!("not acknowledged after {MOST_DELIVERIES} deliveries");
                    HashMap::from([(entry.delivery.stream_id, Verdict::Poison(reason))])
                }
                Content::Event(_) | Content::NotOurs | Content::Unheard | Content::Unreadable(_) => {
                    self.count_delivery(mark, &entry.delivery).await;
                    self.hand_over(std::slice::from_ref(&entry)).await
                }
            };
            if let Err(away) = self.settle(mark, vec![entry], verdict).await {
                ended = Err(away);
            }
        }
        ended
    }

    /// Redis may be slow to say that it has counted: that delays nothing, and does not count against the event.
    async fn count_delivery(&self, mark: &Mark, delivery: &Delivery) {
        let (group, name) = (&self.consumer.service, &self.consumer.name);
        if let Err(error) = self.stream.count_delivery(mark, group, name, IDLE, delivery).await {
            tracing::warn!(%error, "{group} could not count a delivery; it is handled all the same");
        }
    }

    fn read(&self, deliveries: Vec<Delivery>) -> Vec<Read> {
        deliveries.into_iter().map(|delivery| Read::of(delivery, &self.topics)).collect()
    }

    /// Asks the handler; answers a verdict for every entry of ours. An event that stands there twice is handed over once.
    async fn hand_over(&self, entries: &[Read]) -> HashMap<shop_redis::StreamId, Verdict> {
        let mut position = HashMap::<EventId, usize>::new();
        let mut envelopes = Vec::new();
        for entry in entries {
            if let Content::Event(envelope) = &entry.content {
                position.entry(envelope.id).or_insert_with(|| {
                    envelopes.push(Envelope::clone(envelope));
                    envelopes.len() - 1
                });
            }
        }
        let verdicts = ask(&self.consumer.service, &self.consumer.handler, envelopes).await;
        let verdict = |entry: &Read| match &entry.content {
            Content::Event(envelope) => {
                position.get(&envelope.id).and_then(|position| verdicts.get(*position)).cloned()
            }
            Content::Unreadable(reason) => Some(Verdict::Poison(reason.clone())),
            Content::Unheard => Some(Verdict::Retry("nobody here knows its topic; a newer version may".into())),
            Content::NotOurs => None,
        };
        entries.iter().filter_map(|entry| Some((entry.delivery.stream_id, verdict(entry)?))).collect()
    }

    /// Acknowledges what is done with, gives back what is not, and keeps what is given up. Tells when something is away
    /// without which nothing works.
    async fn settle(
        &self,
        mark: &Mark,
        entries: Vec<Read>,
        mut verdicts: HashMap<shop_redis::StreamId, Verdict>,
    ) -> Result<(), Away> {
        let (mut done, mut retries, mut letters) = (Vec::new(), Vec::new(), Vec::new());
        let (mut away, mut something_worked) = (None, false);
        for Read { delivery, content } in entries {
            let Some(verdict) = verdicts.remove(&delivery.stream_id) else {
                done.push(delivery.stream_id);
                continue;
            };
            self.log(&delivery, &verdict);
            match verdict {
                Verdict::Handled => {
                    self.count(&content, "handled");
                    something_worked = true;
                    done.push(delivery.stream_id);
                }
                Verdict::Retry(_) if delivery.deliveries < MOST_DELIVERIES => {
                    self.count(&content, "retried");
                    let after = FIRST_PAUSE * 2_u32.saturating_pow(delivery.deliveries.saturating_sub(1));
                    retries.push(Retry { stream_id: delivery.stream_id, after, deliveries: delivery.deliveries });
                }
                Verdict::Away(cause) => {
                    self.count(&content, "away");
                    retries.push(again(&delivery));
                    away = Some(Away(cause));
                }
                Verdict::Retry(reason) | Verdict::Poison(reason) => letters.push((delivery, content, reason)),
            }
        }
        if something_worked {
            // Only some wait for something: no reason for the others to wait with them.
            away = None;
        }
        match self.keep(mark, &letters).await {
            Ok(()) => done.extend(letters.iter().map(|(delivery, ..)| delivery.stream_id)),
            Err(error) => {
                retries.extend(letters.iter().map(|(delivery, ..)| again(delivery)));
                away = Some(Away(crate::handler::chain(&error)));
            }
        }
        self.tell_redis(mark, &done, &retries).await;
        away.map_or(Ok(()), Err)
    }

    async fn keep(&self, mark: &Mark, letters: &[(Delivery, Content, String)]) -> Result<(), shop_mongo::Error> {
        let letter = |(delivery, _, reason): &(Delivery, Content, String)| Letter {
            group: self.consumer.service.clone(),
            producer: self.stream.producer().to_owned(),
            delivery: delivery.clone(),
            epoch: mark.epoch.clone(),
            reason: reason.clone(),
            at: DateTime::from_millis(self.consumer.clock.now().as_millisecond()),
        };
        dead_letters::keep(&self.consumer.mongo, letters.iter().map(letter).collect()).await?;
        for (_, content, _) in letters {
            self.count(content, "dead");
            self.consumer.measures.given_up.with_label_values(&[content.label()]).inc();
        }
        Ok(())
    }

    /// What Redis does not hear is delivered again after [`IDLE`], and the inbox knows it.
    async fn tell_redis(&self, mark: &Mark, done: &[shop_redis::StreamId], retries: &[Retry]) {
        let (group, name) = (&self.consumer.service, &self.consumer.name);
        if !done.is_empty()
            && let Err(error) = self.stream.acknowledge(mark, group, done).await
        {
            tracing::warn!(%error, "{group} could not acknowledge {} events; they will come again", done.len());
        }
        if !retries.is_empty()
            && let Err(error) = self.stream.give_back(mark, group, name, IDLE, retries).await
        {
            tracing::warn!(%error, "{group} could not give back {} events; they will come again later", retries.len());
        }
    }

    fn count(&self, content: &Content, result: &str) {
        self.consumer.measures.handled.with_label_values(&[content.label(), result]).inc();
    }

    fn log(&self, delivery: &Delivery, verdict: &Verdict) {
        let (service, event, topic) = (&self.consumer.service, &delivery.event_id, &delivery.topic);
        let deliveries = delivery.deliveries;
        match verdict {
            Verdict::Handled | Verdict::Away(_) => {}
            Verdict::Retry(reason) if deliveries < MOST_DELIVERIES => {
                tracing::warn!(
                    event.id = event,
                    event.topic = topic,
                    deliveries,
                    reason,
                    "{service} failed to handle an event; it will come again"
                );
            }
            Verdict::Retry(reason) | Verdict::Poison(reason) => {
                tracing::error!(
                    event.id = event,
                    event.topic = topic,
                    deliveries,
                    reason,
                    "{service} gives up an event; it becomes a dead letter"
                );
            }
        }
    }
}

/// Comes again, and this time does not count.
fn again(delivery: &Delivery) -> Retry {
    let Delivery { stream_id, deliveries, .. } = delivery;
    Retry { stream_id: *stream_id, after: AWAY_PAUSE, deliveries: deliveries.saturating_sub(1) }
}

fn not_begun() -> Verdict {
    Verdict::Away("not begun in time".into())
}
