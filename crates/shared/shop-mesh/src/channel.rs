//! The client side of a call: context out, deadline, tries.
//!
//! What does not belong here: what the answer means ([`crate::PeerError`]).

mod answer;
mod request;

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use shop_proto::IDEMPOTENT_METHODS;
use shop_telemetry::context;
use tokio::time::{Instant, sleep_until, timeout_at};
use tonic::body::Body;
use tonic::{Code, Status};
use tower::{Service, ServiceExt};
use tracing::field::Empty;
use tracing::{Instrument, info_span};

use crate::budget::Budget;
use crate::channel::answer::Answer;
use crate::channel::request::Template;
use crate::metadata;
use crate::metrics::{CallMetrics, Observation};
use crate::server;

/// How long a call may take when its caller has more time.
const DEADLINE: Duration = Duration::from_secs(2);
/// The one call that waits for somebody outside the shop.
const AUTHORIZE: &str = "/shopmesh.payment.v1.Payment/Authorize";
const AUTHORIZE_DEADLINE: Duration = Duration::from_secs(3);
/// What a call leaves of its caller's time, so that the caller can still answer.
const MARGIN: Duration = Duration::from_millis(5);
/// Tries after the first.
const MAX_RETRIES: u32 = 2;
/// Bounds of the random wait before a retry, in milliseconds.
const BACKOFF: std::ops::RangeInclusive<u32> = 25..=250;

/// The way to one peer. Goes under a generated client: `CatalogClient::new(mesh.channel("catalog"))`.
///
/// Requests are single messages; replies may be streams. Clones share one connection and one retry budget.
#[derive(Clone)]
pub struct Channel(Arc<Peer>);

/// A peer with its connection.
struct Peer {
    name: &'static str,
    /// `None`: there is no such peer.
    transport: Option<tonic::transport::Channel>,
    budget: Budget,
    metrics: CallMetrics,
}

impl Channel {
    /// A channel over a connection; `None` stands for a peer that does not exist.
    pub(crate) fn new(name: &'static str, transport: Option<tonic::transport::Channel>, metrics: CallMetrics) -> Self {
        Self(Arc::new(Peer { name, transport, budget: Budget::new(), metrics }))
    }
}

impl std::fmt::Debug for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Channel").field(&self.0.name).finish()
    }
}

/// How one try ended.
enum Try {
    /// The peer answered, with a reply or an error.
    Answered(http::Response<Body>),
    /// There was no connection: the peer has seen nothing of it.
    Unsent(Status),
    /// The connection broke: the peer may have done it.
    Broken(Status),
    /// The time is up: the peer may still be doing it.
    Late,
}

impl Try {
    /// Whether the same call may be sent again without doing anything twice.
    fn may_repeat(&self, idempotent: bool) -> bool {
        match self {
            Self::Answered(answer) => {
                let status = Status::from_header_map(answer.headers());
                idempotent && status.is_some_and(|status| status.code() == Code::Unavailable)
            }
            Self::Unsent(_) => true,
            Self::Broken(_) => idempotent,
            Self::Late => false,
        }
    }
}

impl Service<http::Request<Body>> for Channel {
    type Response = http::Response<Body>;
    type Error = Status;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let peer = Arc::clone(&self.0);
        let method = request.uri().path().trim_start_matches('/').to_owned();
        let span = info_span!(
            "call",
            otel.name = method,
            otel.kind = "client",
            otel.status_code = Empty,
            rpc.system = "grpc",
            rpc.grpc.status_code = Empty,
            peer.service = peer.name,
        );
        let observation = Observation::start(peer.metrics.clone(), peer.name, method, span.clone());
        Box::pin(call(peer, request, observation).instrument(span))
    }
}

async fn call(
    peer: Arc<Peer>,
    request: http::Request<Body>,
    mut observation: Observation,
) -> Result<http::Response<Body>, Status> {
    match tries(&peer, request, &observation).await {
        Ok((answer, deadline)) => {
            let (head, body) = answer.into_parts();
            let answer = Answer::new(&head, body, deadline, observation);
            Ok(http::Response::from_parts(head, Body::new(answer)))
        }
        Err(status) => {
            observation.ended(status.code());
            Err(status)
        }
    }
}

async fn tries(
    peer: &Peer,
    request: http::Request<Body>,
    observation: &Observation,
) -> Result<(http::Response<Body>, Instant), Status> {
    let Some(transport) = &peer.transport else {
        return Err(Status::unavailable("this service has no such peer"));
    };
    let path = request.uri().path().to_owned();
    let deadline = deadline(&path, metadata::timeout(request.headers()));
    let mut template = timeout_at(deadline, Template::new(request)).await.map_err(|_| late(peer))??;
    let idempotent = IDEMPOTENT_METHODS.contains(&path.as_str());
    peer.budget.deposit();
    let mut failed = 0;
    loop {
        let Some(request) = template.next(deadline, failed) else { return Err(late(peer)) };
        let outcome = send(transport, request, deadline).await;
        let resume = Instant::now() + backoff();
        let repeat = failed < MAX_RETRIES
            && template.can_repeat()
            && outcome.may_repeat(idempotent)
            && !server::is_repeated()
            && resume < deadline
            && peer.budget.withdraw();
        if !repeat {
            return match outcome {
                Try::Answered(answer) => Ok((answer, deadline)),
                Try::Unsent(status) | Try::Broken(status) => Err(status),
                Try::Late => Err(late(peer)),
            };
        }
        failed += 1;
        peer.metrics.retried(peer.name, &observation.method);
        sleep_until(resume).await;
    }
}

/// When the caller gives up: after the default, or the time asked for if that is less, but never after its own caller.
fn deadline(path: &str, asked: Option<Duration>) -> Instant {
    let own = if path == AUTHORIZE { AUTHORIZE_DEADLINE } else { DEADLINE };
    let own = asked.map_or(own, |asked| own.min(asked));
    let rest = context::remaining().map_or(own, |remaining| own.min(remaining.saturating_sub(MARGIN)));
    Instant::now() + rest
}

async fn send(transport: &tonic::transport::Channel, request: http::Request<Body>, deadline: Instant) -> Try {
    match timeout_at(deadline, transport.clone().oneshot(request)).await {
        Err(_) => Try::Late,
        Ok(Ok(answer)) => Try::Answered(answer),
        Ok(Err(error)) if caused_by::<tonic::TimeoutExpired>(&error) => Try::Late,
        Ok(Err(error)) if caused_by::<tonic::ConnectError>(&error) => {
            Try::Unsent(unavailable("the peer cannot be reached", error))
        }
        Ok(Err(error)) => Try::Broken(unavailable("the connection to the peer broke", error)),
    }
}

fn caused_by<E: std::error::Error + 'static>(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| error.source()).any(<dyn std::error::Error>::is::<E>)
}

fn unavailable(message: &'static str, source: tonic::transport::Error) -> Status {
    let mut status = Status::unavailable(message);
    status.set_source(Arc::new(source));
    status
}

fn late(peer: &Peer) -> Status {
    Status::deadline_exceeded(format!("{} did not answer in time", peer.name))
}

/// A random wait, so that callers of a peer that came back do not come back all at once.
fn backoff() -> Duration {
    let (least, most) = (*BACKOFF.start(), *BACKOFF.end());
    // Without randomness the longest wait is the safe one.
    let millis = getrandom::u32().map_or(most, |random| least + random % (most - least + 1));
    Duration::from_millis(u64::from(millis))
}
