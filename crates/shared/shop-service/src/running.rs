//! Services that run: three ports, start in order, stop in order.
//!
//! Start: bind, serve, prepare (indexes and the like, until it works), then ready; only then consumers, relays and
//! background work begin. Stop: unready, a pause so that load balancers notice, drain HTTP, then gRPC, then consumers and
//! groups, then the trace exporter (ruling 36). No request that was accepted is dropped, no task is left behind.

use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use actix_web::dev::ServerHandle;
use anyhow::Context as _;
use futures::future::{FutureExt as _, join_all};
use shop_config::{Config, CorsConfig};
use shop_http::{Cors, Guard, Limiter};
use shop_mongo::Mongo;
use shop_telemetry::logs;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::service::Service;
use crate::startup::{self, Ready};
use crate::{admin, limits, openapi, pod, skew};

/// How long consumers, relays and groups may take to end.
const TASKS_END: Duration = Duration::from_secs(8);
/// How long calls over gRPC may take to end: as long as one may take, nearly always.
const CALLS_END: Duration = Duration::from_secs(3);
/// Threads that serve HTTP in one pod; the pods are many, not large.
const WORKERS: usize = 2;

/// A running process.
pub struct Running {
    /// Where public HTTP listens.
    pub http: SocketAddr,
    /// Where gRPC listens.
    pub grpc: SocketAddr,
    /// Where the admin port listens.
    pub admin: SocketAddr,
    ready: Ready,
    drain_delay: Duration,
    http_server: ServerHandle,
    admin_server: ServerHandle,
    servers: JoinSet<anyhow::Result<()>>,
    grpc_stop: CancellationToken,
    grpc_ended: CancellationToken,
    stops: Vec<CancellationToken>,
    databases: Vec<Mongo>,
    work: JoinHandle<anyhow::Result<()>>,
}

/// Sets up logs, builds the services, runs them until SIGTERM or SIGINT, and stops them in order.
///
/// # Errors
/// When the process cannot start, or a part of it ends by itself: then it must be started again.
pub async fn run<F>(config: &Config, name: &str, build: F) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<Vec<Service>>>,
{
    let logs = logs::init(&config.telemetry, name).context("failed to set up logs and traces")?;
    let mut running = launch(build.await?).await?;
    let failed = tokio::select! {
        signal = terminated() => {
            info!("Stopping on {}", signal?);
            None
        }
        failed = running.failed() => Some(failed),
    };
    running.stop().await;
    if let Err(lost) = logs.shutdown().await {
        error!("The last traces could not be sent: {lost}");
    }
    match failed {
        None => Ok(()),
        Some(failed) => Err(failed),
    }
}

async fn terminated() -> std::io::Result<&'static str> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut term, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = term.recv() => Ok("SIGTERM"),
        _ = interrupt.recv() => Ok("SIGINT"),
    }
}

/// Starts services on one set of three ports and returns at once; `/readyz` tells when they are ready.
///
/// # Errors
/// When a port is taken, or a service's access table and routes differ.
pub async fn launch(services: Vec<Service>) -> anyhow::Result<Running> {
    let first = services.first().context("there must be a service to run")?;
    let name = if services.len() == 1 { first.spec.name } else { "all" };
    let config = first.config.clone();
    let (verifier, clock) = (std::sync::Arc::clone(&first.verifier), first.clock());
    let http = bind(config.http)?;
    let admin_listener = bind(config.admin)?;
    let grpc =
        tokio::net::TcpListener::bind(config.grpc).await.with_context(|| format!("failed to bind {}", config.grpc))?;
    let addresses = (http.local_addr()?, grpc.local_addr()?, admin_listener.local_addr()?);

    let mounts: Vec<_> = services.iter().flat_map(Service::recorded_mounts).collect();
    let codes: Vec<_> = services.iter().flat_map(|service| service.codes.iter().copied()).collect();
    let document = openapi::collect(name, &mounts, &codes)?;
    for service in &services {
        let set = service.document.set(document.clone());
        set.map_err(|_| anyhow::anyhow!("{} was launched before", service.spec.name))?;
    }
    let mut routes = tonic::service::Routes::builder();
    routes.add_service(
        pod::PodInfo {
            name: name.to_owned(),
            started: Instant::now(),
            openapi: document,
            mongo: services.iter().filter_map(|service| service.mongo.clone()).collect(),
            redis: services.iter().filter_map(|service| service.redis.clone()).collect(),
            letters: services.iter().filter_map(Service::dead_letters).collect(),
            trails: services.iter().filter_map(|service| Some((service.spec.name, service.trail()?))).collect(),
            verifier: std::sync::Arc::clone(&verifier),
            clock: std::sync::Arc::clone(&clock),
        }
        .into_server(),
    );
    let mut routes = routes.routes();
    for own in services.iter().filter_map(|service| service.grpc.clone()) {
        // Only one router may answer for what is unknown.
        let own = own.into_axum_router().reset_fallback();
        *routes.axum_router_mut() = std::mem::take(routes.axum_router_mut()).merge(own);
    }

    let ready = Ready::default();
    let limiter = limits::limiter(&services)?;
    let CorsConfig { origins, credentials, max_age_seconds } = config.cors.clone();
    let cors = Cors::new(origins, credentials, max_age_seconds);
    let guard = Guard::new(&mounts, limiter.clone(), cors, verifier, clock);
    let guard = guard.context("failed to register the metrics of HTTP")?;
    let http_server = shop_http::server::listen(http, WORKERS, mounts, guard).context("failed to serve HTTP")?;
    let metrics = services.iter().map(|service| service.metrics.clone()).collect();
    let admin_server =
        admin::serve(admin_listener, ready.clone(), metrics).context("failed to serve the admin port")?;
    let (http_handle, admin_handle) = (http_server.handle(), admin_server.handle());
    let grpc_stop = CancellationToken::new();
    let mut servers = JoinSet::new();
    servers.spawn(async move { http_server.await.context("the HTTP server ended") });
    servers.spawn(async move { admin_server.await.context("the admin server ended") });
    let (stop, grpc_ended) = (grpc_stop.clone(), CancellationToken::new());
    let ended = grpc_ended.clone().drop_guard();
    servers.spawn(async move {
        let _ended = ended;
        shop_mesh::server::serve(grpc, routes, stop).await.context("the gRPC server ended")
    });
    info!("Serving {name}: HTTP on {}, gRPC on {}, admin on {}", addresses.0, addresses.1, addresses.2);

    Ok(Running {
        http: addresses.0,
        grpc: addresses.1,
        admin: addresses.2,
        drain_delay: config.drain_delay,
        http_server: http_handle,
        admin_server: admin_handle,
        servers,
        grpc_stop,
        grpc_ended,
        stops: services.iter().map(Service::stop).collect(),
        databases: services.iter().filter_map(|service| service.mongo.clone()).collect(),
        work: tokio::spawn(work(services, limiter, ready.clone())),
        ready,
    })
}

fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).with_context(|| format!("failed to bind {address}"))
}

/// Prepares all services, declares the process ready, then works until the services' stop.
///
/// # Errors
/// When a task ends before it was told to: a pod whose consumer is gone looks healthy and is not.
async fn work(mut services: Vec<Service>, limiter: Limiter, ready: Ready) -> anyhow::Result<()> {
    let started = Instant::now();
    let prepared = join_all(services.iter_mut().map(|service| {
        let steps = std::mem::take(&mut service.prepare);
        let (name, stop) = (service.spec.name, service.stop());
        async move { startup::prepare(name, steps, &stop).await }
    }));
    if !prepared.await.into_iter().all(|done| done) {
        return Ok(());
    }
    let mut tasks = JoinSet::new();
    if let Some((mongo, gauge, stop)) = services.iter().find_map(Service::clock_watch) {
        tasks.spawn(skew::watch(mongo, gauge?, ready.clone(), stop).map(Ok));
    }
    if let Some(stop) = services.first().map(Service::stop) {
        tasks.spawn(limits::give_back(limiter, stop).map(Ok));
    }
    for service in services {
        let stop = service.stop();
        for (name, task) in service.start_work() {
            let stop = stop.clone();
            tasks.spawn(async move {
                let ended = task.await;
                anyhow::ensure!(stop.is_cancelled(), "the task {name} ended by itself");
                ended.with_context(|| format!("the task {name} failed"))
            });
        }
    }
    ready.set(true);
    info!("Ready after {:?}", started.elapsed());
    while let Some(ended) = tasks.join_next().await {
        ended.context("a task panicked")??;
    }
    Ok(())
}

impl Running {
    /// Ends when a part of the process ends by itself, and tells which.
    pub async fn failed(&mut self) -> anyhow::Error {
        let ended = tokio::select! {
            Some(server) = self.servers.join_next() => server.context("a server panicked"),
            work = &mut self.work => work.context("a task panicked"),
        };
        match ended {
            Ok(Ok(())) => anyhow::anyhow!("a part of the process ended by itself"),
            Ok(Err(failed)) | Err(failed) => failed,
        }
    }

    /// Stops in order and waits for the end: at most the drain delay, 20 s for HTTP, 3 s for gRPC and twice
    /// 8 s for what runs beside it.
    pub async fn stop(mut self) {
        self.ready.set(false);
        if !self.work.is_finished() {
            tokio::time::sleep(self.drain_delay).await;
        }
        self.http_server.stop(true).await;
        self.grpc_stop.cancel();
        // What these calls have begun is done by groups.
        if tokio::time::timeout(CALLS_END, self.grpc_ended.cancelled()).await.is_err() {
            warn!("Calls over gRPC did not end within {CALLS_END:?}");
        }
        for stop in &self.stops {
            stop.cancel();
        }
        if !self.work.is_finished() {
            match tokio::time::timeout(TASKS_END, &mut self.work).await {
                Ok(Ok(Ok(()))) => {}
                Ok(Ok(Err(failed))) => error!("A task failed while stopping: {failed:#}"),
                Ok(Err(panicked)) => error!("A task panicked while stopping: {panicked}"),
                Err(_) => {
                    error!("Tasks did not end within {TASKS_END:?} and were given up");
                    self.work.abort();
                }
            }
        }
        let closing = futures::future::join_all(self.databases.iter().map(Mongo::close));
        if tokio::time::timeout(TASKS_END, closing).await.is_err() {
            error!("Groups did not answer within {TASKS_END:?} and were given up");
        }
        self.admin_server.stop(false).await;
        while let Some(ended) = self.servers.join_next().await {
            if let Ok(Err(failed)) = ended {
                error!("A server failed while stopping: {failed:#}");
            }
        }
        info!("Stopped");
    }

    /// Ends at once without draining: for tests that look at crashes or are over.
    pub fn abort(mut self) {
        for stop in &self.stops {
            stop.cancel();
        }
        self.grpc_stop.cancel();
        self.work.abort();
        self.servers.abort_all();
        drop(self.http_server.stop(false));
        drop(self.admin_server.stop(false));
    }
}
