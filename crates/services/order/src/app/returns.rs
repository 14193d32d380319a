//! Returns of whole orders: the buyer's wish, and what staff says to it.

use shop_mongo::Claim;
use shop_mongo::idempotency::Row;
use shop_types::{OrderId, Page};

use super::{App, Error, Keyed, Viewer};
use crate::domain::{Decision, Return, ReturnId, ReturnReason, ReturnState};
use crate::store::{Answer, Deed};

impl App {
    /// Writes down that the buyer wants to send an order back, once for each key. `true`: it was written down before.
    ///
    /// # Errors
    /// [`Error::NoSuchOrder`], also for other people's; [`Error::Domain`] unless it has left the house, or when a return
    /// of it is open; [`Error::KeyReused`]; [`Error::Store`] when nobody knows: the same key finds out.
    pub(crate) async fn request_return(
        &self,
        order: OrderId,
        reason: ReturnReason,
        request: Keyed,
    ) -> Result<(Return, bool), Error> {
        let found = self.order(&request.viewer, order).await?;
        let claim = request.claim("request_return", &found.owner)?;
        if let Some(row) = self.store.claimed(&claim).await? {
            return self.asked_before(&request.viewer, &claim, &row).await;
        }
        let id = ReturnId::from_uuid(self.clock.new_id());
        match self.write(Deed::RequestReturn { id, order, reason, claim: claim.clone() }).await {
            Ok(Answer::Return(asked)) => Ok((*asked, false)),
            Ok(Answer::KeyTaken(row)) => self.asked_before(&request.viewer, &claim, &row).await,
            Ok(Answer::Refused(error)) => Err(error.into()),
            Ok(Answer::Missing) => Err(Error::NoSuchOrder),
            Ok(Answer::Changed(_) | Answer::Unchanged(_) | Answer::Stale) => Err(Error::Mismatch),
            Err(error) => {
                let row = self.claimed_meanwhile(&claim, error).await?;
                self.asked_before(&request.viewer, &claim, &row).await
            }
        }
    }

    async fn asked_before(&self, viewer: &Viewer, claim: &Claim, row: &Row) -> Result<(Return, bool), Error> {
        let id: ReturnId = row.resource.parse().map_err(|_| Error::Mismatch)?;
        let asked = self.found_return(viewer, id).await?;
        if claim.fits(row) { Ok((asked.as_requested(), true)) } else { Err(Error::KeyReused) }
    }

    /// One return, if the viewer may see it.
    ///
    /// # Errors
    /// [`Error::NoSuchReturn`], also for other people's.
    pub(crate) async fn found_return(&self, viewer: &Viewer, id: ReturnId) -> Result<Return, Error> {
        self.store.found_return(viewer, id).await?.ok_or(Error::NoSuchReturn)
    }

    /// A page of all returns, or of those in a state, newest first.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub(crate) async fn returns(
        &self,
        state: Option<ReturnState>,
        (number, size): (u32, u32),
    ) -> Result<Page<Return>, Error> {
        let (returns, total) = self.store.returns(state, number, size).await?;
        Ok(Page::new(returns, number, size, total))
    }

    /// Decides a return. Accepted, it takes the order along: stock and money go back.
    ///
    /// # Errors
    /// [`Error::NoSuchReturn`]; [`Error::Stale`] when it is no longer at the version that was seen; [`Error::Domain`]
    /// when it was decided before.
    pub(crate) async fn decide_return(&self, id: ReturnId, decision: Decision, seen: i64) -> Result<Return, Error> {
        let asked = self.found_return(&Viewer::Staff, id).await?;
        match self.write(Deed::DecideReturn { id, order: asked.order, decision, seen }).await? {
            Answer::Return(decided) => Ok(*decided),
            Answer::Stale => Err(Error::Stale),
            Answer::Refused(error) => Err(error.into()),
            Answer::Missing | Answer::Changed(_) | Answer::Unchanged(_) | Answer::KeyTaken(_) => Err(Error::Mismatch),
        }
    }
}
