//! The work on imports: one at a time in each pod, rows in batches, each batch one transaction.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use shop_types::{ErrorKind, ProductId};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::cells::fault;
use super::reader::{self, MAX_ROW_BYTES, Piece, Pipe};
use super::{App, parts_of};
use crate::app::cache::Stale;
use crate::domain::import::job::Import;
use crate::domain::import::{Changed, Fault, Numbered, Settled};
use crate::store::RowBatch;

/// Between two looks for imports that other pods have begun or left.
const LOOK: Duration = Duration::from_secs(2);
/// Rows of one transaction.
const BATCH: usize = 100;
/// Bytes of the rows of one transaction, but for its last row.
const BATCH_BYTES: u64 = MAX_ROW_BYTES as u64;
/// Rows that wait to be taken: each may be as large as a row can be.
const ROWS_AHEAD: usize = 8;
/// Variants of one transaction, but for its last row: each is a row of stock and a unique key.
const BATCH_VARIANTS: usize = 1_000;
/// Parts of an upload that wait to be read.
const CHUNKS_AHEAD: usize = 1;
/// How often a batch is tried whose new products meet others of the same SKU or slug that were made just then.
const TRIES: u32 = 5;

/// How the work on an import ended.
enum Ended {
    /// All rows were looked at.
    Done,
    /// No further row can be read.
    Failed(Fault),
    /// This process stops; another goes on.
    Stopped,
    /// Another pod has taken it over.
    Lost,
}

