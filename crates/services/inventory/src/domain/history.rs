//! What is asked of the history of stock, and the place in it after one movement: what `nextCursor` says.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use shop_types::{OrderId, Sku, UserId};

use super::TransferId;
use super::batch::Change;
use super::location::LocationId;

/// Which movements, the newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    /// Of this SKU.
    pub sku: Option<Sku>,
    /// In this location.
    pub location: Option<LocationId>,
    /// Not before.
    pub from: Option<Timestamp>,
    /// Before.
    pub to: Option<Timestamp>,
    /// Behind this place.
    pub after: Option<Cursor>,
    /// So many.
    pub size: u32,
}

/// A movement as it was written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Names it: the stock and its version.
    pub id: String,
    /// Of what.
    pub sku: Sku,
    /// Where.
    pub location: String,
    /// The version of the stock that it made.
    pub version: i64,
    /// Why, in a word.
    pub cause: String,
    /// For which order.
    pub order: Option<OrderId>,
    /// Why, as staff says.
    pub reason: Option<String>,
    /// Who of staff.
    pub by: Option<UserId>,
    /// The transfer that it is one end of.
    pub transfer: Option<TransferId>,
    /// By how much each place changed.
    pub change: Change,
    /// Pieces that could be sold right after it.
    pub available: i64,
    /// Pieces that orders held right after it.
    pub reserved: i64,
    /// When.
    pub at: Timestamp,
}

/// After which movement a page begins. Movements are in the order of these three, compared one after the other: those of one
/// batch share their time, and of one stock the version tells which came first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// When that was, in whole milliseconds.
    pub at: Timestamp,
    /// The version of the stock that it made; a number, since as text 99 would follow 100.
    pub version: i64,
    /// Which of that time and version: the stock, and the version once more.
    pub id: String,
}

/// A text is none of our cursors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be the nextCursor of a list of movements")]
pub struct NoCursor;

impl Cursor {
    /// The place after a movement.
    #[must_use]
    pub fn after(movement: &Recorded) -> Self {
        Self { at: movement.at, version: movement.version, id: movement.id.clone() }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.at.as_millisecond(), self.id)
    }
}

impl FromStr for Cursor {
    type Err = NoCursor;

    fn from_str(text: &str) -> Result<Self, NoCursor> {
        let (millisecond, id) = text.split_once('.').ok_or(NoCursor)?;
        let at = millisecond.parse().ok().and_then(|at| Timestamp::from_millisecond(at).ok()).ok_or(NoCursor)?;
        let plain = |b: u8| b.is_ascii_alphanumeric() || b".-_@:".contains(&b);
        if id.len() > 200 || !id.bytes().all(plain) {
            return Err(NoCursor);
        }
        let (_, version) = id.rsplit_once(':').ok_or(NoCursor)?;
        Ok(Self { at, version: version.parse().map_err(|_| NoCursor)?, id: id.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        let at = Timestamp::from_millisecond(1_700_000_000_123).unwrap();
        let cursor = Cursor { at, version: 17, id: "mug.blue-2@main:17".into() };
        assert_eq!(cursor.to_string(), "1700000000123.mug.blue-2@main:17");
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        let (late, long) = ("9223372036854775807.mug@main:1", format!("7.{}:1", "x".repeat(199)));
        for text in
            ["", "7", "7.", "x.mug@main:1", "7.{\"$gt\":1}", "7.mug@main", "7.mug@main:", "7.mug@main:x", late, &long]
        {
            assert_eq!(text.parse::<Cursor>(), Err(NoCursor), "{text}");
        }
    }
}
