//! What is kept of a person, for the copy that they may ask for.

use std::collections::HashMap;

use shop_types::{OrderId, UserId};

use super::{App, Error};
use crate::domain::{Order, Return};

/// An order of a person, with its returns.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) order: Order,
    pub(crate) returns: Vec<Return>,
}

impl App {
    /// The orders of a person behind the first so many, oldest first: as many as one answer holds, and none at the end.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub(crate) async fn kept_of(&self, user: UserId, behind: u32) -> Result<Vec<Kept>, Error> {
        let orders = self.store.orders_of(user, behind).await?;
        let ids: Vec<OrderId> = orders.iter().map(|order| order.id).collect();
        let mut returns: HashMap<OrderId, Vec<Return>> = HashMap::new();
        for asked in self.store.returns_of(&ids).await? {
            returns.entry(asked.order).or_default().push(asked);
        }
        let kept = |order: Order| Kept { returns: returns.remove(&order.id).unwrap_or_default(), order };
        Ok(orders.into_iter().map(kept).collect())
    }
}
