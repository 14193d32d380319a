//! Sessions: opening them by password, going on by refresh token, ending them.

use std::time::Duration;

use jiff::Timestamp;
use shop_types::event::RevocationFact;
use shop_types::{Email, Event, Page, SessionId, UserId};

use super::{App, Error};
use crate::domain::session::{Generation, later};
use crate::domain::{Password, Presented, RefreshToken, Session, User};
use crate::store::{Account, Revocation};

/// A pair of tokens. Never printed.
pub(crate) struct Tokens {
    pub(crate) access: String,
    pub(crate) refresh: RefreshToken,
    /// How long the access token lives.
    pub(crate) expires_in: Duration,
}

/// Why a session ends before its time; the word in metrics and logs.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reason {
    Logout,
    Reuse,
    /// The account has the password of another Shop now.
    NewShop,
    /// Its owner ended it from another session.
    Owner,
    /// The account has another password now.
    Password,
    /// An admin gave the account another role or closed it.
    Admin,
    /// The account is gone.
    Deleted,
    /// An admin removed the API key whose tokens had it.
    KeyRemoved,
    /// What proves who owns the account changed while the session was opened.
    Overtaken,
}

impl Reason {
    const fn word(self) -> &'static str {
        match self {
            Self::Logout => "logout",
            Self::Reuse => "refresh_token_reused",
            Self::NewShop => "new_shop",
            Self::Owner => "ended_by_owner",
            Self::Password => "password_changed",
            Self::Admin => "ended_by_admin",
            Self::Deleted => "account_deleted",
            Self::KeyRemoved => "api_key_removed",
            Self::Overtaken => "overtaken",
        }
    }
}

impl App {
    /// Opens a session for whoever knows an account's password. An address without an account costs the same work and is
    /// answered the same.
    ///
    /// # Errors
    /// [`Error::WrongCredentials`]; [`Error::TooManyMisses`]; [`Error::Deactivated`]; [`Error::Hashing`] when too many passwords
    /// are being checked.
    pub(crate) async fn login(&self, email: &Email, password: Password) -> Result<(User, Tokens), Error> {
        let account = self.store.account(email).await?;
        let hash = account.as_ref().map(|account| &account.hash);
        let is_right = self.is_right(email, password, hash).await.inspect_err(|error| {
            if matches!(error, Error::TooManyMisses { .. }) {
                self.logins.with_label_values(&["rate_limited"]).inc();
            }
        })?;
        let Some(account) = account.filter(|_| is_right) else {
            self.logins.with_label_values(&["wrong_credentials"]).inc();
            return Err(Error::WrongCredentials);
        };
        let tokens = match self.open_session(&account).await {
            Err(Error::Deactivated) => {
                self.logins.with_label_values(&["deactivated"]).inc();
                return Err(Error::Deactivated);
            }
            opened => opened?,
        };
        self.logins.with_label_values(&["ok"]).inc();
        Ok((account.user, tokens))
    }

    /// Opens a session for the owner of an account, who has just proved it.
    ///
    /// # Errors
    /// [`Error::Deactivated`]; [`Error::WrongCredentials`] when the account has changed since it was read.
    pub(super) async fn open_session(&self, account: &Account) -> Result<Tokens, Error> {
        let user = &account.user;
        if !user.is_active() {
            return Err(Error::Deactivated);
        }
        let (session, tokens) = self.new_session(user, account.generation)?;
        self.store.insert_session(&session).await?;
        // Whoever changed the account meanwhile ended the sessions that were there, and may not have seen this one: see `endings`.
        if self.store.account_of(user.id).await?.is_some_and(|present| present.proves_like(account)) {
            return Ok(tokens);
        }
        self.revoke(session.id, Some(&session), Reason::Overtaken).await?;
        Err(Error::WrongCredentials)
    }

    /// A session that nobody has written yet, of this generation of the account, and its first tokens.
    pub(super) fn new_session(&self, user: &User, generation: Generation) -> Result<(Session, Tokens), Error> {
        let mut salt = [0; 32];
        getrandom::fill(&mut salt).map_err(Error::Random)?;
        let (id, now) = (SessionId::from_uuid(self.clock.new_id()), self.now());
        let (session, refresh) = Session::open(id, user.id, salt, &self.keys.refresh, self.lifetimes, now);
        let session = session.of(generation);
        let tokens = self.tokens(user, &session, refresh, now)?;
        Ok((session, tokens))
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
                    let user = self.holder(&session).await?;
                    return self.tokens(&user, &session, successor, now);
                }
                Presented::Rotate => {
                    let user = self.holder(&session).await?;
                    let (next, refresh) = session.rotate(&self.keys.refresh, self.lifetimes, now);
                    let tokens = self.tokens(&user, &next, refresh, now)?;
                    if self.store.advance_session(&next, session.counter).await? {
                        return Ok(tokens);
                    }
                }
            }
        }
    }

    /// The account of a session that goes on in it.
    async fn holder(&self, session: &Session) -> Result<User, Error> {
        let account = self.store.account_of(session.user).await?;
        let account = account.filter(|account| account.user.is_active() && account.generation.has(session));
        Ok(account.ok_or(Error::InvalidRefreshToken)?.user)
    }

    /// Ends the session of an access token: neither that token nor the session's refresh token counts any more.
    ///
    /// # Errors
    /// [`Error::NoSession`] for the token of an API key.
    pub(crate) async fn logout(&self, user: UserId, id: SessionId) -> Result<(), Error> {
        let session = self.store.session(id).await?;
        if session.is_none() && self.store.api_key(user).await?.is_some() {
            return Err(Error::NoSession);
        }
        self.revoke(id, session.as_ref(), Reason::Logout).await
    }

    /// One's own sessions that can go on, the last used first.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub(crate) async fn sessions(&self, user: UserId, number: u32, size: u32) -> Result<Page<Session>, Error> {
        let (sessions, total) = self.store.open_sessions(user, self.now(), number, size).await?;
        Ok(Page::new(sessions, number, size, total))
    }

    /// Ends one of one's own sessions.
    ///
    /// # Errors
    /// [`Error::NoSuchSession`] also for one of somebody else, and for one that has ended.
    pub(crate) async fn end_session(&self, user: UserId, id: SessionId) -> Result<(), Error> {
        let session = self.store.session(id).await?;
        let session = session.filter(|session| session.user == user && session.is_open(self.now()));
        let session = session.ok_or(Error::NoSuchSession)?;
        self.revoke(id, Some(&session), Reason::Owner).await
    }

    /// Ends all of one's own sessions but the one that asks.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub(crate) async fn end_other_sessions(&self, user: UserId, here: SessionId) -> Result<(), Error> {
        self.end_sessions(user, Some(here), Reason::Owner).await
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

    pub(super) fn revocation(&self, id: SessionId, session: Option<&Session>) -> Revocation {
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

    /// Counts the end of a session or key, and lets this pod know without waiting for the event.
    pub(super) fn told(&self, fact: &RevocationFact, reason: Reason) {
        self.verifier.revocations().revoke(fact.session_id, fact.until);
        self.revoked.with_label_values(&[reason.word()]).inc();
    }

    /// The sessions whose access tokens may still be alive although the session was revoked, also those of API keys.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub(crate) async fn revocations(&self) -> Result<Vec<RevocationFact>, Error> {
        let (mut facts, keys) =
            tokio::try_join!(self.store.revocations(self.now()), self.store.removed_api_keys(self.now()))?;
        facts.extend(keys);
        Ok(facts)
    }
}
