//! Driving an order to its verdict: stock (W2), money (W3 to W5), confirmation or rejection (W6). Every step may be
//! repeated by anybody; the ids of order and attempt make it the same step.

use std::sync::Arc;
use std::time::Duration;

use shop_mesh::PeerError;
use shop_telemetry::context;
use shop_types::ErrorKind;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{App, Error, Viewer};
use crate::domain::{Change, Order, Phase};
use crate::peers::{Hold, Stock};

/// A driver gives up before its lease of 10 s ends, so that two never drive at once for long.
const DRIVE: Duration = Duration::from_secs(8);
/// Between two tries of a step.
const PAUSE: Duration = Duration::from_millis(250);
/// Between two looks for orders whose driver is silent or whose deadline has passed.
const LOOK: Duration = Duration::from_secs(1);
/// Orders that one pod takes over at once.
const TAKEN_AT_ONCE: usize = 16;

impl App {
    /// Drives on a task of its own, without the deadline and the token of the request: the saga outlives its buyer's wait.
    pub(super) fn spawn_drive(self: &Arc<Self>, order: Order) -> JoinHandle<Result<Order, Error>> {
        let app = Arc::clone(self);
        let of_request = context::current();
        let request_id = of_request.map_or_else(|| Arc::from(order.id.to_string()), |context| context.request_id);
        let own = context::Context { request_id, deadline: None, authorization: None, guest_token: None };
        context::spawn(context::scope(own, async move { app.drive(order).await }))
    }

    /// Takes an order as far as it goes within the lease.
    ///
    /// # Errors
    /// [`Error::Peer`] when a service stayed away until the end of the lease: another driver will go on;
    /// [`Error::Store`] likewise.
    async fn drive(&self, order: Order) -> Result<Order, Error> {
        let until = Instant::now() + DRIVE;
        let stock = self.insist(until, || self.peers.reserve(&order)).await?;
        match stock {
            Stock::Held => {}
            Stock::Refused => return self.change(order.id, Change::Reject { reason: "sold_out" }, None).await,
            Stock::Over => return self.order(&Viewer::Staff, order.id).await,
        }
        loop {
            match self.insist(until, || self.peers.authorize(&order)).await? {
                Hold::Authorized { payment } => return self.change(order.id, Change::Confirm { payment }, None).await,
                Hold::Declined { payment, reason } => {
                    return self.change(order.id, Change::Decline { payment, reason }, None).await;
                }
                Hold::Over => return self.order(&Viewer::Staff, order.id).await,
                Hold::Unknown => {
                    // The event of the payment may have decided meanwhile.
                    let now = self.order(&Viewer::Staff, order.id).await?;
                    if now.phase != Phase::Driving || Instant::now() + PAUSE >= until {
                        return Ok(now);
                    }
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// Repeats a step while its service is away.
    async fn insist<T, F>(&self, until: Instant, mut step: impl FnMut() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, PeerError>>,
    {
        loop {
            match step().await {
                Ok(answer) => return Ok(answer),
                Err(error) if error.kind == ErrorKind::Unavailable && Instant::now() + PAUSE < until => {
                    tokio::time::sleep(PAUSE).await;
                }
                Err(error) => {
                    warn!(peer = error.peer, code = error.code, "An order cannot go on for now: {error}");
                    return Err(error.into());
                }
            }
        }
    }

    /// Until stopped: takes over orders whose driver is silent, and rejects those whose deadline has passed.
    pub(crate) async fn recover(self: Arc<Self>, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let mut drives = Vec::new();
            while drives.len() < TAKEN_AT_ONCE {
                match self.store.take_over(None).await {
                    Ok(Some(order)) => {
                        info!(order.id = %order.id, "Taking over order {}", order.id);
                        drives.push(self.spawn_drive(order));
                    }
                    Ok(None) => break,
                    Err(error) => {
                        warn!("Cannot look for orders to take over: {error}");
                        break;
                    }
                }
            }
            self.reject_overdue().await;
            // Both its errors and its panics are logged where they happen; the lease brings the order back.
            drop(futures::future::join_all(drives).await);
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    async fn reject_overdue(&self) {
        let overdue = match self.store.overdue().await {
            Ok(overdue) => overdue,
            Err(error) => {
                warn!("Cannot look for orders past their deadline: {error}");
                return;
            }
        };
        let rejections = overdue.into_iter().map(|id| async move {
            match self.change(id, Change::Reject { reason: "deadline" }, None).await {
                Ok(order) => info!(order.id = %id, order.state = %order.state, "Deadline of order {id} has passed"),
                Err(error) => warn!(order.id = %id, "Cannot reject order {id}: {error}"),
            }
        });
        futures::future::join_all(rejections).await;
    }
}
