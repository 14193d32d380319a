//! The worker of a group: drain, commit, split, answer. What it promises stands in `group`.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::load::Load;
use super::part::{Part, Shared, may_be_of_one_member};
use super::slow_lane::{self, SlowLane};
use super::{Decide, LONGEST_SEARCH, MOST_MEMBERS, Member, PACE, TRIES_BEFORE_SPLIT};
use crate::retry::Pauses;
use crate::{Error, Mongo};

pub(super) struct Worker<C, A> {
    shared: Arc<Shared<C, A>>,
}

impl<C: Send + Sync + 'static, A: Send + 'static> Worker<C, A> {
    pub(super) fn new(mongo: &Mongo, name: &'static str, decide: Arc<Decide<C, A>>, load: Arc<Load>) -> Self {
        Self { shared: Arc::new(Shared { mongo: mongo.clone(), name, decide, load }) }
    }

    pub(super) async fn run(self, mut queue: mpsc::Receiver<Member<C, A>>, stop: CancellationToken) {
        let mut drained = Vec::with_capacity(MOST_MEMBERS);
        let mut stopping = false;
        let (slow_lane, lane) = slow_lane::open();
        let lane = tokio::spawn(lane.run());
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled(), if !stopping => {
                    // What is in the queue stays there; `recv_many` gives 0 once it is empty.
                    queue.close();
                    stopping = true;
                }
                count = queue.recv_many(&mut drained, MOST_MEMBERS) => {
                    if count == 0 {
                        break;
                    }
                    let began = Instant::now();
                    if let Some(part) = Part::of(&self.shared, drained.drain(..)) {
                        self.shared.load.set_busy(true);
                        self.settle(part, &slow_lane).await;
                        self.shared.load.set_busy(false);
                    }
                    let mut resume = Instant::now() + self.shared.load.rest();
                    if count > 1 {
                        resume = resume.max(began + PACE);
                    }
                    sleep_until(resume).await;
                }
            }
        }
        drop(slow_lane);
        if let Err(ended) = lane.await {
            tracing::error!(group = self.shared.name, error = %ended, "Lost the stuck members of a group");
        }
    }

    /// Carries out what was drained and answers everybody, but for those handed to the slow lane.
    async fn settle(&self, drained: Part<C, A>, slow_lane: &SlowLane<C, A>) {
        let mut parts = vec![drained];
        let mut search_ends = None;
        while let Some(part) = parts.pop() {
            let ended = persist(&part, search_ends).await;
            let searches = |ends: &mut Option<Instant>| {
                Instant::now() < *ends.get_or_insert_with(|| Instant::now() + LONGEST_SEARCH)
            };
            match ended {
                Err(Error::Conflict { .. }) if part.len() == 1 || !searches(&mut search_ends) => slow_lane.take(part),
                Err(error) if part.len() > 1 && may_be_of_one_member(&error) => {
                    let [first, second] = part.halves();
                    parts.extend([second, first]);
                }
                ended => part.tell(ended),
            }
        }
    }
}

/// Runs the transaction again while that is safe: until the deadline, but after conflicts only so many times and as long as
/// others that are alive may be in the way, and when the search for a stuck member takes too long only once.
async fn persist<C, A>(part: &Part<C, A>, search_ends: Option<Instant>) -> Result<Vec<A>, Error>
where
    C: Send + Sync + 'static,
    A: Send + 'static,
{
    let (mut pauses, mut conflicts) = (Pauses::default(), 0);
    let others_end = Instant::now() + part.patience();
    loop {
        let error = match part.once().await {
            Err(error) if error.is_transient() => error,
            ended => return ended,
        };
        let mut pause = pauses.pause();
        if matches!(error, Error::Conflict { .. }) {
            conflicts += 1;
            let now = Instant::now();
            let stuck = conflicts >= TRIES_BEFORE_SPLIT && now >= others_end;
            if stuck || search_ends.is_some_and(|ends| now >= ends) {
                return Err(error);
            }
            pause = pause.max(part.pause_beside());
        }
        if Instant::now() + pause >= part.until() {
            return Err(error);
        }
        sleep(pause).await;
    }
}
