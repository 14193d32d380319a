//! The worker of a group: drain, commit, split, answer. What it promises stands in `group`.

use std::ops::Range;
use std::sync::Arc;

use futures::future::BoxFuture;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::{Caller, Decide, MOST_MEMBERS, Member, TRIES_BEFORE_SPLIT};
use crate::retry::Pauses;
use crate::transaction::{Work, attempt};
use crate::{Error, Mongo, Txn};

/// Stuck members that are tried at the same time; the rest of the sessions is for the groups.
const ASIDE_AT_ONCE: usize = 2;

/// Stuck members that are kept; beyond, the next one is told at once.
const MOST_ASIDE: usize = 256;

pub(super) struct Worker<C, A> {
    shared: Arc<Shared<C, A>>,
    aside: JoinSet<()>,
    aside_turns: Arc<Semaphore>,
}

struct Shared<C, A> {
    mongo: Mongo,
    name: &'static str,
    decide: Arc<Decide<C, A>>,
}

/// Some neighbours in a drained batch: what one transaction is about. The batch is shared, because a transaction that
/// nobody waits for any more goes on with it.
struct Part<C, A> {
    shared: Arc<Shared<C, A>>,
    batch: Arc<[C]>,
    members: Range<usize>,
}

impl<C, A> Clone for Part<C, A> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), batch: Arc::clone(&self.batch), members: self.members.clone() }
    }
}

impl<C: Send + Sync + 'static, A: Send + 'static> Work for Part<C, A> {
    type Output = Vec<A>;

    fn run<'t>(&'t self, txn: &'t mut Txn<'_>) -> BoxFuture<'t, Result<Vec<A>, Error>> {
        Box::pin(async move {
            let commands = self.batch.get(self.members.clone()).unwrap_or_default();
            let answers = (self.shared.decide)(txn, commands).await?;
            if answers.len() == commands.len() {
                return Ok(answers);
            }
            let why = format!("{} answers for {} commands", answers.len(), commands.len());
            Err(Error::failed(self.shared.name, why))
        })
    }
}

impl<C: Send + Sync + 'static, A: Send + 'static> Part<C, A> {
    fn of(&self, members: Range<usize>) -> Self {
        Self { members, ..self.clone() }
    }

    /// Both halves, the first one first.
    fn halves(&self) -> [Self; 2] {
        let middle = self.members.start + self.members.len() / 2;
        [self.of(self.members.start..middle), self.of(middle..self.members.end)]
    }

    async fn once(&self, until: Instant) -> Result<Vec<A>, Error> {
        let Shared { mongo, name, .. } = &*self.shared;
        let ended = attempt(mongo, name, until, Arc::new(self.clone())).await;
        match &ended {
            Ok(answers) => mongo.measures().committed(name, answers.len()),
            Err(Error::Conflict { .. }) => mongo.measures().conflicted(name),
            Err(_) => {}
        }
        ended
    }

    /// Runs the transaction again while that is safe: until the deadline, but after conflicts only so many times.
    async fn persist(&self, until: Instant, most_conflicts: u32) -> Result<Vec<A>, Error> {
        let (mut pauses, mut conflicts) = (Pauses::default(), 0);
        loop {
            let error = match self.once(until).await {
                Err(error) if error.is_transient() => error,
                ended => return ended,
            };
            conflicts += u32::from(matches!(error, Error::Conflict { .. }));
            let pause = pauses.next();
            if conflicts >= most_conflicts || Instant::now() + pause >= until {
                return Err(error);
            }
            sleep(pause).await;
        }
    }
}

impl<C: Send + Sync + 'static, A: Send + 'static> Worker<C, A> {
    pub(super) fn new(mongo: &Mongo, name: &'static str, decide: Arc<Decide<C, A>>) -> Self {
        let shared = Arc::new(Shared { mongo: mongo.clone(), name, decide });
        Self { shared, aside: JoinSet::new(), aside_turns: Arc::new(Semaphore::new(ASIDE_AT_ONCE)) }
    }

