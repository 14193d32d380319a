//! Starting and stopping: the two listeners, the desk, the probes.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;

use actix_web::body::MessageBody;
use actix_web::dev::{ServerHandle, ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::middleware::{Next, from_fn};
use actix_web::{App, HttpResponse, HttpServer, web};
use anyhow::Context as _;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::api::{self, State};
use crate::book::Book;
use crate::desk::Desk;
use crate::metrics::Metrics;
use crate::problem::Problem;
use crate::settings::{Settings, Webhook};
use crate::webhooks::{Courier, Dispatch};

/// A running provider.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    admin_address: SocketAddr,
    /// Ends every waiting.
    stop: CancellationToken,
    /// Cancelled when the ledger cannot be kept any more.
    closed: CancellationToken,
    listeners: Vec<(ServerHandle, JoinHandle<std::io::Result<()>>)>,
    /// The desk, and who sends webhooks.
    tasks: Vec<JoinHandle<()>>,
}

impl Server {
    /// Reads the key and the ledger and starts both listeners; port 0 picks a free one.
    ///
    /// # Errors
    /// The key file is missing or empty, the ledger cannot be used, or an address is taken.
    pub async fn start(settings: &Settings) -> anyhow::Result<Self> {
        let api_key = read_secret(&settings.api_key_file, "the API key").await?;
        let book = match settings.ledger_file.clone() {
            None => Book::default(),
            Some(path) => tokio::task::spawn_blocking(move || Book::open(&path)).await??,
        };
        let (stop, closed) = (CancellationToken::new(), CancellationToken::new());
        let metrics = Arc::new(Metrics::new()?);
        let (mut courier, mut dispatch, mut tasks) = (None, Dispatch::default(), Vec::new());
        if let Some(Webhook { url, secret_file }) = &settings.webhook {
            let secret = read_secret(secret_file, "the secret of webhooks").await?.into_bytes();
            let sender = Arc::new(Courier::new(url.clone(), secret, Arc::clone(&metrics))?);
            let (started, task) = sender.start(stop.clone());
            (courier, dispatch) = (Some(sender), started);
            tasks.push(task);
        }
        let (desk, thread) = Desk::open(book, dispatch, closed.clone());
        tasks.push(thread);

        let listener = TcpListener::bind(settings.address).context("failed to listen for the API")?;
        let admin = TcpListener::bind(settings.admin_address).context("failed to listen for probes and metrics")?;
        let (address, admin_address) = (listener.local_addr()?, admin.local_addr()?);
        let public_url = settings.public_url.clone().unwrap_or_else(|| own_url(address));
        let (hang, counted) = (settings.hang, Arc::clone(&metrics));
        let state = State { desk, api_key, hang, public_url, courier, stop: stop.clone(), metrics: counted };
        let listeners = vec![serve_api(listener, state)?, serve_admin(admin, metrics, closed.clone())?];
        tracing::info!(%address, %admin_address, "The sandbox payment provider is open: no real money");
        Ok(Self { address, admin_address, stop, closed, listeners, tasks })
    }

    /// Where the API listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where probes and metrics listen.
    #[must_use]
    pub const fn admin_address(&self) -> SocketAddr {
        self.admin_address
    }

    /// Waits until the ledger cannot be kept any more; normally for ever.
    pub async fn closed(&self) {
        self.closed.cancelled().await;
    }

    /// Stops taking requests, lets those under way finish, and closes the ledger.
    ///
    /// # Errors
    /// A listener or the desk ended in disorder.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.stop.cancel();
        for (handle, task) in self.listeners {
            handle.stop(true).await;
            task.await??;
        }
        for task in self.tasks {
            task.await.context("the desk or the courier broke down")?;
        }
        Ok(())
    }
}

async fn read_secret(path: &Path, what: &str) -> anyhow::Result<String> {
    let text = tokio::fs::read_to_string(path).await;
    let text = text.with_context(|| format!("failed to read {what} from {}", path.display()))?;
    let text = text.trim();
    anyhow::ensure!(!text.is_empty(), "the file {} with {what} is empty", path.display());
    Ok(text.to_owned())
}

/// Where this machine reaches the process.
fn own_url(mut address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        address.set_ip(Ipv4Addr::LOCALHOST.into());
    }
    format!("http://{address}")
}

fn serve_api(listener: TcpListener, state: State) -> anyhow::Result<(ServerHandle, JoinHandle<std::io::Result<()>>)> {
    let state = web::Data::new(state);
    let server = HttpServer::new(move || {
        App::new()
            .app_data(state.clone())
            .wrap(from_fn(count))
            .configure(api::configure)
            .default_service(web::to(api::unknown))
    });
    let server = server.workers(2).disable_signals().shutdown_timeout(5).listen(listener)?.run();
    Ok((server.handle(), tokio::spawn(server)))
}

fn serve_admin(
    listener: TcpListener,
    metrics: Arc<Metrics>,
    closed: CancellationToken,
) -> anyhow::Result<(ServerHandle, JoinHandle<std::io::Result<()>>)> {
    let (metrics, closed) = (web::Data::from(metrics), web::Data::new(closed));
    let server = HttpServer::new(move || {
        App::new()
            .app_data(metrics.clone())
            .app_data(closed.clone())
            .route("/livez", web::get().to(HttpResponse::Ok))
            .route("/readyz", web::get().to(report_ready))
            .route("/metrics", web::get().to(render_metrics))
            .default_service(web::to(api::unknown))
    });
    let server = server.workers(1).disable_signals().shutdown_timeout(5).listen(listener)?.run();
    Ok((server.handle(), tokio::spawn(server)))
}

async fn report_ready(closed: web::Data<CancellationToken>) -> HttpResponse {
    if closed.is_cancelled() { HttpResponse::ServiceUnavailable().finish() } else { HttpResponse::Ok().finish() }
}

async fn render_metrics(metrics: web::Data<Metrics>) -> Result<HttpResponse, Problem> {
    let text = metrics
        .render()
        .map_err(|error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", error.to_string()))?;
    Ok(HttpResponse::Ok().content_type("text/plain; version=0.0.4").body(text))
}

async fn count(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let state = request.app_data::<web::Data<State>>().cloned();
    let method = request.method().to_string();
    let result = next.call(request).await;
    if let Some(state) = state {
        let (route, status) = match &result {
            Ok(answer) => (answer.request().match_pattern(), answer.status().as_u16()),
            Err(error) => (None, error.as_response_error().status_code().as_u16()),
        };
        state.metrics.answer(route.as_deref().unwrap_or("none"), &method, status);
    }
    result
}
