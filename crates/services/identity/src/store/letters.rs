//! Letters in MongoDB: digests of their tokens, until they are used or expire. One that was spent otherwise, because the
//! password or the address has changed, counts no longer, but among those that may still come.

use std::sync::Arc;
use std::time::Duration;

use bson::DateTime;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use shop_mongo::options::IndexOptions;
use shop_mongo::{Bson, Collection, Document, Error, IndexModel, Setup, Txn, UpdateOp, doc, outbox};
use shop_types::Envelope;

use super::documents::Unreadable;
use super::sessions::Ended;
use super::users::{corrupt, touch};
use super::{Revocation, Store, USERS, email};
use crate::app::hashing::Hash;
use crate::domain::letter::{AT_ONCE, Letter, Purpose};
use crate::domain::secret::SecretDigest;

pub(super) const LETTERS: &str = "letters";
const SPENT: &str = "spent";

/// A letter and the event that tells of it.
#[derive(Debug, Clone)]
pub(crate) struct Posted {
    pub(crate) letter: Letter,
    pub(crate) event: Envelope,
}

/// Another password by a letter.
#[derive(Debug)]
pub(crate) struct Reset {
    pub(crate) letter: Letter,
    pub(crate) hash: Hash,
    pub(crate) now: Timestamp,
}

#[derive(Debug, Serialize, Deserialize)]
struct LetterDocument {
    /// Digest of the token, in hex.
    #[serde(rename = "_id")]
    id: String,
    purpose: String,
    user: String,
    email: String,
    expires_at: DateTime,
}

pub(super) fn setup() -> Setup {
    let index = |keys, options| IndexModel::builder().keys(keys).options(options).build();
    let forget = IndexOptions::builder().expire_after(Duration::ZERO).build();
    let indexes = [
        index(doc! { "expires_at": 1 }, forget),
        index(doc! { "user": 1, "purpose": 1, "expires_at": 1 }, IndexOptions::default()),
    ];
    Setup::new(LETTERS, indexes).validated(doc! { "$jsonSchema": {
        "required": ["_id", "purpose", "user", email::FIELD, "expires_at"],
        "properties": {
            "_id": { "bsonType": "string", "pattern": "^[0-9a-f]{64}$" },
            "purpose": { "enum": ["reset", "verification"] },
            "user": { "bsonType": "string", "minLength": 36, "maxLength": 36 },
            "expires_at": { "bsonType": "date" },
        },
    } })
}

impl Store {
    /// Writes a letter and the event that tells of it; `false` when the account has enough that count, is gone, or has another
    /// address.
    pub(crate) async fn post(&self, posted: Posted, now: Timestamp) -> Result<bool, Error> {
        let mut owner = email::filter(&posted.letter.email);
        owner.insert("_id", posted.letter.user.to_string());
        let (owner, posted) = (touch(owner), Arc::new(posted));
        let written = self.mongo.transact("post letter", move |txn| {
            let (owner, posted) = (owner.clone(), Arc::clone(&posted));
            Box::pin(async move {
                Ok(txn.update_many_ops(USERS, vec![owner]).await?.matched == 1 && write(txn, &posted, now).await?)
            })
        });
        written.await
    }

    /// The letter of a token, if it counts.
    pub(crate) async fn letter(
        &self,
        digest: SecretDigest,
        purpose: Purpose,
        now: Timestamp,
    ) -> Result<Option<Letter>, Error> {
        const WHAT: &str = "find letter";
        let letters: Collection<LetterDocument> = self.mongo.collection(LETTERS);
        let filter = counting(digest, purpose, now);
        let found = self.mongo.run(WHAT, async move { letters.find_one(filter).await }).await?;
        let read = |stored: LetterDocument| {
            let user = stored.user.parse().map_err(|_| Unreadable("user"))?;
            let (email, expires_at) = (email::read(&stored.email)?, stored.expires_at.to_jiff());
            Ok(Letter { digest, purpose, user, email, expires_at })
        };
        found.map(|stored| read(stored).map_err(|error: Unreadable| corrupt(WHAT, error))).transpose()
    }

    /// Uses a letter up, gives its account another password and ends these sessions; `false` when the letter does not count
    /// any more, or the account is closed, gone or has another address.
    pub(crate) async fn reset_password(&self, reset: Reset, revocations: &[Revocation]) -> Result<bool, Error> {
        let Reset { letter, hash, now } = reset;
        let mut owner = email::filter(&letter.email);
        owner.extend(doc! { "_id": letter.user.to_string(), "deactivated_at": Bson::Null });
        let set = doc! { "password": hash.as_str(), "updated_at": DateTime::from(now) };
        let account = UpdateOp::new(owner, doc! { "$set": set, "$inc": { "version": 1_i64 } });
        let ended = Arc::new(Ended::new(revocations));
        let (this, all) = (counting(letter.digest, letter.purpose, now), of_user(&letter));
        let changed = self.mongo.transact("reset password", move |txn| {
            let (this, all, account, ended) = (this.clone(), all.clone(), account.clone(), Arc::clone(&ended));
            Box::pin(async move {
                let is_done = use_up(txn, this, all, account).await?;
                if is_done {
                    ended.write(txn).await?;
                }
                Ok(is_done)
            })
        });
        changed.await
    }

