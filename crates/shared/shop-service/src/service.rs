//! One service before it runs: its settings, its servers' clients, and what it wants mounted, consumed and run.

use std::sync::{Arc, OnceLock};

use anyhow::Context as _;
use futures::future::BoxFuture;
use prometheus::IntGauge;
use shop_auth::Verifier;
use shop_config::{Aliases, Config, ServiceSpec, Store};
use shop_events::{DeadLetters, Handler, OutboxTrail};
use shop_http::{Alias, Code, Mount, Route};
use shop_mesh::Mesh;
use shop_mongo::Mongo;
use shop_redis::Redis;
use shop_telemetry::metrics::Metrics;
use shop_types::{AuditTrail, Clock, Topic};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::SystemClock;

/// A start-up step that may be tried again.
pub(crate) type Prepare = Arc<dyn Fn() -> BoxFuture<'static, anyhow::Result<()>> + Send + Sync>;

/// One service, built up by ordinary method calls; each may be left out.
pub struct Service {
    pub(crate) spec: &'static ServiceSpec,
    pub(crate) config: Config,
    pub(crate) metrics: Metrics,
    pub(crate) verifier: Arc<Verifier>,
    pub(crate) mongo: Option<Mongo>,
    pub(crate) redis: Option<Redis>,
    pub(crate) mesh: Mesh,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) stop: CancellationToken,
    pub(crate) mounts: Vec<Mount>,
    pub(crate) codes: &'static [Code],
    pub(crate) document: Arc<OnceLock<String>>,
    pub(crate) grpc: Option<Routes>,
    pub(crate) prepare: Vec<(&'static str, Prepare)>,
    pub(crate) consumers: Vec<(&'static [Topic], Handler)>,
    pub(crate) background: Vec<(&'static str, BoxFuture<'static, ()>)>,
}

impl Service {
    /// Reads the key set and makes the clients of MongoDB, Redis and the peers. Neither server need be up: a pod whose
    /// database is away starts, answers 503 and tells why.
    ///
    /// # Errors
    /// When `name` is not in the service table, a server that the service needs has no address, or the key set cannot
    /// be read: without keys nobody can be told from anybody, so there is no default.
    pub async fn start(name: &str, config: &Config) -> anyhow::Result<Self> {
        Self::start_with_clock(name, config, Arc::new(SystemClock)).await
    }

    /// The same with another clock, for tests.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn start_with_clock(name: &str, config: &Config, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        let spec = shop_config::service(name).with_context(|| format!("{name} is not in the service table"))?;
        let metrics = Metrics::new(spec.name);
        let verifier = Verifier::load(&config.auth).await.context("failed to load the key set of access tokens")?;
        let mongo = if spec.needs(Store::MongoDb) {
            let settings =
                config.mongodb.as_ref().context("MONGO_URI must be set: this service keeps its state in MongoDB")?;
            let made = Mongo::connect_from(&config.pod, spec.name, settings, &metrics).await;
            Some(made.context("failed to make the MongoDB client")?)
        } else {
            None
        };
        let redis = if spec.needs(Store::Redis) {
            let settings = config.redis.as_ref().context("REDIS_URL must be set: this service uses Redis")?;
            Some(Redis::connect(settings, &metrics).context("failed to make the Redis client")?)
        } else {
            None
        };
        let mesh = Mesh::new(spec.name, config, &metrics).context("failed to make the clients of other services")?;
        let outbox = mongo.clone().map(|mongo| -> (&'static str, Prepare) {
            let ensure = move || -> BoxFuture<'static, anyhow::Result<()>> {
                let mongo = mongo.clone();
                Box::pin(async move { Ok(mongo.ensure(&shop_events::relay_setup()).await?) })
            };
            ("outbox", Arc::new(ensure))
        });
        Ok(Self {
            spec,
            config: config.clone(),
            metrics,
            verifier,
            mongo,
            redis,
            mesh,
            clock,
            stop: CancellationToken::new(),
            mounts: Vec::new(),
            codes: &[],
            document: Arc::default(),
            grpc: None,
            prepare: outbox.into_iter().collect(),
            consumers: Vec::new(),
            background: Vec::new(),
        })
    }

    /// The settings of this process.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The service's own database.
    ///
    /// # Errors
    /// When the service table does not list MongoDB for this service.
    pub fn mongo(&self) -> anyhow::Result<&Mongo> {
        self.mongo.as_ref().with_context(|| format!("the service table lists no MongoDB for {}", self.spec.name))
    }

    /// Redis.
    ///
    /// # Errors
    /// When the service table does not list Redis for this service.
    pub fn redis(&self) -> anyhow::Result<&Redis> {
        self.redis.as_ref().with_context(|| format!("the service table lists no Redis for {}", self.spec.name))
    }

    /// Channels to other services.
    #[must_use]
    pub fn mesh(&self) -> &Mesh {
        &self.mesh
    }

    /// Where the service registers its own metrics.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Verifies access tokens.
    #[must_use]
    pub fn verifier(&self) -> &Arc<Verifier> {
        &self.verifier
    }

    /// Time and fresh ids.
    #[must_use]
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    /// Cancelled when the process stops; background work and groups end on it.
    #[must_use]
    pub fn stop(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Mounts HTTP routes. `access` says who may call each; a route without an entry, or an entry without a route, keeps
    /// the process from starting (ruling 5). Handlers take `web::Data<A>`.
    #[must_use]
    pub fn routes<A: Send + Sync + 'static>(
        mut self,
        app: &Arc<A>,
        access: &'static [Route],
        configure: fn(&mut ServiceConfig<'_>),
    ) -> Self {
        self.mounts.push(Mount::new(self.spec.name, self.metrics.clone(), app, access, configure));
        self
    }

    /// Mounts older names of its routes, unless the settings leave them out.
    #[must_use]
    pub fn aliases<A: Send + Sync + 'static>(
        mut self,
        app: &Arc<A>,
        aliases: &'static [Alias],
        configure: fn(&mut ServiceConfig<'_>),
    ) -> Self {
        let is_open = match self.config.aliases {
            Aliases::Off => return self,
            Aliases::On => false,
            Aliases::Open => true,
        };
        let (name, metrics) = (self.spec.name, self.metrics.clone());
        self.mounts.push(Mount::aliases(name, metrics, app, (aliases, is_open), configure));
        self
    }

    /// Names the error codes that this service alone answers with; edge lists them at `/errors`.
    #[must_use]
    pub fn errors(mut self, codes: &'static [Code]) -> Self {
        self.codes = codes;
        self
    }

    /// The OpenAPI document of the process that this service runs in, as JSON text. It is set before the first request.
    #[must_use]
    pub fn document(&self) -> Arc<OnceLock<String>> {
        Arc::clone(&self.document)
    }

    /// Adds gRPC servers that peers call.
    #[must_use]
    pub fn grpc(mut self, routes: Routes) -> Self {
        self.grpc = Some(routes);
        self
    }

    /// Adds a start-up step. It is tried until it succeeds, with a growing pause; until then the pod is not ready and
    /// consumes nothing.
    #[must_use]
    pub fn prepare(
        mut self,
        name: &'static str,
        step: impl Fn() -> BoxFuture<'static, anyhow::Result<()>> + Send + Sync + 'static,
    ) -> Self {
        self.prepare.push((name, Arc::new(step)));
        self
    }

    /// Consumes topics, in the consumer group of this service.
    #[must_use]
    pub fn consume(mut self, topics: &'static [Topic], handler: Handler) -> Self {
        self.consumers.push((topics, handler));
        self
    }

    /// Runs a task from readiness until [`Self::stop`] is cancelled; it must end soon after that.
    #[must_use]
    pub fn background(mut self, name: &'static str, task: BoxFuture<'static, ()>) -> Self {
        self.background.push((name, task));
        self
    }
}

