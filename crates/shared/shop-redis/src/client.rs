//! One connection to Redis for commands, one for streams and one for Pub/Sub, all of which come back by themselves.
//!
//! What belongs here: connecting, deadlines, key prefix, metrics of every command. What does not: what is asked.

use std::sync::Arc;
use std::time::Duration;

use fred::clients::{Client, SubscriberClient};
use fred::interfaces::{ClientLike, LuaInterface, PubsubInterface};
use fred::types::config::{Config as ClientConfig, ConnectionConfig, Options, ReconnectPolicy, TcpConfig};
use fred::types::{Builder, RespVersion, Value};
use prometheus::{HistogramVec, IntCounterVec};
use shop_config::RedisConfig;
use shop_telemetry::metrics::Metrics;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::pubsub::{self, Listener, Subscription};
use crate::{Cache, Copies, Error, Leases, Stream, watch};

/// No request waits longer for Redis than this.
pub(crate) const REQUEST_DEADLINE: Duration = Duration::from_millis(100);
/// How long a question after Redis' health waits: one that is slow on a busy machine is not away.
const PING_DEADLINE: Duration = Duration::from_secs(1);
/// How long work in the background waits.
pub(crate) const BACKGROUND_DEADLINE: Duration = Duration::from_secs(2);
const CONNECT_DEADLINE: Duration = Duration::from_secs(2);

/// A connected Redis, or one that will be when the server is there. Clones share the connections.
#[derive(Clone)]
pub struct Redis(Arc<Inner>);

struct Inner {
    prefix: String,
    commands: Client,
    streams: Client,
    listeners: mpsc::UnboundedSender<Listener>,
    metrics: Metrics,
    durations: HistogramVec,
    errors: IntCounterVec,
}

impl std::fmt::Debug for Redis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redis").field("prefix", &self.0.prefix).finish_non_exhaustive()
    }
}

/// Which connection carries a command, and so how long it is waited for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Lane {
    /// Somebody waits for an answer: fails at once when the connection is known to be lost.
    Request,
    /// Relays and consumers, on a connection of their own, so that their batches delay no request.
    Background,
}

