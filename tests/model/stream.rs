//! Redis as relay and consumers use it: one stream for each producer, with groups and their unacknowledged entries, and
//! all the ways in which it forgets what it has acknowledged.
//!
//! Each method is one script of shop-redis: it is done in one piece, and tells or compares whose data it works on.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use shop_types::Envelope;

use crate::engine::{Bell, Millis, Service, Sim};

/// A place in a stream. Ids grow with the server's clock; after a loss the same one may name another event.
pub(crate) type StreamId = i64;

/// Whose data it is: the server process, and the word that only a loss takes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    run: u32,
    epoch: u64,
}

/// Why a script did nothing; after `Away` it may have been done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failed {
    Away,
    Changed,
    NoGroup,
}

/// An entry given to a consumer.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    pub(crate) id: StreamId,
    pub(crate) envelope: Envelope,
    /// How often it was given out, this time included.
    pub(crate) count: u32,
}

#[derive(Debug, Clone, Default)]
struct Stream {
    /// 0: it has not begun, or is gone.
    epoch: u64,
    last: StreamId,
    entries: BTreeMap<StreamId, Envelope>,
    groups: BTreeMap<Service, Group>,
}

#[derive(Debug, Clone, Default)]
struct Group {
    given: StreamId,
    /// When each was given out, and how often.
    pending: BTreeMap<StreamId, (Millis, u32)>,
}

/// The server.
pub(crate) struct Redis {
    sim: Sim,
    run: Cell<u32>,
    streams: RefCell<BTreeMap<Service, Stream>>,
    /// What it would find when it started again.
    saved: RefCell<BTreeMap<Service, Stream>>,
    away_until: Cell<Millis>,
    /// Ring when entries come or groups may be gone, for each producer: a consumer's polling.
    appended: BTreeMap<Service, Bell>,
    /// Ring when entries are given out, for each group of each producer.
    given: BTreeMap<(Service, Service), Bell>,
}

impl Redis {
    pub(crate) fn new(sim: &Sim) -> Self {
        Self {
            sim: sim.clone(),
            run: Cell::new(1),
            streams: RefCell::default(),
            saved: RefCell::default(),
            away_until: Cell::new(0),
            appended: Service::ALL.map(|service| (service, Bell::default())).into(),
            given: pairs().map(|pair| (pair, Bell::default())).collect(),
        }
    }

    /// Finds whose data a stream's is; without a stream, `fresh` begins.
    pub(crate) async fn open(&self, producer: Service, fresh: u64) -> Result<Mark, Failed> {
        self.script(|streams| {
            let stream = streams.entry(producer).or_default();
            if stream.epoch == 0 {
                stream.epoch = fresh;
            }
            Ok(Mark { run: self.run.get(), epoch: stream.epoch })
        })
        .await
    }

    pub(crate) async fn append(
        &self,
        producer: Service,
        mark: Mark,
        events: &[Envelope],
    ) -> Result<Vec<StreamId>, Failed> {
        let now = self.sim.now();
        self.under(producer, mark, |stream| {
            self.sim.ring(&self.appended[&producer]);
            let put = |event: &Envelope| {
                // Milliseconds and a counter in one number.
                stream.last = (now * 1_000).max(stream.last + 1);
                stream.entries.insert(stream.last, event.clone());
                stream.last
            };
            events.iter().map(put).collect()
        })
        .await
    }

    /// Everything below has been acknowledged by all of these groups; `None` while one is missing.
    pub(crate) async fn floor(
        &self,
        producer: Service,
        mark: Mark,
        groups: &[Service],
    ) -> Result<Option<StreamId>, Failed> {
        self.under(producer, mark, |stream| {
            let below = |group: &Group| group.pending.keys().next().copied().unwrap_or(group.given + 1);
            let complete = groups.iter().all(|group| stream.groups.contains_key(group));
            complete.then(|| stream.groups.values().map(below).min().unwrap_or(stream.last + 1))
        })
        .await
    }

    pub(crate) async fn trim(&self, producer: Service, mark: Mark, below: StreamId) -> Result<(), Failed> {
        self.under(producer, mark, |stream| stream.entries.retain(|id, _| *id >= below)).await
    }

    /// Makes a group that begins with the oldest entry, or (a planted bug) at the end.
    pub(crate) async fn ensure_group(&self, producer: Service, group: Service, at_end: bool) -> Result<(), Failed> {
        self.script(|streams| {
            let stream = streams.entry(producer).or_default();
            let given = if at_end { stream.last } else { 0 };
            stream.groups.entry(group).or_insert(Group { given, pending: BTreeMap::new() });
            Ok(())
        })
        .await
    }

    /// Gives out entries that nobody of the group was given.
    pub(crate) async fn read(
        &self,
        producer: Service,
        group: Service,
        most: usize,
    ) -> Result<(Mark, Vec<Delivery>), Failed> {
        let now = self.sim.now();
        self.as_group(producer, group, |entries, group| {
            let new: Vec<Delivery> = entries
                .range(group.given + 1..)
                .take(most)
                .map(|(id, envelope)| Delivery { id: *id, envelope: envelope.clone(), count: 1 })
                .collect();
            for delivery in &new {
                group.given = delivery.id;
                group.pending.insert(delivery.id, (now, 1));
            }
            new
        })
        .await
    }

