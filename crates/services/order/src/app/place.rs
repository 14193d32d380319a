//! Placing an order: price it, write it down (W1), drive it (ruling 10).

use std::sync::Arc;

use shop_mongo::Claim;
use shop_mongo::idempotency::Row;
use shop_types::caller::GuestToken;
use shop_types::event::CartFact;
use shop_types::{CartId, Named, OrderId, ProductId, Quantity, Sku, UserId};
use tokio::time::Instant;

use super::{App, Error, Placement, Viewer};
use crate::domain::{self, Address, Draft, Order, Owner, Priced, Wanted};
use crate::peers::Cart;
use crate::store::{Answer, Deed};

/// Where the lines come from.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// A cart of the buyer, as it is when it is priced.
    Cart(CartId),
    /// The buyer's own cart, by its number, as it is when it is priced. A guest's order names the cart itself.
    Numbered(i64),
    /// A cart as it was read: the claim names its version, so the order is of that one.
    Seen(Cart),
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
    pub(crate) address: Option<Address>,
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
    pub(super) fn viewer(&self) -> Viewer {
        match self {
            Self::User(id) => Viewer::User(*id),
            Self::Guest { token, .. } => Viewer::Guest(token.hash()),
        }
    }
}

impl App {
    /// Places an order once, however often the same key is sent.
    ///
    /// # Errors
    /// Before W1, with nothing written: [`Error::NoSuchCart`], [`Error::Domain`], [`Error::Peer`], [`Error::KeyReused`].
    /// After it: [`Error::InProgress`] while another request with the key drives it; [`Error::Store`] when nobody knows
    /// whether W1 happened: the same key finds out.
    pub(crate) async fn place_order(self: &Arc<Self>, request: PlaceOrder) -> Result<Placement, Error> {
        let asked = Instant::now();
        let (claim, viewer) = (request.claim.clone(), request.buyer.viewer());
        // Before the cart is read: an order that was confirmed has emptied it.
        if let Some(row) = self.store.claimed(&claim).await? {
            return self.resume(&claim, &viewer, row, asked).await;
        }
        let draft = self.draft(request).await?;
        let id = OrderId::from_uuid(self.clock.new_id());
        let (order, event) = Order::place(id, self.store.next_number().await?, draft, self.now());
        let leased = Instant::now();
        match self.write(Deed::Place { order: Box::new(order), event, claim: claim.clone() }).await {
            Ok(Answer::Changed(order)) => Ok(self.drive_for(*order, leased, asked).await),
            Ok(Answer::KeyTaken(row)) => self.resume(&claim, &viewer, row, asked).await,
            Ok(Answer::Unchanged(_) | Answer::Missing | Answer::Stale | Answer::Refused(_) | Answer::Return(_)) => {
                Err(Error::Mismatch)
            }
            Err(error) => {
                let row = self.claimed_meanwhile(&claim, error).await?;
                self.resume(&claim, &viewer, row, asked).await
            }
        }
    }

    /// The row that another pod has written for the same key a moment ago.
    ///
    /// # Errors
    /// The same one again when that is not why the write was refused.
    pub(super) async fn claimed_meanwhile(&self, claim: &Claim, error: Error) -> Result<Row, Error> {
        let Error::Store(error) = error else { return Err(error) };
        if !error.is_duplicate() {
            return Err(error.into());
        }
        self.store.claimed(claim).await?.ok_or(error.into())
    }

    /// Reads and prices what the buyer wants; nothing is written.
    async fn draft(&self, request: PlaceOrder) -> Result<Draft, Error> {
        let PlaceOrder { buyer, source, payment_method, address, claim: _ } = request;
        let (cart, wanted, offers) = match source {
            Source::Cart(id) => self.lines(self.cart(Named::Id(id)).await?).await?,
            Source::Numbered(number) => self.lines(self.cart(Named::Number(number)).await?).await?,
            Source::Seen(cart) => self.lines(cart).await?,
            Source::Items(items) => {
                let (wanted, offers) = self.items(items).await?;
                (None, wanted, offers)
            }
        };
        let priced = domain::price(wanted, &offers, self.currency);
        if let (Some(cart), Err(domain::Error::PriceChanged { .. } | domain::Error::NotSold { .. })) = (&cart, &priced)
        {
            self.show_prices_of_now(cart.id).await;
        }
        let (lines, total) = priced?;
        let owner = match buyer {
            Buyer::User(id) => Owner::User(id),
            Buyer::Guest { cart, token } => Owner::Guest { cart, token_hash: token.hash() },
        };
        Ok(Draft { owner, cart, lines, total, payment_method, address })
    }

    /// Who is refused because of what their cart shows is to see the reason there, and may order it then: by itself a cart
    /// trusts its prices for a minute.
    async fn show_prices_of_now(&self, cart: CartId) {
        if let Err(error) = self.peers.refresh_prices(cart).await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(cart.id = %cart, error, "Cart {cart} goes on showing prices that an order was refused for");
        }
    }

    async fn lines(&self, cart: Cart) -> Result<(Option<CartFact>, Vec<Wanted>, Vec<Priced>), Error> {
        let skus: Vec<Sku> = cart.wanted.iter().map(|line| line.sku.clone()).collect();
        let offers = if skus.is_empty() { Vec::new() } else { self.peers.offers(&skus, &[]).await? };
        Ok((Some(cart.fact), cart.wanted, offers.into_iter().map(|(offer, _)| offer).collect()))
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
