//! What one transaction of a group is about: some neighbours in a drained batch, and those who wait for them.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::time::Instant;

use super::load::Load;
use super::{Caller, Decide, Member};
use crate::transaction::{Work, attempt};
use crate::{Error, Mongo, Txn};

pub(super) struct Shared<C, A> {
    pub(super) mongo: Mongo,
    pub(super) name: &'static str,
    pub(super) decide: Arc<Decide<C, A>>,
    pub(super) load: Arc<Load>,
}

/// The commands. The batch is shared, because a transaction that nobody waits for any more goes on with it.
struct Commands<C, A> {
    shared: Arc<Shared<C, A>>,
    batch: Arc<[C]>,
    members: Range<usize>,
}

/// Commands with their callers, by position.
pub(super) struct Part<C, A> {
    commands: Arc<Commands<C, A>>,
    callers: Vec<Caller<A>>,
}

impl<C: Send + Sync + 'static, A: Send + 'static> Work for Commands<C, A> {
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
    /// The commands that somebody still waits for; `None` if nobody does.
    pub(super) fn of(shared: &Arc<Shared<C, A>>, drained: impl Iterator<Item = Member<C, A>>) -> Option<Self> {
        let waited_for = drained.filter(|member| member.caller.waits()).inspect(|member| {
            shared.mongo.measures().waited(shared.name, member.since.elapsed());
        });
        let (batch, callers): (Vec<C>, Vec<Caller<A>>) =
            waited_for.map(|Member { command, caller, .. }| (command, caller)).unzip();
        let (shared, members) = (Arc::clone(shared), 0..batch.len());
        let commands = Arc::new(Commands { shared, batch: batch.into(), members });
        (!callers.is_empty()).then_some(Self { commands, callers })
    }

    pub(super) fn len(&self) -> usize {
        self.callers.len()
    }

    /// When the last caller gives up; at once if all of them have.
    pub(super) fn until(&self) -> Instant {
        let waiting = self.callers.iter().filter(|caller| caller.waits());
        waiting.map(|caller| caller.until).max().unwrap_or_else(Instant::now)
    }

    /// Runs the transaction, once.
    pub(super) async fn once(&self) -> Result<Vec<A>, Error> {
        let Shared { mongo, name, load, .. } = &*self.commands.shared;
        let started = Instant::now();
        load.asked();
        let ended = attempt(mongo, name, self.until(), Arc::clone(&self.commands)).await;
        load.answered(&ended);
        match &ended {
            Ok(answers) => {
                load.typical.note(started.elapsed());
                mongo.measures().committed(name, answers.len());
            }
            Err(Error::Conflict { .. }) => mongo.measures().conflicted(name),
            Err(_) => {}
        }
        ended
    }

    /// How long to wait after a conflict.
    pub(super) fn pause_beside(&self) -> Duration {
        self.commands.shared.load.typical.beside()
    }

    /// How long conflicts are those of pods that take turns with this one, and not of a dead one.
    pub(super) fn patience(&self) -> Duration {
        self.commands.shared.load.typical.turns()
    }

    /// Others are in the way for so long that they may be dead.
    pub(super) fn suspect(&self) {
        self.commands.shared.mongo.sessions().suspect();
    }

    /// Both halves, the first one first.
    pub(super) fn halves(mut self) -> [Self; 2] {
        let Commands { shared, batch, members } = &*self.commands;
        let of = |members| Arc::new(Commands { shared: Arc::clone(shared), batch: Arc::clone(batch), members });
        let middle = members.start + members.len() / 2;
        let second = of(middle..members.end);
        let first = of(members.start..middle);
        let of_second = self.callers.split_off(first.members.len());
        [Self { commands: first, callers: self.callers }, Self { commands: second, callers: of_second }]
    }

    /// Tells everybody that others are in the way.
    pub(super) fn tell_conflict(self) {
        let what = self.commands.shared.name;
        self.tell(Err(Error::Conflict { what }));
    }

    /// Answers everybody.
    pub(super) fn tell(self, ended: Result<Vec<A>, Error>) {
        match ended {
            Ok(answers) => self.callers.into_iter().zip(answers).for_each(|(caller, answer)| caller.tell(Ok(answer))),
            Err(error) => self.callers.into_iter().for_each(|caller| caller.tell(Err(error.clone()))),
        }
    }
}

impl<A> Caller<A> {
    fn waits(&self) -> bool {
        self.until > Instant::now() && !self.answer.is_closed()
    }

    fn tell(self, answer: Result<A, Error>) {
        // Whoever has given up has told its caller so itself: this answer goes nowhere.
        drop(self.answer.send(answer));
    }
}

/// Whether the error may be caused by one member, so that others would do better without it: not if MongoDB itself is away
/// or slow.
pub(super) fn may_be_of_one_member(error: &Error) -> bool {
    match error {
        Error::Conflict { .. }
        | Error::Duplicate { .. }
        | Error::GuardFailed { .. }
        | Error::Corrupt { .. }
        | Error::Failed { .. } => true,
        Error::Unavailable { .. } | Error::Timeout { .. } => false,
    }
}
