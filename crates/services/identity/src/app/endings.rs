//! The end of all sessions of an account because of a change: another password or role, closed or opened, deleted, the Secret of
//! another Shop.
//!
//! **Invariant:** once the change is committed, no refresh token of a session from before it counts, but one that the change
//! spares; and no number of sessions keeps the change from being made. The change gives the account its next generation (a
//! deleted account has none any more), and a session goes on in the generation alone in which it was opened. So the transaction
//! of the change need not end more than [`AT_ONCE`] sessions.
//!
//! What is left are access tokens. Their sessions are ended after the change: those that were opened while it happened before
//! the caller is answered, and more than one transaction's worth by a task of this pod. Until it comes to them these tokens count, and
//! so they do until they expire when the pod dies before; nobody gets another one for such a session.
//!
//! A login that comes in between looks at the account once more after it wrote its session, and the change looks for sessions
//! once more after it was written: one of both sees the other.

use std::sync::Arc;
use std::time::Duration;

use shop_types::{SessionId, UserId};
use tokio::sync::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_util::sync::CancellationToken;

use super::sessions::Reason;
use super::{App, Error};
use crate::store::Revocation;

/// Sessions that end in one transaction, so that it stays far from the time that a transaction may take.
const AT_ONCE: u16 = 500;
/// How long the task waits when MongoDB is away.
const PAUSE: Duration = Duration::from_secs(1);

/// An account of which sessions are left from before its present generation.
#[derive(Debug, Clone, Copy)]
struct Rest {
    user: UserId,
    reason: Reason,
}

/// What is left to end in this pod.
pub(super) struct Rests {
    sender: UnboundedSender<Rest>,
    receiver: Mutex<UnboundedReceiver<Rest>>,
}

impl Default for Rests {
    fn default() -> Self {
        let (sender, receiver) = unbounded_channel();
        Self { sender, receiver: Mutex::new(receiver) }
    }
}

impl App {
    /// Sessions of a user that have to end, but one, as many as one transaction may: for that of the change because of which
    /// they end. [`Self::has_ended`] takes care of the others.
    pub(super) async fn ending(&self, user: UserId, except: Option<SessionId>) -> Result<Vec<Revocation>, Error> {
        self.live(user, except, None).await
    }

    /// Follows a change that has ended `first`: ends what was opened while it happened, and lets a task end what are too many
    /// for that.
    pub(super) async fn has_ended(&self, user: UserId, first: &[Revocation], reason: Reason) {
        let rest = Rest { user, reason };
        let is_through = self.ended(first, reason)
            && self.end_left(rest).await.unwrap_or_else(|error| {
                tell(&error);
                // The change has happened, whatever becomes of this.
                false
            });
        if !is_through {
            // The app holds the other end.
            let _heard = self.rests.sender.send(rest);
        }
    }

    /// Ends all sessions of a user but one, before it answers.
    pub(super) async fn end_sessions(
        &self,
        user: UserId,
        except: Option<SessionId>,
        reason: Reason,
    ) -> Result<(), Error> {
        while !self.end(&self.live(user, except, None).await?, reason).await? {}
        Ok(())
    }

    /// Ends what changes have left, until told to stop.
    pub(crate) async fn end_rests(self: Arc<Self>, stop: CancellationToken) {
        let mut rests = self.rests.receiver.lock().await;
        while let Some(Some(rest)) = stop.run_until_cancelled(rests.recv()).await {
            let pause = match self.end_left(rest).await {
                Ok(true) => continue,
                Ok(false) => Duration::ZERO,
                Err(error) => {
                    tell(&error);
                    PAUSE
                }
            };
            // Behind the others, none of which waits for an account that cannot be read. The receiver is here.
            let _heard = self.rests.sender.send(rest);
            if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                tracing::warn!(user.id = %rest.user, "Stopped before all sessions of account {} had ended", rest.user);
                return;
            }
        }
    }

    /// Ends sessions from before the present generation of an account, as many as one transaction may; `true` when there were
    /// no more. Those that were opened since go on.
    async fn end_left(&self, Rest { user, reason }: Rest) -> Result<bool, Error> {
        let present = self.store.account_of(user).await?.map(|account| account.generation);
        let spared = present.and_then(|generation| generation.spared);
        let left = self.live(user, spared, present.map(|generation| generation.number)).await?;
        self.end(&left, reason).await
    }

    async fn live(
        &self,
        user: UserId,
        except: Option<SessionId>,
        present: Option<i64>,
    ) -> Result<Vec<Revocation>, Error> {
        let sessions = self.store.live_sessions(user, (except, present), self.now(), AT_ONCE.into()).await?;
        Ok(sessions.iter().map(|session| self.revocation(session.id, Some(session))).collect())
    }

    /// Ends these in one transaction; `false` when there may be more.
    async fn end(&self, some: &[Revocation], reason: Reason) -> Result<bool, Error> {
        if !some.is_empty() {
            self.store.revoke_sessions(some).await?;
        }
        Ok(self.ended(some, reason))
    }

    /// Counts them, and lets this pod know without waiting for the events; `false` when there may be more.
    fn ended(&self, revocations: &[Revocation], reason: Reason) -> bool {
        for Revocation { fact, .. } in revocations {
            self.told(fact, reason);
        }
        revocations.len() < usize::from(AT_ONCE)
    }
}

fn tell(error: &Error) {
    let error = error as &(dyn std::error::Error + 'static);
    tracing::warn!(error, "Sessions were not ended yet; it is tried again");
}
