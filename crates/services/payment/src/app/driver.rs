//! The background driver: asks the provider about every payment that is not at rest, until there is an answer.
//!
//! A pod drives what it has written itself, at once. What another pod has left behind (it died, or the provider gave no
//! answer) falls due by the database's clock and is taken over, one pod at a time: writing a payment that is not at rest
//! leases it to the writer.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::{Instrument, Span};

use super::App;
use crate::domain::{Payment, PaymentId};

/// Payments asked about at once.
const AT_ONCE: usize = 64;
/// Payments that may wait in this pod; more are left to fall due.
const WAITING: usize = 4096;
/// How often payments that have fallen due are looked for.
const LOOK: Duration = Duration::from_secs(1);
/// How long questions under way may take when the process stops, within what the kit grants a task; what is left falls
/// due for another pod.
const FINISH: Duration = Duration::from_secs(6);

/// A payment to ask about, in the trace that it belongs to.
#[derive(Debug)]
pub(crate) struct Due {
    payment: Payment,
    span: Span,
}

/// Where payments are handed to the driver.
#[derive(Debug, Clone)]
pub(crate) struct Queue(mpsc::Sender<Due>);

/// What the driver works on. When it is gone, the store takes no more writes: every answer was written down, or falls due.
#[derive(Debug)]
pub(crate) struct Work {
    queue: mpsc::Receiver<Due>,
    _closes_store: DropGuard,
}

/// A queue and its other end.
pub(super) fn queue(closes_store: CancellationToken) -> (Queue, Work) {
    let (sender, queue) = mpsc::channel(WAITING);
    (Queue(sender), Work { queue, _closes_store: closes_store.drop_guard() })
}

impl Queue {
    /// Hands a payment over, unless it is at rest, waits for its buyer, or was postponed just now. Without room it falls
    /// due later.
    pub(super) fn push(&self, payment: Payment) {
        if !payment.is_urgent() || payment.tries > 0 {
            return;
        }
        let id = payment.id;
        if self.0.try_send(Due { payment, span: Span::current() }).is_err() {
            tracing::warn!(payment.id = %id, "The driver is busy or stopping; payment {id} falls due later");
        }
    }
}

/// Drives payments until `stop` is cancelled.
pub(crate) async fn drive(app: Arc<App>, mut work: Work, stop: CancellationToken) {
    let mut asking = JoinSet::new();
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let free = AT_ONCE.saturating_sub(asking.len());
        tokio::select! {
            () = stop.cancelled() => break,
            Some(ended) = asking.join_next() => report(ended),
            Some(due) = work.queue.recv(), if free > 0 => {
                asking.spawn(settle(Arc::clone(&app), due.payment).instrument(due.span));
            }
            _ = look.tick(), if free > 0 => {
                if take_over(&app, free, &mut asking).await >= free {
                    // There may be more; they wait for a place and not for the next second.
                    look.reset_immediately();
                }
            }
        }
    }
    let finished = timeout(FINISH, async {
        while let Some(ended) = asking.join_next().await {
            report(ended);
        }
        app.finish_foreground().await;
    });
    if finished.await.is_err() {
        tracing::warn!(left = asking.len(), "Stopped while the provider was being asked; another pod asks again");
    }
}

/// Takes over up to `most` payments, and tells how many there were.
async fn take_over(app: &Arc<App>, most: usize, asking: &mut JoinSet<()>) -> usize {
    match app.take_over(most).await {
        Ok(payments) => {
            let count = payments.len();
            for payment in payments {
                let span = tracing::info_span!("settle_payment", payment.id = %payment.id);
                asking.spawn(settle(Arc::clone(app), payment).instrument(span));
            }
            count
        }
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "Cannot look for payments that are due");
            0
        }
    }
}

async fn settle(app: Arc<App>, payment: Payment) {
    let id: PaymentId = payment.id;
    match app.settle(payment).await {
        Ok(payment) => {
            let state = payment.state.kind().word();
            tracing::info!(payment.id = %id, state, "Payment {id} is {state}");
        }
        Err(error) => {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(payment.id = %id, error, "Payment {id} stays as it is until it falls due again");
        }
    }
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "The task of a payment broke off; it falls due again"
        );
    }
}
