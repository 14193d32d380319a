//! Collections, validators and indexes as a service wants them, made at start.

use std::collections::HashMap;
use std::time::Duration;

use bson::{Document, doc};
use futures::TryStreamExt;
use mongodb::error::ErrorKind;
use mongodb::{Database, IndexModel};
use tokio::time::Instant;

use crate::{DriverError, Error, Mongo, sessions};

/// Building an index of a collection that is already large takes its time.
const LONGEST: Duration = Duration::from_secs(60);

/// A collection as it shall be.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Its name.
    pub collection: &'static str,
    /// Indexes that shall exist; others are left alone.
    pub indexes: Vec<IndexModel>,
    /// What every document must match, e.g. `{"$jsonSchema": ..}`; `None` removes the one that is there.
    pub validator: Option<Document>,
}

impl Setup {
    /// A collection with these indexes and no validator.
    #[must_use]
    pub fn new(collection: &'static str, indexes: impl Into<Vec<IndexModel>>) -> Self {
        Self { collection, indexes: indexes.into(), validator: None }
    }

    /// Adds what every document must match. A backstop: a write that it refuses is a defect of the service, told as
    /// [`Error::Failed`] and never repeated.
    #[must_use]
    pub fn validated(self, validator: Document) -> Self {
        Self { validator: Some(validator), ..self }
    }
}

impl Mongo {
    /// Makes collections, validators and indexes as wished, and that of the register of sessions; does nothing where they
    /// are. Several pods may do so at once, and locks that a dead process left behind are broken from then on. Call it before traffic: transactions cannot wait for a collection to be made.
    ///
    /// # Errors
    /// [`Error::Unavailable`] and [`Error::Timeout`] (60 s) when MongoDB is away: repeat it. [`Error::Failed`] when an
    /// index of the same name or keys exists with other options, or the user may not make them; [`Error::Duplicate`] when
    /// the stored documents break a unique index.
    pub async fn ensure(&self, setup: &[Setup]) -> Result<(), Error> {
        const WHAT: &str = "ensure collections";
        let (database, mut setup) = (self.database().clone(), setup.to_vec());
        setup.push(sessions::setup());
        let work = async move { ensure(&database, setup).await.map_err(|error| Error::of(WHAT, error)) };
        self.run_until(WHAT, Instant::now() + LONGEST, work).await?;
        // The process before this one may have died a moment ago.
        self.sessions().suspect();
        Ok(())
    }
}

async fn ensure(database: &Database, setup: Vec<Setup>) -> Result<(), DriverError> {
    let mut validators: HashMap<String, Option<Document>> = database
        .list_collections()
        .await?
        .map_ok(|collection| (collection.name, collection.options.validator))
        .try_collect()
        .await?;
    for Setup { collection, indexes, validator } in setup {
        if !validators.contains_key(collection) {
            create(database, collection).await?;
        }
        let present = validators.remove(collection).flatten().unwrap_or_default();
        let wished = named(collection, validator.unwrap_or_default());
        if present != wished {
            // Only where it differs: the command locks the collection.
            let command = doc! { "collMod": collection, "validator": wished, "validationLevel": "strict" };
            database.run_command(command).await?;
        }
        if !indexes.is_empty() {
            database.collection::<Document>(collection).create_indexes(indexes).await?;
        }
    }
    Ok(())
}

/// Gives the schema of a validator the title by which a refusal names the collection.
fn named(collection: &str, mut validator: Document) -> Document {
    if let Ok(schema) = validator.get_document_mut("$jsonSchema")
        && !schema.contains_key("title")
    {
        schema.insert("title", collection);
    }
    validator
}

async fn create(database: &Database, collection: &str) -> Result<(), DriverError> {
    const EXISTS: i32 = 48;
    match database.create_collection(collection).await {
        // Another pod was faster.
        Err(error) if matches!(&*error.kind, ErrorKind::Command(command) if command.code == EXISTS) => Ok(()),
        created => created,
    }
}
