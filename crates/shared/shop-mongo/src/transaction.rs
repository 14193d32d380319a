//! One transaction, started, committed and repeated by hand.
//!
//! The driver's convenient runners repeat for up to two minutes and hide which session they use; here the session is one
//! of ours and everything ends by the caller's deadline. What is repeated:
//! - **the whole transaction**, when the server says that nothing of it happened (`TransientTransactionError`), or its
//!   session was killed because this process was taken for dead;
//! - **the commit alone**, when nobody knows whether it happened (`UnknownTransactionCommitResult`).
//!
//! Nothing else. A commit that is still unknown at the deadline is told as [`Error::Timeout`].

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use mongodb::ClientSession;
use mongodb::options::{ReadConcern, TransactionOptions};
use tokio::time::{Instant, sleep};

use crate::error::commit_is_unknown;
use crate::mongo::{DEADLINE, deadline, majority};
use crate::retry::Pauses;
use crate::sessions::PATIENCE;
use crate::{Error, Mongo, Txn};

/// What happens inside a transaction. It may be run more than once, so it does nothing but read and write on the [`Txn`].
pub(crate) trait Work: Send + Sync + 'static {
    type Output: Send + 'static;

    fn run<'t>(&'t self, txn: &'t mut Txn<'_>) -> BoxFuture<'t, Result<Self::Output, Error>>;
}

struct Closure<F>(F);

impl<T, F> Work for Closure<F>
where
    T: Send + 'static,
    F: for<'t> Fn(&'t mut Txn<'_>) -> BoxFuture<'t, Result<T, Error>> + Send + Sync + 'static,
{
    type Output = T;

    fn run<'t>(&'t self, txn: &'t mut Txn<'_>) -> BoxFuture<'t, Result<T, Error>> {
        (self.0)(txn)
    }
}

impl Mongo {
    /// Runs `work` in a transaction of its own and commits it. For writes that many callers make on the same documents
    /// use a [`crate::Group`]. `work` may be run several times; it must not call anything but the [`Txn`], least of all
    /// another transaction.
    ///
    /// # Errors
    /// What `work` gives, with nothing written; [`Error::Conflict`] when other transactions were in the way until the
    /// deadline, with nothing written; [`Error::Unavailable`] and [`Error::Timeout`] when nobody knows.
    pub fn transact<T, F>(
        &self,
        what: &'static str,
        work: F,
    ) -> impl Future<Output = Result<T, Error>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: for<'t> Fn(&'t mut Txn<'_>) -> BoxFuture<'t, Result<T, Error>> + Send + Sync + 'static,
    {
        let (mongo, work) = (self.clone(), Arc::new(Closure(work)));
        async move {
            let (started, until) = (Instant::now(), deadline());
            let mut pauses = Pauses::default();
            loop {
                let error = match attempt(&mongo, what, until, Arc::clone(&work)).await {
                    Err(error) if error.is_transient() => error,
                    ended => return ended,
                };
                if matches!(error, Error::Conflict { .. }) && started.elapsed() > PATIENCE {
                    mongo.sessions().suspect();
                }
                let pause = pauses.pause();
                if Instant::now() + pause >= until {
                    return Err(error);
                }
                sleep(pause).await;
            }
        }
    }
}

/// Runs one transaction on a task of its own, once.
pub(crate) async fn attempt<W: Work>(
    mongo: &Mongo,
    what: &'static str,
    until: Instant,
    work: Arc<W>,
) -> Result<W::Output, Error> {
    let handle = mongo.clone();
    mongo.run_until(what, until, async move { once(&handle, what, until, &*work).await }).await
}

async fn once<W: Work>(mongo: &Mongo, what: &'static str, until: Instant, work: &W) -> Result<W::Output, Error> {
    let mut taken = mongo.sessions().take(what, until).await?;
    let ended = on_session(mongo, what, until, work, &mut taken.session).await;
    mongo.sessions().give_back(taken).await;
    mongo.measures().transacted(what, &ended);
    ended
}

async fn on_session<W: Work>(
    mongo: &Mongo,
    what: &'static str,
    until: Instant,
    work: &W,
    session: &mut ClientSession,
) -> Result<W::Output, Error> {
    let options = TransactionOptions::builder()
        .read_concern(ReadConcern::snapshot())
        .write_concern(majority())
        .max_commit_time(DEADLINE)
        .build();
    session.start_transaction().with_options(options).await.map_err(|error| Error::of(what, error))?;
    let mut txn = Txn::new(session, mongo.database(), what);
    // A panic ends the transaction and not the session, which the register knows.
    let worked = AssertUnwindSafe(work.run(&mut txn)).catch_unwind().await;
    let worked = worked.unwrap_or_else(|_panic| Err(Error::failed(what, "what runs in the transaction panicked")));
    let wrote_events = txn.wrote_events();
    match worked {
        Ok(_) if Instant::now() >= until => {
            // Nobody waits any more: better nothing than something that the caller does not hear of.
            abort(session, what).await;
            Err(Error::Timeout { what })
        }
        Ok(output) => {
            commit(session, what, until).await?;
            if wrote_events {
                mongo.outbox_written().notify_one();
            }
            Ok(output)
        }
        Err(error) => {
            abort(session, what).await;
            Err(error)
        }
    }
}

async fn commit(session: &mut ClientSession, what: &'static str, until: Instant) -> Result<(), Error> {
    let mut pauses = Pauses::default();
    loop {
        let error = match session.commit_transaction().await {
            Ok(()) => return Ok(()),
            Err(error) if commit_is_unknown(&error) => error,
            Err(error) => return Err(Error::of(what, error)),
        };
        let pause = pauses.pause();
        if Instant::now() + pause >= until {
            let error = Error::of(what, error);
            tracing::warn!(
                operation = what,
                error = &error as &dyn std::error::Error,
                "Gave up asking whether a transaction was committed; who repeats the call will find out"
            );
            return Err(Error::Timeout { what });
        }
        sleep(pause).await;
    }
}

async fn abort(session: &mut ClientSession, what: &'static str) {
    // An abort that does not arrive is made up for by the next transaction of the same session.
    if let Err(error) = session.abort_transaction().await {
        let error = Error::of(what, error);
        tracing::debug!(operation = what, error = &error as &dyn std::error::Error, "Could not abort a transaction");
    }
}
