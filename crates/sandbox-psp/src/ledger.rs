//! The ledger on disk: JSON lines, one entry each, synced before they count. What an entry means stands in `book`.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use crate::blocks::Blocks;
use crate::book::{self, Entry};

/// Where entries stand. In memory is only where each line ends.
#[derive(Debug)]
pub struct Ledger {
    text: Text,
    ends: Blocks<u64>,
}

#[derive(Debug)]
enum Text {
    /// Lives and dies with the process.
    Memory(Vec<u8>),
    /// A file that this process alone has open.
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

impl Default for Ledger {
    /// An empty one that lives and dies with the process.
    fn default() -> Self {
        Self { text: Text::Memory(Vec::new()), ends: Blocks::default() }
    }
}

impl Ledger {
    /// Opens (or makes) the file, hands over what it holds, entry by entry, and cuts off a last line that was never finished.
    ///
    /// A line counts from its line feed on: a crash in the middle of a write leaves a line without one, whose request was
    /// never answered.
    ///
    /// # Errors
    /// [`Error`]; a file that a crash cannot have left behind is refused, not repaired.
    pub fn open(path: &Path, take: impl FnMut(Entry) -> Result<(), book::Broken>) -> Result<Self, Error> {
        let io = |doing| move |source| Error::Io { doing, path: path.to_owned(), source };
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(io("open"))?;
        file.try_lock().map_err(|error| match error {
            std::fs::TryLockError::WouldBlock => Error::InUse(path.to_owned()),
            std::fs::TryLockError::Error(source) => io("lock")(source),
        })?;
        let ends = replay(&file, path, take)?;
        let good_bytes = ends.last().unwrap_or(0);
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
        Ok(Self { text: Text::File(file), ends })
    }

    /// An empty one in a file.
    #[cfg(test)]
    pub(crate) fn writing_to(file: File) -> Self {
        Self { text: Text::File(file), ends: Blocks::default() }
    }

    /// How many entries it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds entries; when this returns, they survive a power cut.
    ///
    /// # Errors
    /// The file cannot be written. Whether the entries are in it is unknown then: nothing may be added any more.
    pub fn append(&mut self, entries: &[Entry]) -> std::io::Result<()> {
        let (mut lines, mut ends) = (Vec::new(), Vec::with_capacity(entries.len()));
        let before = self.ends.last().unwrap_or(0);
        for entry in entries {
            serde_json::to_writer(&mut lines, entry)?;
            lines.push(b'\n');
            ends.push(before + u64::try_from(lines.len()).unwrap_or(u64::MAX));
        }
        match &mut self.text {
            Text::Memory(text) => text.extend(lines),
            Text::File(file) => {
                file.write_all(&lines)?;
                file.sync_data()?;
            }
        }
        for end in ends {
            self.ends.push(end);
        }
        Ok(())
    }

    /// Reads the entries at these places, from 0; fewer where there are no more.
    ///
    /// # Errors
    /// The file cannot be read, or does not hold what was written into it.
    pub fn read(&self, places: Range<usize>) -> std::io::Result<Vec<Entry>> {
        let places = places.start.min(self.len())..places.end.min(self.len());
        if places.is_empty() {
            return Ok(Vec::new());
        }
        let end = |place: usize| place.checked_sub(1).and_then(|place| self.ends.get(place)).unwrap_or(0);
        let (from, to) = (end(places.start), end(places.end));
        let size = |bytes: u64| usize::try_from(bytes).map_err(std::io::Error::other);
        match &self.text {
            Text::Memory(text) => parse(text.get(size(from)?..size(to)?).unwrap_or_default()),
            Text::File(file) => {
                let mut lines = vec![0; size(to - from)?];
                file.read_exact_at(&mut lines, from)?;
                parse(&lines)
            }
        }
    }
}

fn parse(lines: &[u8]) -> std::io::Result<Vec<Entry>> {
    lines.split_inclusive(|byte| *byte == b'\n').map(|line| Ok(serde_json::from_slice(line)?)).collect()
}

/// Hands over all entries, and says where their lines end.
fn replay(
    file: &File,
    path: &Path,
    mut take: impl FnMut(Entry) -> Result<(), book::Broken>,
) -> Result<Blocks<u64>, Error> {
    let mut ends = Blocks::default();
    let mut reader = BufReader::new(file);
    let (mut end, mut text) = (0, Vec::new());
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
        take(entry).map_err(|source| Error::Contradiction { path: path.to_owned(), source })?;
        end += u64::try_from(read).unwrap_or(u64::MAX);
        ends.push(end);
    }
    Ok(ends)
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

