//! The HTTP API: authentication, strict parsing, answers. What a request leads to is decided by `book`.

use std::sync::Arc;
use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::AUTHORIZATION;
use actix_web::middleware::{Next, from_fn};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio_util::sync::CancellationToken;

use crate::book::{Command, Delivery, Entry, Kind};
use crate::desk::{Change, Closed, Desk, Outcome, Span};
use crate::metrics::Metrics;
use crate::problem::Problem;

/// Largest body taken.
const BODY_BYTES: usize = 16 * 1024;
/// Largest amount taken, in minor units.
const AMOUNT: i64 = 999_999_999_999;
/// Most ledger entries in one answer.
const ENTRIES: usize = 1000;

/// What every request needs.
#[derive(Debug)]
pub struct State {
    /// Where changes are made.
    pub desk: Desk,
    /// The key that callers must send.
    pub api_key: String,
    /// How long a lost try keeps its caller waiting.
    pub hang: Duration,
    /// Ends every waiting when the process stops.
    pub stop: CancellationToken,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

/// Mounts the routes of the API.
pub fn configure(config: &mut web::ServiceConfig) {
    config.service(
        web::scope("/v1")
            .wrap(from_fn(authenticate))
            .route("/authorizations", web::post().to(authorize))
            .route("/authorizations", web::get().to(find_by_reference))
            .route("/authorizations/{id}", web::get().to(find))
            .route("/authorizations/{id}/capture", web::post().to(capture))
            .route("/authorizations/{id}/void", web::post().to(void))
            .route("/authorizations/{id}/refunds", web::post().to(refund))
            .route("/ledger", web::get().to(read_ledger))
            .default_service(web::to(unknown)),
    );
}

/// The answer to a path that does not exist.
pub async fn unknown() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not_found", "there is nothing here")
}

