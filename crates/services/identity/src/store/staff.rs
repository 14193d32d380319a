//! Other people's accounts in MongoDB: finding them, and changing them on behalf of an admin.

use std::sync::Arc;

use shop_mongo::idempotency::{self, Start};
use shop_mongo::options::{Collation, CollationStrength};
use shop_mongo::{Bson, Document, Error, Txn, UpdateOp, bson, doc, outbox};
use shop_types::{Envelope, Role};

use super::audit::{self, AUDIT};
use super::documents::UserDocument;
use super::sessions::{Ended, next_generation};
use super::users::{corrupt, user};
use super::{Account, Posted, Revocation, Store, USERS, email, letters, pages};
use crate::domain::audit::Entry;
use crate::domain::{Change, Search, User};

/// What an admin changes of somebody else's account.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AccountChange {
    /// Who does what to whom.
    pub(crate) entry: Entry,
    pub(crate) change: Change,
    /// The version of the account that the admin has seen.
    pub(crate) expected: i64,
}

/// What became of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Changed<T> {
    /// What it is afterwards.
    Done(T),
    /// It has another version, is gone, or was done before; nothing was written.
    Missed,
    /// Whoever wanted it is no admin, or not any more; nothing was written.
    NoLongerAdmin,
}

/// What an admin does, in the transaction of the change. The admin's own account is written, too: of two admins who take the
/// role from each other at once, one is too late, so that there is always an admin left.
pub(super) struct ByAdmin {
    account: UpdateOp,
    row: Document,
}

impl ByAdmin {
    pub(super) fn new(what: &'static str, entry: &Entry) -> Result<Self, Error> {
        let open = doc! { "_id": entry.actor.to_string(), "role": Role::Admin.as_str(), "deactivated_at": Bson::Null };
        let account = UpdateOp::new(open, doc! { "$set": { "acted_at": bson::DateTime::from(entry.at) } });
        Ok(Self { account, row: audit::document(what, entry)? })
    }

    /// Whether the account is an open one of an admin.
    pub(super) async fn is_still_admin(&self, txn: &mut Txn<'_>) -> Result<bool, Error> {
        Ok(txn.update_many_ops(USERS, vec![self.account.clone()]).await?.matched == 1)
    }

    /// Writes down what was done.
    pub(super) async fn write_down(&self, txn: &mut Txn<'_>) -> Result<(), Error> {
        txn.insert_many(AUDIT, vec![self.row.clone()]).await
    }
}

/// An account that an admin opens for somebody.
#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) account: Account,
    pub(crate) entry: Entry,
    /// Tells of the account.
    pub(crate) event: Envelope,
    /// Lets its owner choose a password.
    pub(crate) letter: Posted,
    /// Claims the key of the request.
    pub(crate) start: Option<Start>,
}

/// Another name or e-mail address for somebody else's account.
#[derive(Debug)]
pub(crate) struct Details {
    pub(crate) entry: Entry,
    /// The account afterwards, at the version after the one that the admin has seen.
    pub(crate) changed: User,
    /// Goes to an address that nobody has verified.
    pub(crate) letter: Option<Posted>,
}

/// What became of a change that may meet the address of another account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edited {
    Done,
    /// Another account has the address; nothing was written.
    EmailTaken,
    /// It has another version, is gone, or was done before; nothing was written.
    Missed,
    /// Whoever wanted it is no admin, or not any more; nothing was written.
    NoLongerAdmin,
}

/// Upper and lower case are the same.
pub(super) fn in_any_case() -> Collation {
    Collation::builder().locale("en").strength(CollationStrength::Secondary).build()
}

impl Store {
    /// A page of accounts, newest first, or found by name in the order of names, and how many there are.
    pub(crate) async fn users_page(
        &self,
        role: Option<Role>,
        search: Option<&Search>,
        number: u32,
        size: u32,
    ) -> Result<(Vec<User>, u64), Error> {
        const WHAT: &str = "list users";
        let mut options = pages::options(doc! { "created_at": -1, "_id": -1 }, number, size);
        let mut filter = match search {
            None => Document::new(),
            Some(Search::Email(email)) => {
                // There is one at most, nothing to sort.
                options.sort = None;
                email::filter(email)
            }
            Some(Search::Number(number)) => {
                options.sort = None;
                doc! { "number": *number }
            }
            Some(Search::Name(name)) => {
                options.sort = Some(doc! { "name": 1, "_id": 1 });
                options.collation = Some(in_any_case());
                // U+FFFF sorts after every letter.
                doc! { "name": { "$gte": name, "$lt": format!("{name}\u{ffff}") } }
            }
        };
        if let Some(role) = role {
            filter.insert("role", role.as_str());
        }
        let (found, total) = self.page(WHAT, self.users(), filter, options).await?;
        Ok((found.into_iter().map(|stored| user(WHAT, stored)).collect::<Result<_, _>>()?, total))
    }

