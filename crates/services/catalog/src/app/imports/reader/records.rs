//! Records of CSV, one at a time. On `csv_core`, beneath `csv`: that one keeps a record of any size in memory, this one no more
//! than a row may have, and passes over the rest.

use std::io::{self, BufRead as _, BufReader, Read};

use csv::ByteRecord;
use csv_core::ReadRecordResult;

use super::MAX_ROW_BYTES;

/// Cells of a record: far more than there are columns.
pub(super) const MOST_CELLS: usize = 64;

/// What was read next.
pub(super) enum Next {
    Record(ByteRecord),
    /// One with more bytes than a row may have.
    TooLarge,
    /// One with more than [`MOST_CELLS`].
    TooMany,
    /// One that begins a quotation which nothing ends: the rest of the upload, however long.
    Unclosed,
    /// There are no more.
    End,
}

/// The records of an upload.
pub(super) struct Records<R> {
    input: BufReader<R>,
    core: csv_core::Reader,
    /// The cells of a record, one behind the other. It holds one byte more than they may be: only what is too large fills it.
    cells: Vec<u8>,
    /// Where in it each cell ends.
    ends: Vec<usize>,
    position: u64,
    /// Whether a line break was read behind the upload's end.
    is_closed: bool,
}

impl<R: Read> Records<R> {
    pub(super) fn new(upload: R) -> Self {
        Self {
            input: BufReader::new(upload),
            core: csv_core::Reader::new(),
            cells: vec![0; MAX_ROW_BYTES + 1],
            ends: vec![0; MOST_CELLS],
            position: 0,
            is_closed: false,
        }
    }

    /// Where the last record ends in the upload, in bytes.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Reads the next record. Bytes of any kind are one: what can fail is fetching them.
    pub(super) fn next(&mut self) -> io::Result<Next> {
        let (mut written, mut cells) = (0, 0);
        // What is full is written to from its beginning again, and not looked at any more.
        let (mut too_large, mut too_many) = (false, false);
        loop {
            let rest = self.input.fill_buf()?;
            // Behind the end a line break, once. It ends every record but one within a quotation, which `csv_core` takes for
            // whole when there is nothing more.
            let is_over = rest.is_empty();
            let is_nothing_left = is_over && self.is_closed;
            let input = if is_over && !self.is_closed { b"\n" } else { rest };
            let (result, read, more, ended) =
                self.core.read_record(input, &mut self.cells[written..], &mut self.ends[cells..]);
            if is_over {
                self.is_closed |= read > 0;
            } else {
                self.input.consume(read);
                self.position += read as u64;
            }
            (written, cells) = (written + more, cells + ended);
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => (written, too_large) = (0, true),
                ReadRecordResult::OutputEndsFull => (cells, too_many) = (0, true),
                ReadRecordResult::Record if is_nothing_left => return Ok(Next::Unclosed),
                ReadRecordResult::Record if too_large || written > MAX_ROW_BYTES => return Ok(Next::TooLarge),
                ReadRecordResult::Record if too_many => return Ok(Next::TooMany),
                ReadRecordResult::Record => return Ok(Next::Record(self.record(cells))),
                ReadRecordResult::End => return Ok(Next::End),
            }
        }
    }

    fn record(&self, cells: usize) -> ByteRecord {
        let (mut record, mut start) = (ByteRecord::new(), 0);
        for end in &self.ends[..cells] {
            record.push_field(&self.cells[start..*end]);
            start = *end;
        }
        record
    }
}