async fn authenticate(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let known = request.app_data::<web::Data<State>>().is_some_and(|state| {
        let sent = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let key = sent.and_then(|text| text.strip_prefix("Bearer ")).unwrap_or_default();
        !state.api_key.is_empty() && bool::from(key.as_bytes().ct_eq(state.api_key.as_bytes()))
    });
    if !known {
        return Err(Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", "send the API key as a bearer token").into());
    }
    next.call(request).await
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
    let body: AuthorizeBody = read_body(payload).await?;
    let visible = |text: &str| text.bytes().all(|b| b.is_ascii_graphic());
    check((1..=AMOUNT).contains(&body.amount), "amount must be 1 to 999999999999")?;
    let currency_good = body.currency.len() == 3 && body.currency.bytes().all(|b| b.is_ascii_uppercase());
    check(currency_good, "currency must be an ISO 4217 code")?;
    let reference_good = (1..=200).contains(&body.reference.len()) && visible(&body.reference);
    check(reference_good, "reference must be 1 to 200 visible characters")?;
    check((1..=64).contains(&body.method.len()) && visible(&body.method), "method must be a token")?;
    let AuthorizeBody { amount, currency, reference, method } = body;
    make(&state, &request, Command::Authorize { amount, currency, reference, method }).await
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
    make(&state, &request, Command::Capture { id: id.into_inner() }).await
}

async fn void(
    state: web::Data<State>,
    request: HttpRequest,
    id: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let EmptyBody {} = read_body(payload).await?;
    make(&state, &request, Command::Void { id: id.into_inner() }).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RefundBody {
    amount: i64,
}

async fn refund(
    state: web::Data<State>,
    request: HttpRequest,
    id: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let body: RefundBody = read_body(payload).await?;
    check((1..=AMOUNT).contains(&body.amount), "amount must be 1 to 999999999999")?;
    make(&state, &request, Command::Refund { id: id.into_inner(), amount: body.amount }).await
}

async fn find(state: web::Data<State>, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    match state.desk.find(id.into_inner()).await? {
        Some(found) => Ok(HttpResponse::Ok().json(found)),
        None => Err(Problem::new(StatusCode::NOT_FOUND, "not_found", "there is no such authorization")),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReferenceQuery {
    reference: String,
}

async fn find_by_reference(state: web::Data<State>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let ReferenceQuery { reference } = read_query(&request)?;
    let items: Vec<_> = state.desk.find_by_reference(reference).await?.into_iter().collect();
    Ok(HttpResponse::Ok().json(json!({ "items": items })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LedgerQuery {
    #[serde(default)]
    after: u64,
    limit: Option<usize>,
}

async fn read_ledger(state: web::Data<State>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let LedgerQuery { after, limit } = read_query(&request)?;
    let limit = limit.unwrap_or(ENTRIES);
    check((1..=ENTRIES).contains(&limit), "limit must be 1 to 1000")?;
    let mut entries = state.desk.entries(Span { after, limit: limit + 1 }).await?;
    let more = entries.len() > limit;
    entries.truncate(limit);
    Ok(HttpResponse::Ok().json(json!({ "entries": entries, "more": more })))
}

/// Makes a change under the request's key and answers with the entry that it led to.
async fn make(state: &State, request: &HttpRequest, command: Command) -> Result<HttpResponse, Problem> {
    let change = Change { key: idempotency_key(request)?, fingerprint: fingerprint(&command)?, command };
    let (entry, delivery) = match state.desk.change(change).await? {
        Outcome::Done(entry, delivery) => (entry, delivery),
        Outcome::Refused(refusal) => return Err(refusal.into()),
        Outcome::Lost => {
            wait(state).await;
            return Err(Problem::new(StatusCode::GATEWAY_TIMEOUT, "timeout", "the outcome is unknown: try again"));
        }
    };
    if delivery == Delivery::Lost {
        wait(state).await;
    }
    state.metrics.entry(&entry);
    answer(&entry)
}

/// The answer that an entry stands for: the same whenever it is given.
fn answer(entry: &Entry) -> Result<HttpResponse, Problem> {
    let common = json!({
        "id": entry.authorization, "reference": entry.reference, "amount": entry.amount, "currency": entry.currency,
    });
    let (status, fields) = match entry.kind {
        Kind::Authorized => (StatusCode::CREATED, json!({ "status": "authorized" })),
        Kind::Declined => (StatusCode::CREATED, json!({ "status": "declined", "declineCode": entry.reason })),
        Kind::Captured => (StatusCode::OK, json!({ "status": "captured" })),
        Kind::Voided => (StatusCode::OK, json!({ "status": "voided" })),
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

async fn wait(state: &State) {
    tokio::select! {
        () = tokio::time::sleep(state.hang) => {}
        () = state.stop.cancelled() => {}
    }
}

fn idempotency_key(request: &HttpRequest) -> Result<String, Problem> {
    let key = request.headers().get("Idempotency-Key").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if (1..=255).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(key.to_owned());
    }
    let text = "send an Idempotency-Key of 1 to 255 visible characters";
    Err(Problem::new(StatusCode::BAD_REQUEST, "idempotency_key_required", text))
}

fn fingerprint(command: &Command) -> Result<String, Problem> {
    let text = serde_json::to_vec(command)
        .map_err(|_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the request cannot be hashed"))?;
    Ok(Sha256::digest(&text).iter().fold(String::with_capacity(64), |hex, byte| format!("{hex}{byte:02x}")))
}

async fn read_body<T: DeserializeOwned>(payload: web::Payload) -> Result<T, Problem> {
    let malformed = |text: String| Problem::new(StatusCode::BAD_REQUEST, "malformed_body", text);
    let bytes = payload
        .to_bytes_limited(BODY_BYTES)
        .await
        .map_err(|_| Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "at most 16384 bytes are taken"))?
        .map_err(|_| malformed("the body broke off".into()))?;
    serde_json::from_slice(&bytes).map_err(|error| malformed(error.to_string()))
}

fn read_query<T: DeserializeOwned>(request: &HttpRequest) -> Result<T, Problem> {
    web::Query::<T>::from_query(request.query_string())
        .map(web::Query::into_inner)
        .map_err(|error| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_request", error.to_string()))
}

fn check(good: bool, rule: &'static str) -> Result<(), Problem> {
    if good { Ok(()) } else { Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_request", rule)) }
}

impl From<Closed> for Problem {
    fn from(closed: Closed) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", closed.to_string())
    }
}
