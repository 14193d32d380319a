//! Which sessions this process has, and that it lives: one row of the service's own database.
//!
//! # Invariants
//! 1. **Registered before used.** [`Register::ensure`] is asked before every transaction. It lets it begin only when the row
//!    is known to hold all sessions of this process and to have been renewed less than [`FRESH`] ago.
//! 2. **Never too few.** Ids are only added to the row, so that a write which arrives late takes none away. They are few:
//!    a session lives as long as the process.
//! 3. **The database's clock** stamps the row and compares it; the clock of a pod counts nowhere.
//! 4. **The heart never makes the row**, it only renews it. A process that was taken for dead and wakes up finds no row, and
//!    makes it again before its next transaction.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use bson::oid::ObjectId;
use bson::{Document, doc};
use mongodb::options::{Acknowledgment, CollectionOptions, IndexOptions, ReadConcern, WriteConcern};
use mongodb::{Collection, Database, IndexModel};
use tokio::sync::Mutex;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::line;
use crate::error::is_duplicate;
use crate::{DriverError, Error, Setup};

/// Not "sessions": services have those of people.
pub(super) const COLLECTION: &str = "driver_sessions";

/// How often the row is renewed.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// How old the last renewal may be for a transaction to begin without another one. Less than what makes a process dead for
/// others (`reaper`), by what a transaction takes.
const FRESH: Duration = Duration::from_secs(3);

/// Rows that nobody reaps are forgotten: the server has ended their transactions long before.
const FORGOTTEN: Duration = Duration::from_secs(3600);

#[derive(Debug)]
pub(super) struct Register {
    owner: ObjectId,
    pod: String,
    /// On the client of the transactions: when that has no connection, neither have they.
    rows: Collection<Document>,
    line: Collection<Document>,
    ids: Mutex<Vec<Document>>,
    /// When the row was last known to be there, with every id.
    renewed: ArcSwapOption<Instant>,
}

pub(super) fn setup() -> Setup {
    let forget = IndexOptions::builder().expire_after(FORGOTTEN).build();
    Setup::new(COLLECTION, [IndexModel::builder().keys(doc! { "seen": 1 }).options(forget).build()])
}

/// The register as heart and reaper see it: what the primary has now. A majority that lags must not make the living look
/// dead; and a row that a fail-over takes back is one of transactions that it took back, too.
pub(super) fn on_line(line: &Database) -> Collection<Document> {
    let now = CollectionOptions::builder()
        .read_concern(ReadConcern::local())
        .write_concern(WriteConcern::builder().w(Acknowledgment::Nodes(1)).build())
        .build();
    line.collection_with_options(COLLECTION, now)
}

/// Renews the row every second until `stop`.
pub(super) async fn beat(register: Arc<Register>, stop: CancellationToken) {
    let mut ticks = interval(HEARTBEAT);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        // Without transactions there is nothing to tell.
        if !register.ids.lock().await.is_empty()
            && let Err(error) = register.renew().await
        {
            tracing::debug!(error = &error as &dyn std::error::Error, "Could not renew the register of sessions");
        }
    }
}

impl Register {
    pub(super) fn new(database: &Database, line: &Database, pod: &str) -> Self {
        Self {
            owner: ObjectId::new(),
            pod: pod.to_owned(),
            rows: database.collection(COLLECTION),
            line: on_line(line),
            ids: Mutex::default(),
            renewed: ArcSwapOption::empty(),
        }
    }

    /// This process: unique, also among those that a pod has had before.
    pub(super) fn owner(&self) -> ObjectId {
        self.owner
    }

    /// Takes in a new session; it may be used after [`Self::ensure`].
    pub(super) async fn add(&self, id: &Document) {
        let mut ids = self.ids.lock().await;
        ids.push(id.clone());
        self.renewed.store(None);
    }

    /// Makes sure that the row holds every session and that others see this process alive.
    ///
    /// # Errors
    /// Those of the driver. The row may then be there or not; no session may be used.
    pub(super) async fn ensure(&self) -> Result<(), DriverError> {
        if self.renewed.load().as_deref().is_some_and(|renewed| renewed.elapsed() < FRESH) {
            return Ok(());
        }
        let sent = Instant::now();
        let ids = self.ids.lock().await.clone();
        let count = ids.len();
        if let Err(error) = self.write(ids.clone()).await {
            // Two upserts of this process met; the row is there now.
            if !is_duplicate(&error) {
                return Err(error);
            }
            self.write(ids).await?;
        }
        // A session that was added meanwhile is not in the row yet; it will ask for itself.
        let known = self.ids.lock().await;
        if known.len() == count {
            self.renewed.store(Some(Arc::new(sent)));
        }
        Ok(())
    }

    async fn write(&self, ids: Vec<Document>) -> Result<(), DriverError> {
        let change = doc! {
            "$addToSet": { "sessions": { "$each": ids } },
            "$set": { "pod": &self.pod },
            "$currentDate": { "seen": true },
        };
        self.rows.update_one(doc! { "_id": self.owner }, change).upsert(true).await.map(drop)
    }

    async fn renew(&self) -> Result<(), Error> {
        let (rows, filter) = (self.line.clone(), doc! { "_id": self.owner });
        let known = self.renewed.load_full();
        let sent = Instant::now();
        let change = doc! { "$currentDate": { "seen": true } };
        let renewed = line::ask("renew sessions", async move { rows.update_one(filter, change).await }).await?;
        let found = renewed.matched_count == 1;
        // Only what was whole before is whole now; a session that came meanwhile has emptied the field.
        if known.is_some() {
            self.renewed.compare_and_swap(&known, found.then(|| Arc::new(sent)));
        }
        Ok(())
    }

    /// Takes the row away: no session is in use any more.
    pub(super) async fn leave(&self) {
        self.renewed.store(None);
        if self.ids.lock().await.is_empty() {
            return;
        }
        let (rows, filter) = (self.line.clone(), doc! { "_id": self.owner });
        if let Err(error) = line::ask("leave sessions", async move { rows.delete_one(filter).await }).await {
            // Its age will tell.
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "Could not take the sessions out of the register"
            );
        }
    }
}
