//! The operations of identity: load, decide by the rules of `domain`, save.

mod error;
mod first_admin;
pub(crate) mod hashing;
mod keys;

use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use prometheus::IntCounterVec;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use shop_auth::Verifier;
use shop_mongo::Numbers;
use shop_service::Service;
use shop_telemetry::context;
use shop_types::event::{RevocationFact, UserFact};
use shop_types::{Clock, Email, Envelope, Event, EventId, IdempotencyKey, Role, SessionId, UserId};

pub(crate) use self::error::Error;
use self::first_admin::FirstAdmin;
use self::hashing::Hashing;
use self::keys::{Keys, PublishedKeys};
use crate::domain::session::later;
use crate::domain::{Lifetimes, Name, Password, Presented, RefreshToken, Session, User};
use crate::store::{Account, Created, Registration, Revocation, Store};

/// The operations of identity over its own database.
pub(crate) struct App {
    store: Store,
    keys: Keys,
    published: PublishedKeys,
    hashing: Hashing,
    numbers: Numbers,
    verifier: Arc<Verifier>,
    clock: Arc<dyn Clock>,
    lifetimes: Lifetimes,
    first_admin: Option<FirstAdmin>,
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

/// A pair of tokens. Never printed.
pub(crate) struct Tokens {
    pub(crate) access: String,
    pub(crate) refresh: RefreshToken,
    /// How long the access token lives.
    pub(crate) expires_in: Duration,
}

/// Why a session ends before its time; the word in metrics and logs.
#[derive(Debug, Clone, Copy)]
enum Reason {
    Logout,
    Reuse,
    /// The account has the password of another Shop now.
    NewShop,
}

impl Reason {
    const fn word(self) -> &'static str {
        match self {
            Self::Logout => "logout",
            Self::Reuse => "refresh_token_reused",
            Self::NewShop => "new_shop",
        }
    }
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
            hashing: Hashing::new(cores, metrics)?,
            numbers: Numbers::new(mongo, "users"),
            verifier: Arc::clone(service.verifier()),
            clock,
            lifetimes,
            first_admin: FirstAdmin::from_config(&config.identity)?,
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
        if let Some(user) = self.registered(&email, &password, registration.as_ref()).await? {
            return Ok((user.clone(), self.open_session(&user).await?));
        }
        let hash = self.hashing.hash(password.clone()).await?;
        let user = self.new_user(email, name, Role::Customer).await?;
        let event = self.user_created(&user);
        let account = Account { user: user.clone(), hash, registration: registration.clone(), shops: Vec::new() };
        match self.store.create_user(&account, event).await? {
            Created::Done => {}
            // Somebody was faster, perhaps this very registration on its first way.
            Created::EmailTaken | Created::AdminExists => {
                let made = self.registered(&user.email, &password, registration.as_ref()).await?;
                let user = made.ok_or(Error::EmailTaken)?;
                return Ok((user.clone(), self.open_session(&user).await?));
            }
        }
        tracing::info!(user.id = %user.id, "Opened account {}", user.id);
        Ok((user.clone(), self.open_session(&user).await?))
    }

    /// The account that this registration has opened before; `None` when the address is free.
    async fn registered(
        &self,
        email: &Email,
        password: &Password,
        registration: Option<&Registration>,
    ) -> Result<Option<User>, Error> {
        let Some(account) = self.store.account(email).await? else { return Ok(None) };
        let is_repeat = registration.zip(account.registration.as_ref()).is_some_and(|(sent, kept)| sent.is_same(kept));
        if is_repeat && self.hashing.is_right(password.clone(), Some(&account.hash)).await? {
            return Ok(Some(account.user));
        }
        Err(Error::EmailTaken)
    }

    /// The present time as the store keeps it, so that a thing reads the same when it is made and ever after.
    fn now(&self) -> Timestamp {
        let now = self.clock.now();
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }

    async fn new_user(&self, email: Email, name: Name, role: Role) -> Result<User, Error> {
        let id = UserId::from_uuid(self.clock.new_id());
        let (number, created_at) = (self.numbers.next().await?, self.now());
        Ok(User { id, number, email, name, role, version: 1, created_at })
    }

    /// Opens a session for whoever knows an account's password. An address without an account costs the same work and is
    /// answered the same.
    ///
    /// # Errors
    /// [`Error::WrongCredentials`]; [`Error::Hashing`] when too many passwords are being checked.
    pub(crate) async fn login(&self, email: &Email, password: Password) -> Result<(User, Tokens), Error> {
        let account = self.store.account(email).await?;
        let is_right = self.hashing.is_right(password, account.as_ref().map(|account| &account.hash)).await?;
        let Some(user) = account.filter(|_| is_right).map(|account| account.user) else {
            self.logins.with_label_values(&["wrong_credentials"]).inc();
            return Err(Error::WrongCredentials);
        };
        let tokens = self.open_session(&user).await?;
        self.logins.with_label_values(&["ok"]).inc();
        Ok((user, tokens))
    }

    async fn open_session(&self, user: &User) -> Result<Tokens, Error> {
        let mut salt = [0; 32];
        getrandom::fill(&mut salt).map_err(Error::Random)?;
        let (id, now) = (SessionId::from_uuid(self.clock.new_id()), self.now());
        let (session, refresh) = Session::open(id, user.id, salt, &self.keys.refresh, self.lifetimes, now);
        let tokens = self.tokens(user, &session, refresh, now)?;
        self.store.insert_session(&session).await?;
        Ok(tokens)
    }

    fn tokens(&self, user: &User, session: &Session, refresh: RefreshToken, now: Timestamp) -> Result<Tokens, Error> {
        let (expires_in, jti) = (self.lifetimes.access, self.clock.new_id());
        let access =
            self.keys.signer.sign(user.id, session.id, user.role, now, expires_in, jti).map_err(Error::Sign)?;
        Ok(Tokens { access, refresh, expires_in })
    }

    /// Exchanges a refresh token for a new pair. The same token again within 10 s, while the new one is unused, brings the
    /// same refresh token; later it ends the session.
    ///
    /// # Errors
    /// [`Error::InvalidRefreshToken`] for every token that does not count, whatever the cause.
    ///
    /// Source: RFC 9700 section 4.14.2.
    pub(crate) async fn refresh(&self, sent: &str) -> Result<Tokens, Error> {
        let sent = RefreshToken::parse(sent).map_err(|_| Error::InvalidRefreshToken)?;
        // A second turn follows only when another use of the same token came first, and then it never rotates.
        loop {
            let now = self.now();
            let session = self.store.session(sent.session).await?.ok_or(Error::InvalidRefreshToken)?;
            let judgement = session.judge(&sent, &self.keys.refresh, now);
            match judgement {
                Presented::Refused => return Err(Error::InvalidRefreshToken),
                Presented::Reused => {
                    tracing::warn!(session.id = %session.id, user.id = %session.user, "A refresh token was used twice");
                    self.revoke(session.id, Some(&session), Reason::Reuse).await?;
                    return Err(Error::InvalidRefreshToken);
                }
                Presented::Repeat(successor) => {
                    let user = self.store.user(session.user).await?.ok_or(Error::InvalidRefreshToken)?;
                    return self.tokens(&user, &session, successor, now);
                }
                Presented::Rotate => {
                    let user = self.store.user(session.user).await?.ok_or(Error::InvalidRefreshToken)?;
                    let (next, refresh) = session.rotate(&self.keys.refresh, self.lifetimes, now);
                    let tokens = self.tokens(&user, &next, refresh, now)?;
                    if self.store.advance_session(&next, session.counter).await? {
                        return Ok(tokens);
                    }
                }
            }
        }
    }

    /// Ends the session of an access token: neither that token nor the session's refresh token counts any more.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub(crate) async fn logout(&self, id: SessionId) -> Result<(), Error> {
        let session = self.store.session(id).await?;
        self.revoke(id, session.as_ref(), Reason::Logout).await
    }

    /// Ends a session and tells every pod. A session that the store has forgotten is told of all the same: a token that
    /// names it was verified.
    async fn revoke(&self, id: SessionId, session: Option<&Session>, reason: Reason) -> Result<(), Error> {
        let Revocation { fact, event } = self.revocation(id, session);
        if self.store.revoke_session(id, session.is_some(), fact.until, event).await? {
            self.revoked.with_label_values(&[reason.word()]).inc();
            tracing::info!(session.id = %id, "Revoked session {id} ({})", reason.word());
        }
        // This pod need not wait for the event.
        self.verifier.revocations().revoke(id, fact.until);
        Ok(())
    }

    fn revocation(&self, id: SessionId, session: Option<&Session>) -> Revocation {
        let now = self.now();
        let until = match session {
            Some(session) => session.last_access(self.lifetimes, now),
            None => later(now, self.lifetimes.access),
        };
        let version = session.map_or(1, |session| i64::from(session.counter) + 2);
        let fact = RevocationFact { session_id: id, until };
        let event = self.envelope(id.to_string(), version, now, Event::SessionRevoked(fact.clone()));
        Revocation { fact, event }
    }

    /// One's own account.
    ///
    /// # Errors
    /// [`Error::NoSuchUser`].
    pub(crate) async fn user(&self, id: UserId) -> Result<User, Error> {
        self.store.user(id).await?.ok_or(Error::NoSuchUser)
    }

    /// Changes the name of an account that is still at `expected`.
    ///
    /// # Errors
    /// [`Error::NoSuchUser`], [`Error::Stale`].
    pub(crate) async fn rename(&self, id: UserId, expected: i64, name: &Name) -> Result<User, Error> {
        if let Some(user) = self.store.rename_user(id, expected, name, self.now()).await? {
            return Ok(user);
        }
        Err(Error::Stale { current: self.user(id).await?.version })
    }

    /// The public keys of access tokens, for verifiers outside of the shop.
    ///
    /// # Errors
    /// When the mounted key set cannot be read.
    pub(crate) async fn key_set(&self) -> anyhow::Result<Value> {
        self.published.read(self.now()).await
    }

    /// The sessions whose access tokens may still be alive although the session was revoked.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub(crate) async fn revocations(&self) -> Result<Vec<RevocationFact>, Error> {
        Ok(self.store.revocations(self.now()).await?)
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
