//! Copies of carts in Redis, from which readers are answered.
//!
//! # The invariant
//! Who changed a cart and got an answer sees that change with the next read, from every pod, as long as Redis takes what it is
//! told. Each write removes the copies that it makes old, after its commit and before its answer; nothing is kept in the
//! process, and a load that a write has overtaken is not kept in Redis (see [`shop_redis::Copies`]).
//!
//! A copy that could not be removed is shown for [`LIFE`] at the most, and decides nothing: commands, and orders over gRPC,
//! read MongoDB alone. The same is true when the pod that emptied a cart, whose event is not delivered to it again, ended
//! before it removed the copy of one that had taken that over; and while pods are replaced that know of no copies yet.
//!
//! An owner has one cart at the most, so a copy is found under the owner's name. That there is no cart is never kept.

use std::time::Duration;

use shop_redis::{Copies, Redis, Stale};
use shop_types::CartId;

use super::{App, Error};
use crate::domain::batch::{Change, Command, Merge};
use crate::domain::{self, Cart, Owner};
use crate::store;

/// How long a copy is kept.
const LIFE: Duration = Duration::from_secs(60);
/// Larger carts are read from MongoDB each time. Most have less than 1 KiB.
const MOST_BYTES: usize = 64 * 1024;

/// The copies that all pods share.
///
/// # Errors
/// When a metric's name is taken.
pub fn copies(redis: &Redis) -> Result<Copies, shop_redis::Error> {
    redis.copies("cart", LIFE, MOST_BYTES)
}

impl App {
    /// The cart of an owner, for reading alone: of this id, if that is said.
    ///
    /// # Errors
    /// [`domain::Error::NoCart`], [`Error::Store`].
    pub(super) async fn look(&self, owner: &Owner, id: Option<CartId>) -> Result<Cart, Error> {
        let look = self.copies.look(store::owner_word(owner)).await;
        let wanted = |cart: &Cart| &cart.owner == owner && id.is_none_or(|id| cart.id == id);
        if let Some(cart) = look.copy().and_then(|copy| store::from_copy(copy)).filter(wanted) {
            return Ok(cart);
        }
        let found = match id {
            Some(id) => store::find(&self.mongo, id, owner).await?,
            None => store::find_of(&self.mongo, owner).await?,
        };
        let cart = found.ok_or(domain::Error::NoCart)?;
        if let Some(copy) = store::to_copy(&cart) {
            self.copies.keep(look, copy).await;
        }
        Ok(cart)
    }

    /// To be called before a write of the carts of these owners.
    pub(super) fn stale<'o>(&self, owners: impl IntoIterator<Item = &'o Owner>) -> Stale {
        self.copies.stale(owners.into_iter().map(store::owner_word).collect(), shop_mongo::DEADLINE)
    }
}

/// Whose carts a command changes, as far as it says that.
pub(super) fn owners_of(command: &Command) -> Vec<&Owner> {
    match command {
        Command::Change { owner, change: Change::Merge(Merge { guest, .. }), .. } => vec![owner, guest],
        Command::Change { owner, .. } => vec![owner],
        Command::Clear { .. } | Command::Hear => Vec::new(),
    }
}
