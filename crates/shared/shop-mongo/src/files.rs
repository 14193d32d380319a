//! Files in GridFS: bytes that are too large for a document, under an id of the caller's choice.
//!
//! A file is whole or not there: the driver writes its chunks first and what names them last. What a process that died
//! left of one is found by [`Files::ids_after`], which knows the ids of chunks as well.

use bson::{Bson, Document, doc};
use futures::TryStreamExt as _;
use futures::io::{AsyncReadExt as _, AsyncWriteExt as _};
use mongodb::IndexModel;
use mongodb::gridfs::GridFsBucket;
use mongodb::options::GridFsBucketOptions;

use crate::{DriverError, Error, Mongo};

/// Bytes of a chunk: a file of a few MiB is a few writes.
const CHUNK_BYTES: u32 = 1024 * 1024;

/// The files of one bucket.
#[derive(Debug, Clone)]
pub struct Files {
    mongo: Mongo,
    bucket: GridFsBucket,
    name: &'static str,
}

/// What of a bucket an id belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Whole files.
    Files,
    /// Chunks, also those of no file.
    Chunks,
}

impl Mongo {
    /// The files of the bucket `name`. It is made with its first file.
    #[must_use]
    pub fn files(&self, name: &'static str) -> Files {
        let options = GridFsBucketOptions::builder().bucket_name(name.to_owned()).chunk_size_bytes(CHUNK_BYTES).build();
        Files { mongo: self.clone(), bucket: self.database().gridfs_bucket(options), name }
    }
}

impl Files {
    /// Makes the index by which the chunks of a file are found. The driver makes it with the first file alone: what it is to
    /// hold must not come before it.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn ensure(&self) -> Result<(), Error> {
        let chunks = self.mongo.collection::<Document>(&format!("{}.chunks", self.name));
        let by_file = IndexModel::builder().keys(doc! { "files_id": 1, "n": 1 }).build();
        self.mongo.run("ensure files", async move { chunks.create_index(by_file).await }).await.map(drop)
    }

    /// Writes a file that is not there yet.
    ///
    /// # Errors
    /// As [`Error`] says. After [`Error::Unavailable`] and [`Error::Timeout`] the file, or chunks of it, may be there.
    pub async fn put(&self, id: &str, bytes: Vec<u8>) -> Result<(), Error> {
        let (bucket, id) = (self.bucket.clone(), id.to_owned());
        let writing = async move {
            let mut stream = bucket.open_upload_stream(&id).id(Bson::String(id.clone())).await?;
            stream.write_all(&bytes).await.map_err(driver_error)?;
            stream.close().await.map_err(driver_error)
        };
        self.mongo.run("put file", writing).await
    }

    /// Reads a file; `None` when it is not there.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn get(&self, id: &str) -> Result<Option<Vec<u8>>, Error> {
        let (bucket, id) = (self.bucket.clone(), Bson::String(id.to_owned()));
        let reading = async move {
            let Some(file) = bucket.find_one(doc! { "_id": &id }).await? else { return Ok(None) };
            let mut bytes = Vec::with_capacity(usize::try_from(file.length).unwrap_or_default());
            let mut stream = bucket.open_download_stream(id).await?;
            stream.read_to_end(&mut bytes).await.map_err(driver_error)?;
            Ok(Some(bytes))
        };
        self.mongo.run("get file", reading).await
    }

    /// Deletes these files and all chunks under their ids; does nothing where there are none.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn delete(&self, ids: &[String]) -> Result<(), Error> {
        if ids.is_empty() {
            return Ok(());
        }
        let files = self.mongo.collection::<Document>(&format!("{}.files", self.name));
        let chunks = self.mongo.collection::<Document>(&format!("{}.chunks", self.name));
        let named = doc! { "$in": ids.to_vec() };
        let deleting = async move {
            // The name first: whoever reads meanwhile finds no file, and not half of one.
            files.delete_many(doc! { "_id": named.clone() }).await?;
            chunks.delete_many(doc! { "files_id": named }).await
        };
        self.mongo.run("delete files", deleting).await.map(drop)
    }

    /// Ids between `after` and `before`, in their order, each once: those of the next `most` files or chunks. Read from
    /// indexes alone.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn ids_after(&self, part: Part, after: &str, before: &str, most: i64) -> Result<Vec<String>, Error> {
        const WHAT: &str = "find file ids";
        let (suffix, field, order, only) = match part {
            Part::Files => ("files", "_id", doc! { "_id": 1 }, doc! { "_id": 1 }),
            Part::Chunks => ("chunks", "files_id", doc! { "files_id": 1, "n": 1 }, doc! { "files_id": 1, "_id": 0 }),
        };
        let collection = self.mongo.collection::<Document>(&format!("{}.{suffix}", self.name));
        let range = doc! { field: { "$gt": after, "$lt": before } };
        let finding = async move {
            collection.find(range).sort(order).projection(only).limit(most).await?.try_collect::<Vec<_>>().await
        };
        let found = self.mongo.run(WHAT, finding).await?;
        let id = |one: &Document| one.get_str(field).map(str::to_owned).map_err(|error| Error::corrupt(WHAT, error));
        let mut ids: Vec<String> = found.iter().map(id).collect::<Result<_, _>>()?;
        ids.dedup();
        Ok(ids)
    }
}

/// The streams of GridFS wrap the driver's errors, which tell more.
fn driver_error(error: std::io::Error) -> DriverError {
    error.downcast::<DriverError>().unwrap_or_else(DriverError::from)
}
