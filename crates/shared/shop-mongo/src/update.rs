//! The `update` command with many different writes: one round trip, also inside a transaction, also on servers before 8.0
//! (where the driver's own bulk write does not exist).

use bson::{Bson, Document, doc};
use serde::Deserialize;
use tokio::time::{Instant, sleep};

use crate::mongo::{deadline, majority};
use crate::retry::Pauses;
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
    #[serde(rename = "errInfo")]
    details: Option<Document>,
}

impl Updated {
    /// Reads the server's reply: the command may be "ok" although a write inside it was refused.
    pub(crate) fn read(what: &'static str, collection: &str, reply: Document) -> Result<Self, Error> {
        let reply: Reply = bson::deserialize_from_document(reply).map_err(|error| Error::corrupt(what, error))?;
        if let Some(error) = reply.write_errors.first() {
            return Err(Error::of_write(what, collection, error.code, &error.errmsg, error.details.as_ref()));
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

pub(crate) fn command(collection: &str, ops: Vec<UpdateOp>) -> Document {
    let updates: Vec<Document> = ops.into_iter().map(UpdateOp::into_statement).collect();
    doc! { "update": collection, "updates": updates, "ordered": true }
}

impl Mongo {
    /// Makes many different writes in one round trip, in their order, without a transaction: each is atomic by itself, and
    /// after an error the ones before it stay.
    ///
    /// Repeated until the deadline while MongoDB has no primary, so every write must be safe to repeat.
    ///
    /// # Errors
    /// As [`crate::Txn::update_many_ops`]. After [`Error::Unavailable`] or [`Error::Timeout`] any of them may have
    /// happened.
    pub async fn update_many_ops(
        &self,
        what: &'static str,
        collection: &str,
        ops: Vec<UpdateOp>,
    ) -> Result<Updated, Error> {
        if ops.is_empty() {
            return Ok(Updated::default());
        }
        let concern = bson::serialize_to_document(&majority()).map_err(|error| Error::failed(what, error))?;
        let mut command = command(collection, ops);
        command.insert("writeConcern", concern);
        let (until, mut pauses) = (deadline(), Pauses::default());
        loop {
            let (database, command) = (self.database().clone(), command.clone());
            let sent = async move { database.run_command(command).await.map_err(|error| Error::of(what, error)) };
            match self.run_until(what, until, sent).await {
                // The driver repeats no command that it does not know.
                Err(error) if error.is_away() => {
                    let pause = pauses.pause();
                    if Instant::now() + pause >= until {
                        return Err(error);
                    }
                    sleep(pause).await;
                }
                ended => return Updated::read(what, collection, ended?),
            }
        }
    }
}