/// Why the work on an import could not go on.
#[derive(Debug, thiserror::Error)]
enum Obstacle {
    #[error("an upload cannot be fetched")]
    Upload(#[source] io::Error),
    #[error("rows cannot be written")]
    Rows(#[from] shop_mongo::Error),
    #[error("the reader of an upload ended without a word")]
    Reader,
}

impl Obstacle {
    /// Whether the database is away or slow, which has an end.
    fn is_passing(&self) -> bool {
        let error = match self {
            Self::Upload(error) => error.get_ref().and_then(|source| source.downcast_ref::<shop_mongo::Error>()),
            Self::Rows(error) => Some(error),
            Self::Reader => None,
        };
        error.is_some_and(|error| error.kind() == ErrorKind::Unavailable)
    }
}

impl App {
    /// Until stopped: works on imports that nobody works on.
    pub(crate) async fn work_on_imports(self: Arc<Self>, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let holder = self.clock.new_id().to_string();
            match self.store.take_import(&holder).await {
                Ok(Some(import)) => {
                    self.work_on(&import, &holder, &stop).await;
                    continue;
                }
                Ok(None) => {}
                Err(error) => {
                    warn!(error = &error as &dyn std::error::Error, "Cannot look for imports to work on");
                }
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.imports.notified() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    async fn work_on(&self, import: &Import, holder: &str, stop: &CancellationToken) {
        let id = import.new.id;
        info!(import.id = %id, import.rows = import.rows, "Working on import {id}");
        let carried_out = match import.given_up() {
            Some(fault) => Ok(Ended::Failed(fault)),
            None => self.carry_out(import, holder, stop).await,
        };
        let left = match carried_out {
            Ok(Ended::Lost) => Ok(()),
            Ok(Ended::Stopped) => self.store.give_import_back(id, holder).await,
            Ok(Ended::Done) => self.end(import, holder, None).await,
            Ok(Ended::Failed(fault)) => self.end(import, holder, Some(fault)).await,
            Err(Obstacle::Reader) => {
                error!(import.id = %id, "The reader of import {id} broke");
                self.end(import, holder, Some(fault(import.rows, "", "internal", "cannot be read by us"))).await
            }
            Err(obstacle @ (Obstacle::Upload(_) | Obstacle::Rows(_))) => {
                // Its lease runs out, and then it is tried again, here or elsewhere, but not for ever.
                warn!(import.id = %id, error = &obstacle as &dyn std::error::Error, "Import {id} has to wait");
                // That the database is away is no fault of the import.
                if obstacle.is_passing() { self.store.uncount_import(id, holder).await } else { Ok(()) }
            }
        };
        if let Err(error) = left {
            warn!(import.id = %id, error = &error as &dyn std::error::Error, "Left import {id} to its lease");
        }
    }

    async fn end(&self, import: &Import, holder: &str, fault: Option<Fault>) -> Result<(), shop_mongo::Error> {
        // Whoever holds it by now still needs the upload.
        if self.store.end_import(import.new.id, holder, fault).await? {
            self.store.drop_chunks(import.new.id, parts_of(import.new.bytes)).await?;
        }
        Ok(())
    }

    async fn carry_out(&self, import: &Import, holder: &str, stop: &CancellationToken) -> Result<Ended, Obstacle> {
        let (chunks_in, chunks) = mpsc::channel(CHUNKS_AHEAD);
        let (pieces_in, pieces) = mpsc::channel(ROWS_AHEAD);
        let (format, skip) = (import.new.format, import.rows);
        let pipe = Pipe::new(chunks, import.new.bytes);
        // Ends by itself when the other ends of its channels are gone.
        let reading = tokio::task::spawn_blocking(move || reader::read(format, pipe, skip, &pieces_in));
        let ((), ended) = futures::join!(self.fetch(import, chunks_in), self.settle_all(import, holder, pieces, stop));
        match reading.await {
            Ok(()) => ended,
            Err(_panicked) => Err(Obstacle::Reader),
        }
    }

    /// Hands the parts of an upload to its reader, as fast as that takes them.
    async fn fetch(&self, import: &Import, out: mpsc::Sender<io::Result<Vec<u8>>>) {
        for part in 0..parts_of(import.new.bytes) {
            let chunk = match self.store.chunk(import.new.id, part).await {
                Ok(Some(chunk)) => Ok(chunk),
                Ok(None) => Err(io::ErrorKind::NotFound.into()),
                Err(error) => Err(io::Error::other(error)),
            };
            let broken = chunk.is_err();
            if out.send(chunk).await.is_err() || broken {
                return;
            }
        }
    }

    async fn settle_all(
        &self,
        import: &Import,
        holder: &str,
        mut pieces: mpsc::Receiver<Piece>,
        stop: &CancellationToken,
    ) -> Result<Ended, Obstacle> {
        let (mut rows, mut variants) = (Vec::with_capacity(BATCH), 0);
        let (mut begin, mut last) = (import.bytes_read, import.bytes_read);
        loop {
            let piece = pieces.recv().await.ok_or(Obstacle::Reader)?;
            let ended = match piece {
                Piece::Row { number, end, row } => {
                    let id = ProductId::from_uuid(self.clock.new_id());
                    variants += row.as_ref().map_or(0, |row| row.variants.len());
                    rows.push(Numbered { number, id, row });
                    last = end;
                    None
                }
                Piece::End => Some(Ended::Done),
                Piece::Unreadable(fault) => Some(Ended::Failed(fault)),
                Piece::Broken(error) => return Err(Obstacle::Upload(error)),
            };
            let is_full =
                rows.len() == BATCH || variants >= BATCH_VARIANTS || last.saturating_sub(begin) >= BATCH_BYTES;
            if (is_full || ended.is_some()) && !rows.is_empty() {
                (variants, begin) = (0, last);
                let batch = self.batch(import, holder, std::mem::take(&mut rows), last);
                if !self.settle_batch(batch).await? {
                    return Ok(Ended::Lost);
                }
            }
            if let Some(ended) = ended {
                return Ok(ended);
            }
            if stop.is_cancelled() {
                return Ok(Ended::Stopped);
            }
        }
    }

    fn batch(&self, import: &Import, holder: &str, rows: Vec<Numbered>, end: u64) -> RowBatch {
        let (currency, now) = (self.currency, self.now());
        let (import, dry_run) = (import.new.id, import.new.dry_run);
        RowBatch { import, holder: holder.to_owned(), dry_run, rows, end, currency, now }
    }

    /// Settles a batch; `false` when another pod has the import by now.
    async fn settle_batch(&self, batch: RowBatch) -> Result<bool, Obstacle> {
        // What each try was about to write. Left here when nobody knows whether it was written, it is made old by its drop.
        let (about_to, mut about) = mpsc::unbounded_channel();
        let mut tries = 1;
        let settled = loop {
            let (cache, about_to) = (self.cache.clone(), about_to.clone());
            let before_writing = move |Settled { tally: _, created, changed }: &Settled| {
                let changed = changed.iter().map(|Changed { before: _, after }| after);
                // Nobody takes it: then nobody waits for the batch, and its drop does what is to be done.
                drop(about_to.send(Stale::of_products(cache.clone(), created.iter().chain(changed))));
            };
            match self.store.settle_rows(batch.clone(), before_writing).await {
                // Somebody made a product of the same SKU or slug meanwhile: now it is there to be read.
                Err(error) if error.is_duplicate() && tries < TRIES => tries += 1,
                ended => break ended?,
            }
        };
        while let Ok(stale) = about.try_recv() {
            stale.forget().await;
        }
        Ok(settled.is_some())
    }
}
