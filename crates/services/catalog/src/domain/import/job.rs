//! An import as one can look at it while it goes on.

use jiff::Timestamp;
use shop_types::ImportId;

use super::{Format, Tally};

/// Bytes of an upload, at most.
pub(crate) const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// An import to be begun: its upload is there.
#[derive(Debug, Clone)]
pub(crate) struct NewImport {
    pub(crate) id: ImportId,
    pub(crate) format: Format,
    /// Whether to say only what would become of the rows.
    pub(crate) dry_run: bool,
    /// Of the upload.
    pub(crate) bytes: u64,
    pub(crate) created_at: Timestamp,
}

/// How far an import has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// No pod has taken it yet.
    Queued,
    /// One has, or had: another takes over when that one is silent.
    Running,
    /// All rows were looked at.
    Done,
    /// It cannot be read.
    Failed,
}

/// An import.
#[derive(Debug, Clone)]
pub(crate) struct Import {
    pub(crate) new: NewImport,
    pub(crate) state: State,
    /// Rows that were looked at.
    pub(crate) rows: u64,
    /// Bytes of the upload that they are.
    pub(crate) bytes_read: u64,
    pub(crate) tally: Tally,
    pub(crate) finished_at: Option<Timestamp>,
}

impl Import {
    /// How much of the upload was looked at, 0 to 100.
    pub(crate) fn percent(&self) -> u64 {
        match self.state {
            State::Done => 100,
            State::Queued | State::Running | State::Failed => self.bytes_read * 100 / self.new.bytes.max(1),
        }
    }
}
