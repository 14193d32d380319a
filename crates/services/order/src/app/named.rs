//! What clients that have only numbers name: orders, carts and people; and changes of an order as it is now.

use shop_types::id::{CartKind, OrderKind, UserKind};
use shop_types::{IdempotencyKey, Named, OrderId, UserId};

use super::{App, Error, Viewer};
use crate::domain::{Order, State};
use crate::peers::Cart;

/// How often a change that was outrun is decided again.
const TURNS: u32 = 5;

impl App {
    /// One order, if the viewer may see it.
    ///
    /// # Errors
    /// [`Error::NoSuchOrder`], also for other people's.
    pub(crate) async fn named_order(&self, viewer: &Viewer, named: Named<OrderKind>) -> Result<Order, Error> {
        match named {
            Named::Id(id) => self.order(viewer, id).await,
            Named::Number(number) => self.store.order_of_number(viewer, number).await?.ok_or(Error::NoSuchOrder),
        }
    }

    /// The user with an account of this id or number; `None` when there is none.
    ///
    /// # Errors
    /// [`Error::Peer`] when identity is away.
    pub(crate) async fn user(&self, named: Named<UserKind>) -> Result<Option<UserId>, Error> {
        Ok(self.peers.user(named).await?)
    }

    /// A cart of the caller as it stands, by id or number.
    ///
    /// # Errors
    /// [`Error::NoSuchCart`]; [`Error::Peer`].
    pub(crate) async fn cart(&self, named: Named<CartKind>) -> Result<Cart, Error> {
        let found = match named {
            Named::Id(id) => self.peers.cart(id).await?,
            Named::Number(number) => self.peers.cart_of_number(number).await?,
        };
        found.ok_or(Error::NoSuchCart)
    }

    /// A key that nobody has sent, for a request that counts whenever it comes.
    ///
    /// # Errors
    /// [`Error::Mismatch`] should an id be no key.
    pub(crate) fn fresh_key(&self) -> Result<IdempotencyKey, Error> {
        IdempotencyKey::parse(&self.clock.new_id().to_string()).map_err(|_| Error::Mismatch)
    }

    /// Takes an order further by hand at whichever version it is.
    ///
    /// # Errors
    /// As [`App::advance`].
    pub(crate) async fn advance_present(&self, id: OrderId, to: State) -> Result<Order, Error> {
        for _ in 1..TURNS {
            match self.advance(id, to, self.order(&Viewer::Staff, id).await?.version).await {
                Err(Error::Stale) => {}
                done => return done,
            }
        }
        self.advance(id, to, self.order(&Viewer::Staff, id).await?.version).await
    }
}
