//! Asking a service to handle events: on a task of its own, with a deadline, in the traces of their causes.
//!
//! What belongs here: the one way from envelopes to verdicts, for what comes by a stream and for what an admin tries again.
//! What does not: what follows from a verdict.

use std::time::Duration;

use futures::future::join_all;
use shop_telemetry::context::{self, Context};
use shop_types::Envelope;
use tokio::time::{Instant, timeout_at};
use tracing::Instrument;

use super::trace;
use crate::handler::Verdict;
use crate::{HandleError, Handler};

/// How long a handler may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// Answers a verdict for each envelope. A batch that panics is asked for again event by event, so that only the one at
/// fault is.
pub(crate) async fn ask(service: &str, handler: &Handler, envelopes: Vec<Envelope>) -> Vec<Verdict> {
    if envelopes.is_empty() {
        return Vec::new();
    }
    let alone = envelopes.len() == 1;
    match ask_once(service, handler, envelopes.clone()).await {
        Ok(verdicts) => verdicts,
        Err(panic) if alone => vec![Verdict::Retry(panic)],
        Err(_) => {
            join_all(envelopes.into_iter().map(async |envelope| {
                let verdicts = ask_once(service, handler, vec![envelope]).await;
                verdicts.map_or_else(Verdict::Retry, |mut verdicts| verdicts.remove(0))
            }))
            .await
        }
    }
}

/// Runs the handler on a task of its own; the error is a panic's.
async fn ask_once(service: &str, handler: &Handler, envelopes: Vec<Envelope>) -> Result<Vec<Verdict>, String> {
    let count = envelopes.len();
    let events: Vec<_> = envelopes.iter().map(|envelope| (envelope.id, trace::event(service, envelope))).collect();
    let request = envelopes.first().map(|envelope| envelope.id.to_string()).unwrap_or_default();
    let deadline = Instant::now() + DEADLINE;
    let context =
        Context { request_id: request.into(), deadline: Some(deadline), authorization: None, guest_token: None };
    let span = trace::batch(service, &events);
    let handling = trace::scope(events, handler(envelopes).instrument(span));
    let mut task = tokio::spawn(context::scope(context, handling));
    let results = match timeout_at(deadline, &mut task).await {
        Ok(Ok(results)) => results,
        Ok(Err(panic)) => return Err(format!("the handler panicked: {panic}")),
        Err(_elapsed) => {
            task.abort();
            return Ok(vec![Verdict::Retry(format!("not handled within {} s", DEADLINE.as_secs())); count]);
        }
    };
    if results.len() != count {
        let reason = format!("the handler answered {} of {count} events", results.len());
        return Ok(vec![Verdict::Retry(reason); count]);
    }
    let verdict = |result: Result<(), HandleError>| result.map_or_else(|error| error.verdict(), |()| Verdict::Handled);
    Ok(results.into_iter().map(verdict).collect())
}
