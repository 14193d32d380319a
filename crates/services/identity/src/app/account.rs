//! One's own account.

use shop_types::{Email, SessionId, UserId};

use super::hashing::Hash;
use super::sessions::Reason;
use super::{App, Error};
use crate::domain::letter::Purpose;
use crate::domain::{Name, Password, Search, User};
use crate::store::{Account, EmailChanged, PasswordChange};

/// How often a change that was outrun is tried again.
pub(super) const TURNS: u32 = 5;

impl App {
    /// One's own account.
    ///
    /// # Errors
    /// [`Error::NoSuchUser`].
    pub(crate) async fn user(&self, id: UserId) -> Result<User, Error> {
        self.store.user(id).await?.ok_or(Error::NoSuchUser)
    }

    /// The account with the number that people use.
    ///
    /// # Errors
    /// [`Error::NoSuchUser`].
    pub(crate) async fn user_of_number(&self, number: i64) -> Result<User, Error> {
        let (found, _) = self.store.users_page(None, Some(&Search::Number(number)), 1, 1).await?;
        found.into_iter().next().ok_or(Error::NoSuchUser)
    }

    /// Changes the name of an account at whichever version it is.
    ///
    /// # Errors
    /// [`Error::NoSuchUser`]; [`Error::Stale`] when others change it all the time.
    pub(crate) async fn rename_present(&self, id: UserId, name: &Name) -> Result<User, Error> {
        for _ in 1..TURNS {
            match self.rename(id, self.user(id).await?.version, name).await {
                Err(Error::Stale { .. }) => {}
                done => return done,
            }
        }
        self.rename(id, self.user(id).await?.version, name).await
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

    /// Changes the password of an account and ends its other sessions.
    ///
    /// # Errors
    /// [`Error::NoSuchUser`]; [`Error::WrongPassword`] when the old one is not right, [`Error::TooManyMisses`] when somebody
    /// has got it wrong too often; [`Error::Hashing`] when too many
    /// passwords are being checked.
    pub(crate) async fn change_password(
        &self,
        id: UserId,
        here: SessionId,
        old: Password,
        new: Password,
    ) -> Result<(), Error> {
        let account = self.proven(id, old).await?;
        let hash = self.hashing.hash(new).await?;
        let first = self.ending(id, Some(here)).await?;
        let change = PasswordChange { user: id, here, old: account.hash, new: hash, now: self.now() };
        if !self.store.change_password(change, &first).await? {
            // Somebody else changed it meanwhile: the old one is not right any more.
            return Err(Error::WrongPassword);
        }
        self.has_ended(id, &first, Reason::Password).await;
        tracing::info!(user.id = %id, "Changed the password of account {id}");
        Ok(())
    }

    /// Changes the e-mail address of an account that is still at `expected`, for whoever knows its password, and sends a
    /// letter there to verify it.
    ///
    /// # Errors
    /// As [`Self::change_password`]; [`Error::Stale`]; [`Error::EmailTaken`].
    pub(crate) async fn change_email(
        &self,
        id: UserId,
        expected: i64,
        email: Email,
        password: Password,
    ) -> Result<User, Error> {
        let user = self.proven(id, password).await?.user;
        if user.version != expected {
            return Err(Error::Stale { current: user.version });
        }
        if user.email == email {
            return Ok(user);
        }
        let (now, version) = (self.now(), expected.saturating_add(1));
        let changed = User { email, is_verified: false, version, updated_at: now, ..user };
        let letter = self.posted(&changed, Purpose::Verification)?;
        match self.store.change_email(changed, letter, now).await? {
            EmailChanged::Done(user) => {
                tracing::info!(user.id = %id, "Changed the address of account {id}");
                Ok(user)
            }
            EmailChanged::Taken => Err(Error::EmailTaken),
            EmailChanged::Missed => Err(Error::Stale { current: self.user(id).await?.version }),
        }
    }

    /// The account of whoever has just proved that it is theirs.
    pub(super) async fn proven(&self, id: UserId, password: Password) -> Result<Account, Error> {
        let account = self.store.account_of(id).await?.ok_or(Error::NoSuchUser)?;
        if self.is_right(&account.user.email, password, Some(&account.hash)).await? {
            Ok(account)
        } else {
            Err(Error::WrongPassword)
        }
    }

    /// Compares a password with that of the account of an address, or, when it has none, does the same and answers `false`.
    ///
    /// # Errors
    /// [`Error::TooManyMisses`] also for the right one; [`Error::Hashing`] when too many passwords are being checked.
    pub(super) async fn is_right(&self, email: &Email, password: Password, of: Option<&Hash>) -> Result<bool, Error> {
        let attempt = self.misses.take(email).await?;
        match self.hashing.is_right(password, of).await {
            Ok(false) => Ok(false),
            looked => {
                self.misses.forgive(attempt).await;
                Ok(looked?)
            }
        }
    }
}
