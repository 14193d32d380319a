//! Driving an order to its verdict: stock (W2), money (W3 to W5), confirmation or rejection (W6). Every step may be
//! repeated by anybody; the ids of order and attempt make it the same step.

use std::sync::Arc;
use std::time::Duration;

use shop_mesh::PeerError;
use shop_telemetry::context;
use shop_types::ErrorKind;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::{App, Error, Viewer};
use crate::domain::{Change, Order, Phase};
use crate::peers::{Hold, Stock};

/// A driver gives up before its lease of 10 s ends, so that two never drive at once for long.
const DRIVE: Duration = Duration::from_secs(8);
/// Between two looks for orders whose driver is silent or whose deadline has passed.
const LOOK: Duration = Duration::from_secs(1);
/// Orders that were taken over and are driven by this pod at once.
const MOST_TAKEN_OVER: usize = 64;

/// Growing pauses between two tries of a step, until the end of the drive.
struct Pauses {
    next: Duration,
    until: Instant,
}

impl Pauses {
    const FIRST: Duration = Duration::from_millis(250);
    const LONGEST: Duration = Duration::from_secs(2);

    const fn new(until: Instant) -> Self {
        Self { next: Self::FIRST, until }
    }

    /// Waits, or says that there is no time left for another try.
    async fn wait(&mut self) -> bool {
        let resume = Instant::now() + self.next;
        if resume >= self.until {
            return false;
        }
        self.next = (self.next * 2).min(Self::LONGEST);
        tokio::time::sleep_until(resume).await;
        true
    }
}

impl App {
    /// Takes an order as far as it goes within the lease, without the deadline and the tokens of the request that placed
    /// it: the saga outlives its buyer's wait. `None`: somebody stayed away until the end; another driver will go on.
    pub(super) async fn drive(self: Arc<Self>, order: Order) -> Option<Order> {
        let id = order.id;
        let until = Instant::now() + DRIVE;
        let request_id = context::current().map_or_else(|| Arc::from(id.to_string()), |context| context.request_id);
        let own = context::Context { request_id, deadline: Some(until), authorization: None, guest_token: None };
        match context::scope(own, self.take_steps(order, until)).await {
            Ok(order) => Some(order),
            Err(error) => {
                log_standstill(id, &error);
                None
            }
        }
    }

    async fn take_steps(&self, order: Order, until: Instant) -> Result<Order, Error> {
        let id = order.id;
        match insist(until, || self.peers.reserve(&order)).await? {
            Stock::Held => {}
            Stock::Refused => return self.change(id, Change::Reject { reason: "sold_out" }, None).await,
            Stock::Over => return self.change(id, Change::Reject { reason: "withdrawn" }, None).await,
        }
        let mut pauses = Pauses::new(until);
        loop {
            match insist(until, || self.peers.authorize(&order)).await? {
                Hold::Authorized { payment } => return self.change(id, Change::Confirm { payment }, None).await,
                Hold::Declined { payment, reason } => {
                    return self.change(id, Change::Decline { payment, reason }, None).await;
                }
                // Nothing but a verdict ends a hold, unless staff took it back: then there is nothing to wait for.
                Hold::Over => return self.change(id, Change::Reject { reason: "withdrawn" }, None).await,
                Hold::Unknown => {
                    // The event of the payment may decide meanwhile.
                    let waited = pauses.wait().await;
                    let now = self.order(&Viewer::Staff, id).await?;
                    if !waited || now.phase != Phase::Driving {
                        return Ok(now);
                    }
                }
            }
        }
    }

    /// Until stopped: takes over orders whose driver is silent, and rejects those whose deadline has passed.
    pub(crate) async fn recover(self: Arc<Self>, stop: CancellationToken) {
        let mut drives = JoinSet::new();
        while !stop.is_cancelled() {
            while let Some(ended) = drives.try_join_next() {
                if let Err(panicked) = ended {
                    error!("The driver of an order panicked: {panicked}");
                }
            }
            self.reject_overdue().await;
            self.take_over_silent(&mut drives).await;
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    async fn take_over_silent(self: &Arc<Self>, drives: &mut JoinSet<Option<Order>>) {
        while drives.len() < MOST_TAKEN_OVER {
            match self.store.take_over(None).await {
                Ok(Some(order)) => {
                    info!(order.id = %order.id, "Taking over order {}", order.id);
                    drives.spawn(Arc::clone(self).drive(order));
                }
                Ok(None) => return,
                Err(error) => {
                    warn!(error = &error as &dyn std::error::Error, "Cannot look for orders to take over");
                    return;
                }
            }
        }
    }

    async fn reject_overdue(&self) {
        let overdue = match self.store.overdue().await {
            Ok(overdue) => overdue,
            Err(error) => {
                warn!(error = &error as &dyn std::error::Error, "Cannot look for orders past their deadline");
                return;
            }
        };
        let rejections = overdue.into_iter().map(|id| async move {
            match self.change(id, Change::Reject { reason: "deadline" }, None).await {
                Ok(order) => info!(order.id = %id, order.state = %order.state, "Deadline of order {id} has passed"),
                Err(error) => log_standstill(id, &error),
            }
        });
        futures::future::join_all(rejections).await;
    }
}

/// Repeats a step while its service is away.
async fn insist<T, F>(until: Instant, mut step: impl FnMut() -> F) -> Result<T, PeerError>
where
    F: Future<Output = Result<T, PeerError>>,
{
    let mut pauses = Pauses::new(until);
    loop {
        match step().await {
            Err(error) if error.kind == ErrorKind::Unavailable => {
                if !pauses.wait().await {
                    return Err(error);
                }
            }
            ended => return ended,
        }
    }
}

/// What is away comes back; any other refusal is a defect, and the order ends at its deadline.
fn log_standstill(id: shop_types::OrderId, error: &Error) {
    use shop_types::ServiceError as _;
    let cause = error as &dyn std::error::Error;
    if error.kind() == ErrorKind::Unavailable {
        warn!(error = cause, order.id = %id, "Order {id} cannot go on for now");
    } else {
        error!(error = cause, order.id = %id, "Order {id} cannot go on");
    }
}
