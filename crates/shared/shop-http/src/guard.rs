//! What every request passes before and after its handler, in one fixed order: request id, token, access table, trace,
//! rate limit, overload, deadline, audit log, panic, error body, security headers, CORS, gzip, metrics.
//!
//! What does not belong here: what a caller may see (the service decides) and anything that only one service needs.

mod answer;
mod gzip;
mod load;
mod observe;
mod record;
mod request;

use std::any::Any;
use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpResponse};
use futures::FutureExt;
use shop_auth::Verifier;
use shop_telemetry::context::{self, Context};
use shop_types::{Caller, Clock};
use tokio::time::Instant;
use tracing::Instrument;

use self::answer::Answer;
use self::gzip::Wish;
pub(crate) use self::gzip::takes_gzip;
use self::load::{Load, key_of};
use self::observe::{Observation, Recorders};
use self::record::{Record, Trails};
use self::request::{Credentials, Facts};
use crate::access::{Found, Verdict};
use crate::limit::{Client, Kind};
use crate::{AccessTable, Cors, HttpError, Limiter, Method, Mount, Refused};

/// How long a caller is kept waiting. What is called for a request gets what is left of it.
pub const REQUEST_DEADLINE: Duration = Duration::from_secs(5);

/// What is called for a request ends at the deadline and says why; so much later a handler that did not is given up.
const GRACE: Duration = Duration::from_millis(250);

/// The guard of one process; clones share everything.
#[derive(Clone)]
pub struct Guard(Arc<Inner>);

struct Inner {
    table: AccessTable,
    /// What succeeds each alias.
    successors: HashMap<(&'static str, &'static str), &'static str>,
    recorders: Recorders,
    limiter: Limiter,
    cors: Cors,
    load: Arc<Load>,
    trails: Trails,
    verifier: Arc<Verifier>,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guard").field("table", &self.0.table).finish_non_exhaustive()
    }
}

/// What is to be done with a request.
enum Admission {
    /// Hand it to its handler.
    Serve(Credentials),
    /// It is answered already.
    Answer(HttpResponse),
    /// It fails already.
    Fail(HttpError),
}

/// What is known of a request before it is counted.
struct Admitted {
    admission: Admission,
    /// Under which limit it counts, and for whom; `None` for one that does not count.
    counted: Option<(Kind, Client)>,
    /// The template of its route, if it has one, for traces and metrics.
    template: Option<&'static str>,
}

impl Guard {
    /// A guard before the routes of these mounts.
    ///
    /// # Errors
    /// When a metric cannot be registered.
    pub fn new(
        mounts: &[Mount],
        limiter: Limiter,
        cors: Cors,
        verifier: Arc<Verifier>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, prometheus::Error> {
        let routes: Vec<_> = mounts.iter().flat_map(Mount::access).copied().collect();
        let (recorders, load) = (Recorders::new(mounts)?, Arc::new(Load::new(mounts)?));
        let aliases = mounts.iter().flat_map(Mount::names);
        let successors = aliases.map(|alias| ((alias.method.as_str(), alias.template), alias.successor)).collect();
        let table = AccessTable::new(&routes);
        let trails = Trails::of(mounts);
        Ok(Self(Arc::new(Inner { table, successors, recorders, limiter, cors, load, trails, verifier, clock })))
    }

    /// Takes one request through.
    ///
    /// # Errors
    /// With a finished answer, when the handler did not give its request back (it panicked or took too long).
    pub(crate) async fn handle<B: MessageBody + 'static>(
        self,
        mut request: ServiceRequest,
        next: Next<B>,
    ) -> Result<ServiceResponse<BoxBody>, Error> {
        let wish = Wish::of(request.headers_mut());
        let mut facts = Facts::of(&request, &self.0.cors, &*self.0.clock);
        let Admitted { admission, counted, template } = self.admit(&request, &facts);
        facts.lead(template, self.successor(facts.method(), template));
        let observation = Observation::start(&facts, template);
        let span = observation.span().clone();
        let context = admission.context(facts.request_id());
        let answered = async move {
            let admission = match counted {
                Some((limit, client)) => self.count(&mut facts, limit, client, admission).await,
                None => admission,
            };
            let served = self.serve(admission, &facts, request, next).await;
            self.finish(served, &facts, wish, observation)
        };
        // Whatever is logged on the way names the request, also why it failed.
        context::scope(context, answered).instrument(span).await
    }

