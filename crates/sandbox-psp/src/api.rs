//! The HTTP API: who may call what. Each group of routes has a file: `charges` moves money, `looks` reads, `buyer` is the
//! page of the buyer, `testing` makes things go wrong.

mod buyer;
mod charges;
mod input;
mod looks;
mod testing;

use std::sync::Arc;
use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::AUTHORIZATION;
use actix_web::middleware::{Next, from_fn};
use actix_web::web;
use serde_json::{Value, json};
use subtle::ConstantTimeEq;
use tokio_util::sync::CancellationToken;

use crate::book::{Authorization, Status};
use crate::desk::Desk;
use crate::metrics::Metrics;
use crate::problem::Problem;
use crate::webhooks::Courier;

/// What every request needs.
#[derive(Debug)]
pub struct State {
    /// Where changes are made.
    pub desk: Desk,
    /// The key that callers must send.
    pub api_key: String,
    /// How long a lost try keeps its caller waiting.
    pub hang: Duration,
    /// Where buyers reach this process, without a slash at the end.
    pub public_url: String,
    /// Who sends webhooks, if anybody is told.
    pub courier: Option<Arc<Courier>>,
    /// Ends every waiting when the process stops.
    pub stop: CancellationToken,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

impl State {
    /// Waits for as long as nobody waits, or until the process stops.
    async fn hang(&self) {
        self.metrics.mishap("timeout");
        tokio::select! {
            () = tokio::time::sleep(self.hang) => {}
            () = self.stop.cancelled() => {}
        }
    }

    /// Where the buyer confirms a hold.
    fn action_url(&self, authorization: &str) -> String {
        format!("{}/pay/{authorization}", self.public_url)
    }

    /// An authorization as callers see it.
    fn show(&self, authorization: &Authorization) -> Value {
        let mut body = json!(authorization);
        if let (Status::RequiresAction, Some(body)) = (authorization.status, body.as_object_mut()) {
            body.insert("nextActionUrl".into(), json!(self.action_url(&authorization.id)));
        }
        body
    }
}

/// Mounts the routes of the API.
pub fn configure(config: &mut web::ServiceConfig) {
    config
        .service(
            web::scope("/v1")
                .wrap(from_fn(authenticate))
                .configure(charges::configure)
                .configure(looks::configure)
                .configure(testing::configure)
                .default_service(web::to(unknown)),
        )
        .configure(buyer::configure);
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
