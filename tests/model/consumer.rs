//! The consumers of one service: hand events over, and say to Redis what became of them (shop-events, `consumer`).

use std::collections::BTreeSet;

use shop_config::SERVICES;
use shop_faults::Bug;
use shop_types::Envelope;

use crate::engine::{Millis, Process, SECOND, Service};
use crate::inbox;
use crate::store::Failed;
use crate::stream::{self, Delivery, Mark, StreamId};
use crate::witness;
use crate::world::{Pod, Shop};

const IDLE: Millis = 30 * SECOND;
const AWAY_PAUSE: Millis = 2 * SECOND;
const MOST_DELIVERIES: u32 = 5;
const BATCHES: [usize; 3] = [128, 1, 2];

/// How the handling of one event ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    Handled,
    /// Something that it needs is away; this time does not count.
    Away,
    /// It will never succeed.
    Poison(String),
}

/// An event that nobody has acknowledged belongs to somebody else now.
pub(crate) const CLAIMED: &str = "events are claimed";

#[derive(Clone)]
struct Consumer {
    shop: Shop,
    service: Service,
    producer: Service,
    pod: Pod,
}

/// Starts both loops of a consumer: one reads what nobody was given, one takes over what was not acknowledged.
pub(crate) fn start(shop: &Shop, process: Process, service: Service, producer: Service, pod: &Pod) {
    let reading = Consumer { shop: shop.clone(), service, producer, pod: pod.clone() };
    let claiming = reading.clone();
    shop.sim.spawn(process, async move { reading.read_new().await });
    shop.sim.spawn(process, async move { claiming.claim_old().await });
}

/// Whether a service listens to this event.
pub(crate) fn hears(service: Service, envelope: &Envelope) -> bool {
    let spec = SERVICES.iter().find(|spec| spec.name == service.name());
    spec.is_none_or(|spec| spec.consumes.contains(&envelope.event.topic().name()))
}

impl Consumer {
    async fn read_new(&self) {
        let redis = &self.shop.redis;
        loop {
            redis.readable(self.producer, self.service).await;
            let most = BATCHES[self.shop.sim.pick(BATCHES.len())];
            let done = match redis.read(self.producer, self.service, most).await {
                Ok((mark, batch)) => self.handle(mark, batch).await,
                Err(stream::Failed::NoGroup) => {
                    let at_end = self.shop.planted(Bug::GroupAtEnd);
                    redis.ensure_group(self.producer, self.service, at_end).await
                }
                Err(failed) => Err(failed),
            };
            if done.is_err() {
                self.shop.sim.sleep(SECOND).await;
            }
        }
    }

    async fn claim_old(&self) {
        let redis = &self.shop.redis;
        loop {
            redis.claimable(self.producer, self.service, IDLE).await;
            match redis.claim(self.producer, self.service, IDLE).await {
                Ok((mark, batch)) => {
                    self.shop.reach(CLAIMED);
                    for delivery in batch {
                        if self.handle(mark, vec![delivery]).await.is_err() {
                            self.shop.sim.sleep(SECOND).await;
                        }
                    }
                }
                Err(_) => self.shop.sim.sleep(SECOND).await,
            }
        }
    }

    async fn handle(&self, mark: Mark, batch: Vec<Delivery>) -> Result<(), stream::Failed> {
        if batch.is_empty() {
            return Ok(());
        }
        if self.shop.planted(Bug::AckBeforeCommit) {
            let all: Vec<StreamId> = batch.iter().map(|delivery| delivery.id).collect();
            self.acknowledge(mark, &all).await?;
        }
        self.shop.sim.tell(|| {
            format!("handles {:?} of {}", batch.iter().map(|it| it.id).collect::<Vec<_>>(), self.producer.name())
        });
        let ours: Vec<&Delivery> = batch.iter().filter(|delivery| hears(self.service, &delivery.envelope)).collect();
        let mut once = BTreeSet::new();
        let events: Vec<Envelope> = ours
            .iter()
            .filter(|delivery| delivery.count <= MOST_DELIVERIES && once.insert(delivery.envelope.id))
            .map(|delivery| delivery.envelope.clone())
            .collect();
        let verdicts: Vec<_> = if events.is_empty() { Vec::new() } else { self.hand_over(events.clone()).await };
        let verdict = |delivery: &Delivery| {
            let place = events.iter().position(|event| event.id == delivery.envelope.id);
            place.map_or_else(|| Verdict::Poison("delivered too often".into()), |place| verdicts[place].clone())
        };
        let (mut done, mut again) = (Vec::new(), Vec::new());
        for delivery in &batch {
            let verdict = if hears(self.service, &delivery.envelope) { verdict(delivery) } else { Verdict::Handled };
            let kept = match verdict {
                Verdict::Handled => true,
                Verdict::Away => false,
                Verdict::Poison(reason) => self.keep(&delivery.envelope, reason).await.is_ok(),
            };
            if kept {
                done.push(delivery.id);
            } else {
                let since = self.shop.sim.now() - IDLE + AWAY_PAUSE;
                again.push((delivery.id, since, delivery.count - 1));
            }
        }
        self.acknowledge(mark, &done).await?;
        if !again.is_empty() {
            self.shop.redis.give_back(self.producer, mark, self.service, &again).await?;
        }
        Ok(())
    }

    async fn hand_over(&self, events: Vec<Envelope>) -> Vec<Verdict> {
        match &self.pod {
            Pod::Orders(orders) => orders.hear(events).await,
            Pod::Payments(payments) => payments.hear(events).await,
            Pod::Inventory(inventory) => inventory.hear(events).await,
            Pod::Witness => witness::hear(&self.shop, events).await,
        }
    }

    async fn acknowledge(&self, mark: Mark, ids: &[StreamId]) -> Result<(), stream::Failed> {
        if ids.is_empty() {
            return Ok(());
        }
        self.shop.redis.acknowledge(self.producer, mark, self.service, ids).await
    }

    /// Keeps an event that is given up.
    async fn keep(&self, envelope: &Envelope, reason: String) -> Result<(), Failed> {
        let database = self.shop.database(self.service);
        let mut txn = database.begin();
        let had = inbox::claim(&self.shop, &database.tables(), &mut txn, &[envelope.id]);
        if had.is_empty() {
            txn.put(|tables| &mut tables.letters, envelope.id, format!("{}: {reason}", envelope.event.topic().name()));
        }
        database.commit(txn).await
    }
}
