//! The handle to one service's database: connecting, and single operations with a deadline.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use mongodb::options::{
    Acknowledgment, ClientOptions, DatabaseOptions, ReadConcern, ReadPreference, SelectionCriteria, WriteConcern,
};
use mongodb::{Client, Collection, Database};
use shop_config::MongoConfig;
use shop_faults::Bug;
use shop_telemetry::{context, metrics::Metrics};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};
use tokio_util::task::TaskTracker;

use crate::metrics::Measures;
use crate::sessions::{self, PATIENCE, Sessions};
use crate::{DriverError, Error, doc};

/// How long anybody waits for an operation, a transaction or a group.
pub const DEADLINE: Duration = Duration::from_secs(5);

/// Operations at work at once, with those whose callers have given up: beyond, new ones are refused, so that a database
/// that hangs cannot fill the memory.
const MOST_AT_WORK: usize = 4096;

/// One service's database. Clones share the client, its connections and its sessions.
#[derive(Clone, Debug)]
pub struct Mongo(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    database: Database,
    sessions: Sessions,
    measures: Measures,
    tasks: TaskTracker,
    outbox: Notify,
}

impl Mongo {
    /// Prepares a client of the database `<prefix>_<service>`. Reads and writes are those of the majority, by the primary,
    /// whatever the connection string says. Does not wait for MongoDB: operations fail until it is there.
    ///
    /// # Errors
    /// [`Error::Failed`] for a connection string that is not one; [`Error::Unavailable`] when a `mongodb+srv` name cannot
    /// be resolved.
    pub async fn connect(service: &str, config: &MongoConfig, metrics: &Metrics) -> Result<Self, Error> {
        Self::connect_from("local", service, config, metrics).await
    }

    /// [`Self::connect`] under the name of a pod, by which the logs of others tell whose locks they broke.
    ///
    /// # Errors
    /// As [`Self::connect`].
    pub async fn connect_from(
        pod: &str,
        service: &str,
        config: &MongoConfig,
        metrics: &Metrics,
    ) -> Result<Self, Error> {
        const WHAT: &str = "connect";
        let measures = Measures::register(metrics).map_err(|error| Error::failed(WHAT, error))?;
        let parsed = ClientOptions::parse(config.uri.expose()).await.map_err(|error| Error::of(WHAT, error))?;
        let options = options(parsed, service, pod, config, &measures);
        let name = format!("{}_{service}", config.database_prefix);
        let database = database(&name, options.clone()).map_err(|error| Error::of(WHAT, error))?;
        let line = line(&name, options).map_err(|error| Error::of(WHAT, error))?;
        Ok(Self(Arc::new(Inner {
            sessions: Sessions::start(&database, &line, pod, &measures),
            database,
            measures,
            tasks: TaskTracker::new(),
            outbox: Notify::new(),
        })))
    }

    /// A collection of this service, read as `T`.
    #[must_use]
    pub fn collection<T: Send + Sync>(&self, name: &str) -> Collection<T> {
        self.0.database.collection(name)
    }