    /// Uses a letter up and notes that its address is verified; `false` when the letter does not count any more, or the
    /// account has another address.
    pub(crate) async fn verify_email(&self, letter: Letter, now: Timestamp) -> Result<bool, Error> {
        let mut owner = email::filter(&letter.email);
        owner.insert("_id", letter.user.to_string());
        let set = doc! { "email_verified": true, "updated_at": DateTime::from(now) };
        let account = UpdateOp::new(owner, doc! { "$set": set, "$inc": { "version": 1_i64 } });
        let (this, all) = (counting(letter.digest, letter.purpose, now), of_user(&letter));
        let verified = self.mongo.transact("verify email", move |txn| {
            let (this, all, account) = (this.clone(), all.clone(), account.clone());
            Box::pin(async move { use_up(txn, this, all, account).await })
        });
        verified.await
    }
}

/// Writes a letter and the event that tells of it; `false`, and nothing written, when enough are on their way to the account.
/// The caller has written the account in this transaction, so that two letters at once meet there.
pub(super) async fn write(txn: &mut Txn<'_>, posted: &Posted, now: Timestamp) -> Result<bool, Error> {
    // Those that are over are gone within a minute. Asked for here, the server may look through everybody's instead.
    let others: Vec<Document> = txn.find(LETTERS, of_user(&posted.letter)).await?;
    let comes = |letter: &&Document| {
        letter.get_datetime("expires_at").is_ok_and(|expires_at| *expires_at > DateTime::from(now))
    };
    if others.iter().filter(comes).count() >= AT_ONCE {
        return Ok(false);
    }
    insert(txn, &posted.letter).await?;
    outbox::append(txn, std::slice::from_ref(&posted.event)).await?;
    Ok(true)
}

/// Spends the letters of an account, those for one purpose or all: whoever holds their tokens gets nothing for them.
pub(super) async fn spend(txn: &mut Txn<'_>, user: &str, purpose: Option<Purpose>) -> Result<(), Error> {
    let mut filter = doc! { "user": user };
    filter.extend(purpose.map(|purpose| ("purpose".to_owned(), purpose.word().into())));
    let letters: Collection<Document> = txn.collection(LETTERS);
    let spent = letters.update_many(filter, doc! { "$set": { SPENT: true } }).session(&mut *txn.session).await;
    spent.map(|_| ()).map_err(|error| txn.sort(error))
}

/// Writes a letter; the event that tells of it is the caller's.
pub(super) async fn insert(txn: &mut Txn<'_>, letter: &Letter) -> Result<(), Error> {
    let document = LetterDocument {
        id: id(letter.digest),
        purpose: letter.purpose.word().to_owned(),
        user: letter.user.to_string(),
        email: email::stored(&letter.email),
        expires_at: letter.expires_at.into(),
    };
    let document = bson::serialize_to_document(&document).map_err(|error| corrupt(txn.what(), error))?;
    txn.insert_many(LETTERS, vec![document]).await
}

/// Changes the account of a letter and removes all letters of its kind to it; `false`, and nothing written, when the letter or
/// the account is not there.
async fn use_up(txn: &mut Txn<'_>, this: Document, all: Document, account: UpdateOp) -> Result<bool, Error> {
    let found: Vec<Document> = txn.find(LETTERS, this).await?;
    // Two uses at once meet at the account; the one that comes later begins again and finds no letter.
    if found.is_empty() || txn.update_many_ops(USERS, vec![account]).await?.matched == 0 {
        return Ok(false);
    }
    let letters: Collection<Document> = txn.collection(LETTERS);
    letters.delete_many(all).session(&mut *txn.session).await.map_err(|error| txn.sort(error))?;
    Ok(true)
}

fn id(digest: SecretDigest) -> String {
    shop_types::idempotency::hex(&digest.0)
}

fn counting(digest: SecretDigest, purpose: Purpose, now: Timestamp) -> Document {
    let unspent = doc! { "$ne": true };
    doc! { "_id": id(digest), "purpose": purpose.word(), "expires_at": { "$gt": DateTime::from(now) }, SPENT: unspent }
}

fn of_user(letter: &Letter) -> Document {
    doc! { "user": letter.user.to_string(), "purpose": letter.purpose.word() }
}
