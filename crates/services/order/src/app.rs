//! The operations on orders: load, decide by the rules of `domain`, save.

mod drive;
mod error;
mod place;

use std::sync::Arc;

use anyhow::Context as _;
use jiff::Timestamp;
use shop_service::Service;
use shop_types::event::PaymentFact;
use shop_types::{Clock, Currency, EventId, OrderId, Page, UserId};

pub(crate) use self::error::Error;
pub(crate) use self::place::{Buyer, Item, PlaceOrder, Placement, Source};
pub(crate) use crate::store::{Filter, Viewer};

use crate::domain::{Change, Order};
use crate::peers::Peers;
use crate::store::{Answer, Command, Store};

/// The operations on orders.
pub(crate) struct App {
    store: Store,
    peers: Peers,
    clock: Arc<dyn Clock>,
    currency: Currency,
}

/// A fact about a payment, as far as an order cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PaymentNews {
    Authorized,
    Declined,
    Captured,
    /// Voided or refunded.
    GivenBack,
    /// The capture was refused for good.
    Failed,
}

impl App {
    /// Connects the operations to the service's database and peers.
    pub(crate) fn connect(service: &Service) -> anyhow::Result<Self> {
        let config = service.config();
        Ok(Self {
            store: Store::new(service.mongo()?, service.clock(), config.order_deadline, service.stop()),
            peers: Peers::new(service.mesh()),
            clock: service.clock(),
            currency: config.currency.parse().context("SHOPMESH_CURRENCY is not a currency")?,
        })
    }

    /// Creates collections, validators and indexes.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub(crate) async fn prepare(&self) -> Result<(), Error> {
        Ok(self.store.prepare().await?)
    }

    /// One order, if the viewer may see it.
    ///
    /// # Errors
    /// [`Error::NoSuchOrder`], also for other people's.
    pub(crate) async fn order(&self, viewer: &Viewer, id: OrderId) -> Result<Order, Error> {
        self.store.order(viewer, id).await?.ok_or(Error::NoSuchOrder)
    }

    /// A page of the orders that the viewer may see, newest first.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub(crate) async fn orders(
        &self,
        viewer: &Viewer,
        filter: &Filter,
        (number, size): (u32, u32),
    ) -> Result<Page<Order>, Error> {
        let others = |own: UserId| filter.user.is_some_and(|user| user != own);
        if let Viewer::User(own) = viewer
            && others(*own)
        {
            return Ok(Page::new(Vec::new(), number, size, 0));
        }
        let (orders, total) = self.store.orders(viewer, filter, number, size).await?;
        Ok(Page::new(orders, number, size, total))
    }

    /// Undoes an order: one that is only placed is rejected, one that is confirmed or paid gives stock and money back
    /// (W12). Cancelling twice is cancelling once.
    ///
    /// # Errors
    /// [`Error::NoSuchOrder`], also for other people's; [`Error::Domain`] once it was shipped.
    pub(crate) async fn cancel(&self, viewer: &Viewer, id: OrderId) -> Result<Order, Error> {
        self.order(viewer, id).await?;
        self.change(id, Change::Cancel, None).await
    }

    /// Follows what payment tells; each event counts once (W6, W10, W13).
    ///
    /// # Errors
    /// [`Error::NoSuchOrder`]: nobody pays for an order that was never written down. [`Error::Store`]: the event must be
    /// given again.
    pub(crate) async fn follow_payment(
        &self,
        event: EventId,
        news: PaymentNews,
        fact: PaymentFact,
    ) -> Result<(), Error> {
        let PaymentFact { payment_id: payment, order_id, amount: _, remaining: _, reason } = fact;
        let change = match news {
            PaymentNews::Authorized => Change::Confirm { payment },
            PaymentNews::Declined => {
                Change::Decline { payment, reason: reason.unwrap_or_else(|| "payment_declined".into()) }
            }
            PaymentNews::Captured => Change::Pay { payment },
            PaymentNews::GivenBack => Change::Settle { payment, reason: "payment_given_back" },
            PaymentNews::Failed => Change::Settle { payment, reason: "payment_failed" },
        };
        self.change(order_id, change, Some(event)).await.map(drop)
    }

    /// The present time as it is stored, so that what is answered now and what is read later are the same.
    fn now(&self) -> Timestamp {
        let now = self.clock.now();
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }

    async fn change(&self, order: OrderId, change: Change, event: Option<EventId>) -> Result<Order, Error> {
        let traceparent = shop_telemetry::context::traceparent();
        let command = Command::Change { order, change, event, at: self.now(), traceparent };
        match self.store.write(command).await? {
            Answer::Order(order) => Ok(*order),
            Answer::Missing => Err(Error::NoSuchOrder),
            Answer::Refused(error) => Err(error.into()),
            Answer::KeyTaken(_) => Err(Error::Mismatch),
        }
    }
}
