//! Where the buyer confirms or refuses a hold, as a bank asks its customers. Who knows the address may: it holds a random id.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use serde_json::json;

use super::State;
use crate::book::{Command, Status};
use crate::desk::{Change, Outcome, Reply};
use crate::problem::Problem;

pub(super) fn configure(config: &mut web::ServiceConfig) {
    config
        .route("/pay/{id}", web::get().to(ask))
        .route("/pay/{id}/confirm", web::post().to(confirm))
        .route("/pay/{id}/refuse", web::post().to(refuse));
}

async fn ask(state: web::Data<State>, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let found = state.desk.find(id.into_inner()).await?.ok_or_else(unknown)?;
    let part = if found.status == Status::RequiresAction {
        format!(
            "<p>Pay {} minor units of {}?</p>\
             <form method=\"post\" action=\"/pay/{id}/confirm\"><button>Confirm</button></form>\
             <form method=\"post\" action=\"/pay/{id}/refuse\"><button>Refuse</button></form>",
            found.amount,
            found.currency,
            id = found.id,
        )
    } else {
        "<p>There is nothing left to confirm.</p>".to_owned()
    };
    let page = format!("<!doctype html><title>Sandbox bank</title><h1>Sandbox bank: no real money</h1>{part}");
    Ok(HttpResponse::Ok()
        .insert_header(("Content-Security-Policy", "default-src 'none'; form-action 'self'"))
        .content_type("text/html; charset=utf-8")
        .body(page))
}

async fn confirm(state: web::Data<State>, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let id = id.into_inner();
    act(&state, format!("{id}:confirm"), Command::Confirm { id }).await
}

async fn refuse(state: web::Data<State>, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let id = id.into_inner();
    act(&state, format!("{id}:refuse"), Command::Refuse { id }).await
}

/// Does what the buyer wants, once however often they press the button. A path never leads to `Outcome::Slow` or
/// `Outcome::Lost`: nothing goes wrong with a buyer on purpose.
async fn act(state: &State, key: String, command: Command) -> Result<HttpResponse, Problem> {
    let fingerprint = key.clone();
    match state.desk.change(Change { command, key, fingerprint }).await? {
        Outcome::Answered(Reply::Entry(entry), _) => {
            Ok(HttpResponse::Ok().json(json!({ "id": entry.authorization, "status": entry.kind })))
        }
        Outcome::Answered(Reply::Refused(refusal), _) => Err(refusal.into()),
        Outcome::Answered(Reply::Broken, _) | Outcome::Lost | Outcome::Slow(_) => {
            Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "something went wrong here"))
        }
    }
}

fn unknown() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not_found", "there is nothing to confirm")
}
