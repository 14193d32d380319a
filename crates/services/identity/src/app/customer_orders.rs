//! Which orders are whose.

use shop_types::{EventId, OrderId, Page, UserId};

use super::{App, Error};
use crate::domain::CustomerOrder;
use crate::domain::audit::Action;
use crate::store::Linked;

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

    /// Remembers that an order is a person's, as a program tells it, and writes that down. Again changes nothing.
    ///
    /// # Errors
    /// [`Error::NoSuchUser`]; [`Error::OrderOfAnother`].
    pub(crate) async fn link_order(&self, program: UserId, user: UserId, order: OrderId) -> Result<(), Error> {
        let link = CustomerOrder { order, user, number: None, at: self.now() };
        match self.store.link_order(link, &self.entry(program, user, Action::OrderLinked(Some(order)))).await? {
            Linked::Done => Ok(()),
            Linked::OfAnother => Err(Error::OrderOfAnother),
            Linked::Nobody => Err(Error::NoSuchUser),
        }
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
