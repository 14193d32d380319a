//! What carts can do, one method per operation. What belongs here: who the owner is, asking the catalog, submitting
//! commands to the one group that writes. What does not: rules (`domain`), documents (`store`), transports.

mod error;
mod merge;
mod whole;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use shop_mongo::idempotency::row_id;
use shop_mongo::{Group, Mongo, Numbers, idempotency};
use shop_types::caller::{GuestToken, Subject};
use shop_types::event::CartFact;
use shop_types::idempotency::hex;
use shop_types::{Caller, CartId, Clock, Currency, EventId, Fingerprint, IdempotencyKey, Quantity, Sku, UserId};
use tokio_util::sync::CancellationToken;
use tracing::warn;

pub use self::error::Error;
pub use self::merge::MergeCarts;
pub(crate) use self::whole::FillCart;
use crate::domain::batch::{Change, Command, Key};
use crate::domain::{self, Cart, Owner};
use crate::peers::{Catalog, Identity, Item};
use crate::store::{self, Member, Settled};

/// Names the operation in idempotency rows.
const ADD_ITEM: &str = "add_cart_item";

/// Carts over one database.
#[derive(Debug)]
pub struct App {
    mongo: Mongo,
    group: Group<Member, Settled>,
    numbers: Numbers,
    catalog: Catalog,
    identity: Identity,
    clock: Arc<dyn Clock>,
    currency: Currency,
}

/// What [`App::open`] came to.
#[derive(Debug)]
pub enum Opened {
    /// A guest's new cart and its secret, which is told here and never again.
    ForGuest(Cart, GuestToken),
    /// A user's new cart.
    ForUser(Cart),
    /// The cart that the user had already.
    Present(Cart),
}

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

/// Finds whose carts a caller may see: their own.
///
/// # Errors
/// [`Error::Nobody`] for an anonymous caller.
pub fn owner_of(caller: &Caller) -> Result<Owner, Error> {
    match caller {
        Caller::User { id, .. } => Ok(Owner::User(*id)),
        Caller::Guest { token } => Ok(guest(token)),
        Caller::Anonymous => Err(Error::Nobody),
    }
}

fn guest(token: &GuestToken) -> Owner {
    Owner::Guest(hex(&Sha256::digest(token.expose().as_bytes())))
}

impl App {
    /// Joins the database and the peers. Nothing is read or written yet.
    #[must_use]
    pub fn new(
        mongo: &Mongo,
        (catalog, identity): (Catalog, Identity),
        clock: Arc<dyn Clock>,
        currency: Currency,
        stop: CancellationToken,
    ) -> Self {
        let group = Group::spawn(mongo, "carts", |txn, members| Box::pin(store::settle(txn, members)), stop);
        Self { mongo: mongo.clone(), group, numbers: Numbers::new(mongo, "carts"), catalog, identity, clock, currency }
    }

