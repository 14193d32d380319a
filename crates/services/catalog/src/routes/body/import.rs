//! Imports as clients read them.

use jiff::Timestamp;
use serde::Serialize;
use shop_types::ImportId;
use utoipa::ToSchema;

use crate::domain::import::job::{Import, NewImport, State};
use crate::domain::import::{Fault, Format, Tally};

/// An import of products.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ImportBody {
    id: ImportId,
    state: ImportState,
    format: ImportFormat,
    /// Whether nothing is written but this.
    dry_run: bool,
    /// Of the upload.
    bytes: u64,
    /// How much of the upload was looked at, in percent.
    #[schema(maximum = 100)]
    progress: u64,
    /// Rows that were looked at; the sum of the next four.
    rows: u64,
    created: u64,
    changed: u64,
    /// Rows that say what was so already.
    unchanged: u64,
    failed: u64,
    /// The first 100 rows that failed.
    errors: Vec<FaultBody>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    finished_at: Option<Timestamp>,
}

/// How far an import has come.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ImportState {
    /// It waits.
    Queued,
    /// Rows are looked at.
    Running,
    /// All rows were looked at.
    Done,
    /// No further row can be read; `errors` says why.
    Failed,
}

/// How the rows are written.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ImportFormat {
    Csv,
    Ndjson,
}

/// Why a row was not taken.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FaultBody {
    /// Which row, from 1; 0 is the header of CSV.
    row: u64,
    /// What in it; empty for the whole row.
    field: String,
    /// A stable word.
    code: String,
    /// For people.
    message: String,
}

impl ImportBody {
    /// What it is named by.
    pub(crate) fn id(&self) -> ImportId {
        self.id
    }
}

impl From<Import> for ImportBody {
    fn from(import: Import) -> Self {
        let progress = import.percent();
        let Import { new, state, rows, bytes_read: _, tally, takes: _, finished_at } = import;
        let NewImport { id, format, dry_run, bytes, created_at } = new;
        let Tally { created, changed, unchanged, failed, faults } = tally;
        let error = |Fault { row, field, code, message }| FaultBody { row, field, code, message };
        Self {
            id,
            state: match state {
                State::Queued => ImportState::Queued,
                State::Running => ImportState::Running,
                State::Done => ImportState::Done,
                State::Failed => ImportState::Failed,
            },
            format: match format {
                Format::Csv => ImportFormat::Csv,
                Format::Ndjson => ImportFormat::Ndjson,
            },
            dry_run,
            bytes,
            progress,
            rows,
            created,
            changed,
            unchanged,
            failed,
            errors: faults.into_iter().map(error).collect(),
            created_at,
            finished_at,
        }
    }
}