    /// Takes over what was given out so long ago and not acknowledged.
    pub(crate) async fn claim(
        &self,
        producer: Service,
        group: Service,
        idle: Millis,
    ) -> Result<(Mark, Vec<Delivery>), Failed> {
        let now = self.sim.now();
        self.as_group(producer, group, |entries, group| {
            let mut old = Vec::new();
            for (id, (since, count)) in group.pending.iter_mut().filter(|(_, (since, _))| *since + idle <= now) {
                (*since, *count) = (now, *count + 1);
                old.extend(entries.get(id).map(|envelope| Delivery {
                    id: *id,
                    envelope: envelope.clone(),
                    count: *count,
                }));
            }
            old
        })
        .await
    }

    pub(crate) async fn acknowledge(
        &self,
        producer: Service,
        mark: Mark,
        group: Service,
        ids: &[StreamId],
    ) -> Result<(), Failed> {
        self.under(producer, mark, |stream| {
            if let Some(group) = stream.groups.get_mut(&group) {
                group.pending.retain(|id, _| !ids.contains(id));
            }
        })
        .await
    }

    /// Leaves entries to a later claim: as if each had been given out then, so often.
    pub(crate) async fn give_back(
        &self,
        producer: Service,
        mark: Mark,
        group: Service,
        retries: &[(StreamId, Millis, u32)],
    ) -> Result<(), Failed> {
        self.under(producer, mark, |stream| {
            self.sim.ring(&self.given[&(producer, group)]);
            for (id, since, count) in retries {
                if let Some(pending) = stream.groups.get_mut(&group).and_then(|group| group.pending.get_mut(id)) {
                    *pending = (*since, *count);
                }
            }
        })
        .await
    }

    /// Waits until there is something for a group to read, or the group is not there. A real consumer looks every 250 ms;
    /// the model would never come to rest.
    pub(crate) async fn readable(&self, producer: Service, group: Service) {
        while self.has_read_all(producer, group) {
            self.sim.wait(&[&self.appended[&producer]], None).await;
        }
    }

    fn has_read_all(&self, producer: Service, group: Service) -> bool {
        let streams = self.streams.borrow();
        let Some(stream) = streams.get(&producer) else { return false };
        let last = stream.entries.keys().next_back().copied().unwrap_or(0);
        stream.groups.get(&group).is_some_and(|group| group.given >= last)
    }

    /// Waits until some entry was given out so long ago and not acknowledged.
    pub(crate) async fn claimable(&self, producer: Service, group: Service, idle: Millis) {
        loop {
            let due = self.oldest_given(producer, group).map(|at| at + idle);
            if due.is_some_and(|due| due <= self.sim.now()) {
                return;
            }
            self.sim.wait(&[&self.given[&(producer, group)]], due).await;
        }
    }

    fn oldest_given(&self, producer: Service, group: Service) -> Option<Millis> {
        let streams = self.streams.borrow();
        streams.get(&producer)?.groups.get(&group)?.pending.values().map(|(at, _)| *at).min()
    }

    /// Everything is gone; the process stays.
    pub(crate) fn flush(&self) {
        self.streams.borrow_mut().clear();
        self.appended.values().for_each(|bell| self.sim.ring(bell));
    }

    pub(crate) fn save(&self) {
        self.saved.replace(self.streams.borrow().clone());
    }

    /// Starts again from what was saved: a crash, or a replica that was behind.
    pub(crate) fn roll_back(&self) {
        self.streams.replace(self.saved.borrow().clone());
        self.run.set(self.run.get() + 1);
        self.appended.values().for_each(|bell| self.sim.ring(bell));
    }

    pub(crate) fn go_away(&self, time: Millis) {
        self.away_until.set(self.sim.now() + time);
    }

    pub(crate) fn heal(&self) {
        self.away_until.set(0);
    }

    async fn script<T>(
        &self,
        run: impl FnOnce(&mut BTreeMap<Service, Stream>) -> Result<T, Failed>,
    ) -> Result<T, Failed> {
        self.sim.step().await;
        self.reach()?;
        let done = run(&mut self.streams.borrow_mut());
        self.sim.step().await;
        // It may go between doing and answering.
        self.reach().and(done)
    }

    async fn under<T>(&self, producer: Service, mark: Mark, run: impl FnOnce(&mut Stream) -> T) -> Result<T, Failed> {
        self.script(|streams| match streams.get_mut(&producer) {
            Some(stream) if stream.epoch == mark.epoch && self.run.get() == mark.run => Ok(run(stream)),
            Some(_) | None => Err(Failed::Changed),
        })
        .await
    }

    async fn as_group<T>(
        &self,
        producer: Service,
        named: Service,
        run: impl FnOnce(&BTreeMap<StreamId, Envelope>, &mut Group) -> T,
    ) -> Result<(Mark, T), Failed> {
        self.script(|streams| {
            let stream = streams.get_mut(&producer).ok_or(Failed::NoGroup)?;
            let group = stream.groups.get_mut(&named).ok_or(Failed::NoGroup)?;
            let mark = Mark { run: self.run.get(), epoch: stream.epoch };
            self.sim.ring(&self.given[&(producer, named)]);
            Ok((mark, run(&stream.entries, group)))
        })
        .await
    }

    fn reach(&self) -> Result<(), Failed> {
        if self.sim.now() < self.away_until.get() { Err(Failed::Away) } else { Ok(()) }
    }
}

fn pairs() -> impl Iterator<Item = (Service, Service)> {
    Service::ALL.into_iter().flat_map(|producer| Service::ALL.map(|group| (producer, group)))
}
