//! The operations of identity: load, decide by the rules of `domain`, save.

mod account;
mod addresses;
mod api_keys;
mod audit;
mod customer_orders;
mod deletions;
mod endings;
mod error;
mod exports;
mod first_admin;
pub(crate) mod hashing;
mod keys;
mod letters;
mod misses;
mod sessions;
mod users;

use std::sync::Arc;
use std::thread::available_parallelism;

use anyhow::Context as _;
use jiff::Timestamp;
use prometheus::IntCounterVec;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use shop_auth::Verifier;
use shop_mongo::Numbers;
use shop_service::Service;
use shop_telemetry::context;
use shop_types::event::UserFact;
use shop_types::{Clock, Email, Envelope, Event, EventId, IdempotencyKey, Role, UserId};
use tokio::sync::{Notify, Semaphore};

pub(crate) use self::api_keys::{Grant, NewKey};
use self::endings::Rests;
pub(crate) use self::error::Error;
use self::first_admin::FirstAdmin;
use self::hashing::Hashing;
use self::keys::{Keys, PublishedKeys};
use self::misses::Misses;
pub(crate) use self::sessions::Tokens;
pub(crate) use self::users::NewUser;
use crate::domain::letter::Purpose;
use crate::domain::secret::{BYTES, Secret};
use crate::domain::session::Generation;
use crate::domain::{Lifetimes, Name, Password, User};
use crate::peers::Peers;
use crate::store::{Account, Created, Newcomer, Registration, Store};

/// Letters that are written at once while nobody waits.
const LETTERS: usize = 50;

/// The operations of identity over its own database.
pub(crate) struct App {
    store: Store,
    keys: Keys,
    published: PublishedKeys,
    hashing: Hashing,
    misses: Misses,
    numbers: Numbers,
    verifier: Arc<Verifier>,
    clock: Arc<dyn Clock>,
    lifetimes: Lifetimes,
    first_admin: Option<FirstAdmin>,
    /// Places for letters that are written while nobody waits.
    letters: Arc<Semaphore>,
    peers: Peers,
    /// Tells this pod that an export was wished for.
    exports: Notify,
    rests: Rests,
    registrations: IntCounterVec,
    logins: IntCounterVec,
    revoked: IntCounterVec,
}

/// Somebody who wants an account.
#[derive(Debug)]
pub(crate) struct Register {
    pub(crate) email: Email,
    pub(crate) password: Password,
    pub(crate) name: Name,
    /// The client's name for this registration.
    pub(crate) key: Option<IdempotencyKey>,
}

impl App {
    /// Connects the operations to the service's database and keys.
    ///
    /// # Errors
    /// When the signing key is missing or does not fit the key set, or the settings of the first admin are half there.
    pub(crate) async fn connect(service: &Service) -> anyhow::Result<Self> {
        let (config, mongo, metrics, clock) = (service.config(), service.mongo()?, service.metrics(), service.clock());
        let lifetimes = Lifetimes {
            access: config.identity.access_token_ttl,
            absolute: config.identity.refresh_token_ttl,
            idle: config.identity.refresh_token_idle,
        };
        let cores = available_parallelism().context("failed to count the cores")?.get();
        Ok(Self {
            store: Store::new(mongo),
            keys: Keys::load(config, service.verifier(), &*clock, lifetimes).await?,
            published: PublishedKeys::new(&config.auth),
            hashing: Hashing::new(cores, hashing::NICER, metrics)?,
            misses: Misses::new(Arc::new(service.redis()?.leases()))?,
            numbers: Numbers::new(mongo, "users"),
            verifier: Arc::clone(service.verifier()),
            clock,
            lifetimes,
            first_admin: FirstAdmin::from_config(&config.identity)?,
            letters: Arc::new(Semaphore::new(LETTERS)),
            peers: Peers::new(service.mesh()),
            exports: Notify::new(),
            rests: Rests::default(),
            registrations: metrics.counter("registrations_total", "Accounts that people have opened", &[])?,
            logins: metrics.counter("logins_total", "Attempts to log in", &["result"])?,
            revoked: metrics.counter("sessions_revoked_total", "Sessions ended before their time", &["reason"])?,
        })
    }

    /// Creates collections, validators and indexes, and the first admin.
    pub(crate) async fn prepare(&self) -> anyhow::Result<()> {
        self.store.prepare().await?;
        self.ensure_first_admin().await
    }

