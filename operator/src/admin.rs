//! The operator's admin port: `/livez`, `/readyz` and `/metrics`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::{App, HttpResponse, HttpServer, web};
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;

/// Whether the operator does its work: Shops could be listed, and it was not told to stop.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    /// Says whether it does.
    pub fn set(&self, ready: Ready) {
        self.0.store(ready == Ready::Yes, Ordering::Relaxed);
    }
}

/// Ready or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ready {
    /// It works.
    Yes,
    /// It does not yet, or no longer.
    No,
}

#[derive(Clone)]
struct State {
    readiness: Readiness,
    metrics: Metrics,
}

/// Serves until it is told to stop.
///
/// # Errors
/// When the address cannot be listened on.
pub async fn serve(
    address: SocketAddr,
    readiness: Readiness,
    metrics: Metrics,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let state = web::Data::new(State { readiness, metrics });
    let server = HttpServer::new(move || {
        App::new()
            .app_data(state.clone())
            .route("/livez", web::get().to(livez))
            .route("/readyz", web::get().to(readyz))
            .route("/metrics", web::get().to(metrics_page))
    })
    .workers(1)
    .disable_signals()
    .shutdown_timeout(2)
    .bind(address)?
    .run();
    let handle = server.handle();
    let stopping = async move {
        stop.cancelled().await;
        handle.stop(true).await;
    };
    let (served, ()) = tokio::join!(server, stopping);
    served
}

/// The process lives.
async fn livez() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain").body("ok\n")
}

async fn readyz(state: web::Data<State>) -> HttpResponse {
    if state.readiness.0.load(Ordering::Relaxed) {
        HttpResponse::Ok().content_type("text/plain").body("ok\n")
    } else {
        HttpResponse::ServiceUnavailable().content_type("text/plain").body("not watching Shops\n")
    }
}

async fn metrics_page(state: web::Data<State>) -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; version=0.0.4").body(state.metrics.render())
}
