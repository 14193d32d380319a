//! What is done with the one cart that a user has, whichever it is.

use shop_mongo::idempotency::{self, row_id};
use shop_types::caller::Subject;
use shop_types::id::UserKind;
use shop_types::{Caller, Fingerprint, IdempotencyKey, Named, Quantity, UserId};

use super::{App, Error, Opened, owner_of};
use crate::domain::batch::{Change, Key};
use crate::domain::{self, Cart};
use crate::peers::Item;
use crate::store;

/// Names the operation in idempotency rows.
const FILL: &str = "fill_cart";

/// A request to put several things into the cart of a user.
#[derive(Debug, Clone)]
pub(crate) struct FillCart {
    /// Who asks: the user, or staff in their place.
    pub(crate) by: UserId,
    /// What, and how many.
    pub(crate) items: Vec<(Item, Quantity)>,
    /// The caller's name for this request, and its fingerprint.
    pub(crate) key: Option<(IdempotencyKey, Fingerprint)>,
}

impl App {
    /// Who has an account of this id or number; `None` when nobody has.
    ///
    /// # Errors
    /// [`Error::Catalog`] when identity is away.
    pub(crate) async fn user(&self, named: Named<UserKind>) -> Result<Option<UserId>, Error> {
        Ok(self.peers.identity.user(named).await?)
    }

    /// Opens the cart of a user, if there is none, and puts all of this into it, at the prices of now: in one write, so that
    /// nobody ever sees a part of it. The catalog is asked once; if it does not sell one of them, nothing is put in. With a
    /// key it counts once: a repeated call gets the cart as it is.
    ///
    /// # Errors
    /// As [`App::open`] and [`App::add_item`]; [`domain::Error::NoCart`] when it was done before and the cart is gone.
    pub(crate) async fn fill(&self, user: &Caller, fill: FillCart) -> Result<Cart, Error> {
        let FillCart { by, items, key } = fill;
        let owner = owner_of(user)?;
        let key = key.map(|(key, fingerprint)| {
            let id = row_id(&Subject::User(by).to_string(), FILL, &key);
            Key { id, fingerprint }
        });
        if let Some(key) = &key
            && let Some(row) = idempotency::find(&self.mongo, &key.id).await?
        {
            return if row.fits(&key.fingerprint) {
                // Who did it may have ended before the copy was removed.
                self.stale([&owner]).remove().await;
                let found = store::find_of(&self.mongo, &owner).await?;
                Ok(self.refreshed(found.ok_or(domain::Error::NoCart)?).await)
            } else {
                Err(domain::Error::KeyReused.into())
            };
        }
        let (items, quantities): (Vec<_>, Vec<_>) = items.into_iter().unzip();
        let at = self.clock.now();
        let (variants, stock) = self.on_offer(&items).await?;
        let (Opened::ForGuest(cart, _) | Opened::ForUser(cart) | Opened::Present(cart)) = self.open(user).await?;
        let items = variants.into_iter().zip(quantities).collect();
        self.change(cart.id, owner, Change::Add { items, stock, at, key }).await
    }
    /// Takes everything out of the cart that a user has; it stays, with its number. Nothing changes when it is empty.
    ///
    /// # Errors
    /// [`domain::Error::NoCart`] when they have none; [`Error::Store`].
    pub(crate) async fn empty(&self, user: &Caller) -> Result<Cart, Error> {
        let owner = owner_of(user)?;
        let present = store::find_of(&self.mongo, &owner).await?.ok_or(domain::Error::NoCart)?;
        self.change(present.id, owner, Change::Empty).await
    }
}
