//! What the guard reads from a request before anybody else: id, path, what the client accepts, and its tokens.

use std::sync::Arc;

use actix_web::HttpMessage;
use actix_web::dev::ServiceRequest;
use actix_web::http::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use jiff::Timestamp;
use shop_auth::{Refusal, Verifier};
use shop_telemetry::context::TRACEPARENT;
use shop_types::caller::GuestToken;
use shop_types::{Caller, Clock};

use crate::cors::Visit;
use crate::extract::GUEST_TOKEN;
use crate::limit::Standing;
use crate::{Cors, HttpError};

/// The header that names a request, in and out.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The media type of RFC 9457.
pub(super) const PROBLEM_JSON: &str = "application/problem+json";

/// What is kept of a request for its answer.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    request_id: Arc<str>,
    method: &'static str,
    path: String,
    traceparent: Option<String>,
    wants_problem: bool,
    route: Option<&'static str>,
    successor: Option<&'static str>,
    standing: Option<Standing>,
    visit: Option<Visit>,
}

impl Facts {
    pub(super) fn of(request: &ServiceRequest, cors: &Cors, clock: &dyn Clock) -> Self {
        let headers = request.headers();
        let sent_id = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok()).filter(|id| is_request_id(id));
        Self {
            request_id: sent_id.map_or_else(|| clock.new_id().to_string().into(), Into::into),
            method: method_word(request.method()),
            // The very text that actix-web routes by: partly decoded. Routing and access check must not differ.
            path: request.match_info().unprocessed().to_owned(),
            traceparent: headers.get(TRACEPARENT).and_then(|value| value.to_str().ok()).map(ToOwned::to_owned),
            wants_problem: headers.get_all(ACCEPT).any(|value| names(value, PROBLEM_JSON)),
            route: None,
            successor: None,
            standing: None,
            visit: cors.visit(headers, request.method() == actix_web::http::Method::OPTIONS),
        }
    }

    /// Keeps where the request leads: the template of its route, and the call that takes the place of that one.
    pub(super) fn lead(&mut self, route: Option<&'static str>, successor: Option<&'static str>) {
        (self.route, self.successor) = (route, successor);
    }

    /// The template of its route, if it has one.
    pub(super) fn route(&self) -> Option<&'static str> {
        self.route
    }

    /// What takes the place of the call, if it is an alias.
    pub(super) fn successor(&self) -> Option<&'static str> {
        self.successor
    }

    /// Keeps where the client stands under its limit.
    pub(super) fn stand(&mut self, standing: Standing) {
        self.standing = Some(standing);
    }

    /// Where the client stands, once its request was counted.
    pub(super) fn standing(&self) -> Option<&Standing> {
        self.standing.as_ref()
    }

    pub(super) fn request_id(&self) -> Arc<str> {
        Arc::clone(&self.request_id)
    }

    /// The method in upper case, `OTHER` for one that HTTP does not define: so it may be a metric's label.
    pub(super) fn method(&self) -> &'static str {
        self.method
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn traceparent(&self) -> Option<&str> {
        self.traceparent.as_deref()
    }

    pub(super) fn wants_problem(&self) -> bool {
        self.wants_problem
    }

    /// Whose page sent it, where pages of other origins may call.
    pub(super) fn visit(&self) -> Option<&Visit> {
        self.visit.as_ref()
    }
}

fn is_request_id(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

fn method_word(method: &actix_web::http::Method) -> &'static str {
    const KNOWN: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"];
    KNOWN.into_iter().find(|known| method.as_str() == *known).unwrap_or("OTHER")
}

/// Whether a list such as `Accept` names something itself, and not with weight 0.
pub(super) fn names(list: &HeaderValue, wanted: &str) -> bool {
    let Ok(ranges) = list.to_str() else { return false };
    ranges.split(',').any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let is_wanted = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(wanted));
        let refused = |part: &str| {
            let weight = part.strip_prefix("q=").or_else(|| part.strip_prefix("Q="));
            weight.and_then(|weight| weight.parse::<f32>().ok()).is_some_and(|weight| weight <= 0.0)
        };
        is_wanted && !parts.any(refused)
    })
}

/// Who sent a request, and the tokens as they came, for the calls made on the sender's behalf.
pub(super) struct Credentials {
    user: Option<(Caller, Arc<str>)>,
    guest: Option<GuestToken>,
}

impl Credentials {
    /// Reads and verifies. Whoever shows a token that does not hold is refused, also where none is needed: going on as
    /// anonymous would hide from an honest client that its session is over.
    pub(super) fn of(headers: &HeaderMap, verifier: &Verifier, now: Timestamp) -> Result<Self, HttpError> {
        let user = match only(headers, &AUTHORIZATION) {
            Sent::Nothing => None,
            Sent::Unreadable => return Err(bad_token(Refusal::Malformed)),
            Sent::Text(header) => {
                let token = bearer(header).ok_or(Refusal::Malformed);
                let caller = token.and_then(|token| verifier.verify(token, now)).map_err(bad_token)?;
                Some((caller, header.into()))
            }
        };
        let guest = match only(headers, &HeaderName::from_static(GUEST_TOKEN)) {
            Sent::Nothing => None,
            Sent::Unreadable => return Err(bad_guest_token()),
            Sent::Text(token) => Some(GuestToken::parse(token).map_err(|_| bad_guest_token())?),
        };
        Ok(Self { user, guest })
    }

    /// A logged-in caller is one also with a guest token beside.
    pub(super) fn caller(&self) -> Caller {
        match (&self.user, &self.guest) {
            (Some((caller, _)), _) => caller.clone(),
            (None, Some(token)) => Caller::Guest { token: token.clone() },
            (None, None) => Caller::Anonymous,
        }
    }

    /// Who is logged in.
    pub(super) fn user(&self) -> Option<&Caller> {
        self.user.as_ref().map(|(caller, _)| caller)
    }

    pub(super) fn authorization(&self) -> Option<Arc<str>> {
        self.user.as_ref().map(|(_, header)| Arc::clone(header))
    }

    pub(super) fn guest_token(&self) -> Option<Arc<str>> {
        self.guest.as_ref().map(|token| token.expose().into())
    }

    /// Leaves them where the extractors look.
    pub(super) fn attach(self, request: &ServiceRequest) {
        let mut extensions = request.extensions_mut();
        extensions.insert(self.caller());
        if let Some(guest) = self.guest {
            extensions.insert(guest);
        }
    }
}

enum Sent<'h> {
    Nothing,
    Text(&'h str),
    /// Twice, or not text.
    Unreadable,
}

fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Sent<'h> {
    let mut values = headers.get_all(name);
    match (values.next(), values.next()) {
        (None, _) => Sent::Nothing,
        (Some(value), None) => value.to_str().map_or(Sent::Unreadable, Sent::Text),
        (Some(_), Some(_)) => Sent::Unreadable,
    }
}

fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim_start_matches(' '))
}

fn bad_token(refusal: Refusal) -> HttpError {
    let challenge = HeaderValue::from_static("Bearer error=\"invalid_token\"");
    HttpError::from(refusal).with_header(WWW_AUTHENTICATE, challenge)
}

fn bad_guest_token() -> HttpError {
    let message = "The guest token is not one; leave the header out to start a new cart.";
    HttpError::new(actix_web::http::StatusCode::UNAUTHORIZED, "invalid_token", message)
        .with_detail("X-Guest-Token", "must be sent once, as 43 characters of URL-safe base64")
}
