//! An import as one can look at it while it goes on.

use jiff::Timestamp;
use shop_types::ImportId;

use super::{Fault, Format, Tally};

/// Bytes of an upload, at most.
pub(crate) const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// How often an import may be taken without getting further.
pub(crate) const MOST_TAKES: u64 = 3;

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
    /// It cannot be read, or was given up.
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
    /// How often pods took it since it last got further; one that stops and gives it back does not count.
    pub(crate) takes: u64,
    pub(crate) finished_at: Option<Timestamp>,
}

impl Import {
    /// What is said of it when it was taken once too often: something behind its last row ends whoever reads on.
    pub(crate) fn given_up(&self) -> Option<Fault> {
        let message = format!(
            "was given up: {MOST_TAKES} times whoever read on behind row {} did not get further; rows up to there count",
            self.rows
        );
        let fault = Fault { row: self.rows + 1, field: String::new(), code: "given_up".to_owned(), message };
        (self.takes > MOST_TAKES).then_some(fault)
    }

    /// How much of the upload was looked at, 0 to 100.
    pub(crate) fn percent(&self) -> u64 {
        match self.state {
            State::Done => 100,
            State::Queued | State::Running | State::Failed => self.bytes_read * 100 / self.new.bytes.max(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn an_import_is_given_up_when_it_is_taken_a_fourth_time_without_getting_further() {
        let (id, created_at) = (ImportId::from_uuid(Uuid::from_u128(1)), Timestamp::UNIX_EPOCH);
        let new = NewImport { id, format: Format::Csv, dry_run: false, bytes: 10, created_at };
        let (state, tally) = (State::Running, Tally::default());
        let mut import = Import { new, state, rows: 7, bytes_read: 5, tally, takes: 3, finished_at: None };
        assert_eq!(import.given_up(), None);
        import.takes = 4;
        assert_eq!(import.given_up().map(|fault| (fault.row, fault.code)), Some((8, "given_up".to_owned())));
    }
}
