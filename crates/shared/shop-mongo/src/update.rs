//! The `update` command with many different writes: one round trip, also inside a transaction, also on servers before 8.0
//! (where the driver's own bulk write does not exist).

use bson::{Bson, Document, doc};
use serde::Deserialize;

use crate::{Error, Mongo};

/// One write of a batch: the first document that matches `q` is changed by `u`.
#[derive(Debug, Clone)]
pub struct UpdateOp {
    /// The guard: id, state, version, what must be left. Index it by `_id`.
    pub q: Document,
    /// The change: a document of operators, or a pipeline (which may use `$$NOW`, the database's clock).
    pub u: Bson,
    /// Inserts a document when none matches.
    pub upsert: bool,
    /// Filters for `$[name]` in paths of arrays.
    pub array: Vec<Document>,
}

impl UpdateOp {
    /// A change of a document that must be there: `u` is a `Document` of operators or a `Vec<Document>` of stages.
    pub fn new(q: Document, u: impl Into<Bson>) -> Self {
        Self { q, u: u.into(), upsert: false, array: Vec::new() }
    }

    /// Inserts the document when it is not there.
    #[must_use]
    pub fn upsert(self) -> Self {
        Self { upsert: true, ..self }
    }

    /// Adds a filter for `$[name]` in paths of arrays.
    #[must_use]
    pub fn array_filter(mut self, filter: Document) -> Self {
        self.array.push(filter);
        self
    }

    fn into_statement(self) -> Document {
        let Self { q, u, upsert, array } = self;
        let mut statement = doc! { "q": q, "u": u, "upsert": upsert, "multi": false };
        if !array.is_empty() {
            statement.insert("arrayFilters", array);
        }
        statement
    }
}

/// What a batch of writes has done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Updated {
    /// Writes that found their document or upserted one.
    pub matched: usize,
    /// Documents that are different now; without the upserted ones.
    pub modified: usize,
    /// Positions of the writes that inserted a document.
    pub upserted: Vec<usize>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reply {
    n: i64,
    #[serde(default)]
    n_modified: i64,
    #[serde(default)]
    upserted: Vec<Upserted>,
    #[serde(default)]
    write_errors: Vec<WriteError>,
    write_concern_error: Option<WriteError>,
}

#[derive(Deserialize)]
struct Upserted {
    index: i64,
}

#[derive(Deserialize)]
struct WriteError {
    code: i32,
    #[serde(default)]
    errmsg: String,
}

impl Updated {
    /// Reads the server's reply: the command may be "ok" although a write inside it was refused.
    pub(crate) fn read(what: &'static str, reply: Document) -> Result<Self, Error> {
        let reply: Reply = bson::deserialize_from_document(reply).map_err(|error| Error::corrupt(what, error))?;
        if let Some(error) = reply.write_errors.first() {
            return Err(Error::of_write(what, error.code, &error.errmsg));
        }
        if reply.write_concern_error.is_some() {
            return Err(Error::Timeout { what });
        }
        let count = |n: i64| usize::try_from(n).map_err(|error| Error::corrupt(what, error));
        Ok(Self {
            matched: count(reply.n)?,
            modified: count(reply.n_modified)?,
            upserted: reply.upserted.iter().map(|one| count(one.index)).collect::<Result<_, _>>()?,
        })
    }
}

pub(crate) fn command(collection: &str, ops: Vec<UpdateOp>, write_concern: Option<Document>) -> Document {
    let updates: Vec<Document> = ops.into_iter().map(UpdateOp::into_statement).collect();
    let mut command = doc! { "update": collection, "updates": updates, "ordered": true };
    if let Some(concern) = write_concern {
        command.insert("writeConcern", concern);
    }
    command
}

impl Mongo {
    /// Makes many different writes in one round trip, in their order, without a transaction: each is atomic by itself, and
    /// after an error the ones before it stay.
    ///
    /// # Errors
    /// As [`crate::Txn::update_many_ops`]. After [`Error::Unavailable`] or [`Error::Timeout`] any of them may have
    /// happened; the driver does not repeat them, so they must be safe to repeat.
    pub async fn update_many_ops(
        &self,
        what: &'static str,
        collection: &str,
        ops: Vec<UpdateOp>,
    ) -> Result<Updated, Error> {
        if ops.is_empty() {
            return Ok(Updated::default());
        }
        let milliseconds = i64::try_from(crate::DEADLINE.as_millis()).unwrap_or(i64::MAX);
        let command = command(collection, ops, Some(doc! { "w": "majority", "wtimeout": milliseconds }));
        let database = self.database().clone();
        let reply = self.run(what, async move { database.run_command(command).await }).await?;
        Updated::read(what, reply)
    }
}
