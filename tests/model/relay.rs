//! The relay of one service: carries outbox rows into the stream and finds out which of them every consumer has
//! (shop-events, `relay`).

use std::collections::BTreeSet;

use shop_config::SERVICES;
use shop_faults::Bug;
use shop_types::Topic;

use crate::engine::{Millis, Process, SECOND, Service};
use crate::store::{Database, Failed, Sent};
use crate::stream::{self, Mark};
use crate::world::Shop;

const CONFIRM_EVERY: Millis = 5 * SECOND;
const LEASE: Millis = 5 * SECOND;
const PAUSE: Millis = SECOND;

/// Rows go out again because Redis may have lost them.
pub(crate) const REPUBLISHED: &str = "events are sent again";

struct Relay {
    shop: Shop,
    service: Service,
    replica: u8,
}

enum Stopped {
    Mongo,
    Redis(stream::Failed),
}

pub(crate) fn start(shop: &Shop, process: Process, service: Service, replica: u8) {
    let relay = Relay { shop: shop.clone(), service, replica };
    shop.sim.spawn(process, async move {
        loop {
            // Whatever has stopped it: it begins again with asking for the lease.
            if relay.turn().await.is_err() {
                relay.shop.sim.sleep(PAUSE).await;
            }
        }
    });
}

/// The groups that must have handled an event of this producer before it is confirmed.
pub(crate) fn consumers_of(producer: Service) -> Vec<Service> {
    let hears = |service: Service| {
        let spec = SERVICES.iter().find(|spec| spec.name == service.name());
        spec.is_none_or(|spec| spec.consumes.iter().any(|name| produced_by(name, producer)))
    };
    Service::ALL.into_iter().filter(|service| *service != producer && hears(*service)).collect()
}

fn produced_by(name: &str, producer: Service) -> bool {
    Topic::from_name(name).is_some_and(|topic| topic.producers().contains(&producer.name()))
}

impl Relay {
    fn database(&self) -> &Database {
        self.shop.database(self.service)
    }

    /// Relays for as long as there is something to relay and this pod holds the lease.
    async fn turn(&self) -> Result<(), Stopped> {
        let sim = &self.shop.sim;
        while self.database().tables().outbox.rows().all(|row| row.confirmed) {
            sim.wait(&[&self.database().changed], None).await;
        }
        if !self.holds_lease().await? {
            sim.sleep(PAUSE).await;
            return Ok(());
        }
        let mut mark = self.open().await?;
        let mut confirm_at = sim.now();
        while self.holds_lease().await? {
            if sim.now() >= confirm_at {
                mark = self.or_open(self.confirm(mark).await, mark).await?;
                confirm_at = sim.now() + CONFIRM_EVERY;
            }
            mark = self.or_open(self.publish(mark).await, mark).await?;
            if self.database().tables().outbox.rows().all(|row| row.confirmed) {
                return Ok(());
            }
            if self.unpublished().is_empty() {
                sim.wait(&[&self.database().changed], Some(confirm_at)).await;
            }
        }
        Ok(())
    }

    async fn holds_lease(&self) -> Result<bool, Stopped> {
        let (me, now) = (self.replica, self.shop.sim.now());
        let take = self.database().update(|tables, txn| {
            let holds = tables.relay.get(&()).is_none_or(|(holder, until)| *holder == me || *until <= now);
            if holds {
                txn.put(|tables| &mut tables.relay, (), (me, now + LEASE));
            }
            holds
        });
        Ok(take.await?)
    }

    /// A step that meets other data than it expected is left; everything goes out again under the new mark.
    async fn or_open(&self, done: Result<(), Stopped>, mark: Mark) -> Result<Mark, Stopped> {
        match done {
            Ok(()) => Ok(mark),
            Err(Stopped::Redis(stream::Failed::Changed)) => self.open().await,
            Err(stopped) => Err(stopped),
        }
    }

    async fn open(&self) -> Result<Mark, Stopped> {
        let fresh = u64::try_from(self.shop.new_id().as_u128()).expect("small ids");
        let mark = self.shop.redis.open(self.service, fresh).await?;
        self.republish(mark).await?;
        Ok(mark)
    }

    /// Sends rows again that are not confirmed and stand in other data than this.
    async fn republish(&self, mark: Mark) -> Result<(), Stopped> {
        if self.shop.planted(Bug::RelayTrustsPublished) {
            return Ok(());
        }
        self.change_rows(|row| match row.published {
            Some((taken, _)) if taken != mark && !row.confirmed => {
                self.shop.reach(REPUBLISHED);
                Some(Sent { published: None, ..row.clone() })
            }
            Some(_) | None => None,
        })
        .await
    }

    fn unpublished(&self) -> Vec<Sent> {
        let tables = self.database().tables();
        tables.outbox.rows().filter(|row| row.published.is_none() && !row.confirmed).cloned().collect()
    }

    async fn publish(&self, mark: Mark) -> Result<(), Stopped> {
        self.shop.sim.step().await;
        let mut rows = self.unpublished();
        if rows.is_empty() {
            return Ok(());
        }
        // Rows become visible out of the order of their ids; only those of one aggregate keep theirs.
        let first = self.shop.sim.pick(rows.len());
        let aggregate = rows[first].envelope.aggregate.clone();
        rows.sort_by_key(|row| (row.envelope.aggregate != aggregate, row.envelope.version));
        let events: Vec<_> = rows.iter().map(|row| row.envelope.clone()).collect();
        let ids = self.shop.redis.append(self.service, mark, &events).await?;
        self.shop.sim.tell(|| format!("publishes {} events under {mark:?}", ids.len()));
        let sent: BTreeSet<_> = rows.iter().map(|row| row.envelope.id).collect();
        let last = ids.last().copied();
        self.change_rows(|row| {
            let place = last.filter(|_| !row.confirmed && sent.contains(&row.envelope.id))?;
            Some(Sent { published: Some((mark, place)), ..row.clone() })
        })
        .await
    }

    async fn confirm(&self, mark: Mark) -> Result<(), Stopped> {
        let consumers = consumers_of(self.service);
        let floor = self.shop.redis.floor(self.service, mark, &consumers).await?;
        self.shop.sim.tell(|| format!("may confirm below {floor:?} under {mark:?}"));
        if let Some(floor) = floor {
            self.change_rows(|row| match row.published {
                Some((taken, id)) if taken == mark && id < floor => Some(Sent { confirmed: true, ..row.clone() }),
                Some(_) | None => None,
            })
            .await?;
            self.shop.redis.trim(self.service, mark, floor).await?;
        }
        self.republish(mark).await
    }

    async fn change_rows(&self, change: impl Fn(&Sent) -> Option<Sent>) -> Result<(), Stopped> {
        let write = self.database().update(|tables, txn| {
            for row in tables.outbox.rows().filter_map(change) {
                txn.put(|tables| &mut tables.outbox, row.envelope.id, row);
            }
        });
        Ok(write.await?)
    }
}

impl From<Failed> for Stopped {
    fn from(_: Failed) -> Self {
        Self::Mongo
    }
}

impl From<stream::Failed> for Stopped {
    fn from(failed: stream::Failed) -> Self {
        Self::Redis(failed)
    }
}