    /// Makes collections, validators and indexes.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn prepare(&self) -> Result<(), Error> {
        self.mongo.ensure(&store::setup()).await.map_err(Error::Store)
    }

    /// Opens a cart: for a user the one they have, or a new one; for everybody else a new one with a secret of its own.
    ///
    /// # Errors
    /// [`Error::Store`], [`Error::Random`].
    pub async fn open(&self, caller: &Caller) -> Result<Opened, Error> {
        match caller {
            Caller::User { id, .. } => self.open_for_user(Owner::User(*id)).await,
            Caller::Anonymous | Caller::Guest { .. } => {
                let token = new_token()?;
                let cart = self.fresh(guest(&token)).await?;
                Ok(Opened::ForGuest(store::open(&self.mongo, &cart).await?, token))
            }
        }
    }

    async fn open_for_user(&self, owner: Owner) -> Result<Opened, Error> {
        if let Some(present) = store::find_of(&self.mongo, &owner).await? {
            return Ok(Opened::Present(self.refreshed(present).await));
        }
        let fresh = self.fresh(owner).await?;
        let stored = store::open(&self.mongo, &fresh).await?;
        if stored.id == fresh.id { Ok(Opened::ForUser(stored)) } else { Ok(Opened::Present(stored)) }
    }

    async fn fresh(&self, owner: Owner) -> Result<Cart, Error> {
        let id = CartId::from_uuid(self.clock.new_id());
        Ok(Cart::open(id, owner, self.numbers.next().await?, self.currency))
    }

    /// Gives a cart at prices that are at most a minute old. With the catalog away it comes at the prices shown last.
    ///
    /// # Errors
    /// [`domain::Error::NoCart`], [`Error::Store`].
    pub async fn cart(&self, caller: &Caller, id: CartId) -> Result<Cart, Error> {
        let cart = self.cart_as_shown(caller, id).await?;
        Ok(self.refreshed(cart).await)
    }

    /// Gives the caller's own cart, as [`Self::cart`] does.
    ///
    /// # Errors
    /// As [`Self::cart`].
    pub async fn own_cart(&self, caller: &Caller) -> Result<Cart, Error> {
        let found = store::find_of(&self.mongo, &owner_of(caller)?).await?;
        Ok(self.refreshed(found.ok_or(domain::Error::NoCart)?).await)
    }

    /// The cart of a person as they have seen it last, for the copy of what is kept of them.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn kept_of(&self, user: UserId) -> Result<Option<Cart>, Error> {
        store::find_of(&self.mongo, &Owner::User(user)).await.map_err(Error::Store)
    }

    /// Gives a cart exactly as its owner has seen it last; writes nothing (ruling 16).
    ///
    /// # Errors
    /// [`domain::Error::NoCart`], [`Error::Store`].
    pub async fn cart_as_shown(&self, caller: &Caller, id: CartId) -> Result<Cart, Error> {
        let found = store::find(&self.mongo, id, &owner_of(caller)?).await?;
        Ok(found.ok_or(domain::Error::NoCart)?)
    }

    /// Gives the caller's own cart exactly as they have seen it last, if it has this number; writes nothing.
    ///
    /// # Errors
    /// [`domain::Error::NoCart`], [`Error::Store`].
    pub async fn own_cart_as_shown(&self, caller: &Caller, number: i64) -> Result<Cart, Error> {
        let found = store::find_of(&self.mongo, &owner_of(caller)?).await?;
        Ok(found.filter(|cart| cart.number == number).ok_or(domain::Error::NoCart)?)
    }

    /// Puts pieces into a cart at the price of now. With a key it counts once: a repeated call gets the cart as it is.
    ///
    /// # Errors
    /// [`domain::Error::NotSold`] when the catalog does not sell it, and the other rules of [`Cart::add`];
    /// [`domain::Error::NoCart`], [`domain::Error::KeyReused`]; [`Error::Catalog`], [`Error::Store`].
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
            return self.cart_as_shown(caller, cart).await;
        }
        let at = self.clock.now();
        let variant = self.catalog.variant(&item).await?.ok_or(domain::Error::NotSold)?;
        self.change(cart, owner, Change::Add { items: vec![(variant, quantity)], at, key }).await
    }

    /// Changes the quantity of a line of the version that the caller has seen.
    ///
    /// # Errors
    /// [`domain::Error::Stale`], [`domain::Error::NoLine`], [`domain::Error::TooMuch`], [`domain::Error::NoCart`];
    /// [`Error::Store`].
    pub async fn set_quantity(
        &self,
        caller: &Caller,
        cart: CartId,
        seen: i64,
        (sku, quantity): (Sku, Quantity),
    ) -> Result<Cart, Error> {
        self.change(cart, owner_of(caller)?, Change::SetQuantity { seen, sku, quantity }).await
    }

    /// Takes a line out of the version that the caller has seen.
    ///
    /// # Errors
    /// [`domain::Error::Stale`], [`domain::Error::NoLine`], [`domain::Error::NoCart`]; [`Error::Store`].
    pub async fn remove_item(&self, caller: &Caller, cart: CartId, seen: i64, sku: Sku) -> Result<Cart, Error> {
        self.change(cart, owner_of(caller)?, Change::Remove { seen, sku }).await
    }

    /// Throws a cart away.
    ///
    /// # Errors
    /// [`domain::Error::NoCart`]; [`Error::Store`].
    pub async fn discard(&self, caller: &Caller, cart: CartId) -> Result<(), Error> {
        self.change(cart, owner_of(caller)?, Change::Discard).await.map(|_| ())
    }

    /// Empties the cart of a confirmed order if it is still at the version that was ordered (W11), once, however often the
    /// event is delivered. An order without a cart empties none, and its event is remembered all the same.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn clear_ordered(&self, event: EventId, cart: Option<CartFact>) -> Result<(), Error> {
        let command =
            cart.map_or(Command::Hear, |CartFact { id, version }| Command::Clear { cart: id, ordered: version });
        let Settled::Answered(answer) = self.submit(command, Some(event)).await? else { return Ok(()) };
        answer?;
        // A write whose answer was lost: nobody knows that it happened, and the next delivery finds out.
        shop_faults::at("W11").await.map_err(|injected| {
            Error::Store(shop_mongo::Error::Unavailable { what: "carts", source: Arc::new(injected) })
        })
    }

    /// Drops the cart of somebody whose account was deleted, if they had one.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn drop_cart_of(&self, event: EventId, user: UserId) -> Result<(), Error> {
        store::drop_of(&self.mongo, event, &Owner::User(user)).await.map_err(Error::Store)
    }

    /// The cart at the prices of now, if they can be had; a read never fails for want of them.
    async fn refreshed(&self, cart: Cart) -> Cart {
        let now = self.clock.now();
        let stale = cart.stale_skus(now);
        if stale.is_empty() {
            return cart;
        }
        let repriced = async {
            let variants = self.catalog.variants(&stale).await?;
            let change = Change::Reprice { seen: cart.version, variants, at: now };
            self.change(cart.id, cart.owner.clone(), change).await
        };
        match repriced.await {
            Ok(repriced) => repriced,
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                warn!(cart.id = %cart.id, error, "Cart {} is shown at its old prices", cart.id);
                cart
            }
        }
    }

    async fn change(&self, cart: CartId, owner: Owner, change: Change) -> Result<Cart, Error> {
        match self.submit(Command::Change { cart, owner, change }, None).await? {
            Settled::Answered(Ok(Some(cart))) => Ok(cart),
            Settled::Answered(Err(rule)) => Err(Error::Rule(rule)),
            Settled::Answered(Ok(None)) | Settled::SeenBefore => Err(Error::Mismatch),
        }
    }

    async fn submit(&self, command: Command, event: Option<EventId>) -> Result<Settled, Error> {
        self.group.submit(Member { command, event }).await.map_err(Error::Store)
    }
}

/// Whose key it is: a user's, or that of the one cart that a guest token opens (ruling 23).
fn named(owner: &Owner, cart: CartId, key: &IdempotencyKey, fingerprint: Fingerprint) -> Key {
    let subject = owner.user().map_or(Subject::Cart(cart), Subject::User);
    Key { id: row_id(&subject.to_string(), ADD_ITEM, key), fingerprint }
}

fn new_token() -> Result<GuestToken, Error> {
    let mut secret = [0_u8; 32];
    getrandom::fill(&mut secret).map_err(Error::Random)?;
    GuestToken::parse(&URL_SAFE_NO_PAD.encode(secret)).map_err(|_| Error::Mismatch)
}
