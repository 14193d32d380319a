//! Reading: authorizations and the ledger.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::State;
use super::input::{check, read_query};
use crate::desk::Span;
use crate::problem::Problem;

/// Most ledger entries in one answer.
const ENTRIES: usize = 1000;

pub(super) fn configure(config: &mut web::ServiceConfig) {
    config
        .route("/authorizations", web::get().to(find_by_reference))
        .route("/authorizations/{id}", web::get().to(find))
        .route("/ledger", web::get().to(read_ledger));
}

async fn find(state: web::Data<State>, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    match state.desk.find(id.into_inner()).await? {
        Some(found) => Ok(HttpResponse::Ok().json(state.show(&found))),
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
    let found = state.desk.find_by_reference(reference).await?;
    let items: Vec<_> = found.iter().map(|authorization| state.show(authorization)).collect();
    Ok(HttpResponse::Ok().json(json!({ "items": items })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LedgerQuery {
    #[serde(default)]
    after: u64,
    since: Option<Timestamp>,
    reference: Option<String>,
    limit: Option<usize>,
}

async fn read_ledger(state: web::Data<State>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let LedgerQuery { after, since, reference, limit } = read_query(&request)?;
    let limit = limit.unwrap_or(ENTRIES);
    check((1..=ENTRIES).contains(&limit), "limit must be 1 to 1000")?;
    let mut entries = state.desk.entries(Span { after, since, reference, limit: limit + 1 }).await?;
    let more = entries.len() > limit;
    entries.truncate(limit);
    Ok(HttpResponse::Ok().json(json!({ "entries": entries, "more": more })))
}
