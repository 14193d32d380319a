//! From the bytes of an upload to its rows, one at a time, on a thread that may block: so neither the upload nor its rows are
//! ever held in memory as a whole.

mod records;

use std::io::{self, BufRead as _, BufReader, Cursor, Read};

use serde_json::Value;
use tokio::sync::mpsc;

use self::records::{MOST_CELLS, Next, Records};
use super::cells::{Header, MARK, fault};
use super::row::RowBody;
use crate::domain::import::{Fault, Format, Row};

/// Bytes of one row, at most: what the largest product needs. Of its 1,046,597 bytes in CSV each of 100 variants has some
/// 9,970: 20 options of up to 40 letters and 100 characters of 4 bytes, a name of 200, and what stands between them. The
/// description has 40,000, the attributes 9,000. In JSON marks are not doubled, which makes it shorter.
pub(super) const MAX_ROW_BYTES: usize = 1024 * 1024;

/// What was read next.
#[derive(Debug)]
pub(super) enum Piece {
    /// A row and where it ends in the upload, in bytes.
    Row { number: u64, end: u64, row: Result<Row, Fault> },
    /// There are no more.
    End,
    /// No row can be read.
    Unreadable(Fault),
    /// The upload could not be fetched.
    Broken(io::Error),
}

/// The chunks of an upload as one stream of a known length.
pub(super) struct Pipe {
    chunks: mpsc::Receiver<io::Result<Vec<u8>>>,
    current: Cursor<Vec<u8>>,
    left: u64,
}

impl Pipe {
    pub(super) fn new(chunks: mpsc::Receiver<io::Result<Vec<u8>>>, length: u64) -> Self {
        Self { chunks, current: Cursor::default(), left: length }
    }
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.current.read(buffer)?;
            self.left = self.left.saturating_sub(read as u64);
            if read > 0 || self.left == 0 || buffer.is_empty() {
                return Ok(read);
            }
            // Whoever sends ends early only because nobody waits for the rows any more.
            let next = self.chunks.blocking_recv();
            self.current = Cursor::new(next.unwrap_or_else(|| Err(io::ErrorKind::UnexpectedEof.into()))?);
        }
    }
}

/// Reads all rows after the first `skip` and hands them out; ends early when nobody takes them any more.
pub(super) fn read(format: Format, upload: impl Read, skip: u64, out: &mpsc::Sender<Piece>) {
    let mut hand_out = |piece| out.blocking_send(piece).is_ok();
    let ended = match format {
        Format::Csv => read_csv(upload, skip, &mut hand_out),
        Format::Ndjson => read_ndjson(upload, skip, &mut hand_out),
    };
    // Nobody takes it: then nobody needs it.
    hand_out(match ended {
        Ok(()) => Piece::End,
        Err(Stop::Unreadable(fault)) => Piece::Unreadable(fault),
        Err(Stop::Broken(error)) => Piece::Broken(error),
    });
}

enum Stop {
    Unreadable(Fault),
    Broken(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Broken(error)
    }
}

fn read_csv(upload: impl Read, skip: u64, hand_out: &mut impl FnMut(Piece) -> bool) -> Result<(), Stop> {
    let mut records = Records::new(upload);
    let header = match records.next()? {
        Next::Record(record) => Header::read(&record),
        Next::TooLarge => Err(too_large(0)),
        Next::TooMany => Err(too_many(0)),
        Next::Unclosed => Err(unclosed(0)),
        Next::End => Err(fault(0, "header", "missing_column", "must name sku or slug")),
    };
    let (header, mut number) = (header.map_err(Stop::Unreadable)?, 0);
    loop {
        number += 1;
        let json = match records.next()? {
            Next::End => return Ok(()),
            Next::Unclosed => return Err(Stop::Unreadable(unclosed(number))),
            Next::Record(_) | Next::TooLarge | Next::TooMany if number <= skip => continue,
            Next::Record(record) => header.json(number, &record),
            Next::TooLarge => Err(too_large(number)),
            Next::TooMany => Err(too_many(number)),
        };
        let row = json.and_then(|json| decode(number, &json));
        if !hand_out(Piece::Row { number, end: records.position(), row }) {
            return Ok(());
        }
    }
}

fn read_ndjson(upload: impl Read, skip: u64, hand_out: &mut impl FnMut(Piece) -> bool) -> Result<(), Stop> {
    let mut reader = BufReader::new(upload);
    let (mut line, mut number, mut end) = (Vec::new(), 0, 0_u64);
    loop {
        let is_first = end == 0;
        line.clear();
        let whole = read_line(&mut reader, &mut line, &mut end)?;
        if line.is_empty() {
            return Ok(());
        }
        let text = line.strip_prefix(MARK).filter(|_| is_first).unwrap_or(&line);
        if text.trim_ascii().is_empty() {
            continue;
        }
        number += 1;
        if number <= skip {
            continue;
        }
        let row = if whole { json_row(number, text) } else { Err(too_large(number)) };
        if !hand_out(Piece::Row { number, end, row }) {
            return Ok(());
        }
    }
}

/// Reads up to the end of a line, and keeps no more of it than a row may have; `false` when there was more.
fn read_line(reader: &mut impl io::BufRead, line: &mut Vec<u8>, end: &mut u64) -> io::Result<bool> {
    let most = MAX_ROW_BYTES as u64 + 1;
    *end += reader.by_ref().take(most).read_until(b'\n', line)? as u64;
    if line.last() == Some(&b'\n') || line.len() <= MAX_ROW_BYTES {
        return Ok(true);
    }
    let mut rest = Vec::new();
    while rest.last() != Some(&b'\n') {
        rest.clear();
        let read = reader.by_ref().take(most).read_until(b'\n', &mut rest)? as u64;
        *end += read;
        if read == 0 {
            break;
        }
    }
    Ok(false)
}

fn json_row(number: u64, line: &[u8]) -> Result<Row, Fault> {
    let json = shop_http::body::read_json(line).map_err(|error| refused(number, &error))?;
    decode(number, &json)
}

fn decode(number: u64, json: &Value) -> Result<Row, Fault> {
    shop_http::body::decode::<RowBody>(json).map(Row::from).map_err(|error| refused(number, &error))
}

/// The fault of a row in the words for bodies.
fn refused(number: u64, error: &shop_http::HttpError) -> Fault {
    let code = if error.code() == "malformed_body" { "malformed_row" } else { error.code() };
    let detail = error.details().first();
    let field = detail.map(|detail| detail.field.as_str()).filter(|field| *field != "body").unwrap_or_default();
    fault(number, field, code, detail.map_or_else(|| error.to_string(), |detail| detail.message.clone()))
}

fn too_large(number: u64) -> Fault {
    fault(number, "", "row_too_large", "must be at most 1 MiB")
}

fn too_many(number: u64) -> Fault {
    fault(number, "", "malformed_row", format!("must have at most {MOST_CELLS} cells"))
}

fn unclosed(number: u64) -> Fault {
    let message = "begins a quotation that nothing ends: neither this row nor what stands behind it was read";
    fault(number, "", "unclosed_quote", message)
}

#[cfg(test)]
mod tests;