    /// Has a request handled that is let in, while the process has room for it.
    async fn serve<B: MessageBody + 'static>(
        &self,
        admission: Admission,
        facts: &Facts,
        request: ServiceRequest,
        next: Next<B>,
    ) -> Result<ServiceResponse<BoxBody>, HttpError> {
        let credentials = match admission {
            Admission::Serve(credentials) => credentials,
            Admission::Answer(response) => return Ok(request.into_response(response)),
            Admission::Fail(error) => return Ok(request.error_response(error)),
        };
        let Some(mut permit) = self.0.load.enter(key_of(facts.method(), facts.route().unwrap_or_default())) else {
            return Ok(request.error_response(HttpError::overloaded()));
        };
        let record = self.0.trails.record(facts, credentials.user(), &*self.0.clock);
        credentials.attach(&request);
        let (served, waited) = context::with_waits(attend(record, facts, request, next)).await;
        permit.excuse(waited);
        served
    }

    fn successor(&self, method: &'static str, template: Option<&'static str>) -> Option<&'static str> {
        self.0.successors.get(&key_of(method, template?)).copied()
    }

    /// Decides on a request, before it is counted.
    fn admit(&self, request: &ServiceRequest, facts: &Facts) -> Admitted {
        let credentials = Credentials::of(request.headers(), &self.0.verifier, self.0.clock.now());
        let caller = credentials.as_ref().map_or(Caller::Anonymous, Credentials::caller);
        let Found { verdict, template, limit } =
            self.0.table.check(Method::from_wire(facts.method()), facts.path(), &caller);
        // Asking which methods there are does nothing, and browsers do it without being told to.
        let is_question = facts.method() == "OPTIONS";
        let limit = limit.filter(|_| !is_question);
        let counted = limit.map(|limit| (limit, self.client(request, limit, &caller)));
        let admission = match (credentials, verdict) {
            (_, _) if is_question => self.options(facts.path()),
            (Err(refused), _) => Admission::Fail(refused),
            (Ok(credentials), Verdict::Allowed) => Admission::Serve(credentials),
            (Ok(_), Verdict::Refused(refused)) => Admission::Fail(refused.into()),
            (Ok(_), Verdict::WrongMethod) => Admission::Fail(self.wrong_method(facts.path())),
            (Ok(_), Verdict::Unknown) if request.resource_map().has_resource(facts.path()) => {
                tracing::error!(
                    request.id = &*facts.request_id(),
                    url.path = facts.path(),
                    "Refused a route that has no entry in the access table"
                );
                Admission::Fail(Refused::Forbidden.into())
            }
            (Ok(_), Verdict::Unknown) => Admission::Fail(HttpError::not_found()),
        };
        Admitted { admission, counted, template }
    }

    fn client(&self, request: &ServiceRequest, limit: Kind, caller: &Caller) -> Client {
        let (peer, headers) = (request.peer_addr().map(|peer| peer.ip()), request.headers());
        let trusted = self.0.limiter.trusted_proxies();
        match limit {
            Kind::General => Client::of(caller, peer, headers, trusted),
            Kind::Authentication => Client::at(peer, headers, trusted),
        }
    }

    /// Counts a request, whatever will come of it: also who asks in vain may not ask for ever.
    async fn count(&self, facts: &mut Facts, limit: Kind, client: Client, admission: Admission) -> Admission {
        let standing = self.0.limiter.count(limit, client).await;
        let refusal = standing.refusal();
        facts.stand(standing);
        refusal.map_or(admission, Admission::Fail)
    }

    fn options(&self, path: &str) -> Admission {
        match self.allow(path) {
            Some(allow) => Admission::Answer(HttpResponse::NoContent().insert_header((header::ALLOW, allow)).finish()),
            None => Admission::Fail(HttpError::not_found()),
        }
    }

    fn wrong_method(&self, path: &str) -> HttpError {
        let message = "This path does not have this method.";
        let error = HttpError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message);
        match self.allow(path) {
            Some(allow) => error.with_header(header::ALLOW, allow),
            None => error,
        }
    }

    fn allow(&self, path: &str) -> Option<HeaderValue> {
        self.0.table.allow(path).and_then(|methods| HeaderValue::try_from(methods).ok())
    }

    /// Gives the answer its error body and headers, and counts it.
    fn finish(
        &self,
        served: Result<ServiceResponse<BoxBody>, HttpError>,
        facts: &Facts,
        wish: Wish,
        observation: Observation,
    ) -> Result<ServiceResponse<BoxBody>, Error> {
        let now = self.0.clock.now();
        let finished = match served {
            Err(error) => Err(Answer::of(&error, facts, now)),
            Ok(response) => Ok(gzip::encode(answer::finish(response, facts, now), wish)),
        };
        let status = finished.as_ref().map_or_else(Answer::status, ServiceResponse::status);
        observation.end(&self.0.recorders, status);
        Ok(finished?)
    }
}

impl Admission {
    /// What is known of the request wherever it is worked for.
    fn context(&self, request_id: Arc<str>) -> Context {
        let credentials = match self {
            Self::Serve(credentials) => Some(credentials),
            Self::Answer(_) | Self::Fail(_) => None,
        };
        Context {
            request_id,
            deadline: Some(Instant::now() + REQUEST_DEADLINE),
            authorization: credentials.and_then(Credentials::authorization),
            guest_token: credentials.and_then(Credentials::guest_token),
        }
    }
}

/// Serves a request within its time, and has it written down before and after where it must be.
async fn attend<B: MessageBody + 'static>(
    record: Option<Record>,
    facts: &Facts,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, HttpError> {
    let deadline = Instant::now() + context::remaining().unwrap_or(REQUEST_DEADLINE);
    let until = deadline + GRACE;
    let Some(record) = record else { return run(until, facts, request, next).await };
    record.begin(until).await?;
    let served = run(until, facts, request, next).await;
    record.end(served.as_ref().map_or_else(HttpError::status, ServiceResponse::status), deadline).await;
    served
}

/// Runs the handler.
async fn run<B: MessageBody + 'static>(
    until: Instant,
    facts: &Facts,
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, HttpError> {
    // actix-web would route HEAD apart from GET; the connection still knows, and leaves the body out.
    if facts.method() == "HEAD" {
        request.head_mut().method = actix_web::http::Method::GET;
    }
    let call = AssertUnwindSafe(async move { next.call(request).await }).catch_unwind();
    match tokio::time::timeout_at(until, call).await {
        Ok(Ok(Ok(response))) => Ok(response.map_into_boxed_body()),
        Ok(Ok(Err(error))) => Err(answer::foreign(&error)),
        Ok(Err(panic)) => Err(HttpError::internal(format!("the handler panicked: {}", panic_text(&*panic)))),
        Err(_) => Err(HttpError::unavailable("the handler did not end by its deadline")),
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a text")
}
