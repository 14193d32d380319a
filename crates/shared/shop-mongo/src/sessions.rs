//! The driver sessions that transactions run on: few, explicit, registered, and kept for the life of the process.
//!
//! A transaction of a process that was killed keeps its documents locked for more than a minute, until the server gives up
//! on it, or until somebody kills its *session*. So the sessions are ours and not the driver's: [`Sessions::open`] is the
//! only place where one comes to life, and its id stands in the database before its first use (`register`). Whoever waits
//! for documents longer than [`PATIENCE`] has the sessions of dead processes killed (`reaper`).
//!
//! Both talk to MongoDB on a client of their own (`line`): plain writes that wait behind such a lock may hold every
//! connection of the other one, and then nobody could tell that it is alive, nor free them.

mod line;
mod reaper;
mod register;

use std::sync::Arc;
use std::time::Duration;

use mongodb::options::SessionOptions;
use mongodb::{Client, ClientSession, Database};
use tokio::sync::{Mutex, Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::metrics::Measures;
use crate::{Error, Setup};

pub(crate) use line::options as line_options;

use reaper::Reaper;
use register::Register;

/// Transactions at once per service and process: one for each group and some for those that conflict.
const MOST: usize = 8;

/// Who waits for documents longer than this suspects that a dead process holds them.
pub(crate) const PATIENCE: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct Sessions {
    client: Client,
    permits: Semaphore,
    /// Last in, first out: a transaction that was left open in doubt is ended by the server as soon as the same session
    /// begins the next one.
    idle: Mutex<Vec<ClientSession>>,
    register: Arc<Register>,
    reaper: Arc<Reaper>,
    stop: CancellationToken,
    /// Ends heart and reaper with the last handle; the row then tells others by its age.
    _stop_when_dropped: DropGuard,
}

/// A session taken out of the pool. Dropped without [`Sessions::give_back`] it is ended by the driver, which also aborts
/// what was open.
pub(crate) struct Taken<'a> {
    pub(crate) session: ClientSession,
    _permit: SemaphorePermit<'a>,
}

/// The collection of the register.
pub(crate) fn setup() -> Setup {
    register::setup()
}

impl Sessions {
    /// Starts heart and reaper. `line` is the same database on a client of its own.
    pub(crate) fn start(database: &Database, line: &Database, pod: &str, measures: &Measures) -> Self {
        let register = Arc::new(Register::new(database, line, pod));
        let reaper = Arc::new(Reaper::new(line, register.owner(), measures));
        let stop = CancellationToken::new();
        tokio::spawn(register::beat(Arc::clone(&register), stop.clone()));
        tokio::spawn(Arc::clone(&reaper).run(stop.clone()));
        Self {
            client: database.client().clone(),
            permits: Semaphore::new(MOST),
            idle: Mutex::default(),
            register,
            reaper,
            _stop_when_dropped: stop.clone().drop_guard(),
            stop,
        }
    }

    /// Takes an idle session, or opens one if fewer than [`MOST`] are in use; else waits for one. The register knows it and
    /// knows that this process lives.
    pub(crate) async fn take(&self, what: &'static str, until: Instant) -> Result<Taken<'_>, Error> {
        let permit = match timeout_at(until, self.permits.acquire()).await {
            Ok(Ok(permit)) => permit,
            Ok(Err(closed)) => return Err(Error::failed(what, closed)),
            Err(_elapsed) => return Err(Error::refused(what, "all sessions are in use")),
        };
        let idle = self.idle.lock().await.pop();
        let session = match idle {
            Some(session) => session,
            None => self.open(what).await?,
        };
        if let Err(error) = self.register.ensure().await {
            self.idle.lock().await.push(session);
            return Err(Error::not_begun(what, Error::of(what, error)));
        }
        Ok(Taken { session, _permit: permit })
    }

    pub(crate) async fn give_back(&self, taken: Taken<'_>) {
        self.idle.lock().await.push(taken.session);
    }

    /// Has the sessions of dead processes killed, soon and for some seconds on: somebody waits for documents.
    pub(crate) fn suspect(&self) {
        self.reaper.call();
    }

    /// Tells the others that no session of this process is in use any more.
    pub(crate) async fn close(&self) {
        self.stop.cancel();
        self.register.leave().await;
    }

    async fn open(&self, what: &'static str) -> Result<ClientSession, Error> {
        // Without causal consistency: all goes to the primary, and waiting for the time of a write that a failover took
        // back would only delay the next transaction.
        let options = SessionOptions::builder().causal_consistency(false).build();
        let opened = self.client.start_session().with_options(options).await;
        let session = opened.map_err(|error| Error::of(what, error))?;
        self.register.add(session.id()).await;
        Ok(session)
    }
}
