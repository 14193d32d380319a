//! Where parts of a group wait whose documents are held by somebody else, so that the worker goes on without them.
//!
//! Each part is tried in turn, one transaction at a time, with pauses that grow; and split, with the pauses of the whole,
//! after some conflicts. The good members of a part get out by the first splits, while a part that is stuck as a whole has
//! not fallen to pieces when its documents become free.

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::part::{Part, may_be_of_one_member};
use super::{MOST_STUCK, TRIES_BEFORE_SPLIT};
use crate::Error;
use crate::retry::Pauses;
use crate::sessions::PATIENCE;

/// The way in.
pub(super) struct SlowLane<C, A>(mpsc::Sender<Part<C, A>>);

/// The lane itself.
pub(super) struct Lane<C, A> {
    arrivals: mpsc::Receiver<Part<C, A>>,
    stuck: Vec<Stuck<C, A>>,
}

struct Stuck<C, A> {
    part: Part<C, A>,
    /// Since when, with the whole that it is a part of.
    since: Instant,
    due: Instant,
    pauses: Pauses,
    conflicts: u32,
}

pub(super) fn open<C, A>() -> (SlowLane<C, A>, Lane<C, A>) {
    let (entry, arrivals) = mpsc::channel(MOST_STUCK);
    (SlowLane(entry), Lane { arrivals, stuck: Vec::new() })
}

impl<C: Send + Sync + 'static, A: Send + 'static> SlowLane<C, A> {
    /// Takes over a part and its callers. Where there is no room they are told of the conflict.
    pub(super) fn take(&self, part: Part<C, A>) {
        if let Err(mpsc::error::TrySendError::Full(part) | mpsc::error::TrySendError::Closed(part)) =
            self.0.try_send(part)
        {
            part.tell_conflict();
        }
    }
}

impl<C: Send + Sync + 'static, A: Send + 'static> Lane<C, A> {
    /// Works until the way in is gone and everybody is answered.
    pub(super) async fn run(mut self) {
        let mut open = true;
        while open || !self.stuck.is_empty() {
            let due = self.stuck.iter().map(|stuck| stuck.due).min();
            tokio::select! {
                biased;
                arrival = self.arrivals.recv(), if open => match arrival {
                    Some(part) => self.admit(part),
                    None => open = false,
                },
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => self.try_next().await,
            }
        }
    }

    fn admit(&mut self, part: Part<C, A>) {
        if self.stuck.iter().map(|stuck| stuck.part.len()).sum::<usize>() + part.len() > MOST_STUCK {
            part.tell_conflict();
        } else {
            let now = Instant::now();
            self.stuck.push(Stuck { part, since: now, due: now, pauses: Pauses::default(), conflicts: 0 });
        }
    }

    async fn try_next(&mut self) {
        let next = self.stuck.iter().enumerate().min_by_key(|(_, stuck)| stuck.due);
        let Some((index, _)) = next else { return };
        let mut stuck = self.stuck.swap_remove(index);
        match stuck.part.once().await {
            Err(error) if error.is_transient() => {
                if matches!(error, Error::Conflict { .. }) {
                    stuck.conflicts += 1;
                    if stuck.since.elapsed() > PATIENCE {
                        stuck.part.suspect();
                    }
                }
                stuck.due = Instant::now() + stuck.pauses.pause();
                if stuck.due >= stuck.part.until() {
                    stuck.part.tell(Err(error));
                } else if stuck.conflicts >= TRIES_BEFORE_SPLIT && stuck.part.len() > 1 {
                    self.split(stuck);
                } else {
                    self.stuck.push(stuck);
                }
            }
            Err(error) if stuck.part.len() > 1 && may_be_of_one_member(&error) => {
                self.split(Stuck { due: Instant::now(), ..stuck });
            }
            ended => stuck.part.tell(ended),
        }
    }

    fn split(&mut self, Stuck { part, since, due, pauses, .. }: Stuck<C, A>) {
        let half = |part| Stuck { part, since, due, pauses, conflicts: 0 };
        self.stuck.extend(part.halves().map(half));
    }
}
