//! Copies of what is kept of people, in MongoDB: one for each person at most, in pieces, for a week. Who makes one, and for how
//! long, goes by the database's clock: a pod whose own clock jumps neither loses nor steals an export.

use std::sync::Arc;
use std::time::Duration;

use bson::DateTime;
use serde::{Deserialize, Serialize};
use shop_mongo::idempotency::{self, Start};
use shop_mongo::options::{IndexOptions, ReturnDocument};
use shop_mongo::{Collection, Document, Error, IndexModel, Setup, Txn, UpdateOp, doc};
use shop_types::UserId;
use uuid::Uuid;

use super::documents::Unreadable;
use super::users::corrupt;
use super::{Store, USERS};
use crate::domain::export::{Export, ExportId, ExportState, Keeper};

pub(super) const EXPORTS: &str = "exports";
pub(super) const PIECES: &str = "export_pieces";

/// How long whoever makes an export may be silent before another takes over.
const LEASE_MILLISECONDS: i64 = 15_000;
/// How long nobody asks a keeper again that gave no answer.
const PAUSE_MILLISECONDS: i64 = 2_000;
/// How long an export may take.
const PATIENCE_MILLISECONDS: i64 = 3_600_000;
/// How long it is kept.
const WEEK_MILLISECONDS: i64 = 7 * 24 * 3_600_000;

/// What became of the wish for an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wished {
    /// It begins.
    Begun(Export),
    /// One is on its way.
    OnItsWay(Export),
    /// The account is gone, or the key of the request was claimed meanwhile; nothing was written.
    Missed,
}

/// An export that this pod makes until its lease ends.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) export: Export,
    holder: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct ExportDocument {
    #[serde(rename = "_id")]
    id: String,
    user: String,
    state: String,
    keeper: String,
    received: i64,
    records: i64,
    pieces: i64,
    created_at: DateTime,
    forget_at: DateTime,
}

#[derive(Debug, Serialize, Deserialize)]
struct PieceDocument {
    /// Export and place.
    #[serde(rename = "_id")]
    id: String,
    export: String,
    /// Whole lines.
    text: String,
    forget_at: DateTime,
}

pub(super) fn setup() -> [Setup; 2] {
    let index = |keys, options| IndexModel::builder().keys(keys).options(options).build();
    let forget = || IndexOptions::builder().expire_after(Duration::ZERO).build();
    let running = doc! { "state": ExportState::Running.word() };
    let exports = [
        index(doc! { "user": 1 }, IndexOptions::builder().unique(true).build()),
        index(doc! { "lease_until": 1 }, IndexOptions::builder().partial_filter_expression(running).build()),
        index(doc! { "forget_at": 1 }, forget()),
    ];
    let exports = Setup::new(EXPORTS, exports).validated(doc! { "$jsonSchema": {
        "required": ["_id", "user", "state", "keeper", "received", "records", "pieces", "created_at", "forget_at", "lease_until"],
        "properties": {
            "_id": { "bsonType": "string", "minLength": 36, "maxLength": 36 },
            "user": { "bsonType": "string", "minLength": 36, "maxLength": 36 },
            "state": { "enum": ["running", "done", "failed"] },
            "keeper": { "enum": Keeper::ALL.map(Keeper::word).as_slice() },
            "received": { "bsonType": "long", "minimum": 0_i64 },
            "records": { "bsonType": "long", "minimum": 0_i64 },
            "pieces": { "bsonType": "long", "minimum": 0_i64 },
        },
    } });
    let pieces = [index(doc! { "export": 1 }, IndexOptions::default()), index(doc! { "forget_at": 1 }, forget())];
    [exports, Setup::new(PIECES, pieces)]
}

