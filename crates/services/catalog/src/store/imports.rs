//! Imports in MongoDB: the job, the chunks of its upload, and the rows that become products.
//!
//! A job belongs to the pod that holds its lease, by the database's clock. Rows, counts and the lease are written in one
//! transaction: whoever takes a job over begins right behind the last row that counts.

mod documents;
mod rows;

use bson::spec::BinarySubtype;
use bson::{Binary, DateTime, Document, doc};
use shop_mongo::options::{IndexOptions, ReturnDocument};
use shop_mongo::{Claim, Collection, Error, IndexModel, Setup, idempotency};
use shop_types::ImportId;

use self::documents::{FaultDocument, ImportDocument};
pub(crate) use self::rows::RowBatch;
use super::{ID_INDEX, Store};
use crate::domain::import::Fault;
use crate::domain::import::job::{Import, NewImport};

const IMPORTS: &str = "imports";
const CHUNKS: &str = "import_chunks";

/// How long a pod may be silent before another takes its import over.
const LEASE_MILLISECONDS: i64 = 30_000;
/// How long one can look at an import.
const KEPT: std::time::Duration = std::time::Duration::from_secs(30 * 24 * 3600);
/// How long an upload is kept whose import never ended, or never began.
const CHUNKS_KEPT: std::time::Duration = std::time::Duration::from_secs(7 * 24 * 3600);

/// What became of an import to begin.
#[derive(Debug)]
pub(crate) enum Begun {
    Done,
    /// The idempotency key is in use.
    KeyTaken,
}

pub(super) fn setup() -> [Setup; 2] {
    let index = |keys| IndexModel::builder().keys(keys).build();
    let expiring = |keys, kept| {
        IndexModel::builder().keys(keys).options(IndexOptions::builder().expire_after(kept).build()).build()
    };
    let imports = Setup::new(IMPORTS, [index(doc! { "open": 1, "_id": 1 }), expiring(doc! { "created_at": 1 }, KEPT)]);
    let chunks = Setup::new(CHUNKS, [expiring(doc! { "at": 1 }, CHUNKS_KEPT)]);
    [imports, chunks]
}

fn chunk_id(import: ImportId, part: u32) -> String {
    format!("{import}:{part}")
}

impl Store {
    /// Keeps a part of an upload, from 0 on.
    pub(crate) async fn keep_chunk(
        &self,
        import: ImportId,
        part: u32,
        bytes: Vec<u8>,
        now: jiff::Timestamp,
    ) -> Result<(), Error> {
        let data = Binary { subtype: BinarySubtype::Generic, bytes };
        let chunk = doc! { "_id": chunk_id(import, part), "data": data, "at": DateTime::from(now) };
        let chunks: Collection<Document> = self.mongo.collection(CHUNKS);
        self.mongo.run("keep chunk", async move { chunks.insert_one(chunk).await }).await.map(drop)
    }

    /// A part of an upload; `None` behind the last.
    pub(crate) async fn chunk(&self, import: ImportId, part: u32) -> Result<Option<Vec<u8>>, Error> {
        const WHAT: &str = "find chunk";
        let (chunks, filter) = (self.mongo.collection::<Document>(CHUNKS), doc! { "_id": chunk_id(import, part) });
        let found = self.mongo.run(WHAT, async move { chunks.find_one(filter).await }).await?;
        let bytes = |chunk: Document| chunk.get_binary_generic("data").cloned();
        found.map(bytes).transpose().map_err(|error| Error::corrupt(WHAT, error))
    }

    /// Forgets the first `parts` parts of an upload.
    pub(crate) async fn drop_chunks(&self, import: ImportId, parts: u32) -> Result<(), Error> {
        let ids: Vec<String> = (0..parts).map(|part| chunk_id(import, part)).collect();
        let chunks: Collection<Document> = self.mongo.collection(CHUNKS);
        let dropping = async move { chunks.delete_many(doc! { "_id": { "$in": ids } }).await };
        self.mongo.run("drop chunks", dropping).await.map(drop)
    }

