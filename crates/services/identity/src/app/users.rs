//! What staff sees and admins change of other people's accounts. Every change is written down in the same transaction.

use shop_types::{Page, Role, UserId};

use super::sessions::{Ending, Reason};
use super::{App, Error};
use crate::domain::audit::{Action, AuditId, Entry};
use crate::domain::{Change, Search, User};
use crate::store::{AccountChange, AuditFilter, Changed};

impl App {
    /// A page of all accounts, newest first, or of those found by name, in the order of names.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub(crate) async fn users(
        &self,
        role: Option<Role>,
        search: Option<&Search>,
        (number, size): (u32, u32),
    ) -> Result<Page<User>, Error> {
        let (users, total) = self.store.users_page(role, search, number, size).await?;
        Ok(Page::new(users, number, size, total))
    }

    /// Gives an account that is still at `expected` another role and ends its sessions: their tokens name the old one.
    ///
    /// # Errors
    /// [`Error::NoSuchUser`], [`Error::OwnAccount`], [`Error::Stale`], [`Error::NoLongerAdmin`].
    pub(crate) async fn set_role(&self, admin: UserId, id: UserId, expected: i64, role: Role) -> Result<User, Error> {
        let user = self.others_account(admin, id).await?;
        if user.version != expected {
            return Err(Error::Stale { current: user.version });
        }
        if user.role == role {
            return Ok(user);
        }
        let change = Change::Role { from: user.role, to: role };
        match self.change(admin, &user, change).await? {
            Some(changed) => Ok(changed),
            None => Err(Error::Stale { current: self.user(id).await?.version }),
        }
    }

    /// Closes an account: its sessions end, and nobody can log in until it is opened again. Closing it twice is closing it
    /// once.
    ///
    /// # Errors
    /// [`Error::NoSuchUser`], [`Error::OwnAccount`], [`Error::NoLongerAdmin`].
    pub(crate) async fn deactivate(&self, admin: UserId, id: UserId) -> Result<User, Error> {
        self.switch(admin, id, Change::Close).await
    }

    /// Opens an account that was closed.
    ///
    /// # Errors
    /// As [`Self::deactivate`].
    pub(crate) async fn activate(&self, admin: UserId, id: UserId) -> Result<User, Error> {
        self.switch(admin, id, Change::Open).await
    }

    async fn switch(&self, admin: UserId, id: UserId, change: Change) -> Result<User, Error> {
        // Another turn follows only when somebody else changed the account meanwhile.
        loop {
            let user = self.others_account(admin, id).await?;
            if user.is_active() == (change == Change::Open) {
                return Ok(user);
            }
            if let Some(changed) = self.change(admin, &user, change).await? {
                return Ok(changed);
            }
        }
    }

    async fn others_account(&self, admin: UserId, id: UserId) -> Result<User, Error> {
        let user = self.user(id).await?;
        // So whoever changes accounts stays an admin, and there is always one.
        if user.id == admin { Err(Error::OwnAccount) } else { Ok(user) }
    }

    /// Changes an account at the version that was read and ends its sessions; `None` when it has another one.
    async fn change(&self, admin: UserId, user: &User, change: Change) -> Result<Option<User>, Error> {
        let Ending { last, before: _ } = self.ending(user.id, None, Reason::Admin).await?;
        let entry = self.entry(admin, user.id, change.action());
        match self.store.change_account(AccountChange { entry, change, expected: user.version }, &last).await? {
            Changed::Done(changed) => {
                self.ended(&last, Reason::Admin);
                // Those that were opened while it happened.
                self.end_sessions(user.id, None, Reason::Admin).await?;
                let word = entry.action.word();
                tracing::info!(user.id = %user.id, admin.id = %admin, "Changed account {} ({word})", user.id);
                Ok(Some(changed))
            }
            Changed::Missed => Ok(None),
            Changed::NoLongerAdmin => Err(Error::NoLongerAdmin),
        }
    }

    /// What is written down about something that an admin does now.
    pub(super) fn entry(&self, admin: UserId, user: UserId, action: Action) -> Entry {
        Entry { id: AuditId::from_uuid(self.clock.new_id()), at: self.now(), actor: admin, user, action }
    }

    /// A page of what was done to accounts, the latest first.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub(crate) async fn audit(&self, filter: AuditFilter, (number, size): (u32, u32)) -> Result<Page<Entry>, Error> {
        let (entries, total) = self.store.audit_page(filter, number, size).await?;
        Ok(Page::new(entries, number, size, total))
    }
}
