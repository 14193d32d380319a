//! Accounts in MongoDB.

use std::sync::Arc;

use jiff::Timestamp;
use shop_mongo::{Collection, Document, Error, UpdateOp, bson, doc, outbox, update_versioned};
use shop_types::{Email, Role, UserId};

use super::documents::UserDocument;
use super::sessions::Ended;
use super::{
    Account, Created, EmailChanged, FIRST_ADMIN_INDEX, Newcomer, PasswordChange, Posted, Renewal, Renewed, Revocation,
    SESSIONS, Store, USERS, email, letters, sessions,
};
use crate::domain::letter::Purpose;
use crate::domain::{Name, User};

/// How many Shops are remembered: the present one, and earlier ones of which a pod might still start.
const SHOPS: i32 = 16;

impl Store {
    pub(super) fn users(&self) -> Collection<UserDocument> {
        self.mongo.collection(USERS)
    }

    /// Writes a new account and all that comes with it, without the letter when its address has had enough.
    pub(crate) async fn create_user(&self, newcomer: &Newcomer) -> Result<Created, Error> {
        const WHAT: &str = "create user";
        let Newcomer { account, event, letter, session } = newcomer;
        let document =
            bson::serialize_to_document(&UserDocument::new(account)).map_err(|error| corrupt(WHAT, error))?;
        let session = session.as_ref().map(|session| sessions::document(WHAT, session)).transpose()?;
        let all = Arc::new((document, session, letter.clone(), event.clone(), account.user.created_at));
        let created = self.mongo.transact(WHAT, move |txn| {
            let all = Arc::clone(&all);
            Box::pin(async move {
                let (document, session, letter, event, now) = &*all;
                txn.insert_many(USERS, vec![document.clone()]).await?;
                txn.insert_many(SESSIONS, session.iter().cloned().collect()).await?;
                let mut events = vec![event.clone()];
                if let Some(Posted { letter, event }) = letter
                    && letters::insert(txn, letter, *now).await?
                {
                    events.push(event.clone());
                }
                outbox::append(txn, &events).await
            })
        });
        match created.await {
            Ok(()) => Ok(Created::Done),
            Err(error) if error.is_duplicate_of(email::INDEX) => Ok(Created::EmailTaken),
            Err(error) if error.is_duplicate_of(FIRST_ADMIN_INDEX) => Ok(Created::AdminExists),
            Err(error) => Err(error),
        }
    }

    /// The account of an address.
    pub(crate) async fn account(&self, email: &Email) -> Result<Option<Account>, Error> {
        const WHAT: &str = "find account";
        let (users, filter) = (self.users(), email::filter(email));
        let found = self.mongo.run(WHAT, async move { users.find_one(filter).await }).await?;
        found.map(|stored| stored.into_account().map_err(|error| corrupt(WHAT, error))).transpose()
    }

    /// The account of a user.
    pub(crate) async fn account_of(&self, id: UserId) -> Result<Option<Account>, Error> {
        const WHAT: &str = "find account of user";
        let (users, filter) = (self.users(), doc! { "_id": id.to_string() });
        let found = self.mongo.run(WHAT, async move { users.find_one(filter).await }).await?;
        found.map(|stored| stored.into_account().map_err(|error| corrupt(WHAT, error))).transpose()
    }

    /// A user by id.
    pub(crate) async fn user(&self, id: UserId) -> Result<Option<User>, Error> {
        const WHAT: &str = "find user";
        let (users, filter) = (self.users(), doc! { "_id": id.to_string() });
        let found = self.mongo.run(WHAT, async move { users.find_one(filter).await }).await?;
        found.map(|stored| user(WHAT, stored)).transpose()
    }

    /// Changes the name of a user who is still at `expected`; `None` when there is none.
    pub(crate) async fn rename_user(
        &self,
        id: UserId,
        expected: i64,
        name: &Name,
        now: Timestamp,
    ) -> Result<Option<User>, Error> {
        const WHAT: &str = "rename user";
        let (users, set) = (self.users(), doc! { "name": name.as_str(), "updated_at": bson::DateTime::from(now) });
        let changed =
            self.mongo.run(WHAT, async move { update_versioned(&users, id.to_string(), expected, set).await });
        changed.await?.map(|stored| user(WHAT, stored)).transpose()
    }

    /// Gives a user who is still at the version before this one another address, spends the letters to the one before, and posts
    /// a letter there, unless enough are on their way.
    pub(crate) async fn change_email(
        &self,
        changed: User,
        letter: Posted,
        now: Timestamp,
    ) -> Result<EmailChanged, Error> {
        let set = doc! {
            email::FIELD: email::stored(&changed.email),
            "email_verified": changed.is_verified,
            "version": changed.version,
            "updated_at": bson::DateTime::from(now),
        };
        let guard = doc! { "_id": changed.id.to_string(), "version": changed.version.saturating_sub(1) };
        let (op, letter) = (UpdateOp::new(guard, doc! { "$set": set }), Arc::new(letter));
        let done = self.mongo.transact("change email", move |txn| {
            let (op, letter) = (op.clone(), Arc::clone(&letter));
            Box::pin(async move {
                let is_done = txn.update_many_ops(USERS, vec![op]).await?.matched == 1;
                if is_done {
                    letters::spend(txn, &letter.letter.user.to_string(), None).await?;
                    letters::write(txn, &letter, now).await?;
                }
                Ok(is_done)
            })
        });
        match done.await {
            Ok(true) => Ok(EmailChanged::Done(changed)),
            Ok(false) => Ok(EmailChanged::Missed),
            Err(error) if error.is_duplicate_of(email::INDEX) => Ok(EmailChanged::Taken),
            Err(error) => Err(error),
        }
    }

