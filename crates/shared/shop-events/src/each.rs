//! The usual handler: one function of one event. What belongs here: making a [`Handler`] of it.

use std::sync::Arc;

use futures::future::{BoxFuture, join_all};
use shop_telemetry::context::{self, Context};
use shop_types::Envelope;
use tracing::Instrument;

use crate::consumer::span_of;
use crate::{HandleError, Handler};

/// Makes a handler of a function of one event. The events of a batch are handled beside each other, so that their writes
/// can share a group commit; each in the trace of its own cause and under its own id as the request's.
///
/// ```
/// # use std::sync::Arc;
/// # use shop_events::{HandleError, Handler, each};
/// # use shop_types::Envelope;
/// # struct App;
/// # impl App { async fn follow(&self, _: Envelope) -> Result<(), HandleError> { Ok(()) } }
/// pub(crate) fn handler(app: &Arc<App>) -> Handler {
///     each(app, |app, envelope| async move { app.follow(envelope).await })
/// }
/// # handler(&Arc::new(App));
/// ```
pub fn each<A, F, Fut>(app: &Arc<A>, handle: F) -> Handler
where
    A: Send + Sync + 'static,
    F: Fn(Arc<A>, Envelope) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), HandleError>> + Send + 'static,
{
    let (app, handle) = (Arc::clone(app), Arc::new(handle));
    Arc::new(move |envelopes: Vec<Envelope>| -> BoxFuture<'static, Vec<Result<(), HandleError>>> {
        let (app, handle) = (Arc::clone(&app), Arc::clone(&handle));
        Box::pin(async move { join_all(envelopes.into_iter().map(|envelope| one(&app, &*handle, envelope))).await })
    })
}

fn one<A, F, Fut>(app: &Arc<A>, handle: &F, envelope: Envelope) -> BoxFuture<'static, Result<(), HandleError>>
where
    A: Send + Sync + 'static,
    F: Fn(Arc<A>, Envelope) -> Fut,
    Fut: Future<Output = Result<(), HandleError>> + Send + 'static,
{
    let (id, span) = (envelope.id, span_of(envelope.id));
    let handling = handle(Arc::clone(app), envelope).instrument(span);
    match context::current() {
        Some(context) => Box::pin(context::scope(Context { request_id: id.to_string().into(), ..context }, handling)),
        None => Box::pin(handling),
    }
}