    /// Opens a ledger that has to be good, and gives what it hands over.
    fn open(path: &Path) -> Result<(Ledger, Vec<Entry>), Error> {
        let mut entries = Vec::new();
        let ledger = Ledger::open(path, |entry| {
            entries.push(entry);
            Ok(())
        })?;
        Ok((ledger, entries))
    }

    #[test]
    fn entries_are_there_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger");
        let (mut ledger, _) = open(&path).unwrap();
        ledger.append(&[entry(1), entry(2)]).unwrap();
        drop(ledger);

        assert_eq!(open(&path).unwrap().1, [entry(1), entry(2)]);
    }

    #[test]
    fn entries_are_read_where_they_stand_in_memory_and_in_a_file_before_and_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger");
        let holds = |ledger: &Ledger| {
            assert_eq!((ledger.len(), ledger.is_empty()), (3, false));
            assert_eq!(ledger.read(0..3).unwrap(), [entry(1), entry(2), entry(3)]);
            assert_eq!(ledger.read(1..2).unwrap(), [entry(2)]);
            assert_eq!(ledger.read(2..9).unwrap(), [entry(3)]);
            assert_eq!(ledger.read(3..9).unwrap(), []);
            assert_eq!(ledger.read(2..2).unwrap(), []);
        };
        for mut ledger in [Ledger::default(), open(&path).unwrap().0] {
            assert!(ledger.is_empty() && ledger.read(0..1).unwrap().is_empty());
            ledger.append(&[entry(1)]).unwrap();
            ledger.append(&[entry(2), entry(3)]).unwrap();
            holds(&ledger);
        }
        let (mut ledger, _) = open(&path).unwrap();
        holds(&ledger);
        ledger.append(&[entry(4)]).unwrap();
        assert_eq!(ledger.read(2..4).unwrap(), [entry(3), entry(4)]);
    }

    #[test]
    fn an_unfinished_last_line_is_dropped_and_its_place_used_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger");
        let (mut ledger, _) = open(&path).unwrap();
        ledger.append(&[entry(1)]).unwrap();
        let Text::File(mut file) = ledger.text else { panic!("not a file") };
        file.write_all(br#"{"sequence":2,"at":"2026"#).unwrap();
        drop(file);

        let (mut ledger, entries) = open(&path).unwrap();
        assert_eq!(entries, [entry(1)]);
        ledger.append(&[entry(2)]).unwrap();
        assert_eq!(ledger.read(0..9).unwrap(), [entry(1), entry(2)]);
        drop(ledger);

        assert_eq!(open(&path).unwrap().1, [entry(1), entry(2)]);
    }

    #[test]
    fn a_broken_line_in_the_middle_is_refused_by_its_number() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger");
        let line = serde_json::to_string(&entry(1)).unwrap();
        std::fs::write(&path, format!("{line}\nnonsense\n{line}\n")).unwrap();
        assert!(matches!(open(&path), Err(Error::Malformed { line: 2, .. })));

        std::fs::write(&path, format!("{line}\n{line}\n")).unwrap();
        assert!(matches!(book::Book::open(&path), Err(Error::Contradiction { .. })));
    }

    #[test]
    fn a_ledger_belongs_to_one_process() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger");
        let _first = open(&path).unwrap();

        assert!(matches!(open(&path), Err(Error::InUse(_))));
    }
}
