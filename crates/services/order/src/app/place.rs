//! Placing an order: price it, write it down (W1), drive it, answer within three seconds (ruling 10).

use std::sync::Arc;
use std::time::Duration;

use shop_mongo::Claim;
use shop_mongo::idempotency::Row;
use shop_telemetry::context;
use shop_types::caller::GuestToken;
use shop_types::{CartId, OrderId, ProductId, Quantity, Sku, UserId};
use tokio::time::Instant;
use tracing::error;

use super::{App, Error, Viewer};
use crate::domain::{self, Draft, Order, Owner, Phase, Priced, State, Wanted};
use crate::store::{Answer, Command};

/// How long the buyer waits for the verdict before 202 answers.
const PATIENCE: Duration = Duration::from_secs(3);

/// Where the lines come from.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// A cart of the buyer.
    Cart(CartId),
    /// Lines named one by one.
    Items(Vec<(Item, Quantity)>),
}

/// What one line names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Item {
    Sku(Sku),
    /// The default variant of a product.
    Product(ProductId),
}

/// Who places what.
#[derive(Debug, Clone)]
pub(crate) struct PlaceOrder {
    pub(crate) buyer: Buyer,
    pub(crate) source: Source,
    pub(crate) payment_method: String,
    pub(crate) claim: Claim,
}

/// Who buys.
#[derive(Debug, Clone)]
pub(crate) enum Buyer {
    User(UserId),
    /// The holder of a cart's token: buys what is in that cart and nothing else.
    Guest {
        cart: CartId,
        token: GuestToken,
    },
}

impl Buyer {
    /// Whose orders they may see: a key answers nobody else.
    fn viewer(&self) -> Viewer {
        match self {
            Self::User(id) => Viewer::User(*id),
            Self::Guest { token, .. } => Viewer::Guest(token.hash()),
        }
    }
}

/// How placing an order ended well, or has not ended yet.
#[derive(Debug, Clone)]
pub(crate) enum Placement {
    /// Confirmed (201).
    Confirmed(Box<Order>),
    /// Written down for good, but the verdict takes longer (202).
    Pending(Box<Order>),
    /// The answer that was given before (201 again).
    Replayed(Box<Order>),
}

impl App {
    /// Places an order once, however often the same key is sent.
    ///
    /// # Errors
    /// Before W1, with nothing written: [`Error::NoSuchCart`], [`Error::Domain`], [`Error::Peer`], [`Error::KeyReused`].
    /// After it: [`Error::SoldOut`], [`Error::PaymentDeclined`], [`Error::Rejected`] with the order;
    /// [`Error::InProgress`] while another request with the key drives it; [`Error::Store`] when nobody knows whether W1
    /// happened: the same key finds out.
    pub(crate) async fn place_order(self: &Arc<Self>, request: PlaceOrder) -> Result<Placement, Error> {
        let asked = Instant::now();
        let (claim, viewer) = (request.claim.clone(), request.buyer.viewer());
        if let Some(row) = self.store.claimed(&claim).await? {
            return self.resume(&claim, &viewer, row, asked).await;
        }
        let draft = self.draft(request).await?;
        let id = OrderId::from_uuid(self.clock.new_id());
        let (order, event) = Order::place(id, self.store.next_number().await?, draft, self.now());
        let traceparent = context::traceparent();
        let command = Command::Place { order: Box::new(order), event, claim: claim.clone(), traceparent };
        match self.store.write(command).await {
            Ok(Answer::Order(order)) => self.drive_for(*order, asked).await,
            Ok(Answer::KeyTaken(row)) => self.resume(&claim, &viewer, row, asked).await,
            Ok(Answer::Missing | Answer::Refused(_)) => Err(Error::Mismatch),
            // Another pod was faster with the same key.
            Err(error) if error.is_duplicate() => match self.store.claimed(&claim).await? {
                Some(row) => self.resume(&claim, &viewer, row, asked).await,
                None => Err(error.into()),
            },
            Err(error) => Err(error.into()),
        }
    }

