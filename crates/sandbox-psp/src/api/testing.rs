//! What only tests ask for: faults to come, webhooks that no honest provider sends, and later times.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::json;

use super::State;
use super::input::{check, read_body};
use crate::faults::{Fault, Ordered, OrderedDelivery};
use crate::problem::Problem;
use crate::webhooks::forge::Forgery;

/// Most faults of one order.
const TIMES: u32 = 1_000_000;
/// Longest that a slow request takes.
const MILLISECONDS: u64 = 300_000;
/// Furthest that the clock is put forward at once: a year.
const SECONDS: i64 = 365 * 24 * 3600;

pub(super) fn configure(config: &mut web::ServiceConfig) {
    config
        .route("/test/faults", web::post().to(order))
        .route("/test/faults", web::get().to(list))
        .route("/test/faults", web::delete().to(clear))
        .route("/test/webhooks", web::post().to(order_delivery))
        .route("/test/webhooks/forged", web::post().to(forge))
        .route("/test/clock", web::post().to(advance));
}

async fn order(state: web::Data<State>, payload: web::Payload) -> Result<HttpResponse, Problem> {
    let ordered: Ordered = read_body(payload).await?;
    check((1..=TIMES).contains(&ordered.times), "times must be 1 to 1000000")?;
    let range = if ordered.fault == Fault::Slow { 1..=MILLISECONDS } else { 0..=0 };
    check(range.contains(&ordered.milliseconds), "milliseconds must be 1 to 300000, and only of slow")?;
    state.desk.order(ordered).await?;
    list(state).await
}

async fn list(state: web::Data<State>) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok().json(state.desk.faults().await?))
}

async fn clear(state: web::Data<State>) -> Result<HttpResponse, Problem> {
    state.desk.clear_faults().await?;
    list(state).await
}

async fn order_delivery(state: web::Data<State>, payload: web::Payload) -> Result<HttpResponse, Problem> {
    let ordered: OrderedDelivery = read_body(payload).await?;
    check((1..=TIMES).contains(&ordered.times), "times must be 1 to 1000000")?;
    state.desk.order_delivery(ordered).await?;
    list(state).await
}

async fn forge(state: web::Data<State>, payload: web::Payload) -> Result<HttpResponse, Problem> {
    let forgery: Forgery = read_body(payload).await?;
    let courier = state.courier.as_ref().ok_or_else(|| {
        Problem::new(StatusCode::CONFLICT, "no_webhooks", "nobody is told: the process has no webhook URL")
    })?;
    let unanswered =
        |error: anyhow::Error| Problem::new(StatusCode::BAD_GATEWAY, "no_answer", format!("no answer: {error:#}"));
    let status = courier.forge(&forgery).await.map_err(unanswered)?;
    Ok(HttpResponse::Ok().json(json!({ "status": status })))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ClockBody {
    advance_seconds: i64,
}

async fn advance(state: web::Data<State>, payload: web::Payload) -> Result<HttpResponse, Problem> {
    let ClockBody { advance_seconds } = read_body(payload).await?;
    check((0..=SECONDS).contains(&advance_seconds), "advanceSeconds must be 0 to 31536000")?;
    let now = state.desk.advance(SignedDuration::from_secs(advance_seconds)).await?;
    Ok(HttpResponse::Ok().json(json!({ "now": now })))
}
