//! The answer as it leaves: error bodies are written here and nowhere else, security headers put on every one.

use std::fmt;

use actix_web::body::BoxBody;
use actix_web::dev::ServiceResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, REFERRER_POLICY, SERVER,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::{Error, HttpResponse, ResponseError};
use jiff::{Timestamp, Unit};
use serde::Serialize;

use super::request::{Facts, PROBLEM_JSON, REQUEST_ID};
use crate::error::OVERLOADED;
use crate::{HttpError, alias};

/// Writes the error body, if the handler failed, and the headers of every answer.
pub(super) fn finish(response: ServiceResponse<BoxBody>, facts: &Facts, now: Timestamp) -> ServiceResponse<BoxBody> {
    let failed = response.response().error().map(|error| match error.as_error::<HttpError>() {
        Some(error) => Answer::of(error, facts, now),
        None => Answer::of(&foreign(error), facts, now),
    });
    if let Some(answer) = failed {
        return response.into_response(answer.build());
    }
    let mut response = response;
    protect(response.headers_mut(), facts, now);
    response
}

/// An error of actix-web itself, such as a payload that broke off: the status is right, the text is not for clients.
pub(super) fn foreign(error: &Error) -> HttpError {
    let status = error.as_response_error().status_code();
    let source = error.to_string();
    if status.is_client_error() {
        HttpError::new(status, "bad_request", "The request cannot be read.").with_source(source.into())
    } else {
        HttpError::internal(source)
    }
}

/// A finished error answer. Also an error itself, for when there is no request left to answer with.
pub(super) struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    /// Renders an error for the request it belongs to, and logs it if somebody should know.
    pub(super) fn of(error: &HttpError, facts: &Facts, now: Timestamp) -> Self {
        log(error, facts);
        let request_id = facts.request_id();
        let (media, body) = if facts.wants_problem() {
            (PROBLEM_JSON, json(&error.problem(&request_id)))
        } else {
            let rounded = now.round(Unit::Millisecond).unwrap_or(now);
            ("application/json", json(&error.body(&request_id, rounded)))
        };
        let mut headers = HeaderMap::new();
        for (name, value) in error.headers() {
            headers.insert(name.clone(), value.clone());
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
        protect(&mut headers, facts, now);
        Self { status: error.status(), headers, body }
    }

    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    fn build(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        for (name, value) in &self.headers {
            response.insert_header((name.clone(), value.clone()));
        }
        response.body(self.body.clone())
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").field("status", &self.status).finish_non_exhaustive()
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "answered with {}", self.status)
    }
}

impl ResponseError for Answer {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        self.build()
    }
}

/// The one place where a failed call is logged: a defect as an error, a missing dependency as a warning.
fn log(error: &HttpError, facts: &Facts) {
    let (code, chain) = (error.code(), error.chain());
    let (method, route) = (facts.method(), facts.route());
    match error.status() {
        StatusCode::INTERNAL_SERVER_ERROR => tracing::error!(
            error.code = code,
            error.chain = chain,
            http.request.method = method,
            http.route = route,
            "Failed to serve a request"
        ),
        // Thousands a second, when it happens: they are counted.
        StatusCode::SERVICE_UNAVAILABLE if code != OVERLOADED => tracing::warn!(
            error.code = code,
            error.chain = chain,
            http.request.method = method,
            http.route = route,
            "Could not serve a request for now"
        ),
        _ => tracing::debug!(error.code = code, error.chain = chain, "Refused a request"),
    }
}

fn json(body: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(body).unwrap_or_else(|error| {
        tracing::error!(error = &error as &dyn std::error::Error, "Failed to write an error body");
        Vec::new()
    })
}

/// Headers of every answer. A handler that sets its own policy or caching keeps it.
fn protect(headers: &mut HeaderMap, facts: &Facts, now: Timestamp) {
    const ALWAYS: [(HeaderName, &str); 3] = [
        (STRICT_TRANSPORT_SECURITY, "max-age=31536000"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
    ];
    const UNLESS_SET: [(HeaderName, &str); 2] =
        [(CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"), (CACHE_CONTROL, "no-store")];
    headers.remove(SERVER);
    for (name, value) in ALWAYS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    for (name, value) in UNLESS_SET {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    if let Some(successor) = facts.successor() {
        alias::mark(headers, successor);
    }
    if let Some(standing) = facts.standing() {
        standing.write(headers, now);
    }
    if let Some(visit) = facts.visit() {
        visit.write(headers);
    }
    if let Ok(id) = HeaderValue::try_from(&*facts.request_id()) {
        headers.insert(REQUEST_ID, id);
    }
}
