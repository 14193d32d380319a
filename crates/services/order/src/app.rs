//! The operations on orders: load, decide by the rules of `domain`, save.

mod attempt;
mod drive;
mod error;
mod forget;
mod kept;
mod keyed;
mod measures;
mod named;
mod place;
mod placement;
mod recover;
mod returns;

use std::sync::Arc;

use anyhow::Context as _;
use jiff::Timestamp;
use shop_service::Service;
use shop_telemetry::context;
use shop_types::event::PaymentFact;
use shop_types::{Clock, Currency, EventId, OrderId, Page, UserId};

pub(crate) use self::error::Error;
pub(crate) use self::kept::Kept;
pub(crate) use self::keyed::Keyed;
pub(crate) use self::place::{Buyer, Item, PlaceOrder, Source};
pub(crate) use self::placement::{Outcome, Placement};
pub(crate) use crate::store::{Filter, Viewer};

use self::measures::Measures;
use crate::domain::{Address, Change, Order, Settlement, State};
use crate::peers::Peers;
use crate::store::{Answer, Cause, Command, Deed, Store};

/// The operations on orders.
pub(crate) struct App {
    store: Store,
    peers: Peers,
    clock: Arc<dyn Clock>,
    currency: Currency,
    measures: Measures,
    /// The name of this process among those that share the work.
    pod: String,
}

/// A fact about a payment, as far as an order cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PaymentNews {
    Authorized,
    Declined,
    Captured,
    Voided,
    Refunded,
    /// The capture was refused for good.
    Failed,
}

impl App {
    /// Connects the operations to the service's database and peers.
    pub(crate) fn connect(service: &Service) -> anyhow::Result<Self> {
        let config = service.config();
        let clock = service.clock();
        Ok(Self {
            store: Store::new(service.mongo()?, Arc::clone(&clock), config.order_deadline, service.stop()),
            peers: Peers::new(service.mesh()),
            currency: config.currency.parse().context("SHOPMESH_CURRENCY is not a currency")?,
            measures: Measures::register(service.metrics()).context("failed to register the metrics of orders")?,
            // A pod that comes back under its old name is another process.
            pod: format!("{}:{}", config.pod, clock.new_id()),
            clock,
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
        self.change(id, Change::Cancel, Cause::State).await
    }

    /// Takes an order further by hand: shipped, delivered (ruling 20).
    ///
    /// # Errors
    /// [`Error::NoSuchOrder`]; [`Error::Stale`] when it is no longer at the version that was seen; [`Error::Domain`] when
    /// nothing but the saga leads there.
    pub(crate) async fn advance(&self, id: OrderId, to: State, seen: i64) -> Result<Order, Error> {
        self.change(id, Change::Advance { to }, Cause::Version(seen)).await
    }

    /// Sends an order somewhere else, if it is still at the version that was seen. The address that it has changes nothing.
    ///
    /// # Errors
    /// [`Error::NoSuchOrder`], also for other people's; [`Error::Stale`]; [`Error::Domain`] before the verdict and once it
    /// was shipped, or when it has changed too often.
    pub(crate) async fn readdress(
        &self,
        viewer: &Viewer,
        id: OrderId,
        address: Address,
        seen: i64,
    ) -> Result<Order, Error> {
        self.order(viewer, id).await?;
        self.change(id, Change::Readdress { address }, Cause::Version(seen)).await
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
        let PaymentFact { payment_id: payment, order_id, amount: _, remaining, reason } = fact;
        let given_back = |payment| Change::Settle { payment, reason: Settlement::GivenBack };
        let change = match news {
            PaymentNews::Authorized => Change::Confirm { payment },
            PaymentNews::Declined => {
                Change::Decline { payment, reason: reason.unwrap_or_else(|| "payment_declined".into()) }
            }
            PaymentNews::Captured => Change::Pay { payment },
            PaymentNews::Voided => given_back(payment),
            PaymentNews::Refunded if remaining.is_none() => given_back(payment),
            PaymentNews::Refunded => Change::KeepRest { payment },
            PaymentNews::Failed => Change::Settle { payment, reason: Settlement::Failed },
        };
        self.change(order_id, change, Cause::Event(event)).await.map(drop)
    }

    /// The present time as it is stored, so that what is answered now and what is read later are the same.
    fn now(&self) -> Timestamp {
        let now = self.clock.now();
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }

    /// Writes something together with whatever else waits.
    async fn write(&self, deed: Deed) -> Result<Answer, Error> {
        let command = Command { deed, at: self.now(), traceparent: context::traceparent() };
        let answer = self.store.write(command).await?;
        if let Answer::Changed(order) = &answer {
            self.measures.changed(order);
            fail_after(order.state, order.version).await?;
        }
        Ok(answer)
    }

    async fn change(&self, order: OrderId, change: Change, cause: Cause) -> Result<Order, Error> {
        self.written(Deed::Change { order, change, cause }).await
    }

    /// The order that a deed leaves behind.
    async fn written(&self, deed: Deed) -> Result<Order, Error> {
        match self.write(deed).await? {
            Answer::Changed(order) | Answer::Unchanged(order) => Ok(*order),
            Answer::Missing => Err(Error::NoSuchOrder),
            Answer::Stale => Err(Error::Stale),
            Answer::Refused(error) => Err(error.into()),
            Answer::KeyTaken(_) | Answer::Return(_) => Err(Error::Mismatch),
        }
    }
}

/// The failpoint right after the write that led to a state.
async fn fail_after(state: State, version: i64) -> Result<(), shop_mongo::Error> {
    let written = match state {
        State::Placed if version == 1 => "W1",
        State::Confirmed | State::Rejected => "W6",
        State::Paid => "W10",
        State::Cancelling => "W12",
        State::Cancelled => "W13",
        State::Placed | State::Shipped | State::Delivered | State::Returning | State::Refunded => return Ok(()),
    };
    Ok(shop_faults::at(written).await?)
}
