//! Kills the sessions of processes that died, and with them the transactions that keep documents locked.
//!
//! A process counts as dead when it has not renewed its row for [`DEAD`]. It may live all the same: paused, cut off,
//! starved. Then its transactions fail as ones that did not happen and are run again, so a wrong guess costs time and
//! nothing else; and two reapers at once do twice what is done once.
//!
//! When MongoDB itself was away, nobody could renew anything. So a reaper kills only after its own questions have been
//! answered for [`WELL`], in which everybody alive has renewed its row.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bson::oid::ObjectId;
use bson::{DateTime, Document, doc};
use futures::{FutureExt, TryStreamExt};
use mongodb::{Collection, Database};
use prometheus::IntCounter;
use serde::Deserialize;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::{line, register};
use crate::Error;
use crate::metrics::Measures;

/// A row that was not renewed for so long is one of a dead process: five heartbeats.
const DEAD: Duration = Duration::from_secs(5);

/// How long the database must have answered without a break.
const WELL: Duration = Duration::from_secs(2);

/// Between two looks at the register.
const BETWEEN: Duration = Duration::from_millis(500);

/// How long to look again and again after a call: longer than it takes until a process that died just now counts as dead.
const LOOKING: Duration = Duration::from_secs(10);

/// How long to leave the server alone that does not let us kill sessions.
const REST: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Reaper {
    own: ObjectId,
    line: Database,
    rows: Collection<Dead>,
    calls: Notify,
    killed: IntCounter,
    refused: IntCounter,
    /// Whether the refusal was told: the server does not change its mind.
    told: AtomicBool,
}

#[derive(Debug, Deserialize)]
struct Dead {
    #[serde(rename = "_id")]
    owner: ObjectId,
    #[serde(default)]
    pod: String,
    #[serde(default)]
    sessions: Vec<Document>,
    seen: DateTime,
}

enum Look {
    Done,
    Failed,
    Refused,
}

impl Reaper {
    pub(super) fn new(line: &Database, own: ObjectId, measures: &Measures) -> Self {
        Self {
            own,
            line: line.clone(),
            rows: register::on_line(line).clone_with_type(),
            calls: Notify::new(),
            killed: measures.sessions_killed(),
            refused: measures.session_kills_refused(),
            told: AtomicBool::new(false),
        }
    }

    /// Has it look for dead processes.
    pub(super) fn call(&self) {
        self.calls.notify_one();
    }

    /// Sleeps until it is called.
    pub(super) async fn run(self: Arc<Self>, stop: CancellationToken) {
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = self.calls.notified() => {}
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = self.look_for_a_while() => {}
            }
        }
    }

    async fn look_for_a_while(&self) {
        let mut until = Instant::now() + LOOKING;
        let mut well_since = None;
        while Instant::now() < until {
            match self.look(well_since.is_some_and(|since: Instant| since.elapsed() >= WELL)).await {
                Look::Done => _ = well_since.get_or_insert_with(Instant::now),
                Look::Failed => well_since = None,
                Look::Refused => return sleep(REST).await,
            }
            sleep(BETWEEN).await;
            if self.calls.notified().now_or_never().is_some() {
                until = Instant::now() + LOOKING;
            }
        }
    }

    async fn look(&self, may_kill: bool) -> Look {
        let looked = match self.dead().await {
            Ok(dead) if may_kill => self.bury(dead).await,
            Ok(_) => Ok(Look::Done),
            Err(error) => Err(error),
        };
        looked.unwrap_or_else(|error| {
            tracing::debug!(error = &error as &dyn std::error::Error, "Could not look for sessions of dead processes");
            Look::Failed
        })
    }

    async fn dead(&self) -> Result<Vec<Dead>, Error> {
        let milliseconds = i64::try_from(DEAD.as_millis()).unwrap_or(i64::MAX);
        let old = doc! { "$expr": { "$lt": ["$seen", { "$subtract": ["$$NOW", milliseconds] }] } };
        let (rows, filter) = (self.rows.clone(), doc! { "_id": { "$ne": self.own }, "$and": [old] });
        line::ask("find dead sessions", async move { rows.find(filter).limit(100).await?.try_collect().await }).await
    }

    async fn bury(&self, dead: Vec<Dead>) -> Result<Look, Error> {
        for Dead { owner, pod, sessions, seen } in dead {
            let count = sessions.len();
            // An empty list would kill every session of our user.
            if count > 0 {
                let (line, command) = (self.line.clone(), doc! { "killSessions": sessions });
                match line::ask("kill sessions", async move { line.run_command(command).await }).await {
                    Ok(_) => {}
                    Err(error) if error.is_refusal_to_kill() => {
                        self.tell_refusal(&error);
                        return Ok(Look::Refused);
                    }
                    Err(error) => return Err(error),
                }
                self.killed.inc_by(count as u64);
                tracing::info!(pod, sessions = count, "Killed the sessions of a process that is gone");
            }
            // If it came back meanwhile the row is younger, and stays.
            let (rows, filter) = (self.rows.clone(), doc! { "_id": owner, "seen": seen });
            line::ask("bury sessions", async move { rows.delete_one(filter).await }).await?;
        }
        Ok(Look::Done)
    }

    fn tell_refusal(&self, error: &Error) {
        self.refused.inc();
        if !self.told.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                error = error as &dyn std::error::Error,
                "MongoDB does not let this user kill sessions: what a pod that dies leaves locked stays so for up to 90 s"
            );
        }
    }
}
