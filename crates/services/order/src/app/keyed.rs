//! A request about an order that counts once: who sends it, and under which key.

use serde_json::Value;
use shop_mongo::Claim;
use shop_types::caller::Subject;
use shop_types::event::CartFact;
use shop_types::{Fingerprint, IdempotencyKey, OrderId, UserId};

use super::{App, Buyer, Error, Viewer};
use crate::domain::{Owner, State};

/// Names the orders of carts whose clients send no key; none that a client sends is one of these.
const CART_ROUTE: &str = "place_cart";

/// Who asks for something about an order, and under which key.
#[derive(Debug, Clone)]
pub(crate) struct Keyed {
    pub(crate) viewer: Viewer,
    /// Who is logged in; nobody for guests.
    pub(crate) user: Option<UserId>,
    pub(crate) key: IdempotencyKey,
    pub(crate) fingerprint: Fingerprint,
}

impl Keyed {
    /// The claim on the key; a guest's counts for the cart that the order was made from (ruling 23).
    ///
    /// # Errors
    /// [`Error::NoSuchOrder`] for a guest with an order that is not theirs.
    pub(super) fn claim(&self, route: &str, owner: &Owner) -> Result<Claim, Error> {
        let subject = match (self.user, owner) {
            (Some(user), _) => Subject::User(user),
            (None, Owner::Guest { cart, .. }) => Subject::Cart(*cart),
            (None, Owner::User(_)) => return Err(Error::NoSuchOrder),
        };
        Ok(Claim::new(subject, route, &self.key, self.fingerprint.clone()))
    }
}

impl App {
    /// The claim of an order of a cart whose client sends no key. A cart at its version is ordered once, and once more after
    /// an order of it was rejected: the key counts the turns, and a turn ends with a rejection and with nothing else. So two
    /// who ask at once mean the same turn, and of a cart there is never more than one order that may still come to something.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub(crate) async fn claim_of_cart(&self, subject: Subject, buyer: &Buyer, cart: CartFact) -> Result<Claim, Error> {
        let turns = format!("cart:{}:{}:", cart.id, cart.version);
        let claim = |turn: u32| {
            // As many digits for each, so that the last turn is the last one in the order of ids, too.
            let key = format!("{turns}{turn:010}");
            let fingerprint = Fingerprint::of("POST", CART_ROUTE, &Value::from(key.as_str()));
            let key = IdempotencyKey::parse(&key).map_err(|_| Error::Mismatch)?;
            Ok(Claim::new(subject, CART_ROUTE, &key, fingerprint))
        };
        let Some(last) = self.store.last_claimed(subject, CART_ROUTE, &turns).await? else { return claim(0) };
        let turn: u32 = last.id.rsplit(':').next().and_then(|turn| turn.parse().ok()).ok_or(Error::Mismatch)?;
        let order: OrderId = last.resource.parse().map_err(|_| Error::Mismatch)?;
        let order = self.store.order(&buyer.viewer(), order).await?;
        let is_over = order.is_some_and(|order| order.state == State::Rejected);
        claim(if is_over { turn.saturating_add(1) } else { turn })
    }
}
