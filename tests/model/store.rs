//! MongoDB as the services use it: rows of one database, transactions by snapshot in which the first to commit wins, and
//! a primary that fails over.
//!
//! A transaction reads everything before its first `await`, so what it reads is one snapshot. At the commit every row that
//! it writes must be as it was then. Like those of the services, reads see only what a majority has.

use std::cell::{Cell, Ref, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use inventory::domain::batch::Movement;
use inventory::domain::{Reservation, Stock};
use order::domain::Order;
use payment::domain::batch::Known;
use payment::domain::{Payment, PaymentId};
use shop_types::{Envelope, EventId, OrderId, Sku};

use crate::engine::{Bell, Millis, Sim};
use crate::stream::{Mark, StreamId};

/// Rows with the commit that wrote each of them last.
#[derive(Debug, Clone)]
pub(crate) struct Table<K, V>(BTreeMap<K, (u64, V)>);

/// All rows of a database. Each service uses those that are its own.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tables {
    pub(crate) orders: Table<OrderId, OrderRow>,
    /// Which attempt of which order an idempotency key has opened.
    pub(crate) claims: Table<String, Claim>,
    pub(crate) payments: Table<PaymentId, PaymentRow>,
    /// Keys under which staff has given money back.
    pub(crate) refund_keys: Table<String, Known>,
    pub(crate) reservations: Table<OrderId, Reservation>,
    pub(crate) stock: Table<Sku, Stock>,
    pub(crate) movements: Table<(Sku, i64), Movement>,
    /// How often an event took effect at the witness.
    pub(crate) effects: Table<EventId, u32>,
    /// What the witness shows of a stock: its version and what can be sold.
    pub(crate) shown: Table<Sku, (i64, i64)>,
    pub(crate) outbox: Table<EventId, Sent>,
    pub(crate) inbox: Table<EventId, ()>,
    pub(crate) letters: Table<EventId, String>,
    /// Who relays, and until when.
    pub(crate) relay: Table<(), (u8, Millis)>,
}

#[derive(Debug, Clone)]
pub(crate) struct OrderRow {
    pub(crate) order: Order,
    pub(crate) deadline: Millis,
    pub(crate) lease_until: Millis,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) order: OrderId,
    pub(crate) attempt: u32,
}

#[derive(Debug, Clone)]
pub(crate) struct PaymentRow {
    pub(crate) payment: Payment,
    pub(crate) next_try: Option<Millis>,
}

/// A row of the outbox.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) envelope: Envelope,
    /// Where it stands in the stream, and in whose data.
    pub(crate) published: Option<(Mark, StreamId)>,
    pub(crate) confirmed: bool,
}

/// Why a write did not happen, or may not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failed {
    /// Somebody else wrote one of the rows; nothing has happened.
    Conflict,
    /// The primary is away; nobody knows whether it has happened.
    Away,
}

/// The database of one service.
pub(crate) struct Database {
    sim: Sim,
    tables: RefCell<Tables>,
    commits: Cell<u64>,
    away_until: Cell<Millis>,
    /// Rings at every commit.
    pub(crate) changed: Bell,
    /// Where acknowledged writes can be lost (a planted bug): what the other members had, newest last.
    behind: Option<RefCell<VecDeque<Tables>>>,
}

/// How many commits the other members can be behind the primary.
const BEHIND: usize = 4;

/// What a transaction will write.
pub(crate) struct Txn {
    since: u64,
    writes: Vec<Box<dyn Write>>,
}

trait Write {
    fn conflicts(&self, tables: &mut Tables, since: u64) -> bool;
    fn apply(self: Box<Self>, tables: &mut Tables, commit: u64);
}

type Of<K, V> = fn(&mut Tables) -> &mut Table<K, V>;

struct Put<K, V> {
    table: Of<K, V>,
    key: K,
    value: V,
}

impl<K: Ord + Clone, V> Write for Put<K, V> {
    fn conflicts(&self, tables: &mut Tables, since: u64) -> bool {
        (self.table)(tables).0.get(&self.key).is_some_and(|(commit, _)| *commit > since)
    }

