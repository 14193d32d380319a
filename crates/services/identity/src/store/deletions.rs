//! The end of an account in MongoDB: everything about the person goes in one transaction, and a tombstone stays, so that
//! the books of other services name somebody who is known to have been here.

use std::sync::Arc;

use bson::DateTime;
use jiff::Timestamp;
use shop_mongo::{Document, Error, IndexModel, Setup, Txn, doc, outbox};
use shop_types::{Envelope, Role, UserId};

use super::addresses::ADDRESSES;
use super::customer_orders::CUSTOMER_ORDERS;
use super::letters::LETTERS;
use super::sessions::Ended;
use super::staff::ByAdmin;
use super::{Changed, Revocation, Store, USERS, exports};
use crate::app::hashing::Hash;
use crate::domain::audit::Entry;

const TOMBSTONES: &str = "tombstones";

/// An account that ends.
#[derive(Debug)]
pub(crate) struct Deletion {
    pub(crate) user: UserId,
    pub(crate) number: i64,
    pub(crate) at: Timestamp,
    pub(crate) warrant: Warrant,
    /// Tells of it.
    pub(crate) event: Envelope,
}

/// By what right an account ends.
#[derive(Debug)]
pub(crate) enum Warrant {
    /// Its owner has proved to know this password, and is no admin.
    Owner(Hash),
    /// An admin wants it.
    Admin(Entry),
}

pub(super) fn setup() -> Setup {
    Setup::new(TOMBSTONES, Vec::<IndexModel>::new()).validated(doc! { "$jsonSchema": {
        "required": ["_id", "number", "deleted_at"],
        "additionalProperties": false,
        "properties": {
            "_id": { "bsonType": "string", "minLength": 36, "maxLength": 36 },
            "number": { "bsonType": "long", "minimum": 1_i64 },
            "deleted_at": { "bsonType": "date" },
        },
    } })
}

impl Store {
    /// Deletes an account with its addresses and letters, ends these sessions of it, and tells of it; [`Changed::Missed`] when
    /// it is gone, or its password or role is another one.
    pub(crate) async fn delete_account(
        &self,
        deletion: Deletion,
        revocations: &[Revocation],
    ) -> Result<Changed<()>, Error> {
        const WHAT: &str = "delete account";
        let Deletion { user, number, at, warrant, event } = deletion;
        let id = user.to_string();
        let mut account = doc! { "_id": &id };
        let by_admin = match warrant {
            Warrant::Owner(hash) => {
                account.extend(doc! { "password": hash.as_str(), "role": { "$ne": Role::Admin.as_str() } });
                None
            }
            Warrant::Admin(entry) => Some(ByAdmin::new(WHAT, &entry)?),
        };
        let tombstone = doc! { "_id": &id, "number": number, "deleted_at": DateTime::from(at) };
        let shared = Arc::new((by_admin, Ended::new(revocations), [event]));
        let deleted = self.mongo.transact(WHAT, move |txn| {
            let (account, tombstone, id) = (account.clone(), tombstone.clone(), id.clone());
            let shared = Arc::clone(&shared);
            Box::pin(async move {
                let (by_admin, ended, event) = &*shared;
                if let Some(by_admin) = by_admin
                    && !by_admin.is_still_admin(txn).await?
                {
                    return Ok(Changed::NoLongerAdmin);
                }
                if delete(txn, USERS, account).await? == 0 {
                    return Ok(Changed::Missed);
                }
                delete(txn, ADDRESSES, doc! { "_id": &id }).await?;
                delete(txn, LETTERS, doc! { "user": &id }).await?;
                delete(txn, CUSTOMER_ORDERS, doc! { "user": &id }).await?;
                exports::forget_of(txn, &id).await?;
                txn.insert_many(TOMBSTONES, vec![tombstone]).await?;
                if let Some(by_admin) = by_admin {
                    by_admin.write_down(txn).await?;
                }
                ended.write(txn).await?;
                outbox::append(txn, event).await?;
                Ok(Changed::Done(()))
            })
        });
        deleted.await
    }
}

async fn delete(txn: &mut Txn<'_>, collection: &str, filter: Document) -> Result<u64, Error> {
    let documents = txn.collection::<Document>(collection);
    let deleted = documents.delete_many(filter).session(&mut *txn.session).await;
    deleted.map(|deleted| deleted.deleted_count).map_err(|error| txn.sort(error))
}