impl Store {
    /// Begins an export, instead of the one before, or joins that when it is still on its way. The account is written, too: whoever
    /// deletes it at the same time meets this write, and no copy is left of somebody who is gone.
    pub(crate) async fn begin_export(&self, id: ExportId, user: UserId, start: Option<Start>) -> Result<Wished, Error> {
        const WHAT: &str = "begin export";
        let start = Arc::new(start);
        let begun = self.mongo.transact(WHAT, move |txn| {
            let start = Arc::clone(&start);
            Box::pin(async move {
                let (id, user) = (id.to_string(), user.to_string());
                let account = UpdateOp::new(doc! { "_id": &user }, vec![doc! { "$set": { "exported_at": "$$NOW" } }]);
                if txn.update_many_ops(USERS, vec![account]).await?.matched == 0 {
                    return Ok(Wished::Missed);
                }
                if let Some(before) = txn.find(EXPORTS, doc! { "user": &user }).await?.into_iter().next() {
                    let before = export(WHAT, before)?;
                    if before.state == ExportState::Running {
                        // The key names that one from now on, also when it is done.
                        if let Some(start) = &*start {
                            let joined = Start { resource: before.id.to_string(), ..start.clone() };
                            idempotency::insert(txn, &[joined]).await?;
                        }
                        return Ok(Wished::OnItsWay(before));
                    }
                    forget(txn, &user, &[before.id]).await?;
                }
                txn.update_many_ops(EXPORTS, vec![beginning(&id, &user)]).await?;
                if let Some(start) = &*start {
                    idempotency::insert(txn, std::slice::from_ref(start)).await?;
                }
                let found: Vec<ExportDocument> = txn.find_many(EXPORTS, [id.as_str()]).await?;
                found.into_iter().next().map_or(Ok(Wished::Missed), |stored| export(WHAT, stored).map(Wished::Begun))
            })
        });
        match begun.await {
            Err(error) if error.is_duplicate_of("_id_") => Ok(Wished::Missed),
            ended => ended,
        }
    }

    /// An export of a person.
    pub(crate) async fn export(&self, user: UserId, id: ExportId) -> Result<Option<Export>, Error> {
        const WHAT: &str = "find export";
        let exports: Collection<ExportDocument> = self.mongo.collection(EXPORTS);
        let filter = doc! { "_id": id.to_string(), "user": user.to_string() };
        let found = self.mongo.run(WHAT, async move { exports.find_one(filter).await }).await?;
        found.map(|stored| export(WHAT, stored)).transpose()
    }

    /// A piece of an export, by its place from 0.
    pub(crate) async fn export_piece(&self, id: ExportId, place: u32) -> Result<Option<String>, Error> {
        let pieces: Collection<PieceDocument> = self.mongo.collection(PIECES);
        let filter = doc! { "_id": piece_id(id, place) };
        let found = self.mongo.run("find piece of export", async move { pieces.find_one(filter).await }).await?;
        Ok(found.map(|piece| piece.text))
    }

    /// Takes over an export that nobody makes, the one that waits longest. One that took too long has failed with this.
    pub(crate) async fn take_over_export(&self, holder: Uuid) -> Result<Option<Held>, Error> {
        const WHAT: &str = "take over export";
        let exports: Collection<ExportDocument> = self.mongo.collection(EXPORTS);
        let holder = holder.to_string();
        let free = doc! {
            "state": ExportState::Running.word(),
            "$expr": { "$lt": ["$lease_until", "$$NOW"] },
        };
        let too_late = doc! { "$lt": [{ "$add": ["$created_at", PATIENCE_MILLISECONDS] }, "$$NOW"] };
        let state = doc! { "$cond": [too_late, ExportState::Failed.word(), "$state"] };
        let lease = doc! { "$add": ["$$NOW", LEASE_MILLISECONDS] };
        let take = vec![doc! { "$set": { "state": state, "lease_until": lease, "holder": &holder } }];
        let taken = self.mongo.run(WHAT, async move {
            let longest = doc! { "lease_until": 1 };
            exports.find_one_and_update(free, take).sort(longest).return_document(ReturnDocument::After).await
        });
        taken.await?.map(|stored| Ok(Held { export: export(WHAT, stored)?, holder })).transpose()
    }

    /// Writes what a keeper gave, and how far the export is with it; `false`, and nothing written, when another pod makes it
    /// now or it is gone.
    pub(crate) async fn advance_export(&self, held: &Held, next: &Export, text: Option<String>) -> Result<bool, Error> {
        const WHAT: &str = "advance export";
        let op = held.while_held(doc! {
            "state": next.state.word(),
            "keeper": next.keeper.word(),
            "received": i64::from(next.received),
            "records": i64::from(next.records),
            "pieces": i64::from(next.pieces),
            "lease_until": { "$add": ["$$NOW", LEASE_MILLISECONDS] },
        });
        let piece = text.map(|text| PieceDocument {
            id: piece_id(held.export.id, held.export.pieces),
            export: held.export.id.to_string(),
            text,
            forget_at: held.export.forget_at.into(),
        });
        let piece = piece.map(|piece| bson::serialize_to_document(&piece)).transpose();
        let piece = piece.map_err(|error| corrupt(WHAT, error))?;
        let advanced = self.mongo.transact(WHAT, move |txn| {
            let (op, piece) = (op.clone(), piece.clone());
            Box::pin(async move {
                if txn.update_many_ops(EXPORTS, vec![op]).await?.matched == 0 {
                    return Ok(false);
                }
                txn.insert_many(PIECES, piece.into_iter().collect()).await?;
                Ok(true)
            })
        });
        advanced.await
    }

