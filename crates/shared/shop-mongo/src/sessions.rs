//! The driver sessions that transactions run on: few, explicit and kept for the life of the process.
//!
//! A transaction of a process that was killed keeps its documents locked until the server gives up on it, or until
//! somebody kills its *session*. So the sessions are ours and not the driver's: [`Sessions::open`] is the only place
//! where one comes to life, which is where its id can be written down before its first use.

use mongodb::options::SessionOptions;
use mongodb::{Client, ClientSession};
use tokio::sync::{Mutex, Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};

use crate::Error;

/// Transactions at once per service and process: one for each group and some for those that conflict.
const MOST: usize = 8;

#[derive(Debug)]
pub(crate) struct Sessions {
    client: Client,
    permits: Semaphore,
    /// Last in, first out: a transaction that was left open in doubt is ended by the server as soon as the same session
    /// begins the next one.
    idle: Mutex<Vec<ClientSession>>,
}

/// A session taken out of the pool. Dropped without [`Sessions::give_back`], e.g. by a panic, it is ended by the driver,
/// which also aborts what was open.
pub(crate) struct Taken<'a> {
    pub(crate) session: ClientSession,
    _permit: SemaphorePermit<'a>,
}

impl Sessions {
    pub(crate) fn new(client: Client) -> Self {
        Self { client, permits: Semaphore::new(MOST), idle: Mutex::default() }
    }

    /// Takes an idle session, or opens one if fewer than [`MOST`] are in use; else waits for one.
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
        Ok(Taken { session, _permit: permit })
    }

    pub(crate) async fn give_back(&self, taken: Taken<'_>) {
        self.idle.lock().await.push(taken.session);
    }

    async fn open(&self, what: &'static str) -> Result<ClientSession, Error> {
        // Without causal consistency: all goes to the primary, and waiting for the time of a write that a failover took
        // back would only delay the next transaction.
        let options = SessionOptions::builder().causal_consistency(false).build();
        self.client.start_session().with_options(options).await.map_err(|error| Error::of(what, error))
    }
}