/// How often revocations that count no longer are forgotten.
const FORGET: std::time::Duration = std::time::Duration::from_secs(60);

async fn forget_revocations(
    verifier: Arc<Verifier>,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    while !stop.is_cancelled() {
        verifier.revocations().forget_expired(clock.now());
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(FORGET) => {}
        }
    }
    Ok(())
}

impl Service {
    /// What comparing the clocks needs; `None` for a service without a database.
    pub(crate) fn clock_watch(&self) -> Option<(Mongo, Result<IntGauge, prometheus::Error>, CancellationToken)> {
        let gauge = self.metrics.gauge("clock_skew_milliseconds", "How far this clock is ahead of MongoDB's", &[]);
        let gauge = gauge.map(|gauge| gauge.with_label_values::<&str>(&[]));
        Some((self.mongo.clone()?, gauge, self.stop()))
    }

    /// Where the writes of staff are kept; `None` for a service without a database, which changes nothing itself.
    pub(crate) fn trail(&self) -> Option<Arc<dyn AuditTrail>> {
        let trail = OutboxTrail::new(self.mongo.clone()?, self.clock());
        Some(Arc::new(trail))
    }

    /// Its routes, as they are served.
    pub(crate) fn recorded_mounts(&self) -> Vec<Mount> {
        let trail = self.trail();
        let recorded = |mount: Mount| match &trail {
            Some(trail) => mount.recorded(Arc::clone(trail)),
            None => mount,
        };
        self.mounts.iter().cloned().map(recorded).collect()
    }

