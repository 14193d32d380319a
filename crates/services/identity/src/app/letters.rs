//! Letters to somebody's address, and what their tokens bring. The letters are written and sent by others: identity tells
//! of them by an event that holds the token.

use std::sync::Arc;

use shop_telemetry::context;
use shop_types::event::{LetterFact, LetterSecret};
use shop_types::{Email, Event, UserId};

use super::sessions::Reason;
use super::{App, Error, new_secret};
use crate::domain::letter::{Letter, Purpose};
use crate::domain::secret::Secret;
use crate::domain::{Password, User};
use crate::store::{Posted, Reset};

impl App {
    /// Sends a letter with which the owner of an address can choose another password, if the address has an account that
    /// is not closed. Done on a task of its own: the caller learns neither by the answer nor by its time which it was.
    ///
    /// # Errors
    /// [`Error::Busy`] when too many of these are under way.
    pub(crate) fn forgot_password(self: Arc<Self>, email: Email) -> Result<(), Error> {
        let place = Arc::clone(&self.letters).try_acquire_owned().map_err(|_| Error::Busy)?;
        let sending = context::spawn(async move {
            if let Err(error) = self.send_reset(&email).await {
                let error = &error as &(dyn std::error::Error + 'static);
                tracing::error!(error, "A letter to choose another password was not sent");
            }
            drop(place);
        });
        // Nobody waits for it.
        drop(sending);
        Ok(())
    }

    async fn send_reset(&self, email: &Email) -> Result<(), Error> {
        let account = self.store.account(email).await?;
        match account.map(|account| account.user).filter(User::is_active) {
            Some(user) => self.send(&user, Purpose::Reset).await,
            None => Ok(()),
        }
    }

    /// Sends the owner of an account another letter to verify their address, unless it is verified.
    ///
    /// # Errors
    /// [`Error::NoSuchUser`].
    pub(crate) async fn verify_again(&self, id: UserId) -> Result<(), Error> {
        let user = self.user(id).await?;
        if user.is_verified { Ok(()) } else { self.send(&user, Purpose::Verification).await }
    }

    async fn send(&self, user: &User, purpose: Purpose) -> Result<(), Error> {
        let posted = self.posted(user, purpose)?;
        if !self.store.post(posted, self.now()).await? {
            tracing::info!(user.id = %user.id, "Sent no further letter ({}): account or address has had enough, or the account has changed", purpose.word());
        }
        Ok(())
    }

    /// A new letter, and the event that tells of it.
    pub(super) fn posted(&self, user: &User, purpose: Purpose) -> Result<Posted, Error> {
        let (token, now) = (new_secret()?, self.now());
        let letter = Letter::new(&token, purpose, user.id, user.email.clone(), now);
        let fact =
            LetterFact { user_id: user.id, token: LetterSecret::new(token.expose()), expires_at: letter.expires_at };
        let event = match purpose {
            Purpose::Reset => Event::PasswordForgotten(fact),
            Purpose::Verification => Event::EmailEntered(fact),
        };
        Ok(Posted { event: self.envelope(user.id.to_string(), user.version, now, event), letter })
    }

    /// Gives the account of a letter another password, ends its sessions, and makes its other letters of this kind worthless.
    ///
    /// # Errors
    /// [`Error::SpentToken`] for every token that does not count, whatever the cause; [`Error::Hashing`] when too many
    /// passwords are being checked.
    pub(crate) async fn reset_password(&self, token: &str, password: Password) -> Result<(), Error> {
        // Looked at before anything is hashed: an invented token costs little.
        let letter = self.counting(token, Purpose::Reset).await?;
        let hash = self.hashing.hash(password).await?;
        let user = letter.user;
        let first = self.ending(user, None).await?;
        if !self.store.reset_password(Reset { letter, hash, now: self.now() }, &first).await? {
            return Err(Error::SpentToken);
        }
        self.has_ended(user, &first, Reason::Password).await;
        tracing::info!(user.id = %user, "Account {user} has another password by a letter");
        Ok(())
    }

    /// Notes that the owner of an account reads the address of a letter, if it still is the account's.
    ///
    /// # Errors
    /// [`Error::SpentToken`] for every token that does not count, whatever the cause.
    pub(crate) async fn verify_email(&self, token: &str) -> Result<(), Error> {
        let letter = self.counting(token, Purpose::Verification).await?;
        if self.store.verify_email(letter, self.now()).await? { Ok(()) } else { Err(Error::SpentToken) }
    }

    async fn counting(&self, token: &str, purpose: Purpose) -> Result<Letter, Error> {
        let token = Secret::parse(token).map_err(|_| Error::SpentToken)?;
        self.store.letter(token.digest(), purpose, self.now()).await?.ok_or(Error::SpentToken)
    }
}