    /// Answers a key that was used before: as then, or by going on where its driver fell silent.
    /// A guest's key is looked up by the cart that they name, so the order tells whether they hold its token.
    async fn resume(
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
            return replay(order.at(version));
        }
        if order.phase == Phase::Driving
            && let Some(order) = self.store.take_over(Some(id)).await?
        {
            return self.drive_for(order, asked).await;
        }
        Err(Error::InProgress { order: id })
    }

    /// Drives an order on a task of its own, so that it goes on when the buyer leaves, and waits for it a while.
    async fn drive_for(self: &Arc<Self>, order: Order, asked: Instant) -> Result<Placement, Error> {
        let pending = Box::new(order.clone());
        let driven = context::spawn(Arc::clone(self).drive(order));
        match tokio::time::timeout_at(asked + PATIENCE, driven).await {
            Ok(Ok(Some(order))) => verdict(order),
            // Its driver could not go on, or needs longer: the order is written down, others will drive it.
            Ok(Ok(None)) | Err(_) => Ok(Placement::Pending(pending)),
            Ok(Err(panicked)) => {
                error!(order.id = %pending.id, "The driver of order {} panicked: {panicked}", pending.id);
                Ok(Placement::Pending(pending))
            }
        }
    }

    /// Reads and prices what the buyer wants; nothing is written.
    async fn draft(&self, request: PlaceOrder) -> Result<Draft, Error> {
        let PlaceOrder { buyer, source, payment_method, claim: _ } = request;
        let (cart, wanted, offers) = match source {
            Source::Cart(id) => {
                let cart = self.peers.cart(id).await?.ok_or(Error::NoSuchCart)?;
                let skus: Vec<Sku> = cart.wanted.iter().map(|line| line.sku.clone()).collect();
                let offers = if skus.is_empty() { Vec::new() } else { self.peers.offers(&skus, &[]).await? };
                (Some(cart.fact), cart.wanted, offers.into_iter().map(|(offer, _)| offer).collect())
            }
            Source::Items(items) => {
                let (wanted, offers) = self.items(items).await?;
                (None, wanted, offers)
            }
        };
        let (lines, total) = domain::price(wanted, &offers, self.currency)?;
        let owner = match buyer {
            Buyer::User(id) => Owner::User(id),
            Buyer::Guest { cart, token } => Owner::Guest { cart, token_hash: token.hash() },
        };
        Ok(Draft { owner, cart, lines, total, payment_method })
    }

    async fn items(&self, items: Vec<(Item, Quantity)>) -> Result<(Vec<Wanted>, Vec<Priced>), Error> {
        let (mut skus, mut products) = (Vec::new(), Vec::new());
        for (item, _) in &items {
            match item {
                Item::Sku(sku) => skus.push(sku.clone()),
                Item::Product(id) => products.push(*id),
            }
        }
        let offers = if items.is_empty() { Vec::new() } else { self.peers.offers(&skus, &products).await? };
        let mut wanted = Vec::with_capacity(items.len());
        for (n, (item, quantity)) in items.into_iter().enumerate() {
            let sku = match item {
                Item::Sku(sku) => Some(sku),
                Item::Product(id) => offers
                    .iter()
                    .find(|(offer, is_default)| *is_default && offer.product == id)
                    .map(|(offer, _)| offer.sku.clone()),
            };
            let unknown =
                domain::Error::Invalid { field: format!("items[{n}].productId"), rule: "must be a product for sale" };
            wanted.push(Wanted { sku: sku.ok_or(unknown)?, quantity, shown: None });
        }
        Ok((wanted, offers.into_iter().map(|(offer, _)| offer).collect()))
    }
}

/// What the verdict on an order means for who placed it.
fn verdict(order: Order) -> Result<Placement, Error> {
    let order = Box::new(order);
    match (order.state, order.phase) {
        (State::Placed, Phase::Declined) => Err(Error::PaymentDeclined { order }),
        (State::Placed, Phase::Driving | Phase::Settled) => Ok(Placement::Pending(order)),
        (State::Rejected, _) if order.reason() == Some("sold_out") => Err(Error::SoldOut { order }),
        (State::Rejected, _) => Err(Error::Rejected { order }),
        (
            State::Confirmed | State::Paid | State::Shipped | State::Delivered | State::Cancelling | State::Cancelled,
            _,
        ) => Ok(Placement::Confirmed(order)),
    }
}

/// The same, said again. At the version of the verdict a declined order is placed: its reason tells.
fn replay(order: Order) -> Result<Placement, Error> {
    if order.state == State::Placed && order.reason().is_some() {
        return Err(Error::PaymentDeclined { order: Box::new(order) });
    }
    match verdict(order)? {
        Placement::Confirmed(order) => Ok(Placement::Replayed(order)),
        other @ (Placement::Pending(_) | Placement::Replayed(_)) => Ok(other),
    }
}
