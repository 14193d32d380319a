//! The server side of a call: context in, deadline, panics; and who the caller is.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use jiff::Timestamp;
use shop_auth::{Refusal, Verifier};
use shop_telemetry::context;
use shop_types::Caller;
use shop_types::caller::GuestToken;
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Code, Status};
use tower::{Layer, Service};
use tracing::field::Empty;
use tracing::{Instrument, Span, info_span};

use crate::mesh::Error;
use crate::metadata::{self, GUEST_TOKEN, PREVIOUS_ATTEMPTS, REQUEST_ID, TRACEPARENT};
use crate::metrics;

/// No call takes longer, whatever its caller says.
const CAP: Duration = Duration::from_secs(5);
/// A connection is closed in good order after this, so that callers spread over pods that came later.
const MAX_CONNECTION_AGE: Duration = Duration::from_secs(120);
/// Finds callers that went without a word.
const PING: Duration = Duration::from_secs(30);

tokio::task_local! {
    static REPEATED: bool;
}

/// Whether the call that the present task answers was repeated by its caller. Then calls made for it are not, lest three
/// tries at each of three steps become twenty-seven.
pub(crate) fn is_repeated() -> bool {
    REPEATED.try_with(|repeated| *repeated).unwrap_or(false)
}

/// Serves routes until told to stop; calls that are under way then are answered first.
///
/// # Errors
/// [`Error::Serve`] when the server ends for another reason.
pub async fn serve(listener: TcpListener, routes: Routes, stop: CancellationToken) -> Result<(), Error> {
    Server::builder()
        .timeout(CAP)
        .max_connection_age(MAX_CONNECTION_AGE)
        .max_connection_age_grace(CAP)
        .http2_keepalive_interval(Some(PING))
        .layer(layer())
        .add_routes(routes)
        .serve_with_incoming_shutdown(TcpIncoming::from(listener).with_nodelay(Some(true)), stop.cancelled_owned())
        .await
        .map_err(Error::Serve)
}

/// Who sent a call, from the metadata that came with it. The token is verified again, whoever forwarded it.
///
/// # Errors
/// A [`Refusal`] for a token that does not hold: never anonymous. A malformed guest token is [`Refusal::Malformed`].
pub fn caller<T>(request: &tonic::Request<T>, verifier: &Verifier, now: Timestamp) -> Result<Caller, Refusal> {
    let text = |name: &str| {
        let value = request.metadata().get(name);
        value.map(|value| value.to_str().map_err(|_| Refusal::Malformed)).transpose()
    };
    if let Some(authorization) = text(AUTHORIZATION.as_str())? {
        let (scheme, token) = authorization.split_once(' ').ok_or(Refusal::Malformed)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Refusal::Malformed);
        }
        return verifier.verify(token, now);
    }
    match text(GUEST_TOKEN.as_str())? {
        Some(token) => {
            let token = GuestToken::parse(token).map_err(|_| Refusal::Malformed)?;
            Ok(Caller::Guest { token })
        }
        None => Ok(Caller::Anonymous),
    }
}

/// The layer that [`serve`] puts around all routes: reads the context of each call, opens its span in the caller's trace,
/// and answers a panic as an internal error.
#[must_use]
pub fn layer() -> ContextLayer {
    ContextLayer
}

/// See [`layer`].
#[derive(Debug, Clone, Copy)]
pub struct ContextLayer;

impl<S> Layer<S> for ContextLayer {
    type Service = ContextService<S>;

    fn layer(&self, inner: S) -> ContextService<S> {
        ContextService(inner)
    }
}

/// What [`layer`] makes of a service.
#[derive(Debug, Clone)]
pub struct ContextService<S>(S);

impl<S> Service<http::Request<Body>> for ContextService<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let span = info_span!(
            "serve",
            otel.name = request.uri().path().trim_start_matches('/'),
            otel.kind = "server",
            otel.status_code = Empty,
            rpc.system = "grpc",
            rpc.grpc.status_code = Empty,
        );
        if let Some(traceparent) = metadata::text(request.headers(), &TRACEPARENT) {
            context::set_parent(&span, traceparent);
        }
        let repeated = metadata::text(request.headers(), &PREVIOUS_ATTEMPTS).is_some_and(|attempts| attempts != "0");
        let context = read(request.headers());
        let answer = answer(self.0.call(request)).instrument(span);
        Box::pin(REPEATED.scope(repeated, context::scope(context, answer)))
    }
}

async fn answer<E>(handler: impl Future<Output = Result<http::Response<Body>, E>>) -> Result<http::Response<Body>, E> {
    let answer = match AssertUnwindSafe(handler).catch_unwind().await {
        Ok(answer) => answer?,
        Err(panic) => {
            let message = panic
                .downcast_ref::<&str>()
                .copied()
                .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
                .unwrap_or("no message");
            tracing::error!(panic = message, "A call panicked");
            Status::internal("the service failed").into_http()
        }
    };
    let code = answer.headers().get(metadata::STATUS).map_or(Code::Ok, |status| Code::from_bytes(status.as_bytes()));
    metrics::record(&Span::current(), code);
    Ok(answer)
}

fn read(headers: &HeaderMap) -> context::Context {
    let timeout = metadata::timeout(headers).map_or(CAP, |timeout| timeout.min(CAP));
    let secret = |name| metadata::text(headers, &name).map(Arc::from);
    context::Context {
        request_id: metadata::text(headers, &REQUEST_ID).filter(|id| is_request_id(id)).map_or_else(new_id, Arc::from),
        deadline: Some(Instant::now() + timeout),
        authorization: secret(AUTHORIZATION),
        guest_token: secret(GUEST_TOKEN),
    }
}

fn is_request_id(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// An id for a call that nobody's request started, such as the next step of a saga.
fn new_id() -> Arc<str> {
    let mut random = [0_u8; 16];
    if let Err(error) = getrandom::fill(&mut random) {
        tracing::error!(%error, "The system gives no random numbers; requests share an id");
    }
    format!("{:032x}", u128::from_be_bytes(random)).into()
}