    /// Writes an account that an admin opens, with all that belongs to it.
    pub(crate) async fn open_account(&self, opening: Opening) -> Result<Edited, Error> {
        const WHAT: &str = "open account";
        let by_admin = ByAdmin::new(WHAT, &opening.entry)?;
        let document = UserDocument::new(&opening.account);
        let document = bson::serialize_to_document(&document).map_err(|error| corrupt(WHAT, error))?;
        let shared = Arc::new((opening, by_admin));
        let opened = self.mongo.transact(WHAT, move |txn| {
            let (document, shared) = (document.clone(), Arc::clone(&shared));
            Box::pin(async move {
                let (Opening { event, letter, start, entry, .. }, by_admin) = &*shared;
                if !by_admin.is_still_admin(txn).await? {
                    return Ok(Edited::NoLongerAdmin);
                }
                txn.insert_many(USERS, vec![document]).await?;
                by_admin.write_down(txn).await?;
                outbox::append(txn, std::slice::from_ref(event)).await?;
                letters::write(txn, letter, entry.at).await?;
                if let Some(start) = start {
                    idempotency::insert(txn, std::slice::from_ref(start)).await?;
                }
                Ok(Edited::Done)
            })
        });
        edited(opened.await)
    }

    /// Gives an account that is still at the version before this one the name and address of this one.
    pub(crate) async fn change_details(&self, details: Details) -> Result<Edited, Error> {
        const WHAT: &str = "change details";
        let by_admin = ByAdmin::new(WHAT, &details.entry)?;
        let User { id, email, name, version, is_verified, .. } = &details.changed;
        let set = doc! {
            "name": name.as_str(),
            email::FIELD: email::stored(email),
            "email_verified": *is_verified,
            "version": *version,
            "updated_at": bson::DateTime::from(details.entry.at),
        };
        let guard = doc! { "_id": id.to_string(), "version": version.saturating_sub(1) };
        let op = UpdateOp::new(guard, doc! { "$set": set });
        let shared = Arc::new((details, by_admin));
        let changed = self.mongo.transact(WHAT, move |txn| {
            let (op, shared) = (op.clone(), Arc::clone(&shared));
            Box::pin(async move {
                let (Details { letter, entry, .. }, by_admin) = &*shared;
                if !by_admin.is_still_admin(txn).await? {
                    return Ok(Edited::NoLongerAdmin);
                }
                if txn.update_many_ops(USERS, vec![op]).await?.matched == 0 {
                    return Ok(Edited::Missed);
                }
                by_admin.write_down(txn).await?;
                // There is one when the address is another.
                if let Some(letter) = letter {
                    letters::spend(txn, &letter.letter.user.to_string(), None).await?;
                    letters::write(txn, letter, entry.at).await?;
                }
                Ok(Edited::Done)
            })
        });
        edited(changed.await)
    }

    /// Changes an account that is still at the version that the admin has seen, ends these sessions of it, and writes down
    /// who did it.
    pub(crate) async fn change_account(
        &self,
        change: AccountChange,
        revocations: &[Revocation],
    ) -> Result<Changed<User>, Error> {
        const WHAT: &str = "change account";
        let AccountChange { entry, change, expected } = change;
        let at = bson::DateTime::from(entry.at);
        let mut set = doc! { "updated_at": at };
        let unset = match change {
            Change::Role { from: _, to } => set.insert("role", to.as_str()).and(None),
            Change::Close => set.insert("deactivated_at", at).and(None),
            Change::Open => Some(doc! { "deactivated_at": "" }),
        };
        let mut operators = next_generation(set, None);
        operators.extend(unset.map(|unset| ("$unset".to_owned(), unset.into())));
        let id = entry.user.to_string();
        let account = UpdateOp::new(doc! { "_id": &id, "version": expected }, operators);
        let by_admin = Arc::new(ByAdmin::new(WHAT, &entry)?);
        let ended = Arc::new(Ended::new(revocations));
        let changed = self.mongo.transact(WHAT, move |txn| {
            let (account, id) = (account.clone(), id.clone());
            let (by_admin, ended) = (Arc::clone(&by_admin), Arc::clone(&ended));
            Box::pin(async move {
                if !by_admin.is_still_admin(txn).await? {
                    return Ok(Changed::NoLongerAdmin);
                }
                if txn.update_many_ops(USERS, vec![account]).await?.matched == 0 {
                    return Ok(Changed::Missed);
                }
                by_admin.write_down(txn).await?;
                ended.write(txn).await?;
                let found: Vec<UserDocument> = txn.find_many(USERS, [id.as_str()]).await?;
                found.into_iter().next().map_or(Ok(Changed::Missed), |stored| user(WHAT, stored).map(Changed::Done))
            })
        });
        changed.await
    }
}

fn edited(ended: Result<Edited, Error>) -> Result<Edited, Error> {
    match ended {
        Err(error) if error.is_duplicate_of(email::INDEX) => Ok(Edited::EmailTaken),
        // Somebody else used the key of the request.
        Err(error) if error.is_duplicate_of("_id_") => Ok(Edited::Missed),
        ended => ended,
    }
}
