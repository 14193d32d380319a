//! How often the password of an account may be got wrong: counted for its e-mail address, over all pods, whether there is an
//! account or not.
//!
//! Whoever tries a password takes a miss before the work, and gets it back unless the password was wrong: so of a hundred
//! guesses at once no more are looked at than of a hundred in a row. Misses grow back one by one, so an address that
//! somebody keeps guessing at is let in again after a minute and a half at most, and never stays shut. The count is that of
//! the rate limits (ruling 28); while Redis is away each pod lets a part of it through.
//!
//! In each pod two passwords of an address are looked at at once, the others wait for their turn: otherwise an account that
//! logs in many times at once, as a test or a program with many workers does, would be out of misses with nothing wrong.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};
use shop_telemetry::context;
use shop_types::idempotency::hex;
use shop_types::lease::Mark;
use shop_types::rate::Meter;
use shop_types::{Email, LeaseSource, Rate};
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use super::Error;
use super::hashing::{self, PATIENCE};

/// Misses of an address in [`WINDOW`].
const MISSES: u32 = 10;
/// The same in each pod, while Redis is away.
const ALONE: u32 = 3;
const WINDOW: Duration = Duration::from_mins(15);
/// A miss is counted as so many requests: what is given back is rounded down to whole ones, and must not be nothing.
const PARTS: u32 = 1_000;
/// Meters of a pod that counts alone, and queues. Addresses share them by chance, so that no flood of addresses takes more
/// memory.
const PLACES: usize = 4_096;
/// Passwords of an address that wait for their turn in a pod.
const WAITING: usize = 50;
/// Passwords of an address that a pod looks at at once: four pods together cannot use up the misses.
const AT_ONCE: usize = 2;

/// The misses of all addresses.
pub(super) struct Misses {
    source: Arc<dyn LeaseSource>,
    shared: Rate,
    alone: Rate,
    meters: Mutex<Vec<Meter>>,
    queues: Vec<Queue>,
    hasher: RandomState,
    began: Instant,
}

/// A miss that was taken. Without a word about it, it counts.
#[must_use]
pub(super) struct Attempt {
    allowance: String,
    counted: Counted,
    turn: Turn,
}

/// Those who wait for their turn, and those who have it.
struct Queue {
    room: Arc<Semaphore>,
    turns: Arc<Semaphore>,
}

/// A place in the queue, and in the end the turn.
type Turn = [OwnedSemaphorePermit; 2];

enum Counted {
    Together(Mark),
    /// By this pod alone, in a meter.
    Alone(usize, u64),
}

impl Queue {
    fn new() -> Self {
        Self { room: Arc::new(Semaphore::new(AT_ONCE + WAITING)), turns: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    async fn turn(&self) -> Result<Turn, Error> {
        let busy = || Error::Hashing(hashing::Error::Busy);
        let place = Arc::clone(&self.room).try_acquire_owned().map_err(|_| busy())?;
        let started = Instant::now();
        let patience = context::remaining().map_or(PATIENCE, |left| left.min(PATIENCE));
        let turn = timeout(patience, Arc::clone(&self.turns).acquire_owned()).await;
        context::waited(started.elapsed());
        // Nobody closes it.
        Ok([place, turn.ok().and_then(Result::ok).ok_or_else(busy)?])
    }
}

impl Misses {
    /// Counts in `source`, as long as it is there.
    pub(super) fn new(source: Arc<dyn LeaseSource>) -> anyhow::Result<Self> {
        let rate = |misses| Rate::new(misses * PARTS, WINDOW).context("the rate of misses cannot be used");
        Ok(Self {
            source,
            shared: rate(MISSES)?,
            alone: rate(ALONE)?,
            meters: Mutex::new(vec![Meter::default(); PLACES]),
            queues: (0..PLACES).map(|_| Queue::new()).collect(),
            hasher: RandomState::new(),
            began: Instant::now(),
        })
    }

    /// Takes a miss of an address, when it is its turn.
    ///
    /// # Errors
    /// [`Error::TooManyMisses`] when there is none left; [`Error::Hashing`] when too many wait for their turn.
    pub(super) async fn take(&self, email: &Email) -> Result<Attempt, Error> {
        // Redis holds no addresses.
        let allowance = format!("misses:{}", hex(&Sha256::digest(email.as_str())));
        let place = usize::try_from(self.hasher.hash_one(&allowance) % PLACES as u64).unwrap_or_default();
        let turn = self.queues[place].turn().await?;
        if let Ok(lease) = self.source.lease(&allowance, self.shared, PARTS).await {
            let attempt = Attempt { allowance, counted: Counted::Together(lease.mark), turn };
            return self.whole(attempt, self.shared, lease.granted, lease.whole_in).await;
        }
        // The source has told why.
        let (taken, mark) = {
            let mut meters = self.meters.lock().await;
            (meters[place].take(self.alone, self.now(), PARTS), meters[place].whole_at())
        };
        let attempt = Attempt { allowance, counted: Counted::Alone(place, mark), turn };
        self.whole(attempt, self.alone, taken.granted, Duration::from_micros(taken.whole_in)).await
    }

    /// The attempt, if a whole miss was granted for it; else its part is given back.
    async fn whole(&self, attempt: Attempt, rate: Rate, granted: u32, whole_in: Duration) -> Result<Attempt, Error> {
        if granted == PARTS {
            return Ok(attempt);
        }
        if granted > 0 {
            self.give_back(attempt, granted).await;
        }
        // Without this part; a miss can be taken as soon as no more than all others are.
        let interval = Duration::from_micros(rate.interval());
        let taken = whole_in.saturating_sub(interval * granted);
        let others = interval * rate.requests().saturating_sub(PARTS);
        Err(Error::TooManyMisses { retry_in: taken.saturating_sub(others) })
    }

    /// Takes an attempt back that was none: the password was right, or nobody looked at it.
    pub(super) async fn forgive(&self, attempt: Attempt) {
        self.give_back(attempt, PARTS).await;
    }

    async fn give_back(&self, attempt: Attempt, parts: u32) {
        let Attempt { allowance, counted, turn } = attempt;
        match counted {
            Counted::Together(mark) => {
                if let Err(error) = self.source.give_back(&allowance, self.shared, parts, mark).await {
                    tracing::debug!(
                        error = &error as &dyn std::error::Error,
                        "A miss that was none grows back by itself"
                    );
                }
            }
            Counted::Alone(meter, mark) => {
                self.meters.lock().await[meter].give_back(self.alone, self.now(), parts, mark);
            }
        }
        drop(turn);
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests;
