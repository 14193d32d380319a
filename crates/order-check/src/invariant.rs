//! What must hold in every shop at any time: the names and the sentences. How each is judged stands in `judge`.

use std::fmt;
use std::str::FromStr;

/// One of the invariants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Invariant {
    /// Every piece that came in is in exactly one place.
    I1,
    /// Held and sold pieces are those of the reservations.
    I2,
    /// Acknowledged orders exist once; what will not happen holds nothing.
    I3,
    /// The provider's ledger holds the money that the orders say.
    I4,
    /// The money of an order is taken once.
    I5,
    /// No event is lost.
    I6,
    /// No effect happens twice.
    I7,
    /// No order is stuck.
    I8,
    /// The history of an order is a path of the states.
    I9,
    /// Who was told of an order can read it.
    I10,
    /// The lines of an order come to its total.
    I11,
}

/// A word that names no invariant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no invariant {0}; they are I1 to I11")]
pub struct UnknownInvariant(String);

impl Invariant {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::I1,
        Self::I2,
        Self::I3,
        Self::I4,
        Self::I5,
        Self::I6,
        Self::I7,
        Self::I8,
        Self::I9,
        Self::I10,
        Self::I11,
    ];

    /// Its short name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::I1 => "I1",
            Self::I2 => "I2",
            Self::I3 => "I3",
            Self::I4 => "I4",
            Self::I5 => "I5",
            Self::I6 => "I6",
            Self::I7 => "I7",
            Self::I8 => "I8",
            Self::I9 => "I9",
            Self::I10 => "I10",
            Self::I11 => "I11",
        }
    }

    /// What must hold.
    #[must_use]
    pub const fn says(self) -> &'static str {
        match self {
            Self::I1 => "every piece that came in is available, reserved or sold",
            Self::I2 => "reserved and sold pieces are those of the reservations",
            Self::I3 => "acknowledged orders exist once, stock follows the verdict",
            Self::I4 => "the provider's ledger has the money that orders say",
            Self::I5 => "the money of an order is taken once at most",
            Self::I6 => "every event has reached everybody who listens",
            Self::I7 => "nothing has happened twice",
            Self::I8 => "no order is stuck on its way",
            Self::I9 => "histories are paths of the states, without gaps",
            Self::I10 => "who was told of an order can read it",
            Self::I11 => "the lines of every order come to its total",
        }
    }
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Invariant {
    type Err = UnknownInvariant;

    fn from_str(text: &str) -> Result<Self, UnknownInvariant> {
        let found = Self::ALL.into_iter().find(|invariant| invariant.name().eq_ignore_ascii_case(text.trim()));
        found.ok_or_else(|| UnknownInvariant(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_invariant_is_found_by_its_name() {
        for invariant in Invariant::ALL {
            assert_eq!(invariant.name().parse(), Ok(invariant));
            assert_eq!(invariant.name().to_lowercase().parse(), Ok(invariant));
        }
        assert!("I12".parse::<Invariant>().is_err());
    }
}
