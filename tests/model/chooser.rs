//! Where every choice of a schedule comes from: a seed, or the trail that an earlier schedule has left.
//!
//! Choice 0 is always the dullest: the task that waits longest, no fault, no delay. So a trail of zeros is a shop on a good
//! day, a failing trail is made simpler by writing zeros into it, and "every single fault at every step" is every trail
//! with one number that is not zero.

/// One choice that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) taken: u32,
    /// How many there were to choose from.
    pub(crate) of: u32,
}

/// Makes the choices of one schedule and remembers them.
#[derive(Debug)]
pub(crate) struct Chooser {
    source: Source,
    trail: Vec<Choice>,
}

#[derive(Debug)]
enum Source {
    Seed(u64),
    /// What is left of a trail; zeros follow.
    Trail(std::vec::IntoIter<u32>),
}

impl Chooser {
    pub(crate) const fn of_seed(seed: u64) -> Self {
        Self { source: Source::Seed(seed), trail: Vec::new() }
    }

    pub(crate) fn of_trail(trail: Vec<u32>) -> Self {
        Self { source: Source::Trail(trail.into_iter()), trail: Vec::new() }
    }

    /// All choices so far.
    pub(crate) fn trail(&self) -> &[Choice] {
        &self.trail
    }

    /// One of so many, each as likely. A single one is no choice and leaves no trail.
    pub(crate) fn pick(&mut self, options: usize) -> usize {
        let of = u32::try_from(options).expect("few options");
        if of <= 1 {
            return 0;
        }
        let taken = match &mut self.source {
            Source::Seed(state) => u32::try_from(random(state) % u64::from(of)).expect("below u32"),
            Source::Trail(rest) => rest.next().unwrap_or(0).min(of - 1),
        };
        self.note(taken, of)
    }

    /// Something other than the ordinary (0): rarely, once in so many times, and then each of the others as likely.
    pub(crate) fn rarely(&mut self, once_in: u32, others: usize) -> usize {
        let of = 1 + u32::try_from(others).expect("few options");
        let taken = match &mut self.source {
            Source::Seed(state) => {
                let (whether, which) = (random(state) % u64::from(once_in), random(state) % u64::from(of - 1));
                if whether == 0 { 1 + u32::try_from(which).expect("below u32") } else { 0 }
            }
            Source::Trail(rest) => rest.next().unwrap_or(0).min(of - 1),
        };
        self.note(taken, of)
    }

    fn note(&mut self, taken: u32, of: u32) -> usize {
        self.trail.push(Choice { taken, of });
        taken as usize
    }
}

/// `SplitMix64`: small, the same everywhere, and good enough to choose by.
const fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trail_repeats_what_a_seed_chose() {
        let mut first = Chooser::of_seed(7);
        let chosen: Vec<usize> = (2..50).map(|n| if n % 3 == 0 { first.rarely(4, n) } else { first.pick(n) }).collect();
        let trail = first.trail().iter().map(|choice| choice.taken).collect();

        let mut again = Chooser::of_trail(trail);
        let repeated: Vec<usize> =
            (2..50).map(|n| if n % 3 == 0 { again.rarely(4, n) } else { again.pick(n) }).collect();

        assert_eq!(repeated, chosen);
        assert!(chosen.iter().any(|taken| *taken > 0));
    }

    #[test]
    fn what_follows_a_trail_is_dull() {
        let mut chooser = Chooser::of_trail(vec![9]);
        assert_eq!((chooser.pick(4), chooser.pick(4), chooser.rarely(2, 3)), (3, 0, 0));
    }
}
