//! The end of an account, by its owner or an admin.

use shop_types::event::UserFact;
use shop_types::{Event, Role, UserId};

use super::sessions::Reason;
use super::{App, Error};
use crate::domain::audit::Action;
use crate::domain::{Password, User};
use crate::store::{Changed, Deletion, Warrant};

impl App {
    /// Deletes one's own account: nothing of the person is left here, and other services forget them when they hear of it.
    ///
    /// # Errors
    /// [`Error::NoSuchUser`]; [`Error::WrongPassword`]; [`Error::OwnAccount`] for an admin, so that there is always one;
    /// [`Error::Hashing`] when too many passwords are being checked.
    pub(crate) async fn delete_me(&self, id: UserId, password: Password) -> Result<(), Error> {
        let account = self.proven(id, password).await?;
        if account.user.role == Role::Admin {
            return Err(Error::OwnAccount);
        }
        match self.delete(&account.user, Warrant::Owner(account.hash)).await? {
            Changed::Done(()) => Ok(()),
            // Password or role have changed meanwhile, or the account is gone: nothing was proved.
            Changed::Missed | Changed::NoLongerAdmin => Err(Error::WrongPassword),
        }
    }

    /// Deletes somebody else's account.
    ///
    /// # Errors
    /// [`Error::NoSuchUser`], [`Error::OwnAccount`], [`Error::NoLongerAdmin`].
    pub(crate) async fn delete_user(&self, admin: UserId, id: UserId) -> Result<(), Error> {
        let user = self.others_account(admin, id).await?;
        let entry = self.entry(admin, id, Action::Deleted);
        match self.delete(&user, Warrant::Admin(entry)).await? {
            Changed::Done(()) => Ok(()),
            Changed::Missed => Err(Error::NoSuchUser),
            Changed::NoLongerAdmin => Err(Error::NoLongerAdmin),
        }
    }

    async fn delete(&self, user: &User, warrant: Warrant) -> Result<Changed<()>, Error> {
        let User { id, number, version, .. } = *user;
        let first = self.ending(id, None).await?;
        let (at, fact) = (self.now(), UserFact { user_id: id, number });
        let event = self.envelope(id.to_string(), version.saturating_add(1), at, Event::UserDeleted(fact));
        let deleted = self.store.delete_account(Deletion { user: id, number, at, warrant, event }, &first).await?;
        if deleted == Changed::Done(()) {
            self.has_ended(id, &first, Reason::Deleted).await;
            tracing::info!(user.id = %id, "Deleted account {id}");
        }
        Ok(deleted)
    }
}
