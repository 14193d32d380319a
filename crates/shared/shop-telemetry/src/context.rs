//! What one request brings with it, as a task-local: its id, deadline, trace and the caller's tokens.
//!
//! Set by the server side of shop-http and shop-mesh, read by the client side of shop-mesh and by the store crates. What
//! does not belong here: who the caller *is* (shop-auth verifies the token again in every service).

use std::cell::Cell;
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::global;
use opentelemetry::trace::TraceContextExt;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::{Instrument, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The W3C header, and gRPC metadata key, that names the caller's span.
pub const TRACEPARENT: &str = "traceparent";

tokio::task_local! {
    static CONTEXT: Context;
    static WAITED: Cell<Duration>;
}

/// What a request carries through every task and call that works for it.
#[derive(Clone)]
pub struct Context {
    /// Names the request in logs and answers, from the first server to the last.
    pub request_id: Arc<str>,
    /// When nobody waits for the answer any more.
    pub deadline: Option<Instant>,
    /// The caller's `Authorization` header as it came.
    pub authorization: Option<Arc<str>>,
    /// The caller's `X-Guest-Token` header as it came.
    pub guest_token: Option<Arc<str>>,
}

impl fmt::Debug for Context {
    /// Tells whether tokens are there, never what they are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { request_id, deadline, authorization, guest_token } = self;
        f.debug_struct("Context")
            .field("request_id", request_id)
            .field("deadline", deadline)
            .field("authorization", &authorization.as_ref().map(|_| ".."))
            .field("guest_token", &guest_token.as_ref().map(|_| ".."))
            .finish()
    }
}

/// The context of the request that the present task works for; `None` in background work.
#[must_use]
pub fn current() -> Option<Context> {
    CONTEXT.try_with(Clone::clone).ok()
}

/// Runs a future as part of a request.
pub async fn scope<F: Future>(context: Context, future: F) -> F::Output {
    CONTEXT.scope(context, future).await
}

/// Runs a future on a task of its own that still belongs to the present request and span. The task goes on when the
/// request is dropped; join it, or let it end by itself.
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let span = Span::current();
    match current() {
        Some(context) => tokio::spawn(CONTEXT.scope(context, future).instrument(span)),
        None => tokio::spawn(future.instrument(span)),
    }
}

/// How long the caller still waits; zero when the deadline has passed, `None` without one.
#[must_use]
pub fn remaining() -> Option<Duration> {
    let deadline = CONTEXT.try_with(|context| context.deadline).ok().flatten()?;
    Some(deadline.saturating_duration_since(Instant::now()))
}

/// Tells the server of the present request that it stood in a queue that has a bound of its own. How long that took says
/// nothing of how much else the process can take on. Does nothing outside of [`with_waits`].
pub fn waited(duration: Duration) {
    // Background work has nobody to tell.
    let _ = WAITED.try_with(|sum| sum.set(sum.get() + duration));
}

/// Runs a future, and says how long it [`waited`].
pub async fn with_waits<F: Future>(future: F) -> (F::Output, Duration) {
    let counted = async {
        let output = future.await;
        (output, WAITED.with(Cell::get))
    };
    WAITED.scope(Cell::new(Duration::ZERO), counted).await
}

/// The current span as a `traceparent` header; `None` outside of a trace. Starts the span when it was not entered yet.
#[must_use]
pub fn traceparent() -> Option<String> {
    let mut headers = HashMap::new();
    let context = Span::current().context();
    global::get_text_map_propagator(|propagator| propagator.inject_context(&context, &mut headers));
    headers.remove(TRACEPARENT)
}

/// Makes a span part of the caller's trace. A `traceparent` that is not one starts a new trace (W3C Trace Context 4.3).
///
/// Call it before the span is entered for the first time: afterwards its trace is fixed, and this does nothing but log.
pub fn set_parent(span: &Span, traceparent: &str) {
    let headers = HashMap::from([(TRACEPARENT.to_owned(), traceparent.to_owned())]);
    let parent = global::get_text_map_propagator(|propagator| propagator.extract(&headers));
    if !parent.has_active_span() {
        return;
    }
    match span.set_parent(parent) {
        // Without the trace layer, or with the span filtered out, there is no trace to join.
        Ok(())
        | Err(
            tracing_opentelemetry::SetParentError::LayerNotFound | tracing_opentelemetry::SetParentError::SpanDisabled,
        ) => {}
        Err(error @ tracing_opentelemetry::SetParentError::AlreadyStarted) => {
            tracing::warn!(%error, "A span was entered before its parent was set; its trace is cut in two");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn a_context() -> Context {
        Context {
            request_id: "r-1".into(),
            deadline: Some(Instant::now() + Duration::from_secs(5)),
            authorization: Some("Bearer secret".into()),
            guest_token: Some("secret".into()),
        }
    }

    #[tokio::test]
    async fn waits_add_up_and_are_those_of_one_future() {
        let of = async |waits: [u64; 2]| {
            with_waits(async {
                for wait in waits {
                    waited(Duration::from_secs(wait));
                    tokio::task::yield_now().await;
                }
                waits[0]
            })
            .await
        };
        let (one, other) = tokio::join!(of([1, 2]), of([10, 20]));
        assert_eq!((one, other), ((1, Duration::from_secs(3)), (10, Duration::from_secs(30))));
        waited(Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn the_remaining_time_shrinks_to_zero_and_not_below() {
        scope(a_context(), async {
            tokio::time::advance(Duration::from_secs(2)).await;
            assert_eq!(remaining(), Some(Duration::from_secs(3)));
            tokio::time::advance(Duration::from_secs(9)).await;
            assert_eq!(remaining(), Some(Duration::ZERO));
        })
        .await;
    }

    #[tokio::test]
    async fn a_spawned_task_belongs_to_the_request() {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let mut spawned = None;
        scope(a_context(), async { spawned = Some(spawn(async { receiver.await.map(|()| current()) })) }).await;

        // The request is over before its task looks.
        sender.send(()).unwrap();
        let context = spawned.unwrap().await.unwrap().unwrap();
        assert_eq!(context.unwrap().request_id.as_ref(), "r-1");
    }

    #[tokio::test]
    async fn outside_of_a_request_there_is_no_context() {
        scope(a_context(), async {}).await;
        assert!(current().is_none());
        assert_eq!(remaining(), None);
        assert!(spawn(async { current() }).await.unwrap().is_none());
        assert_eq!(traceparent(), None);
    }

    #[tokio::test]
    async fn debug_output_hides_tokens() {
        let text = format!("{:?}", a_context());
        assert!(text.contains("r-1") && !text.contains("secret"), "{text}");
    }
}
