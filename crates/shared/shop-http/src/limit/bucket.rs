//! What one process knows of one client under one limit: its lease, or that there is none to be had. Pure: the moment, in
//! microseconds, is an argument, and the question itself is asked elsewhere.

use shop_types::Lease;
use shop_types::lease::Mark;
use shop_types::rate::{Meter, Taken};

use super::{Rule, micros};

/// A client that did not come for so long is forgotten.
const IDLE: u64 = 1_000_000;
/// After a refusal nobody is asked for so long at most: others may have given something back.
const QUIET: u64 = 1_000_000;

#[derive(Debug)]
pub(super) struct Bucket {
    /// Requests that were leased and not used.
    left: u32,
    /// How many the present lease was for.
    leased: u32,
    leased_at: u64,
    mark: Mark,
    /// How many the next lease will ask for.
    next: u32,
    /// When the shared allowance is whole again, as far as is known here.
    whole_at: u64,
    /// After a refusal: when the next request will be let in, as far as is known here.
    retry_at: u64,
    /// Nobody is asked again before.
    quiet_until: u64,
    /// The count of this process, for when it counts alone.
    alone: Meter,
    used_at: u64,
}

/// What to do with a request.
pub(super) enum Step {
    Known(Count),
    /// Ask for a lease of so many.
    Ask(u32),
}

/// Where a client stands after a request was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) remaining: u32,
    /// Microseconds until the allowance is whole again.
    pub(super) whole_in: u64,
    /// Microseconds until the next request is let in; `None` when this one was.
    pub(super) retry_in: Option<u64>,
}

impl Default for Bucket {
    fn default() -> Self {
        Self {
            left: 0,
            leased: 0,
            leased_at: 0,
            mark: Mark(0),
            next: 1,
            whole_at: 0,
            retry_at: 0,
            quiet_until: 0,
            alone: Meter::default(),
            used_at: 0,
        }
    }
}

impl Bucket {
    /// A request has come.
    pub(super) fn step(&mut self, rule: &Rule, now: u64) -> Step {
        self.used_at = now;
        if self.left > 0 {
            self.left -= 1;
            return Step::Known(self.standing(rule, now));
        }
        if now < self.quiet_until {
            return Step::Known(self.refused(now));
        }
        Step::Ask(self.next)
    }

    /// The shared count was asked for `wanted` on behalf of one request.
    pub(super) fn leased(&mut self, rule: &Rule, now: u64, lease: Lease, wanted: u32) -> Count {
        let Lease { granted, whole_in, retry_in, mark } = lease;
        self.whole_at = now + micros(whole_in);
        self.next = if granted == wanted { granted.saturating_mul(2).min(rule.most) } else { 1 };
        if granted == 0 {
            self.retry_at = now + micros(retry_in);
            self.quiet_until = self.retry_at.min(now + QUIET);
            return self.refused(now);
        }
        (self.left, self.leased, self.leased_at, self.mark) = (granted - 1, granted, now, mark);
        self.standing(rule, now)
    }

    /// The shared count is not there.
    pub(super) fn alone(&mut self, rule: &Rule, now: u64) -> Count {
        let Taken { granted, whole_in, retry_in } = self.alone.take(rule.alone, now, 1);
        let taken = u32::try_from(whole_in.div_ceil(rule.alone.interval())).unwrap_or(u32::MAX);
        let remaining = rule.alone.requests().saturating_sub(taken);
        Count { remaining, whole_in, retry_in: (granted == 0).then_some(retry_in) }
    }

    /// Takes out what is left of a lease of this age or older, to be given back. The next lease will be as large as what
    /// was used of this one.
    pub(super) fn take_unused(&mut self, rule: &Rule, now: u64, age: u64) -> Option<(u32, Mark)> {
        if self.left == 0 || now.saturating_sub(self.leased_at) < age {
            return None;
        }
        let unused = std::mem::take(&mut self.left);
        self.next = (self.leased - unused).max(1);
        self.whole_at = self.whole_at.saturating_sub(u64::from(unused) * rule.rate.interval());
        Some((unused, self.mark))
    }

    /// Whether nothing is lost when it is forgotten.
    pub(super) fn is_idle(&self, now: u64) -> bool {
        let is_empty = self.left == 0 && self.quiet_until <= now && self.alone.whole_at() <= now;
        is_empty && now.saturating_sub(self.used_at) >= IDLE
    }

    /// What is leased and not used counts as there: nobody else can take it.
    fn standing(&self, rule: &Rule, now: u64) -> Count {
        let interval = rule.rate.interval();
        let own = u64::from(self.left) * interval;
        let whole_in = self.whole_at.saturating_sub(now).saturating_sub(own);
        let taken = u32::try_from(whole_in.div_ceil(interval)).unwrap_or(u32::MAX);
        Count { remaining: rule.rate.requests().saturating_sub(taken), whole_in, retry_in: None }
    }

    fn refused(&self, now: u64) -> Count {
        let retry_in = self.retry_at.saturating_sub(now);
        Count { remaining: 0, whole_in: self.whole_at.saturating_sub(now), retry_in: Some(retry_in) }
    }
}
