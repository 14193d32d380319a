//! The one error body: `{"error": {"code", "message"}}`.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, Responder, ResponseError};
use serde_json::json;

use crate::book::Refusal;
use crate::desk::Closed;

/// Why a request failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    message: String,
    /// The authorization's status, when that is the reason.
    standing: Option<crate::book::Status>,
}

impl Problem {
    /// A status, a stable word for programs and a sentence for people.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), standing: None }
    }
}

impl From<Closed> for Problem {
    fn from(closed: Closed) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", closed.to_string())
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let (status, code) = match &refusal {
            Refusal::KeyReused => (StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused"),
            Refusal::KeyInUse => (StatusCode::CONFLICT, "idempotency_key_in_use"),
            Refusal::NotFound => (StatusCode::NOT_FOUND, "not_found"),
            Refusal::UnknownMethod => (StatusCode::UNPROCESSABLE_ENTITY, "unknown_method"),
            Refusal::WrongStatus(_) => (StatusCode::CONFLICT, "wrong_status"),
            Refusal::OverRefund => (StatusCode::CONFLICT, "over_refund"),
        };
        let standing = match &refusal {
            Refusal::WrongStatus(standing) => Some(*standing),
            Refusal::KeyReused
            | Refusal::KeyInUse
            | Refusal::NotFound
            | Refusal::UnknownMethod
            | Refusal::OverRefund => None,
        };
        Self { standing, ..Self::new(status, code, refusal.to_string()) }
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut error = json!({ "code": self.code, "message": self.message });
        if let (Some(standing), Some(fields)) = (self.standing, error.as_object_mut()) {
            fields.insert("status".into(), json!(standing));
        }
        HttpResponse::build(self.status).json(json!({ "error": error }))
    }
}

impl Responder for Problem {
    type Body = actix_web::body::BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        self.error_response()
    }
}
