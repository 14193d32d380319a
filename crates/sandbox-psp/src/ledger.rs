//! The ledger on disk: JSON lines, one entry each, synced before they count. What an entry means stands in `book`.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::book::{self, Book, Entry};

/// Where entries go.
#[derive(Debug)]
pub enum Ledger {
    /// Nowhere: they live and die with the process.
    Memory,
    /// To the end of a file that this process alone has open.
    File(File),
}

/// The ledger cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be opened, read or written.
    #[error("failed to {doing} the ledger {}", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// Another process has it open.
    #[error("the ledger {} is in use by another process", .0.display())]
    InUse(PathBuf),
    /// A line in the middle is not an entry.
    #[error("line {line} of the ledger {} is not an entry", path.display())]
    Malformed {
        /// Counted from 1.
        line: usize,
        /// Which file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: serde_json::Error,
    },
    /// An entry does not follow the ones before it.
    #[error("the ledger {} contradicts itself", path.display())]
    Contradiction {
        /// Which file.
        path: PathBuf,
        /// Where.
        #[source]
        source: book::Broken,
    },
}

impl Ledger {
    /// Opens (or makes) the file, reads what it holds into a book, and cuts off a last line that was never finished.
    ///
    /// A line counts from its line feed on: a crash in the middle of a write leaves a line without one, whose request was
    /// never answered.
    ///
    /// # Errors
    /// [`Error`]; a file that a crash cannot have left behind is refused, not repaired.
    pub fn open(path: &Path) -> Result<(Self, Book), Error> {
        let io = |doing| move |source| Error::Io { doing, path: path.to_owned(), source };
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(io("open"))?;
        file.try_lock().map_err(|error| match error {
            std::fs::TryLockError::WouldBlock => Error::InUse(path.to_owned()),
            std::fs::TryLockError::Error(source) => io("lock")(source),
        })?;
        let (book, good_bytes) = replay(&file, path)?;
        let length = file.metadata().map_err(io("read"))?.len();
        if good_bytes < length {
            tracing::warn!(
                dropped_bytes = length - good_bytes,
                "Dropped the unfinished last line of the ledger: its request was never answered"
            );
            file.set_len(good_bytes).map_err(io("shorten"))?;
        }
        file.seek(SeekFrom::End(0)).map_err(io("read"))?;
        file.sync_all().map_err(io("sync"))?;
        sync_folder(path).map_err(io("sync the folder of"))?;
        Ok((Self::File(file), book))
    }

    /// Adds entries; when this returns, they survive a power cut.
    ///
    /// # Errors
    /// The file cannot be written. Whether the entries are in it is unknown then: nothing may be added any more.
    pub fn append(&mut self, entries: &[Entry]) -> std::io::Result<()> {
        let Self::File(file) = self else { return Ok(()) };
        let mut lines = Vec::new();
        for entry in entries {
            serde_json::to_writer(&mut lines, entry)?;
            lines.push(b'\n');
        }
        file.write_all(&lines)?;
        file.sync_data()
    }
}

fn replay(file: &File, path: &Path) -> Result<(Book, u64), Error> {
    let mut book = Book::default();
    let mut reader = BufReader::new(file);
    let (mut good_bytes, mut text) = (0, Vec::new());
    for line in 1.. {
        text.clear();
        let read = reader.read_until(b'\n', &mut text).map_err(|source| Error::Io {
            doing: "read",
            path: path.to_owned(),
            source,
        })?;
        if text.last() != Some(&b'\n') {
            break;
        }
        let entry: Entry =
            serde_json::from_slice(&text).map_err(|source| Error::Malformed { line, path: path.to_owned(), source })?;
        book.apply(entry).map_err(|source| Error::Contradiction { path: path.to_owned(), source })?;
        good_bytes += u64::try_from(read).unwrap_or(u64::MAX);
    }
    Ok((book, good_bytes))
}

/// A new file's name is durable only once its folder is.
fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::book::Kind;

    fn entry(sequence: u64) -> Entry {
        Entry {
            sequence,
            at: jiff::Timestamp::UNIX_EPOCH,
            kind: Kind::Authorized,
            authorization: format!("auth_{sequence}"),
            reference: format!("order:{sequence}"),
            amount: 500,
            currency: "EUR".into(),
            method: "tok_visa".into(),
            key: format!("key {sequence}"),
            fingerprint: "f".into(),
            reason: None,
            refund: None,
            refund_reference: None,
        }
    }

    #[test]
    fn entries_are_there_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger");
        let (mut ledger, _) = Ledger::open(&path).unwrap();
        ledger.append(&[entry(1), entry(2)]).unwrap();
        drop(ledger);

        let (_, book) = Ledger::open(&path).unwrap();

        assert_eq!(book.entries(), [entry(1), entry(2)]);
    }

    #[test]
    fn an_unfinished_last_line_is_dropped_and_its_place_used_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger");
        let (mut ledger, _) = Ledger::open(&path).unwrap();
        ledger.append(&[entry(1)]).unwrap();
        let Ledger::File(mut file) = ledger else { panic!("not a file") };
        file.write_all(br#"{"sequence":2,"at":"2026"#).unwrap();
        drop(file);

        let (mut ledger, book) = Ledger::open(&path).unwrap();
        assert_eq!(book.entries(), [entry(1)]);
        ledger.append(&[entry(2)]).unwrap();
        drop(ledger);

        assert_eq!(Ledger::open(&path).unwrap().1.entries(), [entry(1), entry(2)]);
    }

    #[test]
    fn a_broken_line_in_the_middle_is_refused_by_its_number() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger");
        let line = serde_json::to_string(&entry(1)).unwrap();
        std::fs::write(&path, format!("{line}\nnonsense\n{line}\n")).unwrap();
        assert!(matches!(Ledger::open(&path), Err(Error::Malformed { line: 2, .. })));

        std::fs::write(&path, format!("{line}\n{line}\n")).unwrap();
        assert!(matches!(Ledger::open(&path), Err(Error::Contradiction { .. })));
    }

    #[test]
    fn a_ledger_belongs_to_one_process() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger");
        let _first = Ledger::open(&path).unwrap();

        assert!(matches!(Ledger::open(&path), Err(Error::InUse(_))));
    }
}