    /// Writes a new import, and with it the row of its idempotency key.
    pub(crate) async fn begin_import(&self, new: &NewImport, claim: Option<Claim>) -> Result<Begun, Error> {
        const WHAT: &str = "begin import";
        let start = claim.map(|claim| claim.start(new.id.to_string()));
        let document = bson::serialize_to_document(&ImportDocument::from(new));
        let document = document.map_err(|error| Error::corrupt(WHAT, error))?;
        let begun = self.mongo.transact(WHAT, move |txn| {
            let (document, start) = (document.clone(), start.clone());
            Box::pin(async move {
                if let Some(start) = start {
                    idempotency::insert(txn, &[start]).await?;
                }
                txn.insert_many(IMPORTS, vec![document]).await
            })
        });
        match begun.await {
            Ok(()) => Ok(Begun::Done),
            Err(error) if error.is_duplicate_of(ID_INDEX) => Ok(Begun::KeyTaken),
            Err(error) => Err(error),
        }
    }

    /// One import.
    pub(crate) async fn import(&self, id: ImportId) -> Result<Option<Import>, Error> {
        const WHAT: &str = "find import";
        let imports: Collection<ImportDocument> = self.mongo.collection(IMPORTS);
        let filter = doc! { "_id": id.to_string() };
        let found = self.mongo.run(WHAT, async move { imports.find_one(filter).await }).await?;
        found.map(|stored| stored.try_into().map_err(|error| Error::corrupt(WHAT, error))).transpose()
    }

    /// Leases the oldest import that nobody works on, and counts that.
    pub(crate) async fn take_import(&self, holder: &str) -> Result<Option<Import>, Error> {
        const WHAT: &str = "take import";
        let imports: Collection<ImportDocument> = self.mongo.collection(IMPORTS);
        let silent = doc! { "$lt": ["$renewed_at", { "$subtract": ["$$NOW", LEASE_MILLISECONDS] }] };
        let filter = doc! { "open": true, "$expr": silent };
        let takes = doc! { "$add": [{ "$ifNull": ["$takes", 0_i64] }, 1_i64] };
        let lease =
            vec![doc! { "$set": { "state": "running", "holder": holder, "renewed_at": "$$NOW", "takes": takes } }];
        let taken = self.mongo.run(WHAT, async move {
            let oldest = doc! { "_id": 1 };
            imports.find_one_and_update(filter, lease).sort(oldest).return_document(ReturnDocument::After).await
        });
        taken.await?.map(|stored| stored.try_into().map_err(|error| Error::corrupt(WHAT, error))).transpose()
    }

    /// Gives an import back, for the next pod to take: as if it had not been taken.
    pub(crate) async fn give_import_back(&self, id: ImportId, holder: &str) -> Result<(), Error> {
        let long_ago = DateTime::from_millis(0);
        let change = doc! { "$set": { "renewed_at": long_ago }, "$inc": { "takes": -1_i64 } };
        self.change_import("give import back", id, holder, change).await.map(drop)
    }

    /// Leaves an import to its lease, as if it had not been taken.
    pub(crate) async fn uncount_import(&self, id: ImportId, holder: &str) -> Result<(), Error> {
        self.change_import("uncount import", id, holder, doc! { "$inc": { "takes": -1_i64 } }).await.map(drop)
    }

    /// Ends an import: every row was looked at, or no further one can be. `false` when it has another holder by now.
    pub(crate) async fn end_import(&self, id: ImportId, holder: &str, fault: Option<Fault>) -> Result<bool, Error> {
        const WHAT: &str = "end import";
        let state = if fault.is_some() { "failed" } else { "done" };
        let mut change = doc! {
            "$set": { "state": state },
            "$unset": { "open": "", "holder": "" },
            "$currentDate": { "finished_at": true },
        };
        if let Some(fault) = fault {
            let fault = bson::serialize_to_document(&FaultDocument::from(fault));
            change.insert("$push", doc! { "faults": fault.map_err(|error| Error::corrupt(WHAT, error))? });
        }
        self.change_import(WHAT, id, holder, change).await
    }

    /// Changes an import of this holder; does nothing, and says so, when it has another one by now.
    async fn change_import(
        &self,
        what: &'static str,
        id: ImportId,
        holder: &str,
        change: Document,
    ) -> Result<bool, Error> {
        let imports: Collection<Document> = self.mongo.collection(IMPORTS);
        let filter = doc! { "_id": id.to_string(), "holder": holder };
        let changed = self.mongo.run(what, async move { imports.update_one(filter, change).await }).await?;
        Ok(changed.matched_count == 1)
    }
}
