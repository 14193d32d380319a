//! API keys in MongoDB: digests of their secrets. A removed one stays until its last token has ended, so that pods that
//! start meanwhile hear of it.

use std::sync::Arc;
use std::time::Duration;

use bson::{Binary, DateTime};
use futures::TryStreamExt as _;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use shop_mongo::idempotency::{self, Start};
use shop_mongo::options::{IndexOptions, ReturnDocument};
use shop_mongo::{Bson, Collection, Document, Error, IndexModel, Setup, UpdateOp, doc, outbox};
use shop_types::event::RevocationFact;
use shop_types::{Role, SessionId, UserId};

use super::documents::{Unreadable, binary};
use super::staff::ByAdmin;
use super::users::corrupt;
use super::{Changed, Revocation, Store, pages};
use crate::domain::ApiKey;
use crate::domain::audit::Entry;
use crate::domain::secret::SecretDigest;

const API_KEYS: &str = "api_keys";

#[derive(Debug, Serialize, Deserialize)]
struct KeyDocument {
    #[serde(rename = "_id")]
    id: String,
    name: String,
    role: Role,
    digest: Binary,
    created_by: String,
    created_at: DateTime,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<DateTime>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_used_at: Option<DateTime>,
    /// When the last of its tokens ends; absent in those that were used last before it was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tokens_until: Option<DateTime>,
    /// Set when it is removed: until when its tokens must be refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revoked_until: Option<DateTime>,
}

pub(super) fn setup() -> Setup {
    let index = |keys, options| IndexModel::builder().keys(keys).options(options).build();
    let forget = IndexOptions::builder().expire_after(Duration::ZERO).build();
    let indexes = [
        index(doc! { "revoked_until": 1 }, forget),
        index(doc! { "revoked_until": 1, "created_at": -1, "_id": -1 }, IndexOptions::default()),
    ];
    Setup::new(API_KEYS, indexes).validated(doc! { "$jsonSchema": {
        "required": ["_id", "name", "role", "digest", "created_by", "created_at"],
        "properties": {
            "_id": { "bsonType": "string", "minLength": 36, "maxLength": 36 },
            "name": { "bsonType": "string", "minLength": 1 },
            "role": { "enum": ["service", "staff"] },
            "digest": { "bsonType": "binData" },
            "created_by": { "bsonType": "string", "minLength": 36, "maxLength": 36 },
            "created_at": { "bsonType": "date" },
            "expires_at": { "bsonType": "date" },
            "last_used_at": { "bsonType": "date" },
            "tokens_until": { "bsonType": "date" },
            "revoked_until": { "bsonType": "date" },
        },
    } })
}

impl Store {
    fn keys(&self) -> Collection<KeyDocument> {
        self.mongo.collection(API_KEYS)
    }

    /// Writes a new key, who made it, and the claim of the request; [`Changed::Missed`] when the claim was made before.
    pub(crate) async fn create_api_key(
        &self,
        key: &ApiKey,
        digest: SecretDigest,
        entry: &Entry,
        start: Option<Start>,
    ) -> Result<Changed<()>, Error> {
        const WHAT: &str = "create API key";
        let document = KeyDocument::new(key, digest);
        let document = bson::serialize_to_document(&document).map_err(|error| corrupt(WHAT, error))?;
        let (by_admin, start) = (Arc::new(ByAdmin::new(WHAT, entry)?), Arc::new(start));
        let created = self.mongo.transact(WHAT, move |txn| {
            let (document, by_admin, start) = (document.clone(), Arc::clone(&by_admin), Arc::clone(&start));
            Box::pin(async move {
                if !by_admin.is_still_admin(txn).await? {
                    return Ok(Changed::NoLongerAdmin);
                }
                txn.insert_many(API_KEYS, vec![document]).await?;
                by_admin.write_down(txn).await?;
                if let Some(start) = &*start {
                    idempotency::insert(txn, std::slice::from_ref(start)).await?;
                }
                Ok(Changed::Done(()))
            })
        });
        match created.await {
            Err(error) if error.is_duplicate_of("_id_") => Ok(Changed::Missed),
            ended => ended,
        }
    }

    /// A page of the keys that were not removed, the newest first, and how many there are.
    pub(crate) async fn api_keys(&self, number: u32, size: u32) -> Result<(Vec<ApiKey>, u64), Error> {
        const WHAT: &str = "list API keys";
        let newest_first = pages::options(doc! { "created_at": -1, "_id": -1 }, number, size);
        let (found, total) = self.page(WHAT, self.keys(), doc! { "revoked_until": Bson::Null }, newest_first).await?;
        Ok((found.into_iter().map(|stored| key(WHAT, stored)).collect::<Result<_, _>>()?, total))
    }

    /// A key that was not removed.
    pub(crate) async fn api_key(&self, id: UserId) -> Result<Option<ApiKey>, Error> {
        const WHAT: &str = "find API key";
        let (keys, filter) = (self.keys(), present(id));
        let found = self.mongo.run(WHAT, async move { keys.find_one(filter).await }).await?;
        found.map(|stored| key(WHAT, stored)).transpose()
    }