    /// The database itself.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.0.database
    }

    /// Runs one operation on a task of its own and waits [`DEADLINE`] or what is left of the request, whichever is
    /// shorter. The operation goes on when nobody waits any more. `what` names it in metrics, logs and errors. When the
    /// primary goes, the driver waits for the next one and repeats a read or a write of one document, once.
    ///
    /// # Errors
    /// As [`Error`] says. After [`Error::Unavailable`] or [`Error::Timeout`] a write may have happened.
    pub async fn run<T, F>(&self, what: &'static str, operation: F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, DriverError>> + Send + 'static,
        T: Send + 'static,
    {
        let sorted = async move { operation.await.map_err(|error| Error::of(what, error)) };
        self.run_until(what, deadline(), sorted).await
    }

    /// Whether MongoDB answers within the deadline.
    pub async fn ping(&self) -> bool {
        let database = self.database().clone();
        self.run("ping", async move { database.run_command(doc! { "ping": 1 }).await }).await.is_ok()
    }

    /// What time it is by the clock of the primary, in milliseconds.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn time(&self) -> Result<Timestamp, Error> {
        const WHAT: &str = "read the clock";
        let database = self.database().clone();
        let hello = self.run(WHAT, async move { database.run_command(doc! { "hello": 1 }).await }).await?;
        let time = hello.get_datetime("localTime").map_err(|error| Error::failed(WHAT, error))?;
        Timestamp::from_millisecond(time.timestamp_millis()).map_err(|error| Error::failed(WHAT, error))
    }

    /// Waits until every operation and group of this handle has ended, also those whose callers have given up. Call it
    /// last, after what submits has stopped, and with a limit of your own: a server that hangs keeps its operations.
    pub async fn close(&self) {
        self.0.tasks.close();
        self.0.tasks.wait().await;
        self.0.sessions.close().await;
    }

    /// Wakes whoever waits for new outbox rows of this process. Polling stays the truth: other pods write rows, too.
    #[must_use]
    pub fn outbox_written(&self) -> &Notify {
        &self.0.outbox
    }

    pub(crate) fn sessions(&self) -> &Sessions {
        &self.0.sessions
    }

    pub(crate) fn measures(&self) -> &Measures {
        &self.0.measures
    }

    pub(crate) fn tasks(&self) -> &TaskTracker {
        &self.0.tasks
    }

    /// [`Self::run`] for operations that already speak our errors, with a deadline of their own.
    pub(crate) async fn run_until<T, F>(&self, what: &'static str, until: Instant, operation: F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>> + Send + 'static,
        T: Send + 'static,
    {
        let started = Instant::now();
        let result = if started >= until {
            Err(Error::Timeout { what })
        } else if self.0.tasks.len() >= MOST_AT_WORK {
            Err(Error::refused(what, "too many operations wait for MongoDB"))
        } else {
            let mut task = context::spawn(self.0.tasks.track_future(operation));
            let mut ended = timeout_at(until.min(started + PATIENCE), &mut task).await;
            if ended.is_err() {
                // A write outside of transactions waits, and says nothing, while a transaction holds its document.
                self.0.sessions.suspect();
                ended = timeout_at(until, task).await;
            }
            match ended {
                Ok(Ok(result)) => result,
                Ok(Err(panicked)) => Err(Error::failed(what, panicked)),
                Err(_elapsed) => Err(Error::Timeout { what }),
            }
        };
        self.0.measures.ended(what, started.elapsed(), &result);
        result
    }
}

/// When an operation that starts now must have answered.
pub(crate) fn deadline() -> Instant {
    Instant::now() + context::remaining().map_or(DEADLINE, |left| left.min(DEADLINE))
}

/// Acknowledged by a majority; the server gives up waiting for it when our callers do.
pub(crate) fn majority() -> WriteConcern {
    let majority = Acknowledgment::Majority;
    let w = if shop_faults::planted(Bug::WeakWrites) { Acknowledgment::Nodes(1) } else { majority };
    WriteConcern::builder().w(w).w_timeout(DEADLINE).build()
}

fn database(name: &str, options: ClientOptions) -> Result<Database, DriverError> {
    let concerns = DatabaseOptions::builder().read_concern(ReadConcern::majority()).write_concern(majority()).build();
    Ok(Client::with_options(options)?.database_with_options(name, concerns))
}

/// The same database on a client of its own; see `sessions`.
fn line(name: &str, options: ClientOptions) -> Result<Database, DriverError> {
    Ok(Client::with_options(sessions::line_options(options))?.database(name))
}

fn options(
    mut options: ClientOptions,
    service: &str,
    pod: &str,
    config: &MongoConfig,
    measures: &Measures,
) -> ClientOptions {
    // The server takes 128 bytes.
    options.app_name = Some(format!("shopmesh-{service}/{pod}").chars().filter(char::is_ascii).take(128).collect());
    options.max_pool_size = Some(config.max_pool_size);
    options.read_concern = Some(ReadConcern::majority());
    options.write_concern = Some(majority());
    options.selection_criteria = Some(SelectionCriteria::ReadPreference(ReadPreference::Primary));
    options.retry_reads = Some(true);
    options.retry_writes = Some(true);
    options.server_selection_timeout = Some(DEADLINE);
    // A primary that vanished without a word is noticed after the sum of both.
    options.connect_timeout.get_or_insert(Duration::from_secs(2));
    options.heartbeat_freq.get_or_insert(Duration::from_secs(2));
    options.cmap_event_handler = Some(measures.pool_events());
    options
}
