//! What somebody is told who places or pays an order: the outcome of their attempt, within three seconds, and the same
//! whenever they ask again with the same key (ruling 14).

use std::sync::Arc;
use std::time::Duration;

use shop_mongo::Claim;
use shop_mongo::idempotency::Row;
use shop_telemetry::context;
use shop_types::OrderId;
use tokio::time::Instant;
use tracing::error;

use super::{App, Error, Viewer};
use crate::domain::{Order, Phase, State};

/// How long the buyer waits for the verdict before 202 answers.
const PATIENCE: Duration = Duration::from_secs(3);

/// What became of an attempt to place or pay an order, at the version at which it was decided.
#[derive(Debug, Clone)]
pub(crate) struct Placement {
    pub(crate) order: Box<Order>,
    pub(crate) outcome: Outcome,
    /// Whether it was answered before.
    pub(crate) replayed: bool,
}

/// How it ended, or that it has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Stock and money are held (201).
    Confirmed,
    /// Written down for good, but the verdict takes longer, or the buyer must act first (202).
    Pending,
    /// The payment was declined (402).
    Declined,
    /// There was not enough in stock (409).
    SoldOut,
    /// It will not happen (409).
    Rejected,
}

impl Placement {
    fn of(order: Order, replayed: bool) -> Self {
        let outcome = match (order.state, order.phase()) {
            (State::Placed, Phase::Declined) => Outcome::Declined,
            (State::Placed, Phase::Driving | Phase::AwaitsBuyer | Phase::Settled) => Outcome::Pending,
            (State::Rejected, _) if order.reason() == Some("sold_out") => Outcome::SoldOut,
            (State::Rejected, _) => Outcome::Rejected,
            (
                State::Confirmed
                | State::Paid
                | State::Shipped
                | State::Delivered
                | State::Cancelling
                | State::Cancelled
                | State::Returning
                | State::Refunded,
                _,
            ) => Outcome::Confirmed,
        };
        Self { order: Box::new(order), outcome, replayed }
    }
}

impl App {
    /// Answers a key that was used before: as then, or by going on where its driver fell silent.
    /// A guest's key is looked up by the cart that they name, so the order tells whether they hold its token.
    pub(super) async fn resume(
        self: &Arc<Self>,
        claim: &Claim,
        viewer: &Viewer,
        row: Row,
        asked: Instant,
    ) -> Result<Placement, Error> {
        let id: OrderId = row.resource.parse().map_err(|_| Error::Mismatch)?;
        let order = self.store.order(viewer, id).await?.ok_or(Error::NoSuchCart)?;
        if !claim.fits(&row) {
            return Err(Error::KeyReused);
        }
        if let Some(version) = row.version {
            return Ok(Placement::of(order.at(version), true));
        }
        let taken = Instant::now();
        if order.phase() == Phase::Driving
            && let Some(order) = self.store.take_over(Some(id)).await?
        {
            return Ok(self.drive_for(order, taken, asked).await);
        }
        Err(Error::InProgress { order: id })
    }

    /// Drives an order on a task of its own, so that it goes on when the buyer leaves, and waits for it a while.
    /// `leased` is when its lease was asked for.
    pub(super) async fn drive_for(self: &Arc<Self>, order: Order, leased: Instant, asked: Instant) -> Placement {
        let (pending, attempt) = (order.clone(), order.attempt);
        let driven = context::spawn(Arc::clone(self).drive(order, leased));
        let driven = match tokio::time::timeout_at(asked + PATIENCE, driven).await {
            Ok(Ok(driven)) => driven,
            Ok(Err(panicked)) => {
                error!(order.id = %pending.id, "The driver of order {} panicked: {panicked}", pending.id);
                None
            }
            Err(_elapsed) => None,
        };
        // Without an outcome its driver could not go on, or needs longer: it is written down, others will drive it. With
        // one, the order may have gone on since; what is told is what every later answer to the same key tells.
        let decided = driven.and_then(|order| order.first_outcome(attempt).map(|version| order.at(version)));
        Placement::of(decided.unwrap_or(pending), false)
    }
}