    fn apply(self: Box<Self>, tables: &mut Tables, commit: u64) {
        (self.table)(tables).0.insert(self.key, (commit, self.value));
    }
}

impl Txn {
    pub(crate) fn put<K: Ord + Clone + 'static, V: 'static>(&mut self, table: Of<K, V>, key: K, value: V) {
        self.writes.push(Box::new(Put { table, key, value }));
    }
}

impl Database {
    pub(crate) fn new(sim: &Sim, loses_writes: bool) -> Rc<Self> {
        Rc::new(Self {
            sim: sim.clone(),
            tables: RefCell::default(),
            commits: Cell::new(0),
            away_until: Cell::new(0),
            changed: Bell::default(),
            behind: loses_writes.then(RefCell::default),
        })
    }

    /// What is there now, for the judge and for transactions.
    pub(crate) fn tables(&self) -> Ref<'_, Tables> {
        self.tables.borrow()
    }

    /// Reads something.
    pub(crate) async fn read<T>(&self, read: impl FnOnce(&Tables) -> T) -> Result<T, Failed> {
        self.sim.step().await;
        self.reach().map(|()| read(&self.tables()))
    }

    /// Begins a transaction: read from [`Self::tables`] before the next `await`, then commit.
    pub(crate) fn begin(&self) -> Txn {
        Txn { since: self.commits.get(), writes: Vec::new() }
    }

    pub(crate) async fn commit(&self, txn: Txn) -> Result<(), Failed> {
        self.sim.step().await;
        self.reach()?;
        if txn.writes.iter().any(|write| write.conflicts(&mut self.tables.borrow_mut(), txn.since)) {
            return Err(Failed::Conflict);
        }
        self.apply(txn);
        self.sim.step().await;
        // Committed, but the primary went before it could say so.
        self.reach()
    }

    /// A write outside of a transaction: whatever `write` puts is written under its own guard, at once.
    pub(crate) async fn update<T>(&self, write: impl FnOnce(&Tables, &mut Txn) -> T) -> Result<T, Failed> {
        self.sim.step().await;
        self.reach()?;
        let mut txn = self.begin();
        let answer = write(&self.tables(), &mut txn);
        self.apply(txn);
        self.sim.step().await;
        self.reach().map(|()| answer)
    }

    fn apply(&self, txn: Txn) {
        if txn.writes.is_empty() {
            return;
        }
        let mut tables = self.tables.borrow_mut();
        if let Some(behind) = &self.behind {
            let mut behind = behind.borrow_mut();
            behind.push_back(tables.clone());
            if behind.len() > BEHIND {
                behind.pop_front();
            }
        }
        let commit = self.commits.get() + 1;
        self.commits.set(commit);
        for write in txn.writes {
            write.apply(&mut tables, commit);
        }
        drop(tables);
        self.sim.ring(&self.changed);
    }

    /// The primary goes and another comes, so much later. `lost` of the last commits are gone, where that can happen.
    pub(crate) fn fail_over(&self, time: Millis, lost: usize) {
        self.away_until.set(self.sim.now() + time);
        if let Some(behind) = &self.behind {
            let mut behind = behind.borrow_mut();
            for _ in 0..lost {
                if let Some(earlier) = behind.pop_back() {
                    *self.tables.borrow_mut() = earlier;
                }
            }
        }
    }

    pub(crate) fn heal(&self) {
        self.away_until.set(0);
    }

    /// The rows as they stand before anything happens.
    pub(crate) fn seed(&self, fill: impl FnOnce(&mut Tables)) {
        fill(&mut self.tables.borrow_mut());
    }

    fn reach(&self) -> Result<(), Failed> {
        if self.sim.now() < self.away_until.get() { Err(Failed::Away) } else { Ok(()) }
    }
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord, V> Table<K, V> {
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.0.get(key).map(|(_, row)| row)
    }

    pub(crate) fn has(&self, key: &K) -> bool {
        self.0.contains_key(key)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.0.iter().map(|(key, (_, row))| (key, row))
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = &V> {
        self.0.values().map(|(_, row)| row)
    }

    pub(crate) fn insert(&mut self, key: K, row: V) {
        self.0.insert(key, (0, row));
    }
}
