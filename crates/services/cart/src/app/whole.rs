//! What is done with the one cart that a user has, whichever it is.

use shop_types::id::UserKind;
use shop_types::{Caller, Named, Quantity, UserId};

use super::{App, Error, Opened, owner_of};
use crate::domain::batch::Change;
use crate::domain::{self, Cart};
use crate::peers::Item;

impl App {
    /// Who has an account of this id or number; `None` when nobody has.
    ///
    /// # Errors
    /// [`Error::Catalog`] when identity is away.
    pub(crate) async fn user(&self, named: Named<UserKind>) -> Result<Option<UserId>, Error> {
        Ok(self.identity.user(named).await?)
    }

    /// Opens the cart of a user, if there is none, and puts all of this into it, at the prices of now. The catalog is
    /// asked once; if it does not sell one of them, nothing is put in.
    ///
    /// # Errors
    /// As [`App::open`] and [`App::add_item`].
    pub(crate) async fn fill(&self, caller: &Caller, items: Vec<(Item, Quantity)>) -> Result<Cart, Error> {
        let owner = owner_of(caller)?;
        let (items, quantities): (Vec<_>, Vec<_>) = items.into_iter().unzip();
        let at = self.clock.now();
        let variants: Option<Vec<_>> = self.catalog.each(&items).await?.into_iter().collect();
        let variants = variants.ok_or(domain::Error::NotSold)?;
        let (Opened::ForGuest(mut cart, _) | Opened::ForUser(mut cart) | Opened::Present(mut cart)) =
            self.open(caller).await?;
        for (variant, quantity) in variants.into_iter().zip(quantities) {
            cart = self.change(cart.id, owner.clone(), Change::Add { variant, quantity, at, key: None }).await?;
        }
        Ok(cart)
    }
}
