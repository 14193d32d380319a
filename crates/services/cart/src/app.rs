//! What carts can do, one method per operation. What belongs here: who the owner is, asking the catalog, submitting
//! commands to the one group that writes. What does not: rules (`domain`), documents (`store`), transports.

mod copies;
mod error;
mod items;
mod merge;
mod whole;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use shop_mongo::{Group, Mongo, Numbers};
use shop_redis::Copies;
use shop_types::caller::GuestToken;
use shop_types::event::CartFact;
use shop_types::idempotency::hex;
use shop_types::{Caller, CartId, Clock, Currency, EventId, Sku, UserId};
use tokio_util::sync::CancellationToken;
use tracing::warn;

pub use self::copies::copies;
pub use self::error::Error;
pub use self::items::AddItem;
pub use self::merge::MergeCarts;
pub(crate) use self::whole::FillCart;
use crate::domain::batch::{Change, Command};
use crate::domain::{self, Cart, Owner};
use crate::peers::Peers;
use crate::store::{self, Member, Settled};

/// Carts over one database.
#[derive(Debug)]
pub struct App {
    mongo: Mongo,
    group: Group<Member, Settled>,
    numbers: Numbers,
    copies: Copies,
    peers: Peers,
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
    /// Joins the database, the copies of carts in Redis, and the peers. Nothing is read or written yet.
    #[must_use]
    pub fn new(
        mongo: &Mongo,
        copies: Copies,
        peers: Peers,
        clock: Arc<dyn Clock>,
        currency: Currency,
        stop: CancellationToken,
    ) -> Self {
        let times = Arc::clone(&clock);
        let group =
            Group::spawn(mongo, "carts", move |txn, members| Box::pin(store::settle(txn, members, times.now())), stop);
        Self { mongo: mongo.clone(), group, numbers: Numbers::new(mongo, "carts"), copies, peers, clock, currency }
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
            // Whoever opened it may have ended before an older copy was removed.
            self.stale([&owner]).remove().await;
            return Ok(Opened::Present(self.refreshed(present).await));
        }
        let fresh = self.fresh(owner).await?;
        // There may be one of the cart before it, which Redis could not be told to remove.
        let stale = self.stale([&fresh.owner]);
        let stored = store::open(&self.mongo, &fresh).await?;
        stale.remove().await;
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
        Ok(self.refreshed(self.look(&owner_of(caller)?, Some(id)).await?).await)
    }

    /// Gives the caller's own cart, as [`Self::cart`] does.
    ///
    /// # Errors
    /// As [`Self::cart`].
    pub async fn own_cart(&self, caller: &Caller) -> Result<Cart, Error> {
        Ok(self.refreshed(self.look(&owner_of(caller)?, None).await?).await)
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

    /// Has a cart show the prices of now, however young those are that it shows. It may have changed meanwhile: then whoever
    /// changed it is shown what that came to.
    ///
    /// # Errors
    /// [`domain::Error::NoCart`]; [`Error::Catalog`] when the catalog is away; [`Error::Store`].
    pub async fn refresh_prices(&self, caller: &Caller, id: CartId) -> Result<(), Error> {
        let cart = self.cart_as_shown(caller, id).await?;
        let skus: Vec<Sku> = cart.lines.iter().map(|line| line.sku.clone()).collect();
        if !skus.is_empty() {
            self.repriced(&cart, &skus).await?;
        }
        Ok(())
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
        let id = cart.as_ref().map(|fact| fact.id);
        let command =
            cart.map_or(Command::Hear, |CartFact { id, version }| Command::Clear { cart: id, ordered: version });
        let Settled::Answered(answer) = self.submit(command, Some(event)).await? else {
            // Whoever settled it may have ended before the copy was removed.
            if let Some(owner) = store::owner_of(&self.mongo, id).await? {
                self.stale([&owner]).remove().await;
            }
            return Ok(());
        };
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
        let owner = Owner::User(user);
        let stale = self.stale([&owner]);
        store::drop_of(&self.mongo, event, &owner).await?;
        stale.remove().await;
        Ok(())
    }

    /// The cart at the prices of now, if they can be had; a read never fails for want of them.
    async fn refreshed(&self, cart: Cart) -> Cart {
        let stale = cart.stale_skus(self.clock.now());
        if stale.is_empty() {
            return cart;
        }
        match self.repriced(&cart, &stale).await {
            Ok(repriced) => repriced,
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                warn!(cart.id = %cart.id, error, "Cart {} is shown at its old prices", cart.id);
                cart
            }
        }
    }

    async fn repriced(&self, cart: &Cart, skus: &[Sku]) -> Result<Cart, Error> {
        let at = self.clock.now();
        let variants = self.peers.catalog.variants(skus).await?;
        let change = Change::Reprice { seen: cart.version, variants, at };
        self.change(cart.id, cart.owner.clone(), change).await
    }

    async fn change(&self, cart: CartId, owner: Owner, change: Change) -> Result<Cart, Error> {
        match self.submit(Command::Change { cart, owner, change }, None).await? {
            Settled::Answered(Ok(Some(cart))) => Ok(cart),
            Settled::Answered(Err(rule)) => Err(Error::Rule(rule)),
            Settled::Answered(Ok(None)) | Settled::SeenBefore => Err(Error::Mismatch),
        }
    }

    async fn submit(&self, command: Command, event: Option<EventId>) -> Result<Settled, Error> {
        let stale = self.stale(copies::owners_of(&command));
        let settled = self.group.submit(Member { command, event }).await?;
        let stale = match &settled {
            // An order names no owner.
            Settled::Answered(Ok(Some(cart))) => stale.and(store::owner_word(&cart.owner)),
            Settled::Answered(_) | Settled::SeenBefore => stale,
        };
        // A refusal, too: the caller may have seen what is no longer so.
        stale.remove().await;
        Ok(settled)
    }
}

fn new_token() -> Result<GuestToken, Error> {
    let mut secret = [0_u8; 32];
    getrandom::fill(&mut secret).map_err(Error::Random)?;
    GuestToken::parse(&URL_SAFE_NO_PAD.encode(secret)).map_err(|_| Error::Mismatch)
}