    /// Replaces the password of a user, ends these sessions, begins a generation of them, and spends letters that would bring yet another password, if it is
    /// still the old one; `false` when it is not.
    pub(crate) async fn change_password(
        &self,
        change: PasswordChange,
        revocations: &[Revocation],
    ) -> Result<bool, Error> {
        let PasswordChange { user, here, old, new, now } = change;
        let set = doc! { "password": new.as_str(), "updated_at": bson::DateTime::from(now) };
        let op = UpdateOp::new(
            doc! { "_id": user.to_string(), "password": old.as_str() },
            sessions::next_generation(set, Some(here)),
        );
        let (ended, user) = (Arc::new(Ended::new(revocations)), user.to_string());
        let changed = self.mongo.transact("change password", move |txn| {
            let (op, ended, user) = (op.clone(), Arc::clone(&ended), user.clone());
            Box::pin(async move {
                let is_done = txn.update_many_ops(USERS, vec![op]).await?.matched == 1;
                if is_done {
                    letters::spend(txn, &user, Some(Purpose::Reset)).await?;
                    ended.write(txn).await?;
                }
                Ok(is_done)
            })
        });
        changed.await
    }

    /// The account that was made from the mounted Secret, as long as it is an admin's.
    pub(crate) async fn first_admin(&self) -> Result<Option<Account>, Error> {
        const WHAT: &str = "find first admin";
        let (users, filter) = (self.users(), first_admin());
        let found = self.mongo.run(WHAT, async move { users.find_one(filter).await }).await?;
        found.map(|stored| stored.into_account().map_err(|error| corrupt(WHAT, error))).transpose()
    }

    /// Gives the first admin address and password of another Shop's Secret and ends these sessions, once for each Shop.
    pub(crate) async fn renew_first_admin(
        &self,
        renewal: Renewal,
        revocations: &[Revocation],
    ) -> Result<Renewed, Error> {
        let Renewal { user, email, is_verified, hash, shop, now } = renewal;
        let mut guard = first_admin();
        guard.extend(doc! { "_id": user.to_string(), "shops": { "$ne": &shop } });
        let set = doc! {
            email::FIELD: email::stored(&email),
            "email_verified": is_verified,
            "password": hash.as_str(),
            "updated_at": bson::DateTime::from(now),
        };
        let mut change = sessions::next_generation(set, None);
        change.extend(doc! {
            // Whoever has the Secret has the shop.
            "$unset": { "deactivated_at": "" },
            "$push": { "shops": { "$each": [shop], "$slice": -SHOPS } },
        });
        let (ended, user) = (Arc::new(Ended::new(revocations)), user.to_string());
        let renewed = self.mongo.transact("renew first admin", move |txn| {
            let (op, ended, user) = (UpdateOp::new(guard.clone(), change.clone()), Arc::clone(&ended), user.clone());
            Box::pin(async move {
                if txn.update_many_ops(USERS, vec![op]).await?.matched == 0 {
                    return Ok(Renewed::Before);
                }
                letters::spend(txn, &user, None).await?;
                ended.write(txn).await?;
                Ok(Renewed::Done)
            })
        });
        match renewed.await {
            Err(error) if error.is_duplicate_of(email::INDEX) => Ok(Renewed::EmailTaken),
            ended => ended,
        }
    }

    /// Whether anybody may change who is staff.
    pub(crate) async fn has_admin(&self) -> Result<bool, Error> {
        let (users, filter) = (self.users(), doc! { "role": Role::Admin.as_str() });
        Ok(self.mongo.run("find admin", async move { users.find_one(filter).await }).await?.is_some())
    }
}

/// Writes to an account without changing what anybody sees of it. A transaction that leaves something of a person behind does
/// so: then it and the deletion of the account come one after the other, and the later one knows of the earlier.
pub(super) fn touch(account: Document) -> UpdateOp {
    UpdateOp::new(account, doc! { "$inc": { "touched": 1_i64 } })
}

fn first_admin() -> Document {
    doc! { "first_admin": true, "role": Role::Admin.as_str() }
}

pub(super) fn user(what: &'static str, stored: UserDocument) -> Result<User, Error> {
    Ok(stored.into_account().map_err(|error| corrupt(what, error))?.user)
}

pub(super) fn corrupt(what: &'static str, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Corrupt { what, source: Arc::new(error) }
}