    /// Opens an account and a session for it. With a key, a repeat of the same registration (same key, address, name and
    /// password) opens another session instead of failing: the password is the proof, the key alone brings nothing.
    ///
    /// # Errors
    /// [`Error::EmailTaken`]; [`Error::Hashing`] when too many passwords are being checked.
    pub(crate) async fn register(&self, register: Register) -> Result<(User, Tokens), Error> {
        let Register { email, password, name, key } = register;
        let registration = key.map(|key| registration(&key, &name));
        if let Some(account) = self.registered(&email, &password, registration.as_ref()).await? {
            let tokens = self.open_session(&account).await?;
            return Ok((account.user, tokens));
        }
        let hash = self.hashing.hash(password.clone()).await?;
        let user = self.new_user(email, name, Role::Customer).await?;
        let event = self.user_created(&user);
        let letter = Some(self.posted(&user, Purpose::Verification)?);
        // Nobody can change an account before it is there: unlike a later session, this one needs no second look.
        let (session, tokens) = self.new_session(&user, Generation::FIRST)?;
        let account = Account::of_person(user.clone(), hash, registration.clone());
        match self.store.create_user(&Newcomer { account, event, letter, session: Some(session) }).await? {
            Created::Done => {
                self.registrations.with_label_values::<&str>(&[]).inc();
                tracing::info!(user.id = %user.id, "Opened account {}", user.id);
                Ok((user, tokens))
            }
            // Somebody was faster, perhaps this very registration on its first way.
            Created::EmailTaken | Created::AdminExists => {
                let made = self.registered(&user.email, &password, registration.as_ref()).await?;
                let account = made.ok_or(Error::EmailTaken)?;
                let tokens = self.open_session(&account).await?;
                Ok((account.user, tokens))
            }
        }
    }

    /// The account that this registration has opened before; `None` when the address is free.
    async fn registered(
        &self,
        email: &Email,
        password: &Password,
        registration: Option<&Registration>,
    ) -> Result<Option<Account>, Error> {
        let Some(account) = self.store.account(email).await? else { return Ok(None) };
        let is_repeat = registration.zip(account.registration.as_ref()).is_some_and(|(sent, kept)| sent.is_same(kept));
        // Who knows the key and guesses the password does so at the same price as at login.
        if is_repeat && self.is_right(email, password.clone(), Some(&account.hash)).await? {
            return Ok(Some(account));
        }
        Err(Error::EmailTaken)
    }

    /// The present time as the store keeps it.
    fn now(&self) -> Timestamp {
        as_stored(self.clock.now())
    }

    async fn new_user(&self, email: Email, name: Name, role: Role) -> Result<User, Error> {
        let id = UserId::from_uuid(self.clock.new_id());
        let (number, created_at) = (self.numbers.next().await?, self.now());
        Ok(User {
            id,
            number,
            email,
            name,
            role,
            version: 1,
            created_at,
            updated_at: created_at,
            is_verified: false,
            deactivated_at: None,
        })
    }

    /// The public keys of access tokens, for verifiers outside of the shop.
    ///
    /// # Errors
    /// When the mounted key set cannot be read.
    pub(crate) async fn key_set(&self) -> anyhow::Result<Value> {
        self.published.read(self.now()).await
    }

    fn user_created(&self, user: &User) -> Envelope {
        let fact = UserFact { user_id: user.id, number: user.number };
        self.envelope(user.id.to_string(), user.version, user.created_at, Event::UserCreated(fact))
    }

    fn envelope(&self, aggregate: String, version: i64, occurred_at: Timestamp, event: Event) -> Envelope {
        let id = EventId::from_uuid(self.clock.new_id());
        Envelope { id, aggregate, version, occurred_at, traceparent: context::traceparent(), event }
    }
}

/// A time as the store keeps it, so that a thing reads the same when it is made and ever after.
fn as_stored(time: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(time.as_millisecond()).unwrap_or(time)
}

/// A secret that nobody has seen.
fn new_secret() -> Result<Secret, Error> {
    let mut random = [0; BYTES];
    getrandom::fill(&mut random).map_err(Error::Random)?;
    Ok(Secret::new(random))
}

/// What is kept of a registration, to know it again. The password is not in it: a fast hash over it would make guessing
/// cheap, and it is compared by its own hash anyway.
fn registration(key: &IdempotencyKey, name: &Name) -> Registration {
    let mut hash = Sha256::new();
    for part in [key.as_str(), name.as_str()] {
        hash.update(part.as_bytes());
        // Neither holds a NUL.
        hash.update([0]);
    }
    Registration(hash.finalize().into())
}
