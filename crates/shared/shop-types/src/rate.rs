//! How often somebody may do something: a rate, and the arithmetic that counts against it. Pure: the moment is an argument,
//! and who counts where is none of its business.
//!
//! The arithmetic is GCRA, the generic cell rate algorithm of ITU-T I.371. All it keeps is the moment at which the allowance
//! is whole again. Every request moves that moment by one interval; a request that would move it further than one window
//! from now is refused. So an allowance that was not used holds as many requests as the rate names, and what was taken grows
//! back evenly, instead of all at once when a window ends.

use std::time::Duration;

use crate::text::Broken;

/// So many requests in so much time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rate {
    requests: u32,
    window: Duration,
}

impl Rate {
    /// Most requests of a window.
    pub const MAX_REQUESTS: u32 = 1_000_000;
    /// The longest window, in seconds: a day.
    pub const MAX_SECONDS: u64 = 86_400;

    /// Takes a number of requests and a window in whole seconds.
    ///
    /// # Errors
    /// [`Broken`] outside 1 to 1,000,000 requests, or 1 to 86,400 seconds.
    pub const fn new(requests: u32, window: Duration) -> Result<Self, Broken> {
        let seconds = window.as_secs();
        if requests == 0 || requests > Self::MAX_REQUESTS {
            return Err(Broken("must be 1 to 1000000 requests"));
        }
        if seconds == 0 || seconds > Self::MAX_SECONDS || window.subsec_nanos() != 0 {
            return Err(Broken("must be 1 to 86400 whole seconds"));
        }
        Ok(Self { requests, window })
    }

    /// Most requests that an allowance holds.
    #[must_use]
    pub const fn requests(self) -> u32 {
        self.requests
    }

    /// How long it takes until an allowance that was used up is whole again.
    #[must_use]
    pub const fn window(self) -> Duration {
        self.window
    }

    /// How long one request takes to grow back, in microseconds, rounded down: 1 or more.
    #[must_use]
    pub const fn interval(self) -> u64 {
        // A window of a day has 86,400,000,000 of them, and no more requests than there are in a second.
        self.window.as_secs() * 1_000_000 / self.requests as u64
    }

    /// The same window with a tenth of the requests, but one at least.
    #[must_use]
    pub const fn tenth(self) -> Self {
        let requests = if self.requests < 10 { 1 } else { self.requests / 10 };
        Self { requests, window: self.window }
    }
}

/// What one client has left, on a clock that counts microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Meter {
    whole_at: u64,
}

/// What came of asking a [`Meter`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// How many requests may be made: none, some, or as many as were wanted.
    pub granted: u32,
    /// Microseconds until the allowance is whole again, if nobody takes any more.
    pub whole_in: u64,
    /// Microseconds until the next request can be granted; 0 unless none was.
    pub retry_in: u64,
}

impl Meter {
    /// Takes as many of the wanted requests as there are.
    pub fn take(&mut self, rate: Rate, now: u64, wanted: u32) -> Taken {
        let (interval, start) = (rate.interval(), self.whole_at.max(now));
        let span = interval * u64::from(rate.requests);
        let free = span.saturating_sub(start - now) / interval;
        let granted = u32::try_from(free).unwrap_or(u32::MAX).min(wanted);
        self.whole_at = start + interval * u64::from(granted);
        let retry_in = if granted == 0 { (start + interval).saturating_sub(now + span) } else { 0 };
        Taken { granted, whole_in: self.whole_at - now, retry_in }
    }

    /// The moment at which the allowance is whole again. Right after [`Self::take`] it marks what was taken, so that it can
    /// be given back.
    #[must_use]
    pub const fn whole_at(self) -> u64 {
        self.whole_at
    }

    /// Gives back what was taken up to `mark` and not used. What has grown back by itself meanwhile is not given twice.
    pub fn give_back(&mut self, rate: Rate, now: u64, unused: u32, mark: u64) {
        let interval = rate.interval();
        let still_taken = mark.saturating_sub(now) / interval;
        self.whole_at = self.whole_at.saturating_sub(interval * still_taken.min(unused.into()));
    }
}

#[cfg(test)]
mod tests;
