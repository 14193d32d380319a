//! Importing products: taking an upload, and working through its rows in the background, in whichever pod is free.

mod cells;
mod exporting;
mod reader;
mod row;
mod working;

use bytes::BytesMut;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use shop_mongo::Claim;
use shop_types::ImportId;
use shop_types::idempotency::hex;

use super::{App, Error};
use crate::domain::import::Format;
use crate::domain::import::job::{Import, MAX_BYTES, NewImport};
use crate::store::Begun;

/// Bytes of a part of an upload, as it is stored.
const CHUNK: usize = 1024 * 1024;

/// An upload that arrives.
pub(crate) struct Upload {
    import: NewImport,
    parts: u32,
    pending: BytesMut,
    digest: Sha256,
}

impl Upload {
    /// The SHA-256 of what has arrived, in hex.
    pub(crate) fn digest(&self) -> String {
        hex(&self.digest.clone().finalize())
    }
}

/// How many parts an upload of this size has.
fn parts_of(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(CHUNK as u64)).unwrap_or(u32::MAX)
}

impl App {
    /// Makes room for an upload. One that is never begun is forgotten by itself.
    pub(crate) fn open_upload(&self, format: Format, dry_run: bool) -> Upload {
        let id = ImportId::from_uuid(self.clock.new_id());
        let import = NewImport { id, format, dry_run, bytes: 0, created_at: self.now() };
        Upload { import, parts: 0, pending: BytesMut::new(), digest: Sha256::new() }
    }

    /// Takes what comes next of an upload.
    ///
    /// # Errors
    /// [`Error::ImportTooLarge`], [`Error::Store`].
    pub(crate) async fn take_up(&self, upload: &mut Upload, bytes: &[u8]) -> Result<(), Error> {
        upload.import.bytes += bytes.len() as u64;
        if upload.import.bytes > MAX_BYTES {
            self.forget(upload).await;
            return Err(Error::ImportTooLarge);
        }
        upload.digest.update(bytes);
        upload.pending.extend_from_slice(bytes);
        while upload.pending.len() >= CHUNK {
            let chunk = upload.pending.split_to(CHUNK);
            self.keep(upload, &chunk).await?;
        }
        Ok(())
    }

    /// Begins the import of an upload that has arrived. The same key again gives the import as it is now.
    ///
    /// # Errors
    /// [`Error::KeyReused`], [`Error::Store`]; [`Error::NoSuchImport`] for a repeat after the import was forgotten.
    pub(crate) async fn begin_import(&self, mut upload: Upload, claim: Option<Claim>) -> Result<Import, Error> {
        if let Some(begun) = self.begun_before(claim.as_ref(), &upload).await? {
            return Ok(begun);
        }
        let rest = upload.pending.split();
        if !rest.is_empty() {
            self.keep(&mut upload, &rest).await?;
        }
        match self.store.begin_import(&upload.import, claim.clone()).await? {
            Begun::Done => {
                self.imports.notify_one();
                self.import(upload.import.id).await
            }
            Begun::KeyTaken => self.begun_before(claim.as_ref(), &upload).await?.ok_or(Error::NoSuchImport),
        }
    }

    /// One import, while it goes on and for 30 days.
    ///
    /// # Errors
    /// [`Error::NoSuchImport`].
    pub(crate) async fn import(&self, id: ImportId) -> Result<Import, Error> {
        self.store.import(id).await?.ok_or(Error::NoSuchImport)
    }

    async fn begun_before(&self, claim: Option<&Claim>, upload: &Upload) -> Result<Option<Import>, Error> {
        let Some(claim) = claim else { return Ok(None) };
        let earlier = match self.claimed(claim).await {
            Ok(None) => return Ok(None),
            Ok(Some(id)) => self.import(id).await.map(Some),
            Err(error) => Err(error),
        };
        self.forget(upload).await;
        earlier
    }

    async fn keep(&self, upload: &mut Upload, chunk: &[u8]) -> Result<(), Error> {
        let now: Timestamp = upload.import.created_at;
        self.store.keep_chunk(upload.import.id, upload.parts, chunk.to_vec(), now).await?;
        upload.parts += 1;
        Ok(())
    }

    /// Forgets an upload that nobody begins.
    async fn forget(&self, upload: &Upload) {
        if let Err(error) = self.store.drop_chunks(upload.import.id, upload.parts).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "Left an upload to its expiry");
        }
    }
}
