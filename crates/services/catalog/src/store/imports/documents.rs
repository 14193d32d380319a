//! How imports look in MongoDB, and the way back to the domain value.

use bson::DateTime;
use serde::{Deserialize, Serialize};

use crate::domain::import::job::{Import, NewImport, State};
use crate::domain::import::{Fault, Format, Tally};

/// A stored number or id that none of ours is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the field {0} of a stored import cannot be read")]
pub(super) struct Unreadable(&'static str);

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ImportDocument {
    #[serde(rename = "_id")]
    id: String,
    format: FormatDocument,
    dry_run: bool,
    bytes: i64,
    state: StateDocument,
    /// Present until it has ended: what the index finds work by.
    #[serde(default)]
    open: bool,
    rows: i64,
    bytes_read: i64,
    created: i64,
    changed: i64,
    unchanged: i64,
    failed: i64,
    faults: Vec<FaultDocument>,
    /// How often it was taken since it last got further.
    #[serde(default)]
    takes: i64,
    /// When its holder was last heard of, by the database's clock; long ago when it has none.
    renewed_at: DateTime,
    created_at: DateTime,
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_at: Option<DateTime>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum FormatDocument {
    Csv,
    Ndjson,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum StateDocument {
    Queued,
    Running,
    Done,
    Failed,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct FaultDocument {
    row: i64,
    field: String,
    code: String,
    message: String,
}

impl From<Fault> for FaultDocument {
    fn from(Fault { row, field, code, message }: Fault) -> Self {
        // Rows of an upload are fewer than its bytes.
        Self { row: i64::try_from(row).unwrap_or(i64::MAX), field, code, message }
    }
}

impl From<&NewImport> for ImportDocument {
    fn from(new: &NewImport) -> Self {
        let NewImport { id, format, dry_run, bytes, created_at } = new;
        Self {
            id: id.to_string(),
            format: match format {
                Format::Csv => FormatDocument::Csv,
                Format::Ndjson => FormatDocument::Ndjson,
            },
            dry_run: *dry_run,
            bytes: i64::try_from(*bytes).unwrap_or(i64::MAX),
            state: StateDocument::Queued,
            open: true,
            rows: 0,
            bytes_read: 0,
            created: 0,
            changed: 0,
            unchanged: 0,
            failed: 0,
            faults: Vec::new(),
            takes: 0,
            renewed_at: DateTime::from_millis(0),
            created_at: (*created_at).into(),
            finished_at: None,
        }
    }
}

impl TryFrom<ImportDocument> for Import {
    type Error = Unreadable;

    fn try_from(stored: ImportDocument) -> Result<Self, Unreadable> {
        let count = |name, number: i64| u64::try_from(number).map_err(|_| Unreadable(name));
        let fault = |FaultDocument { row, field, code, message }| {
            Ok(Fault { row: count("faults.row", row)?, field, code, message })
        };
        let new = NewImport {
            id: stored.id.parse().map_err(|_| Unreadable("_id"))?,
            format: match stored.format {
                FormatDocument::Csv => Format::Csv,
                FormatDocument::Ndjson => Format::Ndjson,
            },
            dry_run: stored.dry_run,
            bytes: count("bytes", stored.bytes)?,
            created_at: stored.created_at.to_jiff(),
        };
        let tally = Tally {
            created: count("created", stored.created)?,
            changed: count("changed", stored.changed)?,
            unchanged: count("unchanged", stored.unchanged)?,
            failed: count("failed", stored.failed)?,
            faults: stored.faults.into_iter().map(fault).collect::<Result<_, _>>()?,
        };
        let state = match stored.state {
            StateDocument::Queued => State::Queued,
            StateDocument::Running => State::Running,
            StateDocument::Done => State::Done,
            StateDocument::Failed => State::Failed,
        };
        Ok(Self {
            new,
            state,
            rows: count("rows", stored.rows)?,
            bytes_read: count("bytes_read", stored.bytes_read)?,
            tally,
            takes: count("takes", stored.takes)?,
            finished_at: stored.finished_at.map(DateTime::to_jiff),
        })
    }
}
