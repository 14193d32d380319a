//! What staff sees and admins change of other people's accounts. Every change is written down in the same transaction.

use shop_mongo::Claim;
use shop_types::{Email, Page, Role, UserId};

use super::account::TURNS;
use super::sessions::Reason;
use super::{App, Error, new_secret};
use crate::domain::audit::{Action, AuditId, Entry};
use crate::domain::letter::Purpose;
use crate::domain::{Change, Name, Password, Search, User};
use crate::store::{Account, AccountChange, Changed, Details, Edited, Opening};

/// An account to open for somebody.
#[derive(Debug)]
pub(crate) struct NewUser {
    pub(crate) email: Email,
    pub(crate) name: Name,
    pub(crate) role: Role,
}

impl App {
    /// Opens an account for somebody, who gets a letter to choose a password; with a claimed key once, however often it is
    /// asked for, and `true` when that was before.
    ///
    /// # Errors
    /// [`Error::EmailTaken`], [`Error::KeyReused`], [`Error::NoLongerAdmin`]; [`Error::Hashing`] when too many passwords are
    /// being checked; [`Error::NoSuchUser`] when it was opened before and is gone.
    pub(crate) async fn create_user(
        &self,
        admin: UserId,
        new: &NewUser,
        claim: Option<&Claim>,
    ) -> Result<(User, bool), Error> {
        let NewUser { email, name, role } = new;
        // Another turn follows only when somebody else used the claimed key or took the address meanwhile.
        loop {
            // Read before the key: whoever used it has taken the address in the same transaction.
            let is_taken = self.store.account(email).await?.is_some();
            if let Some(claim) = claim
                && let Some(row) = self.store.request(claim).await?
            {
                if !claim.fits(&row) {
                    return Err(Error::KeyReused);
                }
                let id = row.resource.parse().map_err(|_| Error::NoSuchUser)?;
                return Ok((self.user(id).await?, true));
            }
            if is_taken {
                return Err(Error::EmailTaken);
            }
            // A password that nobody has seen.
            let hash = self.hashing.hash(Password::typed(&new_secret()?.expose())).await?;
            let user = self.new_user(email.clone(), name.clone(), *role).await?;
            let opening = Opening {
                entry: self.entry(admin, user.id, Action::Created),
                event: self.user_created(&user),
                letter: self.posted(&user, Purpose::Reset)?,
                start: claim.map(|claim| claim.start(user.id.to_string())),
                account: Account::of_person(user.clone(), hash, None),
            };
            match self.store.open_account(opening).await? {
                Edited::Done => {
                    tracing::info!(user.id = %user.id, admin.id = %admin, "Opened account {} for somebody", user.id);
                    return Ok((user, false));
                }
                Edited::EmailTaken | Edited::Missed => {}
                Edited::NoLongerAdmin => return Err(Error::NoLongerAdmin),
            }
        }
    }

    /// Gives an account that is still at `expected` another name or address. To another address goes a letter to verify it.
    ///
    /// # Errors
    /// [`Error::NoSuchUser`], [`Error::OwnAccount`], [`Error::Stale`], [`Error::EmailTaken`], [`Error::NoLongerAdmin`].
    pub(crate) async fn change_details(
        &self,
        admin: UserId,
        (id, expected): (UserId, i64),
        name: Option<Name>,
        email: Option<Email>,
    ) -> Result<User, Error> {
        let user = self.others_account(admin, id).await?;
        if user.version != expected {
            return Err(Error::Stale { current: user.version });
        }
        let (name, email) = (name.unwrap_or_else(|| user.name.clone()), email.unwrap_or_else(|| user.email.clone()));
        if (&name, &email) == (&user.name, &user.email) {
            return Ok(user);
        }
        let (is_other_address, version) = (email != user.email, expected.saturating_add(1));
        let is_verified = user.is_verified && !is_other_address;
        let entry = self.entry(admin, id, Action::DetailsChanged);
        let changed = User { email, name, version, is_verified, updated_at: entry.at, ..user };
        let letter = if is_other_address { Some(self.posted(&changed, Purpose::Verification)?) } else { None };
        match self.store.change_details(Details { entry, changed: changed.clone(), letter }).await? {
            Edited::Done => {
                tracing::info!(user.id = %id, admin.id = %admin, "Changed account {id} ({})", entry.action.word());
                Ok(changed)
            }
            Edited::EmailTaken => Err(Error::EmailTaken),
            Edited::Missed => Err(Error::Stale { current: self.user(id).await?.version }),
            Edited::NoLongerAdmin => Err(Error::NoLongerAdmin),
        }
    }

    /// Gives somebody else's account another name at whichever version it is.
    ///
    /// # Errors
    /// As [`Self::change_details`].
    pub(crate) async fn rename_other(&self, admin: UserId, id: UserId, name: &Name) -> Result<User, Error> {
        for _ in 1..TURNS {
            let version = self.user(id).await?.version;
            match self.change_details(admin, (id, version), Some(name.clone()), None).await {
                Err(Error::Stale { .. }) => {}
                done => return done,
            }
        }
        let version = self.user(id).await?.version;
        self.change_details(admin, (id, version), Some(name.clone()), None).await
    }

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

    pub(super) async fn others_account(&self, admin: UserId, id: UserId) -> Result<User, Error> {
        let user = self.user(id).await?;
        // So whoever changes accounts stays an admin, and there is always one.
        if user.id == admin { Err(Error::OwnAccount) } else { Ok(user) }
    }

    /// Changes an account at the version that was read and ends its sessions; `None` when it has another one.
    async fn change(&self, admin: UserId, user: &User, change: Change) -> Result<Option<User>, Error> {
        let first = self.ending(user.id, None).await?;
        let entry = self.entry(admin, user.id, change.action());
        match self.store.change_account(AccountChange { entry, change, expected: user.version }, &first).await? {
            Changed::Done(changed) => {
                self.has_ended(user.id, &first, Reason::Admin).await;
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
}