    /// The events that this service has given up; `None` for one that consumes nothing.
    pub(crate) fn dead_letters(&self) -> Option<(&'static str, DeadLetters)> {
        let mongo = self.mongo.clone().filter(|_| !self.consumers.is_empty())?;
        Some((self.spec.name, DeadLetters::new(self.spec.name, mongo, self.consumers.clone())))
    }
}

/// A named part of the work of a running service.
pub(crate) type Work = (String, BoxFuture<'static, anyhow::Result<()>>);

impl Service {
    /// Starts what runs beside the requests: consumers, the relay, background tasks, the watch on keys.
    pub(crate) fn start_work(self) -> Vec<Work> {
        let Self { spec, metrics, verifier, mongo, redis, clock, stop, consumers, background, .. } = self;
        let mut work: Vec<Work> = Vec::new();
        let joined = |handle: tokio::task::JoinHandle<()>| -> BoxFuture<'static, anyhow::Result<()>> {
            Box::pin(async move { handle.await.context("panicked") })
        };
        work.push(("key watch".into(), joined(verifier.watch(stop.clone()))));
        work.push((
            "end of revocations".into(),
            Box::pin(forget_revocations(Arc::clone(&verifier), Arc::clone(&clock), stop.clone())),
        ));
        if let Some(redis) = &redis {
            let revocations =
                shop_events::spawn_revocations(redis, Arc::clone(&verifier), Arc::clone(&clock), stop.clone());
            work.push(("revocations".into(), joined(revocations)));
        }
        if let (Some(mongo), Some(redis)) = (&mongo, &redis) {
            for (topics, handler) in consumers {
                let consumer = shop_events::spawn_consumer(
                    spec.name,
                    topics,
                    mongo.clone(),
                    redis.clone(),
                    handler,
                    Arc::clone(&clock),
                    &metrics,
                    stop.clone(),
                );
                work.push((format!("consumer of {}", spec.name), joined(consumer)));
            }
            // Also of a service that tells of nothing itself: its outbox holds what staff has changed.
            let relay = shop_events::spawn_relay(spec.name, mongo.clone(), redis.clone(), &metrics, stop.clone());
            work.push((format!("relay of {}", spec.name), joined(relay)));
        }
        for (name, task) in background {
            work.push((
                name.to_owned(),
                Box::pin(async move {
                    task.await;
                    Ok(())
                }),
            ));
        }
        work
    }
}
