//! Taking over a guest's cart after login.

use shop_types::caller::{GuestToken, Subject};
use shop_types::{Caller, CartId, Fingerprint};

use super::{App, Error, guest, owner_of};
use crate::domain::Cart;
use crate::domain::batch::{Change, Key, Merge};
use crate::domain::merge::Policy;

/// Names the operation in idempotency rows.
const MERGE: &str = "merge_carts";

/// A request to take over a guest's cart.
#[derive(Debug, Clone)]
pub struct MergeCarts {
    /// Into which cart.
    pub into: CartId,
    /// Which cart.
    pub from: CartId,
    /// The secret of that cart.
    pub token: GuestToken,
    /// Whose lines stay.
    pub policy: Policy,
    /// The version of the account's cart that the caller has seen, if that matters to them.
    pub seen: Option<i64>,
    /// Of the request.
    pub fingerprint: Fingerprint,
}

impl App {
    /// Takes a guest's cart over into the caller's, once; repeated, it gives the cart as it is.
    ///
    /// # Errors
    /// [`crate::domain::Error::NoCart`] when either cart is gone or not proven, [`crate::domain::Error::Stale`], and the
    /// rules of [`Cart::take_over`]; [`Error::Store`].
    pub async fn merge(&self, caller: &Caller, merge: MergeCarts) -> Result<Cart, Error> {
        let MergeCarts { into, from, token, policy, seen, fingerprint } = merge;
        let owner = owner_of(caller)?;
        // The guest's cart is itself the name of the intent: it can be taken over once. Its secret is part of the name,
        // since nobody can compare it any more when the cart is gone.
        let subject = owner.user().map_or(Subject::Cart(into), Subject::User);
        let key = Key { id: format!("{subject}|{MERGE}|{from}:{}", token.hash()), fingerprint };
        let merge = Merge { from, guest: guest(&token), policy, seen, key };
        let merged = self.change(into, owner, Change::Merge(merge)).await?;
        Ok(self.refreshed(merged).await)
    }
}
