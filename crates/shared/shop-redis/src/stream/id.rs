//! Places in a stream. What belongs here: their order and their text. What does not: whose data they are places in.

use std::fmt;
use std::str::FromStr;

/// A place in a stream: milliseconds of Redis' clock, and a number within the millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    /// Milliseconds since 1970.
    pub milliseconds: u64,
    /// Counts within the millisecond.
    pub sequence: u64,
}

/// A text is not a place in a stream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a stream id: must be two numbers with a hyphen between")]
pub struct MalformedStreamId;

impl StreamId {
    /// Before every entry.
    pub const ZERO: Self = Self { milliseconds: 0, sequence: 0 };

    /// The place right after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        match self.sequence.checked_add(1) {
            Some(sequence) => Self { milliseconds: self.milliseconds, sequence },
            None => Self { milliseconds: self.milliseconds.saturating_add(1), sequence: 0 },
        }
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.milliseconds, self.sequence)
    }
}

impl FromStr for StreamId {
    type Err = MalformedStreamId;

    fn from_str(text: &str) -> Result<Self, MalformedStreamId> {
        let (milliseconds, sequence) = text.split_once('-').ok_or(MalformedStreamId)?;
        Ok(Self {
            milliseconds: milliseconds.parse().map_err(|_| MalformedStreamId)?,
            sequence: sequence.parse().map_err(|_| MalformedStreamId)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_ordered_by_number_and_not_by_text() {
        let early: StreamId = "999-10".parse().unwrap();
        let late: StreamId = "1000-9".parse().unwrap();

        assert!(early < late);
        assert!("5-9".parse::<StreamId>().unwrap() < "5-10".parse().unwrap());
        assert_eq!(early.to_string(), "999-10");
        assert_eq!(early.next().to_string(), "999-11");
    }

    #[test]
    fn what_is_not_two_numbers_is_no_place() {
        for text in ["", "-", "5", "5-", "-5", "5-x", "5-5-5"] {
            assert_eq!(text.parse::<StreamId>(), Err(MalformedStreamId), "{text}");
        }
    }
}
