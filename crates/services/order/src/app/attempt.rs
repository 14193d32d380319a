//! Another attempt to pay an order whose payment was declined (ruling 13): opened under a key, driven from W3.

use std::sync::Arc;

use shop_types::OrderId;
use tokio::time::Instant;

use super::{App, Error, Keyed, Placement};
use crate::domain::Change;
use crate::store::{Answer, Cause, Deed};

impl App {
    /// Opens the next attempt to pay and drives it, once, however often the same key is sent.
    ///
    /// # Errors
    /// With nothing written: [`Error::NoSuchOrder`], also for other people's; [`Error::Domain`] unless the order waits
    /// for another attempt; [`Error::KeyReused`]. [`Error::InProgress`] while another request with the key drives it;
    /// [`Error::Store`] when nobody knows whether the attempt was opened: the same key finds out.
    pub(crate) async fn pay_again(
        self: &Arc<Self>,
        id: OrderId,
        method: String,
        request: Keyed,
    ) -> Result<Placement, Error> {
        let asked = Instant::now();
        let order = self.order(&request.viewer, id).await?;
        let claim = request.claim("pay_order", &order.owner)?;
        if let Some(row) = self.store.claimed(&claim).await? {
            return self.resume(&claim, &request.viewer, row, asked).await;
        }
        let (leased, change) = (Instant::now(), Change::PayAgain { method });
        let opened = self.write(Deed::Change { order: id, change, cause: Cause::Key(claim.clone()) }).await;
        match opened {
            Ok(Answer::Changed(order)) => Ok(self.drive_for(*order, leased, asked).await),
            Ok(Answer::KeyTaken(row)) => self.resume(&claim, &request.viewer, row, asked).await,
            Ok(Answer::Refused(error)) => Err(error.into()),
            Ok(Answer::Missing) => Err(Error::NoSuchOrder),
            Ok(Answer::Unchanged(_) | Answer::Stale | Answer::Return(_)) => Err(Error::Mismatch),
            Err(error) => {
                let row = self.claimed_meanwhile(&claim, error).await?;
                self.resume(&claim, &request.viewer, row, asked).await
            }
        }
    }
}
