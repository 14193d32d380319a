//! Moving money: holds, captures, voids and refunds. What a request leads to is decided by `book`.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::State;
use super::input::{check, check_reference, idempotency_key, read_body, visible};
use crate::book::{Command, Entry, Kind};
use crate::desk::{Change, Closed, Outcome, Reply, Travel};
use crate::problem::Problem;

/// Largest amount taken, in minor units.
const AMOUNT: i64 = 999_999_999_999;

pub(super) fn configure(config: &mut web::ServiceConfig) {
    config
        .route("/authorizations", web::post().to(authorize))
        .route("/authorizations/{id}/capture", web::post().to(capture))
        .route("/authorizations/{id}/void", web::post().to(void))
        .route("/authorizations/{id}/refunds", web::post().to(refund));
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AuthorizeBody {
    amount: i64,
    currency: String,
    reference: String,
    method: String,
}

async fn authorize(
    state: web::Data<State>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let AuthorizeBody { amount, currency, reference, method } = read_body(payload).await?;
    check_amount(amount)?;
    let currency_good = currency.len() == 3 && currency.bytes().all(|b| b.is_ascii_uppercase());
    check(currency_good, "currency must be an ISO 4217 code")?;
    check_reference(&reference)?;
    check((1..=64).contains(&method.len()) && visible(&method), "method must be a token")?;
    make(state, &request, Command::Authorize { amount, currency, reference, method }).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EmptyBody {}

async fn capture(
    state: web::Data<State>,
    request: HttpRequest,
    id: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let EmptyBody {} = read_body(payload).await?;
    make(state, &request, Command::Capture { id: id.into_inner() }).await
}

async fn void(
    state: web::Data<State>,
    request: HttpRequest,
    id: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let EmptyBody {} = read_body(payload).await?;
    make(state, &request, Command::Void { id: id.into_inner() }).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RefundBody {
    amount: i64,
    reference: Option<String>,
}

async fn refund(
    state: web::Data<State>,
    request: HttpRequest,
    id: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let RefundBody { amount, reference } = read_body(payload).await?;
    check_amount(amount)?;
    reference.as_deref().map(check_reference).transpose()?;
    make(state, &request, Command::Refund { id: id.into_inner(), amount, reference }).await
}

fn check_amount(amount: i64) -> Result<(), Problem> {
    check((1..=AMOUNT).contains(&amount), "amount must be 1 to 999999999999")
}

/// Makes a change under the request's key and answers with what it led to.
async fn make(state: web::Data<State>, request: &HttpRequest, command: Command) -> Result<HttpResponse, Problem> {
    let change = Change { key: idempotency_key(request)?, fingerprint: fingerprint(&command)?, command };
    let outcome = match state.desk.change(change.clone()).await? {
        Outcome::Slow(delay) => {
            state.metrics.mishap("slow");
            // On a task of its own: it is applied even if its caller leaves.
            let work = tokio::spawn(work_slowly(state.clone(), change, delay));
            work.await.map_err(|_| Problem::from(Closed))??
        }
        outcome @ (Outcome::Answered(..) | Outcome::Lost) => outcome,
    };
    match outcome {
        Outcome::Answered(reply, travel) => {
            if travel == Travel::Lost {
                state.hang().await;
            }
            answer(&state, &reply)
        }
        Outcome::Lost | Outcome::Slow(_) => {
            state.hang().await;
            Err(Problem::new(StatusCode::GATEWAY_TIMEOUT, "timeout", "the outcome is unknown: try again"))
        }
    }
}

async fn work_slowly(state: web::Data<State>, change: Change, delay: std::time::Duration) -> Result<Outcome, Closed> {
    tokio::select! {
        () = tokio::time::sleep(delay) => state.desk.resume(change).await,
        () = state.stop.cancelled() => {
            state.desk.give_up(change.key).await?;
            Ok(Outcome::Lost)
        }
    }
}

fn fingerprint(command: &Command) -> Result<String, Problem> {
    let text = serde_json::to_vec(command)
        .map_err(|_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the request cannot be hashed"))?;
    Ok(Sha256::digest(&text).iter().fold(String::with_capacity(64), |hex, byte| format!("{hex}{byte:02x}")))
}

/// The answer that a reply stands for: the same whenever it is given.
fn answer(state: &State, reply: &Reply) -> Result<HttpResponse, Problem> {
    match reply {
        Reply::Entry(entry) => {
            state.metrics.entry(entry);
            show(state, entry)
        }
        Reply::Refused(refusal) => Err(refusal.clone().into()),
        Reply::Broken => {
            state.metrics.mishap("error");
            let text = "something went wrong here: what was applied, a look-up tells";
            Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", text))
        }
    }
}

fn show(state: &State, entry: &Entry) -> Result<HttpResponse, Problem> {
    let id = &entry.authorization;
    let common = json!({
        "id": id, "reference": entry.reference, "amount": entry.amount, "currency": entry.currency,
    });
    let (status, fields) = match entry.kind {
        Kind::RequiresAction => {
            (StatusCode::CREATED, json!({ "status": "requires_action", "nextActionUrl": state.action_url(id) }))
        }
        Kind::Authorized => (StatusCode::CREATED, json!({ "status": "authorized" })),
        Kind::Declined => (StatusCode::CREATED, json!({ "status": "declined", "declineCode": entry.reason })),
        Kind::Captured => (StatusCode::OK, json!({ "status": "captured" })),
        Kind::Voided => (StatusCode::OK, json!({ "status": "voided" })),
        Kind::Cancelled => (StatusCode::OK, json!({ "status": "cancelled" })),
        Kind::Refunded => (StatusCode::CREATED, json!({ "status": "refunded", "refund": entry.refund })),
        Kind::CaptureRefused => {
            return Err(Problem::new(
                StatusCode::PAYMENT_REQUIRED,
                "capture_refused",
                "the bank refuses to hand the money over",
            ));
        }
    };
    let mut body = common;
    if let (Some(body), Some(fields)) = (body.as_object_mut(), fields.as_object()) {
        body.extend(fields.clone());
    }
    Ok(HttpResponse::build(status).json(body))
}