    /// Lets an export rest for a moment, since a keeper gave no answer.
    pub(crate) async fn rest_export(&self, held: &Held) -> Result<(), Error> {
        let op = held.while_held(doc! { "lease_until": { "$add": ["$$NOW", PAUSE_MILLISECONDS] } });
        let rested = self.mongo.transact("rest export", move |txn| {
            let op = op.clone();
            Box::pin(async move { txn.update_many_ops(EXPORTS, vec![op]).await.map(drop) })
        });
        rested.await
    }
}

impl Held {
    /// A change of an export as long as nobody else makes it.
    fn while_held(&self, set: Document) -> UpdateOp {
        let guard = doc! {
            "_id": self.export.id.to_string(),
            "holder": &self.holder,
            "state": ExportState::Running.word(),
        };
        UpdateOp::new(guard, vec![doc! { "$set": set }])
    }
}

fn beginning(id: &str, user: &str) -> UpdateOp {
    let set = doc! {
        "user": user,
        "state": ExportState::Running.word(),
        "keeper": Keeper::ALL[0].word(),
        "received": 0_i64,
        "records": 0_i64,
        "pieces": 0_i64,
        "created_at": "$$NOW",
        "lease_until": "$$NOW",
        "forget_at": { "$add": ["$$NOW", WEEK_MILLISECONDS] },
    };
    UpdateOp::new(doc! { "_id": id }, vec![doc! { "$set": set }]).upsert()
}

/// Removes all exports of a person, with their pieces.
pub(super) async fn forget_of(txn: &mut Txn<'_>, user: &str) -> Result<(), Error> {
    let found: Vec<ExportDocument> = txn.find(EXPORTS, doc! { "user": user }).await?;
    let ids = found.into_iter().map(|stored| export(txn.what(), stored).map(|export| export.id));
    let ids = ids.collect::<Result<Vec<_>, _>>()?;
    if ids.is_empty() { Ok(()) } else { forget(txn, user, &ids).await }
}

async fn forget(txn: &mut Txn<'_>, user: &str, ids: &[ExportId]) -> Result<(), Error> {
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    for (collection, filter) in [(PIECES, doc! { "export": { "$in": ids } }), (EXPORTS, doc! { "user": user })] {
        let documents: Collection<Document> = txn.collection(collection);
        let deleted = documents.delete_many(filter).session(&mut *txn.session).await;
        deleted.map_err(|error| txn.sort(error))?;
    }
    Ok(())
}

fn piece_id(export: ExportId, place: u32) -> String {
    format!("{export}:{place}")
}

fn export(what: &'static str, stored: ExportDocument) -> Result<Export, Error> {
    stored.try_into().map_err(|error: Unreadable| corrupt(what, error))
}

impl TryFrom<ExportDocument> for Export {
    type Error = Unreadable;

    fn try_from(stored: ExportDocument) -> Result<Self, Unreadable> {
        let count = |count: i64, field| u32::try_from(count).map_err(|_| Unreadable(field));
        Ok(Self {
            id: stored.id.parse().map_err(|_| Unreadable("_id"))?,
            user: stored.user.parse().map_err(|_| Unreadable("user"))?,
            state: ExportState::from_stored(&stored.state).ok_or(Unreadable("state"))?,
            keeper: Keeper::from_stored(&stored.keeper).ok_or(Unreadable("keeper"))?,
            received: count(stored.received, "received")?,
            records: count(stored.records, "records")?,
            pieces: count(stored.pieces, "pieces")?,
            created_at: stored.created_at.to_jiff(),
            forget_at: stored.forget_at.to_jiff(),
        })
    }
}
