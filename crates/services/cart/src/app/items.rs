//! What lies in a cart: putting in, changing, taking out; and what the catalog and inventory say about it first.

use futures::future::{OptionFuture, join};
use shop_mongo::idempotency::{self, row_id};
use shop_types::caller::Subject;
use shop_types::{Caller, CartId, Fingerprint, IdempotencyKey, Quantity, Sku};
use tracing::warn;

use super::{App, Error, owner_of};
use crate::domain::batch::{Change, Key};
use crate::domain::stock::Stock;
use crate::domain::{self, Cart, Owner, Variant};
use crate::peers::Item;

/// Names the operation in idempotency rows.
const ADD_ITEM: &str = "add_cart_item";

/// A request to put something into a cart.
#[derive(Debug, Clone)]
pub struct AddItem {
    /// Into which cart.
    pub cart: CartId,
    /// What.
    pub item: Item,
    /// How many.
    pub quantity: Quantity,
    /// The caller's name for this request, and its fingerprint.
    pub key: Option<(IdempotencyKey, Fingerprint)>,
}

impl App {
    /// Puts pieces into a cart at the price of now. With a key it counts once: a repeated call gets the cart as it is.
    ///
    /// # Errors
    /// [`domain::Error::NotSold`] when the catalog does not sell it, [`domain::Error::SoldOut`] when the line would have
    /// more pieces than there are, and the other rules of [`Cart::add`]; [`domain::Error::NoCart`],
    /// [`domain::Error::KeyReused`]; [`Error::Catalog`], [`Error::Store`].
    pub async fn add_item(&self, caller: &Caller, add: AddItem) -> Result<Cart, Error> {
        let AddItem { cart, item, quantity, key } = add;
        let owner = owner_of(caller)?;
        self.cart_as_shown(caller, cart).await?;
        let key = key.map(|(key, fingerprint)| named(&owner, cart, &key, fingerprint));
        if let Some(key) = &key
            && let Some(row) = idempotency::find(&self.mongo, &key.id).await?
        {
            // Answered before the catalog is asked: what was done stays done, whatever is sold now. The cart is read
            // after the row, so that it shows what was done.
            if !row.fits(&key.fingerprint) {
                return Err(domain::Error::KeyReused.into());
            }
            // Who did it may have ended before the copy was removed.
            self.stale([&owner]).remove().await;
            return self.cart_as_shown(caller, cart).await;
        }
        let at = self.clock.now();
        let (variants, stock) = self.on_offer(&[item]).await?;
        let items = variants.into_iter().map(|variant| (variant, quantity)).collect();
        self.change(cart, owner, Change::Add { items, stock, at, key }).await
    }

    /// Changes the quantity of a line of the version that the caller has seen.
    ///
    /// # Errors
    /// [`domain::Error::Stale`], [`domain::Error::NoLine`], [`domain::Error::SoldOut`] when it wants more pieces than it had
    /// and than there are, [`domain::Error::TooMuch`], [`domain::Error::NoCart`]; [`Error::Store`].
    pub async fn set_quantity(
        &self,
        caller: &Caller,
        cart: CartId,
        seen: i64,
        (sku, quantity): (Sku, Quantity),
    ) -> Result<Cart, Error> {
        let present = self.cart_as_shown(caller, cart).await?;
        // At the same version the line is the same when the change is made.
        let line = present.lines.iter().find(|line| present.version == seen && line.sku == sku);
        let grows = line.is_some_and(|line| quantity.get() > line.quantity.get());
        let stock = if grows { self.available(std::slice::from_ref(&sku)).await } else { Stock::new() };
        self.change(cart, owner_of(caller)?, Change::SetQuantity { seen, sku, quantity, stock }).await
    }

    /// Takes a line out of the version that the caller has seen.
    ///
    /// # Errors
    /// [`domain::Error::Stale`], [`domain::Error::NoLine`], [`domain::Error::NoCart`]; [`Error::Store`].
    pub async fn remove_item(&self, caller: &Caller, cart: CartId, seen: i64, sku: Sku) -> Result<Cart, Error> {
        self.change(cart, owner_of(caller)?, Change::Remove { seen, sku }).await
    }

    /// What the catalog says about each of these items, in their order, and what inventory says about all of them. Both are
    /// asked at once, unless only the catalog knows which SKU a product means.
    ///
    /// # Errors
    /// [`domain::Error::NotSold`] when the catalog does not know one of them; [`Error::Catalog`].
    pub(super) async fn on_offer(&self, items: &[Item]) -> Result<(Vec<Variant>, Stock), Error> {
        let named = |item: &Item| match item {
            Item::Sku(sku) => Some(sku.clone()),
            Item::Product(_) => None,
        };
        let skus: Option<Vec<Sku>> = items.iter().map(named).collect();
        let look: OptionFuture<_> = skus.as_ref().map(|skus| self.available(skus)).into();
        let (variants, stock) = join(self.peers.catalog.each(items), look).await;
        let variants: Option<Vec<Variant>> = variants?.into_iter().collect();
        let variants = variants.ok_or(domain::Error::NotSold)?;
        let stock = match stock {
            Some(stock) => stock,
            None => self.available(&variants.iter().map(|variant| variant.sku.clone()).collect::<Vec<_>>()).await,
        };
        Ok((variants, stock))
    }

    /// What there is of these SKUs; nothing is known when inventory is away or slow: orders decide in the end.
    async fn available(&self, skus: &[Sku]) -> Stock {
        self.peers.inventory.available(skus).await.unwrap_or_else(|error| {
            let error = &error as &dyn std::error::Error;
            warn!(error, "Nobody knows how much of {} SKUs is in stock; carts take any number", skus.len());
            Stock::new()
        })
    }
}

/// Whose key it is: a user's, or that of the one cart that a guest token opens (ruling 23).
fn named(owner: &Owner, cart: CartId, key: &IdempotencyKey, fingerprint: Fingerprint) -> Key {
    let subject = owner.user().map_or(Subject::Cart(cart), Subject::User);
    Key { id: row_id(&subject.to_string(), ADD_ITEM, key), fingerprint }
}