impl Redis {
    /// Starts connecting in the background and goes on trying for ever; must be called on a tokio runtime. Commands fail
    /// until the server is there. The connections end with the last clone.
    ///
    /// # Errors
    /// [`Error::Settings`] when the URL cannot be read; [`Error::Metrics`] when a metric's name is taken.
    pub fn connect(config: &RedisConfig, metrics: &Metrics) -> Result<Self, Error> {
        let url = config.url.expose();
        let mut settings = ClientConfig::from_url(url).map_err(|error| Error::Settings(error.into()))?;
        settings.fail_fast = false;
        let built =
            |deadline| builder(settings.clone(), deadline).build().map_err(|error| Error::Settings(error.into()));
        let commands = built(REQUEST_DEADLINE)?;
        let streams = built(BACKGROUND_DEADLINE)?;
        // With RESP3 a subscribed connection still answers PING, so that a dead one is noticed.
        settings.version = RespVersion::RESP3;
        let subscriber = builder(settings, BACKGROUND_DEADLINE)
            .build_subscriber_client()
            .map_err(|error| Error::Settings(error.into()))?;

        let durations = metrics.histogram(
            "redis_operation_duration_seconds",
            "Time until Redis answered",
            &["operation"],
            &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5],
        )?;
        let errors =
            metrics.counter("redis_errors_total", "Commands that Redis did not or could not answer", &["operation"])?;
        commands.connect();
        streams.connect();
        let listeners = start_listening(subscriber, [commands.clone(), streams.clone()]);
        let prefix = config.key_prefix.clone();
        Ok(Self(Arc::new(Inner { prefix, commands, streams, listeners, metrics: metrics.clone(), durations, errors })))
    }

    /// Whether Redis answers within a second, on the connection that requests use. They wait less long than that.
    pub async fn ping(&self) -> bool {
        let Ok(client) = self.client(Lane::Request, "ping") else { return false };
        let client = client.with_options(&Options { timeout: Some(PING_DEADLINE), ..Options::default() });
        self.timed("ping", Box::pin(client.ping::<Value>(None))).await.is_ok()
    }

    /// The stream that a service's events travel in: `<prefix>events:{<producer>}`.
    #[must_use]
    pub fn stream(&self, producer: &str) -> Stream {
        Stream::new(self.clone(), producer)
    }

    /// A cache of its own name; at most `capacity` entries are kept in this process.
    ///
    /// # Errors
    /// [`Error::Metrics`] when a metric's name is taken.
    pub fn cache(&self, name: &str, capacity: u64) -> Result<Cache, Error> {
        Cache::new(self.clone(), name, capacity)
    }

    /// Copies of documents under a name of their own, for so long and up to this size; nothing is kept in this process.
    ///
    /// # Errors
    /// [`Error::Metrics`] when a metric's name is taken.
    pub fn copies(&self, name: &str, life: Duration, most_bytes: usize) -> Result<Copies, Error> {
        Copies::new(self.clone(), name, life, most_bytes)
    }

    /// The count of requests that all processes of the shop share.
    #[must_use]
    pub fn leases(&self) -> Leases {
        Leases::new(self.clone())
    }

    /// Tells all present subscribers of a channel; at most once, to nobody later.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when Redis is away.
    pub async fn publish(&self, channel: &str, payload: &str) -> Result<(), Error> {
        let client = self.client(Lane::Request, "publish")?;
        self.timed("publish", Box::pin(client.publish::<Value, _, _>(self.key(channel), payload))).await.map(drop)
    }

    /// Hears what is published on a channel from now on, and when something may have been missed.
    #[must_use]
    pub fn subscribe(&self, channel: &str) -> Subscription {
        pubsub::subscribe(&self.0.listeners, self.key(channel))
    }

    pub(crate) fn key(&self, name: &str) -> String {
        format!("{}{name}", self.0.prefix)
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// Runs a script, which Redis does in one step that nothing else comes between.
    pub(crate) async fn eval(
        &self,
        lane: Lane,
        what: &'static str,
        script: &'static str,
        keys: Vec<String>,
        arguments: Vec<Value>,
    ) -> Result<Value, Error> {
        let client = self.client(lane, what)?;
        // The client's futures are 16 KB each; callers should not carry them inline.
        self.timed(what, Box::pin(client.eval::<Value, _, _, _>(script, keys, arguments))).await
    }

    /// Deadlines of scripts are those of the connection: the client's options for one command have silently no effect on
    /// them.
    fn client(&self, lane: Lane, what: &'static str) -> Result<&Client, Error> {
        match lane {
            Lane::Request if self.0.commands.is_connected() => Ok(&self.0.commands),
            Lane::Request => Err(Error::Unavailable { what, source: "not connected".into() }),
            Lane::Background => Ok(&self.0.streams),
        }
    }

    async fn timed<T>(
        &self,
        what: &'static str,
        command: impl Future<Output = Result<T, fred::error::Error>>,
    ) -> Result<T, Error> {
        let start = Instant::now();
        let result = command.await;
        self.0.durations.with_label_values(&[what]).observe(start.elapsed().as_secs_f64());
        result.map_err(|error| {
            self.0.errors.with_label_values(&[what]).inc();
            if error.details().contains("READONLY") {
                self.leave_the_replica();
            }
            Error::from_client(what, error)
        })
    }

    /// A primary that was made a replica keeps its connections: only a new one finds the new primary.
    fn leave_the_replica(&self) {
        for client in [self.0.commands.clone(), self.0.streams.clone()] {
            tokio::spawn(async move { watch::reconnect(&client).await });
        }
    }
}

fn builder(settings: ClientConfig, deadline: Duration) -> Builder {
    let mut builder = Builder::from_config(settings);
    // Without a policy a lost connection stays lost.
    builder.set_policy(ReconnectPolicy::new_exponential(0, 50, 1_000, 2));
    builder.set_connection_config(ConnectionConfig {
        connection_timeout: CONNECT_DEADLINE,
        internal_command_timeout: CONNECT_DEADLINE,
        // What was sent before the connection broke may have been done: whoever asked decides whether to ask again.
        max_command_attempts: 1,
        tcp: TcpConfig { nodelay: Some(true), ..TcpConfig::default() },
        ..ConnectionConfig::default()
    });
    builder.with_performance_config(|performance| {
        performance.default_command_timeout = deadline;
        performance.broadcast_channel_capacity = pubsub::CAPACITY;
    });
    builder
}

fn start_listening(subscriber: SubscriberClient, others: [Client; 2]) -> mpsc::UnboundedSender<Listener> {
    let (listeners, requests) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let [commands, streams] = &others;
        tokio::select! {
            () = pubsub::dispatch(&subscriber, requests) => {}
            ((), (), ()) = async {
                tokio::join!(
                    watch::watch(subscriber.clone()),
                    watch::watch(commands.clone()),
                    watch::watch(streams.clone())
                )
            } => {}
        }
        // The last clone is gone: nobody can ask anything any more.
        end(&subscriber).await;
        end(commands).await;
        end(streams).await;
    });
    listeners
}

async fn end<C: ClientLike>(client: &C) {
    if let Err(error) = Box::pin(client.quit()).await {
        tracing::debug!(%error, "Failed to say goodbye to Redis");
    }
}
