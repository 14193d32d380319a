//! Forgetting somebody who has left the shop: the books stay, addresses and the words of returns go.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use shop_types::{EventId, OrderId, UserId};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::drive::log_standstill;
use super::{App, Error};
use crate::store::Deed;

/// Between two looks for people who have left.
const LOOK: Duration = Duration::from_secs(1);

impl App {
    /// Writes down that somebody's account was deleted; [`App::forget_departed`] goes on from there.
    ///
    /// # Errors
    /// [`Error::Store`]: the event must be given again.
    pub(crate) async fn follow_deletion(&self, event: EventId, user: UserId) -> Result<(), Error> {
        Ok(self.store.depart(event, user).await?)
    }

    /// Until stopped: takes out of the orders of people who have left what tells of them. One that may still be sent keeps
    /// its address, and its person is looked at again.
    pub(crate) async fn forget_departed(self: Arc<Self>, stop: CancellationToken) {
        while !stop.is_cancelled() {
            match self.forget_next(&stop).await {
                Ok(true) => continue,
                Ok(false) => {}
                Err(error) => warn!(error = &error as &dyn std::error::Error, "Cannot forget people who have left"),
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    /// Looks at all orders of one person, a page at a time; `false` when nobody is due.
    async fn forget_next(&self, stop: &CancellationToken) -> Result<bool, Error> {
        let Some(user) = self.store.next_departed().await? else { return Ok(false) };
        let (mut is_done, mut passed) = (true, None);
        while !stop.is_cancelled() {
            let (orders, end) = self.store.orders_of_departed(user, passed.as_ref()).await?;
            let forgotten = join_all(orders.iter().map(|(id, _)| self.forget_order(*id))).await;
            is_done &= forgotten.into_iter().all(|forgotten| forgotten);
            is_done &= orders.iter().all(|(_, state)| !state.needs_address());
            passed = end;
            if passed.is_none() {
                if is_done {
                    self.store.end_departure(user).await?;
                }
                break;
            }
        }
        Ok(true)
    }

    /// One that cannot be forgotten keeps no other one waiting, and comes again.
    async fn forget_order(&self, order: OrderId) -> bool {
        let forgotten = self.written(Deed::Forget { order }).await;
        forgotten.map_err(|error| log_standstill(order, &error)).is_ok()
    }
}
