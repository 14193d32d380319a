//! What one can do inside a transaction: read many, insert many, write many under guards, each in one round trip.
//!
//! What does not belong here: starting, committing and repeating it (`transaction`, [`crate::Group`]).

use bson::{Bson, DateTime, Document, doc};
use futures::TryStreamExt;
use mongodb::{ClientSession, ClusterTime, Collection, Database};
use serde::de::DeserializeOwned;

use crate::update::{self, UpdateOp, Updated};
use crate::{DriverError, Error};

/// A transaction under way. All reads see one snapshot and this transaction's own writes. Any error ends it: give it back
/// to the caller, who repeats or splits.
#[derive(Debug)]
pub struct Txn<'a> {
    /// For operations that have no helper here; sort their errors with [`Self::sort`].
    pub session: &'a mut ClientSession,
    database: Database,
    what: &'static str,
    wrote_events: bool,
    /// What the session had heard of the database's time when the transaction began.
    began: Option<ClusterTime>,
}

impl<'a> Txn<'a> {
    pub(crate) fn new(session: &'a mut ClientSession, database: &Database, what: &'static str) -> Self {
        let began = session.cluster_time().cloned();
        Self { session, database: database.clone(), what, wrote_events: false, began }
    }

    /// A collection of this service, read as `T`.
    #[must_use]
    pub fn collection<T: Send + Sync>(&self, name: &str) -> Collection<T> {
        self.database.collection(name)
    }

    /// The name of this transaction in metrics and errors.
    #[must_use]
    pub fn what(&self) -> &'static str {
        self.what
    }

    /// Sorts an error of an operation on [`Self::session`].
    #[must_use]
    pub fn sort(&self, error: DriverError) -> Error {
        Error::of(self.what, error)
    }

    /// Reads the documents with these ids, in no order; ids without a document are left out.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn find_many<T, I>(&mut self, collection: &str, ids: I) -> Result<Vec<T>, Error>
    where
        T: DeserializeOwned + Send + Sync,
        I: IntoIterator,
        I::Item: Into<Bson>,
    {
        let ids: Vec<Bson> = ids.into_iter().map(Into::into).collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        self.find(collection, doc! { "_id": { "$in": ids } }).await
    }

    /// Reads the documents that match. Not for results of unknown size: all of them are held in memory.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn find<T>(&mut self, collection: &str, filter: Document) -> Result<Vec<T>, Error>
    where
        T: DeserializeOwned + Send + Sync,
    {
        // More than one batch would cost a round trip each: 1,000 documents are the first one.
        let found = self.collection::<T>(collection).find(filter).batch_size(1000).session(&mut *self.session).await;
        let mut cursor = found.map_err(|error| Error::of(self.what, error))?;
        cursor.stream(self.session).try_collect().await.map_err(|error| Error::of(self.what, error))
    }

    /// Inserts documents; none is no call.
    ///
    /// # Errors
    /// [`Error::Duplicate`] when a unique key is taken: the whole transaction is over, so read the ids first.
    pub async fn insert_many(&mut self, collection: &str, documents: Vec<Document>) -> Result<(), Error> {
        if documents.is_empty() {
            return Ok(());
        }
        let inserted = self.collection::<Document>(collection).insert_many(documents).session(&mut *self.session).await;
        inserted.map(|_| ()).map_err(|error| Error::of_collection(self.what, Some(collection), error))
    }

    /// Makes many different writes in one round trip, in their order, and tells how many found their document.
    ///
    /// # Errors
    /// [`Error::Duplicate`] when an upsert or a change meets a taken key, [`Error::Failed`] when a validator refuses (and names the
    /// collection).
    pub async fn update_many_ops(&mut self, collection: &str, ops: Vec<UpdateOp>) -> Result<Updated, Error> {
        if ops.is_empty() {
            return Ok(Updated::default());
        }
        let command = update::command(collection, ops);
        let reply = self.database.run_command(command).session(&mut *self.session).await;
        let reply = reply.map_err(|error| Error::of_collection(self.what, Some(collection), error))?;
        Updated::read(self.what, collection, reply)
    }

    /// [`Self::update_many_ops`] where every write must find exactly one document (or upsert it).
    ///
    /// # Errors
    /// [`Error::GuardFailed`] when one did not; and as [`Self::update_many_ops`].
    pub async fn update_each(&mut self, collection: &str, ops: Vec<UpdateOp>) -> Result<(), Error> {
        let expected = ops.len();
        let updated = self.update_many_ops(collection, ops).await?;
        if updated.matched == expected {
            return Ok(());
        }
        Err(Error::GuardFailed { what: self.what, expected, matched: updated.matched })
    }

    /// The time of the database's clock as the replies in this transaction carry it: whole seconds, and behind by as long
    /// as nothing was written anywhere, 10 s at most. Without a reply yet it asks `collection` for nothing.
    ///
    /// # Errors
    /// As [`Error`] says; [`Error::Failed`] for a server that is no member of a replica set.
    pub(crate) async fn database_time(&mut self, collection: &str) -> Result<DateTime, Error> {
        if self.session.cluster_time() == self.began.as_ref() {
            let _nothing: Vec<Document> = self.find(collection, doc! { "_id": Bson::Null }).await?;
        }
        let time = self.session.cluster_time().map(bson::serialize_to_document).transpose();
        let time = time.map_err(|error| Error::failed(self.what, error))?.unwrap_or_default();
        match time.get_timestamp("clusterTime") {
            Ok(time) => Ok(DateTime::from_millis(i64::from(time.time) * 1000)),
            Err(error) => Err(Error::failed(self.what, error)),
        }
    }

    pub(crate) fn will_have_written_events(&mut self) {
        self.wrote_events = true;
    }

    pub(crate) fn wrote_events(&self) -> bool {
        self.wrote_events
    }
}
