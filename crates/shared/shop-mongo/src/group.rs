//! Group commit: whatever waited while the last transaction ran is decided and committed in the next one.
//!
//! One transaction per caller collapses when callers want the same document, because every second one conflicts. A
//! [`Group`] has one queue and one worker per process: it drains up to [`MOST_MEMBERS`] commands, lets `decide` read, judge
//! and write for all of them in *one* transaction, commits it and answers each caller. A lone command is
//! committed at once; once several come together, groups follow each other [`PACE`] apart, and grow by themselves.
//!
//! # Invariants
//! 1. **One answer each.** Every command that was accepted is answered exactly once: with its own answer, an error, or
//!    [`Error::Timeout`] at its caller's deadline. Answers belong to commands by position; if `decide` gives more or fewer
//!    than it got, nothing is committed.
//! 2. **Answered means committed.** `Ok` is said only after a majority has acknowledged the transaction that holds the
//!    command's writes.
//! 3. **First come, first served.** Commands stand in a group in the order of their arrival, and the first half of a group
//!    that is split goes first. The one exception is rule 6.
//! 4. **Repeated only when nothing happened.** A group is run again only if the server says that the transaction did not
//!    happen; of a commit in doubt only the commit is repeated. `decide` may therefore run more than once and must do
//!    nothing but read and write on its [`Txn`].
//! 5. **A bad member fails alone.** When `decide` or a write fails, the group is split in halves until the one member that
//!    causes it stands alone and gets the error. So may a conflict be caused by one member whose document is held by
//!    somebody else: after [`TRIES_BEFORE_SPLIT`] conflicts the group is split, too.
//! 6. **Stuck members hold nobody up.** What conflicts even alone, or still when the search for the stuck members has taken
//!    [`LONGEST_SEARCH`], goes to a slow lane: it is tried again, with pauses, until its deadline, beside the worker.
//! 7. **Nobody waits in vain.** A command whose caller has given up before its first transaction began is not carried out;
//!    a transaction ends by the latest deadline of its members. A command that has no chance is refused at once: behind a
//!    full queue, behind more transactions than are done in 3 s, or when MongoDB has not answered for 4 s.
//! 8. **Pods take turns.** All pods at the same documents get on: for 5 s after a conflict a worker rests between its groups
//!    for about as long as one takes, so that another's next try meets no transaction; and a group is not split before
//!    twelve of its transactions would have fit, for most conflicts are with pods that are alive.
//! 9. **Stopping drains.** After `stop` new commands are refused; those accepted are carried out and answered, and
//!    [`crate::Mongo::close`] waits for that.
//!
//! An error means what it means in [`Error`]: after `Unavailable` and `Timeout` a command may have been carried out, so
//! every command carries an id by which `decide` knows it again and gives the old answer.

mod load;
mod part;
mod slow_lane;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use load::{Load, Refusal};

use crate::mongo::deadline;
use crate::{Error, Mongo, Txn};

/// Members of one transaction.
pub const MOST_MEMBERS: usize = 128;

/// From the begin of a group of several to the begin of the next: a statement for ten members costs the server little more
/// than one for one (ADR 0004).
pub const PACE: Duration = Duration::from_millis(8);

/// Conflicts of one group, or of one half of it, before it is split; slow groups have more (rule 8).
pub const TRIES_BEFORE_SPLIT: u32 = 3;

/// How long the worker looks for the stuck members of one drained batch.
pub const LONGEST_SEARCH: Duration = Duration::from_millis(200);

/// Commands that may be stuck; the next one is told of the conflict at once.
pub const MOST_STUCK: usize = 1024;

/// Commands that may wait: as many as are carried out within a caller's deadline at 800 a second.
pub const MOST_WAITING: usize = 4096;

/// A queue of commands `C`, answered by `A`, committed in groups. Clones share the queue and the worker.
#[derive(Debug)]
pub struct Group<C, A> {
    name: &'static str,
    queue: mpsc::Sender<Member<C, A>>,
    load: Arc<Load>,
    mongo: Mongo,
}

impl<C, A> Clone for Group<C, A> {
    fn clone(&self) -> Self {
        let Self { name, queue, load, mongo } = self;
        Self { name, queue: queue.clone(), load: Arc::clone(load), mongo: mongo.clone() }
    }
}

/// A command on its way.
#[derive(Debug)]
struct Member<C, A> {
    command: C,
    caller: Caller<A>,
    /// When it came.
    since: Instant,
}

/// Who waits for an answer, and until when.
#[derive(Debug)]
struct Caller<A> {
    answer: oneshot::Sender<Result<A, Error>>,
    until: Instant,
}

type Decide<C, A> = dyn for<'t> Fn(&'t mut Txn<'_>, &'t [C]) -> BoxFuture<'t, Result<Vec<A>, Error>> + Send + Sync;

impl<C: Send + Sync + 'static, A: Send + 'static> Group<C, A> {
    /// Starts the worker. It ends when `stop` is cancelled or the last clone of the group is gone, after it has carried out
    /// what was accepted.
    ///
    /// `decide` gets the commands in the order of their arrival and gives one answer for each, in that order: a refusal is
    /// an answer, an error takes the transaction back. It reads first what it knows of all commands, settles those it has
    /// carried out before and doubles within the group in memory, and sorts its writes by id, so that two groups meet on
    /// the first common document and not crosswise.
    pub fn spawn<D>(mongo: &Mongo, name: &'static str, decide: D, stop: CancellationToken) -> Self
    where
        D: for<'t> Fn(&'t mut Txn<'_>, &'t [C]) -> BoxFuture<'t, Result<Vec<A>, Error>> + Send + Sync + 'static,
    {
        let (queue, waiting) = mpsc::channel(MOST_WAITING);
        let load = Arc::new(Load::new());
        let worker = worker::Worker::new(mongo, name, Arc::new(decide), Arc::clone(&load));
        mongo.tasks().spawn(worker.run(waiting, stop));
        Self { name, queue, load, mongo: mongo.clone() }
    }

    /// Hands in a command and waits for its answer, 5 s or what is left of the request, whichever is shorter.
    ///
    /// # Errors
    /// What `decide` gave for this command alone; [`Error::Conflict`] when others held its documents all the time;
    /// [`Error::Unavailable`] when MongoDB is away, the process stops, or (then at once) too many wait for it to be answered
    /// in time; [`Error::Timeout`] when there was no answer in time. After the last two the command may have been carried
    /// out.
    pub async fn submit(&self, command: C) -> Result<A, Error> {
        let (since, until) = (Instant::now(), deadline());
        let (answer, answered) = oneshot::channel();
        let member = Member { command, caller: Caller { answer, until }, since };
        if let Err(refusal) = self.enter(member, until.duration_since(since)) {
            self.mongo.measures().refused(self.name, refusal.word());
            return Err(Error::refused(self.name, refusal.why()));
        }
        match timeout_at(until, answered).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_unanswered)) => Err(Error::Timeout { what: self.name }),
            Err(_elapsed) => Err(Error::Timeout { what: self.name }),
        }
    }

    fn enter(&self, member: Member<C, A>, left: Duration) -> Result<(), Refusal> {
        let waiting = self.queue.max_capacity() - self.queue.capacity();
        if let Some(refusal) = self.load.refusal(waiting, left) {
            return Err(refusal);
        }
        self.queue.try_send(member).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => Refusal::Full,
            mpsc::error::TrySendError::Closed(_) => Refusal::Stopping,
        })
    }
}
