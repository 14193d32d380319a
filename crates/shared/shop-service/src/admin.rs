//! The admin port: `/livez`, `/readyz`, `/metrics`. Never routed from outside.

use std::net::TcpListener;

use actix_web::dev::Server;
use actix_web::web::{self, Data};
use actix_web::{App, HttpResponse, HttpServer};
use shop_telemetry::metrics::{self, Metrics};

use crate::startup::{Ready, Unready};

struct Admin {
    ready: Ready,
    metrics: Vec<Metrics>,
}

/// Serves the admin port; one worker is enough for probes and scrapes.
pub(crate) fn serve(listener: TcpListener, ready: Ready, metrics: Vec<Metrics>) -> std::io::Result<Server> {
    let admin = Data::new(Admin { ready, metrics });
    let server = HttpServer::new(move || {
        App::new()
            .app_data(Data::clone(&admin))
            .route("/livez", web::get().to(live))
            .route("/readyz", web::get().to(is_ready))
            .route("/metrics", web::get().to(scrape))
    });
    Ok(server.workers(1).disable_signals().listen(listener)?.run())
}

/// The process runs; nothing else is asked, so that a dead database never restarts pods.
async fn live() -> HttpResponse {
    HttpResponse::Ok().body("live\n")
}

async fn is_ready(admin: Data<Admin>) -> HttpResponse {
    match admin.ready.get() {
        Ok(()) => HttpResponse::Ok().body("ready\n"),
        Err(Unready::NotRunning) => HttpResponse::ServiceUnavailable().body("starting or stopping\n"),
        Err(Unready::Clock) => HttpResponse::ServiceUnavailable().body("the clock is too far from MongoDB's\n"),
    }
}

async fn scrape(admin: Data<Admin>) -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; version=0.0.4").body(metrics::render(&admin.metrics))
}
