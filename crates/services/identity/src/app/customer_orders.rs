//! Which orders are whose.

use shop_types::{EventId, OrderId, Page, UserId};

use super::{App, Error};
use crate::domain::CustomerOrder;

impl App {
    /// Remembers orders that were placed, each event once. `None` stands for a guest's order, whose event counts as heard.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub(crate) async fn remember_orders(
        &self,
        events: Vec<EventId>,
        orders: Vec<Option<CustomerOrder>>,
    ) -> Result<(), Error> {
        Ok(self.store.remember_orders(events, orders).await?)
    }

    /// Remembers that an order is a person's, as a program tells it. Again changes nothing.
    ///
    /// # Errors
    /// [`Error::NoSuchUser`]; [`Error::OrderOfAnother`].
    pub(crate) async fn link_order(&self, user: UserId, order: OrderId) -> Result<(), Error> {
        self.user(user).await?;
        let link = CustomerOrder { order, user, number: None, at: self.now() };
        if self.store.link_order(link).await? { Ok(()) } else { Err(Error::OrderOfAnother) }
    }

    /// A page of the orders of a person, the latest first.
    ///
    /// # Errors
    /// [`Error::NoSuchUser`].
    pub(crate) async fn customer_orders(
        &self,
        user: UserId,
        (number, size): (u32, u32),
    ) -> Result<Page<CustomerOrder>, Error> {
        self.user(user).await?;
        let (orders, total) = self.store.customer_orders(user, number, size).await?;
        Ok(Page::new(orders, number, size, total))
    }
}