    /// The key with this id and secret, if it was not removed, and notes its use and until when the token lives that it brings.
    pub(crate) async fn use_api_key(
        &self,
        id: UserId,
        digest: SecretDigest,
        now: Timestamp,
        tokens_until: Timestamp,
    ) -> Result<Option<ApiKey>, Error> {
        const WHAT: &str = "use API key";
        let (keys, mut filter, now) = (self.keys(), present(id), DateTime::from(now));
        filter.insert("digest", binary(&digest.0));
        filter.insert("expires_at", doc! { "$not": { "$lte": now } });
        // Whoever removes the key writes the same document: this use is before its end, or there is none.
        let note = doc! { "$max": { "last_used_at": now, "tokens_until": DateTime::from(tokens_until) } };
        let used = self.mongo.run(WHAT, async move {
            keys.find_one_and_update(filter, note).return_document(ReturnDocument::After).await
        });
        used.await?.map(|stored| key(WHAT, stored)).transpose()
    }

    /// Removes a key, writes down who did it, and tells that its tokens count no longer; [`Changed::Missed`] when it was
    /// removed before, or has brought a token that lives longer than the revocation.
    pub(crate) async fn remove_api_key(&self, entry: &Entry, revocation: &Revocation) -> Result<Changed<()>, Error> {
        const WHAT: &str = "remove API key";
        let until = DateTime::from(revocation.fact.until);
        let mut key = present(entry.user);
        key.insert("tokens_until", doc! { "$not": { "$gt": until } });
        let op = UpdateOp::new(key, doc! { "$set": { "revoked_until": until } });
        let (by_admin, event) = (Arc::new(ByAdmin::new(WHAT, entry)?), Arc::new([revocation.event.clone()]));
        let removed = self.mongo.transact(WHAT, move |txn| {
            let (op, by_admin, event) = (op.clone(), Arc::clone(&by_admin), Arc::clone(&event));
            Box::pin(async move {
                if !by_admin.is_still_admin(txn).await? {
                    return Ok(Changed::NoLongerAdmin);
                }
                if txn.update_many_ops(API_KEYS, vec![op]).await?.matched == 0 {
                    return Ok(Changed::Missed);
                }
                by_admin.write_down(txn).await?;
                outbox::append(txn, &*event).await?;
                Ok(Changed::Done(()))
            })
        });
        removed.await
    }

    /// The removed keys whose tokens may still be alive.
    pub(crate) async fn removed_api_keys(&self, now: Timestamp) -> Result<Vec<RevocationFact>, Error> {
        const WHAT: &str = "list removed API keys";
        let (keys, filter) = (self.keys(), doc! { "revoked_until": { "$gt": DateTime::from(now) } });
        let found: Vec<KeyDocument> =
            self.mongo.run(WHAT, async move { keys.find(filter).await?.try_collect().await }).await?;
        let fact = |stored: KeyDocument| {
            let session_id = stored.id.parse::<SessionId>().map_err(|_| corrupt(WHAT, Unreadable("_id")))?;
            Ok(stored.revoked_until.map(|until| RevocationFact { session_id, until: until.to_jiff() }))
        };
        found.into_iter().filter_map(|stored| fact(stored).transpose()).collect()
    }
}

fn present(id: UserId) -> Document {
    doc! { "_id": id.to_string(), "revoked_until": Bson::Null }
}

fn key(what: &'static str, stored: KeyDocument) -> Result<ApiKey, Error> {
    stored.try_into().map_err(|error: Unreadable| corrupt(what, error))
}

impl KeyDocument {
    fn new(key: &ApiKey, digest: SecretDigest) -> Self {
        let ApiKey { id, name, role, created_by, created_at, expires_at, last_used_at, tokens_until } = key;
        Self {
            id: id.to_string(),
            name: name.as_str().to_owned(),
            role: (*role).into(),
            digest: binary(&digest.0),
            created_by: created_by.to_string(),
            created_at: (*created_at).into(),
            expires_at: expires_at.map(DateTime::from),
            last_used_at: last_used_at.map(DateTime::from),
            tokens_until: tokens_until.map(DateTime::from),
            revoked_until: None,
        }
    }
}

impl TryFrom<KeyDocument> for ApiKey {
    type Error = Unreadable;

    fn try_from(stored: KeyDocument) -> Result<Self, Unreadable> {
        Ok(Self {
            id: stored.id.parse().map_err(|_| Unreadable("_id"))?,
            name: stored.name.parse().map_err(|_| Unreadable("name"))?,
            role: stored.role.try_into().map_err(|_| Unreadable("role"))?,
            created_by: stored.created_by.parse().map_err(|_| Unreadable("created_by"))?,
            created_at: stored.created_at.to_jiff(),
            expires_at: stored.expires_at.map(DateTime::to_jiff),
            last_used_at: stored.last_used_at.map(DateTime::to_jiff),
            tokens_until: stored.tokens_until.map(DateTime::to_jiff),
        })
    }
}
