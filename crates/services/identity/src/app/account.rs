//! One's own account.

use shop_types::UserId;

use super::{App, Error};
use crate::domain::{Name, User};

impl App {
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
}
