//! Letters in MongoDB: digests of their tokens, until they are used or expire. One that was spent otherwise, because the
//! password or the address has changed, counts no longer, but among those that may still come.
//!
//! **Invariant:** in any 15 minutes an address gets [`AT_ONCE`] letters of a kind at most, whichever accounts have it meanwhile,
//! are opened with it, get it or are deleted. Every letter, event and all, is written by [`insert`], whose transaction also takes
//! a place in the row of the address and the kind, or writes neither. That row names no account, so nothing that happens to one
//! gives a place back, nor does the use of a letter: it is free when the letter is over. Two letters at once meet in the row,
//! and the later one begins again. The row holds a digest of the address and times, and goes when the last of them is over. Beside
//! that an account sends as many itself, to all addresses that it has had.

use std::sync::Arc;
use std::time::Duration;

use bson::DateTime;
use jiff::Timestamp;
use serde::Deserialize;
use shop_mongo::options::IndexOptions;
use shop_mongo::{Bson, Collection, Document, Error, IndexModel, Setup, Txn, UpdateOp, doc, outbox};
use shop_types::Envelope;

use super::documents::Unreadable;
use super::sessions::{Ended, next_generation};
use super::users::{corrupt, touch};
use super::{Revocation, Store, USERS, email};
use crate::app::hashing::Hash;
use crate::domain::letter::{AT_ONCE, Letter, Purpose};
use crate::domain::secret::SecretDigest;

pub(super) const LETTERS: &str = "letters";
const SPENT: &str = "spent";
/// When the letters of a kind to an address are over, in the row of both.
const PLACES: &str = "places";

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

#[derive(Debug, Deserialize)]
struct LetterDocument {
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
    let letter = doc! {
        "required": ["_id", "purpose", "user", email::FIELD, "expires_at"],
        "properties": {
            "_id": { "bsonType": "string", "pattern": "^[0-9a-f]{64}$" },
            "purpose": { "enum": ["reset", "verification"] },
            "user": { "bsonType": "string", "minLength": 36, "maxLength": 36 },
            "expires_at": { "bsonType": "date" },
        },
    };
    let places = doc! {
        "required": ["_id", PLACES, "expires_at"],
        "additionalProperties": false,
        "properties": {
            "_id": { "bsonType": "string", "pattern": "^(reset|verification):[0-9a-f]{64}$" },
            PLACES: { "bsonType": "array", "maxItems": i32::from(AT_ONCE), "items": { "bsonType": "date" } },
            "expires_at": { "bsonType": "date" },
        },
    };
    Setup::new(LETTERS, indexes).validated(doc! { "$jsonSchema": { "oneOf": [letter, places] } })
}

impl Store {
    /// Writes a letter and the event that tells of it; `false` when the account or the address has had enough, or the account is
    /// gone or has another address.
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
        let account = UpdateOp::new(owner, next_generation(set, None));
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

/// Writes a letter and the event that tells of it; `false`, and nothing written, when the account or the address has had enough.
/// The caller has written the account in this transaction, so that two letters at once meet there.
pub(super) async fn write(txn: &mut Txn<'_>, posted: &Posted, now: Timestamp) -> Result<bool, Error> {
    // Those that are over are gone within a minute. Asked for here, the server may look through everybody's instead.
    let others: Vec<Document> = txn.find(LETTERS, of_user(&posted.letter)).await?;
    let comes = |letter: &&Document| {
        letter.get_datetime("expires_at").is_ok_and(|expires_at| *expires_at > DateTime::from(now))
    };
    if others.iter().filter(comes).count() >= usize::from(AT_ONCE) {
        return Ok(false);
    }
    let is_written = insert(txn, &posted.letter, now).await?;
    if is_written {
        outbox::append(txn, std::slice::from_ref(&posted.event)).await?;
    }
    Ok(is_written)
}

/// Spends the letters of an account, those for one purpose or all: whoever holds their tokens gets nothing for them.
pub(super) async fn spend(txn: &mut Txn<'_>, user: &str, purpose: Option<Purpose>) -> Result<(), Error> {
    let mut filter = doc! { "user": user };
    filter.extend(purpose.map(|purpose| ("purpose".to_owned(), purpose.word().into())));
    let letters: Collection<Document> = txn.collection(LETTERS);
    let spent = letters.update_many(filter, doc! { "$set": { SPENT: true } }).session(&mut *txn.session).await;
    spent.map(|_| ()).map_err(|error| txn.sort(error))
}

/// Writes a letter; `false`, and nothing written, when its address has had enough of its kind. The event that tells of it is the
/// caller's, and so is the rule that an account sends no more either, where it may have sent some.
pub(super) async fn insert(txn: &mut Txn<'_>, letter: &Letter, now: Timestamp) -> Result<bool, Error> {
    let id = id(letter.digest);
    let document = doc! {
        "purpose": letter.purpose.word(),
        "user": letter.user.to_string(),
        email::FIELD: email::stored(&letter.email),
        "expires_at": DateTime::from(letter.expires_at),
    };
    let written = UpdateOp::new(doc! { "_id": &id }, doc! { "$setOnInsert": document }).upsert();
    // Both in one round trip: most letters have a place.
    let done = txn.update_many_ops(LETTERS, vec![place(letter, now), written]).await?;
    if done.modified == 1 || done.upserted.contains(&0) {
        return Ok(true);
    }
    let letters: Collection<Document> = txn.collection(LETTERS);
    let withdrawn = letters.delete_one(doc! { "_id": id }).session(&mut *txn.session).await;
    withdrawn.map(|_| false).map_err(|error| txn.sort(error))
}

/// Takes a place for a letter in the row of its address; changes nothing when none is free.
fn place(letter: &Letter, now: Timestamp) -> UpdateOp {
    let places = format!("${PLACES}");
    let all = doc! { "$ifNull": [&places, []] };
    let taken = doc! { "$filter": { "input": all, "cond": { "$gt": ["$$this", DateTime::from(now)] } } };
    let one_more = doc! { "$concatArrays": ["$$taken", [DateTime::from(letter.expires_at)]] };
    let is_free = doc! { "$lt": [{ "$size": "$$taken" }, i32::from(AT_ONCE)] };
    let next = doc! { "$let": { "vars": { "taken": taken }, "in": { "$cond": [is_free, one_more, &places] } } };
    let stages = vec![
        doc! { "$set": { PLACES: next } },
        // Kept until the last of them is over.
        doc! { "$set": { "expires_at": { "$max": places } } },
    ];
    let row = format!("{}:{}", letter.purpose.word(), email::digest(&letter.email));
    UpdateOp::new(doc! { "_id": row }, stages).upsert()
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
