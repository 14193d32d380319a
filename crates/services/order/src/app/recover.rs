//! What nobody's request drives: orders whose driver is silent, orders past their deadline, and the count of those that
//! are stuck all the same.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::App;
use super::drive::log_standstill;
use crate::domain::{Change, Order, Rejection, State};
use crate::store::{Cause, Overdue};

/// Between two looks for orders whose driver is silent or whose deadline has passed.
const LOOK: Duration = Duration::from_secs(1);
/// Orders that were taken over and are driven by this pod at once.
const MOST_TAKEN_OVER: usize = 64;
/// Between two counts of stuck orders.
const COUNT: Duration = Duration::from_secs(15);

type Drives = JoinSet<Option<Order>>;

impl App {
    /// Until stopped: takes over orders whose driver is silent, and rejects those whose deadline has passed.
    pub(crate) async fn recover(self: Arc<Self>, stop: CancellationToken) {
        let (mut drives, mut page) = (Drives::new(), None);
        while !stop.is_cancelled() {
            page = self.reject_overdue(page).await;
            let more_silent = self.take_over_silent(&mut drives).await;
            if page.is_some() {
                continue;
            }
            // After an outage there are thousands: the next one is taken over as soon as one is done.
            tokio::select! {
                () = stop.cancelled() => {}
                Some(ended) = drives.join_next(), if more_silent => report(ended),
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    /// Takes orders over until this pod drives as many as it may (`true`), or there are no more. One round trip each: a
    /// driver is leased one order at a time, so no other pod waits for what this one has not begun.
    async fn take_over_silent(self: &Arc<Self>, drives: &mut Drives) -> bool {
        while let Some(ended) = drives.try_join_next() {
            report(ended);
        }
        while drives.len() < MOST_TAKEN_OVER {
            let leased = Instant::now();
            match self.store.take_over(None).await {
                Ok(Some(order)) => {
                    info!(order.id = %order.id, "Taking over order {}", order.id);
                    drives.spawn(Arc::clone(self).drive(order, leased));
                }
                Ok(None) => return false,
                // It falls silent again with its new lease; the others must not wait for that.
                Err(error @ shop_mongo::Error::Corrupt { .. }) => {
                    error!(error = &error as &dyn std::error::Error, "An order that nobody drives cannot be read");
                }
                Err(error) => {
                    warn!(error = &error as &dyn std::error::Error, "Cannot look for orders to take over");
                    return false;
                }
            }
        }
        true
    }

    /// Rejects a page of orders past their deadline, in one group commit; tells where the next page begins. One that cannot
    /// be rejected keeps no later one waiting, and comes again with the next round.
    async fn reject_overdue(&self, after: Option<Overdue>) -> Option<Overdue> {
        let (overdue, end) = match self.store.overdue(after.as_ref()).await {
            Ok(page) => page,
            Err(error) => {
                warn!(error = &error as &dyn std::error::Error, "Cannot look for orders past their deadline");
                return None;
            }
        };
        let rejections = overdue.into_iter().map(|id| async move {
            match self.change(id, Change::Reject { reason: Rejection::Deadline }, Cause::State).await {
                Ok(order) => info!(order.id = %id, order.state = %order.state, "Deadline of order {id} has passed"),
                Err(error) => log_standstill(id, &error),
            }
        });
        futures::future::join_all(rejections).await;
        end
    }

    /// Until stopped: counts orders that do not come to rest, in one pod of all.
    pub(crate) async fn count_stuck(self: Arc<Self>, stop: CancellationToken) {
        while !stop.is_cancelled() {
            match self.stuck().await {
                Ok(stuck) => self.measures.show_stuck(&stuck),
                Err(error) => warn!(error = &error as &dyn std::error::Error, "Cannot count stuck orders"),
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(COUNT) => {}
            }
        }
    }

    async fn stuck(&self) -> Result<Vec<(State, i64)>, shop_mongo::Error> {
        if self.store.counts_stuck(&self.pod).await? { self.store.stuck().await } else { Ok(Vec::new()) }
    }
}

fn report(ended: Result<Option<Order>, JoinError>) {
    if let Err(panicked) = ended {
        error!("The driver of an order panicked: {panicked}");
    }
}
