//! API keys: made and removed by admins, exchanged for access tokens by programs.

use std::time::Duration;

use jiff::Timestamp;
use shop_mongo::Claim;
use shop_types::event::RevocationFact;
use shop_types::{Event, Page, Role, UserId};

use super::sessions::Reason;
use super::{App, Error, as_stored, new_secret};
use crate::domain::audit::Action;
use crate::domain::secret::Secret;
use crate::domain::session::later;
use crate::domain::token_request::{Refused, TokenRequest};
use crate::domain::{ApiKey, Name, ProgramRole};
use crate::store::{Changed, Revocation};

/// A key to make.
#[derive(Debug)]
pub(crate) struct NewKey {
    pub(crate) name: Name,
    pub(crate) role: ProgramRole,
    /// When it ends by itself.
    pub(crate) expires_at: Option<Timestamp>,
}

/// What a key brings. Never printed.
pub(crate) struct Grant {
    pub(crate) token: String,
    pub(crate) expires_in: Duration,
    pub(crate) role: Role,
}

impl App {
    /// A page of the keys that were not removed, the newest first.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub(crate) async fn api_keys(&self, number: u32, size: u32) -> Result<Page<ApiKey>, Error> {
        let (keys, total) = self.store.api_keys(number, size).await?;
        Ok(Page::new(keys, number, size, total))
    }

    /// A key.
    ///
    /// # Errors
    /// [`Error::NoSuchKey`].
    pub(crate) async fn api_key(&self, id: UserId) -> Result<ApiKey, Error> {
        self.store.api_key(id).await?.ok_or(Error::NoSuchKey)
    }

    /// Makes a key; with a claimed Idempotency-Key once, however often it is asked for. The secret is known only now: a
    /// repeat gets the key without it.
    ///
    /// # Errors
    /// [`Error::PastExpiry`], [`Error::KeyReused`], [`Error::NoLongerAdmin`]; [`Error::NoSuchKey`] when it was made before and
    /// removed since.
    pub(crate) async fn create_api_key(
        &self,
        admin: UserId,
        new: NewKey,
        claim: Option<Claim>,
    ) -> Result<(ApiKey, Option<Secret>), Error> {
        let NewKey { name, role, expires_at } = new;
        let (secret, now) = (new_secret()?, self.now());
        let (id, expires_at) = (UserId::from_uuid(self.clock.new_id()), expires_at.map(as_stored));
        let key = ApiKey {
            id,
            name,
            role,
            created_by: admin,
            created_at: now,
            expires_at,
            last_used_at: None,
            tokens_until: None,
        };
        // Another turn follows only when somebody else used the claimed key meanwhile.
        loop {
            if let Some(claim) = &claim
                && let Some(row) = self.store.request(claim).await?
            {
                if !claim.fits(&row) {
                    return Err(Error::KeyReused);
                }
                let id = row.resource.parse().map_err(|_| Error::NoSuchKey)?;
                return Ok((self.api_key(id).await?, None));
            }
            if !key.counts(now) {
                return Err(Error::PastExpiry);
            }
            let entry = self.entry(admin, id, Action::KeyCreated);
            let start = claim.as_ref().map(|claim| claim.start(id.to_string()));
            match self.store.create_api_key(&key, secret.digest(), &entry, start).await? {
                Changed::Done(()) => {
                    tracing::info!(user.id = %id, admin.id = %admin, "Made API key {id}");
                    return Ok((key, Some(secret)));
                }
                Changed::Missed => {}
                Changed::NoLongerAdmin => return Err(Error::NoLongerAdmin),
            }
        }
    }

    /// Removes a key and ends its tokens: here at once, in every other pod as soon as it hears of it.
    ///
    /// # Errors
    /// [`Error::NoSuchKey`], [`Error::NoLongerAdmin`].
    pub(crate) async fn remove_api_key(&self, admin: UserId, id: UserId) -> Result<(), Error> {
        // Another turn follows only when it was removed meanwhile, or a pod with a longer life of tokens made one.
        loop {
            let key = self.api_key(id).await?;
            let now = self.now();
            let fact = RevocationFact { session_id: key.session(), until: key.last_token(self.lifetimes.access, now) };
            let event = self.envelope(fact.session_id.to_string(), 1, now, Event::SessionRevoked(fact.clone()));
            let (entry, revocation) = (self.entry(admin, id, Action::KeyRemoved), Revocation { fact, event });
            match self.store.remove_api_key(&entry, &revocation).await? {
                Changed::Done(()) => {
                    self.told(&revocation.fact, Reason::KeyRemoved);
                    tracing::info!(user.id = %id, admin.id = %admin, "Removed API key {id}");
                    return Ok(());
                }
                Changed::Missed => {}
                Changed::NoLongerAdmin => return Err(Error::NoLongerAdmin),
            }
        }
    }

    /// Exchanges a key for an access token.
    ///
    /// # Errors
    /// [`Error::Token`]; a key that is unknown, removed or over, and a wrong secret are one refusal.
    ///
    /// Source: RFC 6749 section 4.4.
    pub(crate) async fn exchange_api_key(&self, request: TokenRequest) -> Result<Grant, Error> {
        let TokenRequest { key, secret, scope } = request;
        let now = self.now();
        let tokens_until = later(now, self.lifetimes.access);
        let key = self.store.use_api_key(key, secret.digest(), now, tokens_until).await?.ok_or(Refused::Client)?;
        let role = Role::from(key.role);
        if scope.is_some_and(|scope| scope != role.as_str()) {
            return Err(Refused::Scope.into());
        }
        let expires_in = key.token_life(self.lifetimes.access, now);
        let (session, jti) = (key.session(), self.clock.new_id());
        let token = self.keys.signer.sign(key.id, session, role, now, expires_in, jti).map_err(Error::Sign)?;
        Ok(Grant { token, expires_in, role })
    }
}
