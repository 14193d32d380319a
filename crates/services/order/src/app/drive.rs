//! Driving an order to its verdict: stock (W2), money (W3 to W5), confirmation or rejection (W6). Every step may be
//! repeated by anybody; the ids of order and attempt make it the same step.

use std::sync::Arc;
use std::time::Duration;

use shop_mesh::PeerError;
use shop_telemetry::context;
use shop_types::ErrorKind;
use tokio::time::Instant;
use tracing::{error, warn};

use super::{App, Error, Viewer};
use crate::domain::{Change, Order, Phase, Rejection};
use crate::peers::{Hold, Stock};
use crate::store::Cause;

/// A driver gives up before its lease of 10 s ends. Should it be paused and wake too late, its steps are still those of
/// its successor.
const DRIVE: Duration = Duration::from_secs(8);

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
    /// Takes an order as far as it goes within the lease that was asked for at `leased`, without the deadline and the
    /// tokens of the request that placed it: the saga outlives its buyer's wait. `None`: somebody stayed away until the
    /// end; another driver will go on.
    pub(super) async fn drive(self: Arc<Self>, order: Order, leased: Instant) -> Option<Order> {
        let id = order.id;
        let until = leased + DRIVE;
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
        shop_faults::at("DRIVE").await.map_err(shop_mongo::Error::from)?;
        let decide = |change| self.change(id, change, Cause::State);
        // A later attempt finds its stock held: nothing but a verdict gives it back.
        if order.attempt == 1 {
            match insist(until, || self.peers.reserve(&order)).await? {
                Stock::Held => {}
                Stock::Refused { shortages } => {
                    return decide(Change::Reject { reason: Rejection::SoldOut { shortages } }).await;
                }
                Stock::Over => return decide(Change::Reject { reason: Rejection::Withdrawn }).await,
            }
        }
        let mut pauses = Pauses::new(until);
        loop {
            match insist(until, || self.peers.authorize(&order)).await? {
                Hold::Authorized { payment } => return decide(Change::Confirm { payment }).await,
                Hold::Declined { payment, reason } => return decide(Change::Decline { payment, reason }).await,
                Hold::RequiresAction { payment, url } => return decide(Change::AwaitBuyer { payment, url }).await,
                // If no verdict has ended the hold, staff took it back: the buyer may pay by another attempt.
                Hold::Over { payment } => {
                    return decide(Change::Decline { payment, reason: "withdrawn".to_owned() }).await;
                }
                Hold::Unknown => {
                    // The event of the payment may decide meanwhile, and the buyer try again after that.
                    let waited = pauses.wait().await;
                    let now = self.order(&Viewer::Staff, id).await?;
                    if !waited || now.phase() != Phase::Driving || now.attempt != order.attempt {
                        return Ok(now);
                    }
                }
            }
        }
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
pub(super) fn log_standstill(id: shop_types::OrderId, error: &Error) {
    use shop_types::ServiceError as _;
    let cause = error as &dyn std::error::Error;
    if error.kind() == ErrorKind::Unavailable {
        warn!(error = cause, order.id = %id, "Order {id} cannot go on for now");
    } else {
        error!(error = cause, order.id = %id, "Order {id} cannot go on");
    }
}