    pub(super) async fn run(mut self, mut queue: mpsc::Receiver<Member<C, A>>, stop: CancellationToken) {
        let mut drained = Vec::with_capacity(MOST_MEMBERS);
        let mut stopping = false;
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
                    self.settle(drained.drain(..)).await;
                }
            }
            while self.aside.try_join_next().is_some() {}
        }
        while self.aside.join_next().await.is_some() {}
    }

    /// Carries out what was drained and answers everybody, but for those taken aside.
    async fn settle(&mut self, drained: impl Iterator<Item = Member<C, A>>) {
        let now = Instant::now();
        let waited_for = drained.filter(|member| member.caller.until > now && !member.caller.answer.is_closed());
        let (batch, mut callers): (Vec<C>, Vec<Option<Caller<A>>>) =
            waited_for.map(|Member { command, caller }| (command, Some(caller))).unzip();
        if batch.is_empty() {
            return;
        }
        let whole = 0..batch.len();
        let mut parts = vec![Part { shared: Arc::clone(&self.shared), batch: batch.into(), members: whole }];
        while let Some(part) = parts.pop() {
            let callers = callers.get_mut(part.members.clone()).unwrap_or_default();
            let Some(until) = callers.iter().flatten().map(|caller| caller.until).max() else { continue };
            match part.persist(until, TRIES_BEFORE_SPLIT).await {
                Ok(answers) => {
                    for (caller, answer) in callers.iter_mut().zip(answers) {
                        tell(caller.take(), Ok(answer));
                    }
                }
                Err(error) if part.members.len() > 1 && may_be_of_one_member(&error) => {
                    let [first, second] = part.halves();
                    parts.extend([second, first]);
                }
                Err(Error::Conflict { .. }) if self.aside.len() < MOST_ASIDE => {
                    for caller in callers.iter_mut().filter_map(Option::take) {
                        self.take_aside(part.clone(), caller);
                    }
                }
                Err(error) => {
                    for caller in callers {
                        tell(caller.take(), Err(error.clone()));
                    }
                }
            }
        }
    }

    fn take_aside(&mut self, part: Part<C, A>, caller: Caller<A>) {
        let turns = Arc::clone(&self.aside_turns);
        self.aside.spawn(async move {
            let answer = alone(&part, &turns, &caller).await;
            tell(Some(caller), answer);
        });
    }
}

/// Tries a stuck member until its deadline, in turns with the other stuck ones.
async fn alone<C, A>(part: &Part<C, A>, turns: &Semaphore, caller: &Caller<A>) -> Result<A, Error>
where
    C: Send + Sync + 'static,
    A: Send + 'static,
{
    let name = part.shared.name;
    let mut pauses = Pauses::default();
    loop {
        let ended = {
            let _turn = turns.acquire().await.map_err(|closed| Error::failed(name, closed))?;
            part.persist(caller.until, 1).await
        };
        let error = match ended {
            Ok(answers) => {
                return answers.into_iter().next().ok_or_else(|| Error::failed(name, "no answer for a lone command"));
            }
            Err(error) if error.is_transient() => error,
            Err(error) => return Err(error),
        };
        let pause = pauses.next();
        if caller.answer.is_closed() || Instant::now() + pause >= caller.until {
            return Err(error);
        }
        sleep(pause).await;
    }
}

/// Whether another half may do better: not if MongoDB itself is away or slow.
fn may_be_of_one_member(error: &Error) -> bool {
    match error {
        Error::Conflict { .. }
        | Error::Duplicate { .. }
        | Error::GuardFailed { .. }
        | Error::Corrupt { .. }
        | Error::Failed { .. } => true,
        Error::Unavailable { .. } | Error::Timeout { .. } => false,
    }
}

fn tell<A>(caller: Option<Caller<A>>, answer: Result<A, Error>) {
    // A caller that has given up has told so itself: its answer goes nowhere.
    if let Some(caller) = caller {
        drop(caller.answer.send(answer));
    }
}
