//! What the provider has booked, added up by name, a part after the other: as many names at once as memory is meant for. Pure.
//!
//! Invariant: a name whose bookings lie in more than one part is given out again with each later one. Its parts may fit one by
//! one although all of them together do not (money that was taken twice), and may not fit although all of them do (held in one,
//! taken in the next): only all bookings of that name tell. A name that is given out without need costs a look at them.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use jiff::Timestamp;
use shop_types::Money;

use super::{Booking, Sums};

/// How much a comparison holds in memory and writes down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Portions {
    /// Names whose bookings are added up at once, from 1. Each takes some 200 bytes.
    pub names: usize,
    /// Names that may differ: as soon as there are so many, all their bookings are looked at.
    pub suspects: usize,
    /// Differences that are written down at most.
    pub differences: usize,
}

impl Default for Portions {
    fn default() -> Self {
        Self { names: 50_000, suspects: 1000, differences: 10_000 }
    }
}

/// Adds bookings up, oldest first.
#[derive(Debug)]
pub struct Parts {
    most: usize,
    sums: HashMap<String, Sums>,
    again: Vec<String>,
    newest: Option<Timestamp>,
    earlier: Option<Names>,
}

/// What was booked next.
#[derive(Debug, PartialEq, Eq)]
pub struct Part {
    /// By name.
    pub sums: HashMap<String, Sums>,
    /// Those of these names that perhaps had bookings in an earlier part, and certainly if they had.
    pub again: Vec<String>,
    /// When the last of it was booked; none without bookings.
    pub newest: Option<Timestamp>,
}

impl Parts {
    /// Nothing yet; a part has at most so many names.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { most, sums: HashMap::new(), again: Vec::new(), newest: None, earlier: None }
    }

    /// Whether the part has to be taken before a booking under this name is added.
    #[must_use]
    pub fn is_full_for(&self, name: &str) -> bool {
        self.sums.len() >= self.most && !self.sums.contains_key(name)
    }

    /// Adds a booking.
    pub fn add(&mut self, name: String, booking: Booking, amount: Money, at: Timestamp) {
        self.newest = self.newest.max(Some(at));
        if let Some(sums) = self.sums.get_mut(&name) {
            return sums.add(booking, amount.amount);
        }
        if self.earlier.as_ref().is_some_and(|earlier| earlier.perhaps_have(&name)) {
            self.again.push(name.clone());
        }
        let mut sums = Sums::zero(amount.currency);
        sums.add(booking, amount.amount);
        self.sums.insert(name, sums);
    }

    /// Takes what was added since the part before, with others to come.
    pub fn take(&mut self) -> Part {
        let earlier = self.earlier.get_or_insert_default();
        for name in self.sums.keys() {
            earlier.add(name);
        }
        self.take_last()
    }

    /// Takes what was added since the part before; nothing comes after it.
    pub fn take_last(&mut self) -> Part {
        Part {
            sums: std::mem::take(&mut self.sums),
            again: std::mem::take(&mut self.again),
            newest: self.newest.take(),
        }
    }
}

/// Bits of [`Names`]: 16 MiB. Of 10 million names, one in 200 is taken for known that is not.
const BITS: u64 = 1 << 27;
/// Bits of one name.
const BITS_OF_A_NAME: u64 = 4;

/// Names, in a space that does not grow with them (a Bloom filter): it may take a new one for known, never a known one for new.
#[derive(Debug)]
struct Names {
    words: Vec<u64>,
    keys: RandomState,
}

impl Default for Names {
    fn default() -> Self {
        let words = usize::try_from(BITS / 64).unwrap_or(1);
        Self { words: vec![0; words], keys: RandomState::new() }
    }
}

impl Names {
    fn add(&mut self, name: &str) {
        for (word, bit) in self.places(name) {
            if let Some(word) = self.words.get_mut(word) {
                *word |= bit;
            }
        }
    }

    fn perhaps_have(&self, name: &str) -> bool {
        self.places(name).all(|(word, bit)| self.words.get(word).is_none_or(|word| word & bit != 0))
    }

    /// Words and the bits in them.
    fn places(&self, name: &str) -> impl Iterator<Item = (usize, u64)> + use<> {
        let hash = self.keys.hash_one(name);
        // Two independent halves give as many places as are wanted.
        let step = hash.rotate_left(32) | 1;
        (0..BITS_OF_A_NAME).map(move |n| {
            let place = hash.wrapping_add(step.wrapping_mul(n)) % BITS;
            (usize::try_from(place / 64).unwrap_or(0), 1 << (place % 64))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// Adds bookings of 5.00 EUR, one a second, and takes the parts as they come.
    fn parts(most: usize, bookings: &[(&str, Booking)]) -> Vec<Part> {
        let (mut parts, mut taken) = (Parts::new(most), Vec::new());
        for ((name, booking), second) in bookings.iter().zip(1..) {
            if parts.is_full_for(name) {
                taken.push(parts.take());
            }
            parts.add((*name).to_owned(), *booking, Money::new(500, "EUR".parse().unwrap()), at(second));
        }
        taken.push(parts.take_last());
        taken
    }

    fn names(part: &Part) -> BTreeSet<&str> {
        part.sums.keys().map(String::as_str).collect()
    }

    #[test]
    fn more_names_than_fit_come_in_parts_and_the_last_one_ends_later() {
        use Booking::{Captured, Held};
        let found = parts(2, &[("a", Held), ("b", Held), ("a", Captured), ("c", Held), ("d", Held), ("e", Held)]);

        let seen: Vec<_> = found.iter().map(|part| (names(part), part.newest)).collect();
        let expected =
            [(["a", "b"], 3), (["c", "d"], 5)].map(|(names, second)| (BTreeSet::from(names), Some(at(second))));
        assert_eq!((&seen[..2], &seen[2]), (&expected[..], &(BTreeSet::from(["e"]), Some(at(6)))));
        let a = found[0].sums["a"];
        assert_eq!((a.held, a.captured), (0, 500), "what fits goes on in its part");
        assert!(found.iter().all(|part| part.again.is_empty()));
    }

    #[test]
    fn a_name_that_is_cut_is_given_out_again_with_every_later_part() {
        use Booking::{Captured, Held};
        let found = parts(1, &[("a", Held), ("b", Held), ("a", Captured), ("c", Held), ("a", Held), ("a", Captured)]);

        let again: Vec<_> = found.iter().map(|part| part.again.clone()).collect();
        assert_eq!(again, [vec![], vec![], vec!["a".to_owned()], vec![], vec!["a".to_owned()]]);
    }

    #[test]
    fn nothing_booked_is_one_part_without_a_time() {
        assert_eq!(parts(1, &[]), [Part { sums: HashMap::new(), again: Vec::new(), newest: None }]);
    }

    #[test]
    fn no_known_name_is_taken_for_a_new_one_and_few_new_ones_for_known() {
        let mut known = Names::default();
        for n in 0..100_000 {
            known.add(&format!("known {n}"));
        }
        assert!((0..100_000).all(|n| known.perhaps_have(&format!("known {n}"))));
        let wrong = (0..100_000).filter(|n| known.perhaps_have(&format!("new {n}"))).count();
        assert!(wrong < 10, "{wrong}");
    }
}
