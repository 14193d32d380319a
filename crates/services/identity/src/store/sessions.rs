//! Sessions in MongoDB.

use std::sync::Arc;

use futures::TryStreamExt as _;
use jiff::Timestamp;
use shop_mongo::{Bson, Collection, Document, Error, Txn, UpdateOp, bson, doc, outbox};
use shop_types::event::RevocationFact;
use shop_types::{Envelope, SessionId, UserId};

use super::documents::SessionDocument;
use super::{Revocation, SESSIONS, Store, pages};
use crate::domain::Session;

impl Store {
    fn sessions(&self) -> Collection<SessionDocument> {
        self.mongo.collection(SESSIONS)
    }

    /// Writes a new session of an account that is there.
    pub(crate) async fn insert_session(&self, session: &Session) -> Result<(), Error> {
        let (sessions, document) = (self.sessions(), SessionDocument::from(session));
        self.mongo.run("insert session", async move { sessions.insert_one(document).await }).await.map(drop)
    }

    /// A session by id.
    pub(crate) async fn session(&self, id: SessionId) -> Result<Option<Session>, Error> {
        const WHAT: &str = "find session";
        let (sessions, filter) = (self.sessions(), doc! { "_id": id.to_string() });
        let found = self.mongo.run(WHAT, async move { sessions.find_one(filter).await }).await?;
        found.map(|stored| session(WHAT, stored)).transpose()
    }

    /// Replaces a session whose last token is still the one at `expected`, unless it was revoked; `false` when it is not.
    pub(crate) async fn advance_session(&self, next: &Session, expected: u32) -> Result<bool, Error> {
        let (sessions, document) = (self.sessions(), SessionDocument::from(next));
        let filter = doc! { "_id": document.id.as_str(), "counter": i64::from(expected), "revoked_until": Bson::Null };
        let replaced = self.mongo.run("advance session", async move { sessions.replace_one(filter, document).await });
        Ok(replaced.await?.matched_count == 1)
    }

    /// Revokes a session and writes the event that tells of it, or the event alone for a session that is not `known`;
    /// `false` when it was revoked before, which was told then.
    pub(crate) async fn revoke_session(
        &self,
        id: SessionId,
        known: bool,
        until: Timestamp,
        event: Envelope,
    ) -> Result<bool, Error> {
        let (op, event) = (revoke(id, until), Arc::new([event]));
        let revoked = self.mongo.transact("revoke session", move |txn| {
            let (op, event) = (op.clone(), Arc::clone(&event));
            Box::pin(async move {
                if known {
                    let updated = txn.update_many_ops(SESSIONS, vec![op]).await?;
                    if updated.matched == 0 {
                        return Ok(false);
                    }
                }
                outbox::append(txn, &*event).await?;
                Ok(true)
            })
        });
        revoked.await
    }

    /// A page of the sessions of a user that can go on, the last used first, and how many there are.
    pub(crate) async fn open_sessions(
        &self,
        user: UserId,
        now: Timestamp,
        number: u32,
        size: u32,
    ) -> Result<(Vec<Session>, u64), Error> {
        const WHAT: &str = "list open sessions";
        let filter = doc! {
            "user": user.to_string(),
            "revoked_until": Bson::Null,
            "ends_at": { "$gt": bson::DateTime::from(now) },
        };
        let last_used_first = pages::options(doc! { "refreshed_at": -1, "_id": -1 }, number, size);
        let (found, total) = self.page(WHAT, self.sessions(), filter, last_used_first).await?;
        let sessions = found.into_iter().map(|stored| session(WHAT, stored)).collect::<Result<_, _>>()?;
        Ok((sessions, total))
    }

    /// Sessions of a user that count or whose access tokens do, all but one, and but those of a generation, so many at most.
    pub(crate) async fn live_sessions(
        &self,
        user: UserId,
        (except, present): (Option<SessionId>, Option<i64>),
        now: Timestamp,
        most: i64,
    ) -> Result<Vec<Session>, Error> {
        const WHAT: &str = "list sessions";
        let mut filter = doc! {
            "user": user.to_string(),
            "revoked_until": Bson::Null,
            "forget_at": { "$gt": bson::DateTime::from(now) },
        };
        if let Some(except) = except {
            filter.insert("_id", doc! { "$ne": except.to_string() });
        }
        if let Some(present) = present {
            filter.insert("generation", doc! { "$ne": present });
        }
        let sessions = self.sessions();
        let found: Vec<SessionDocument> =
            self.mongo.run(WHAT, async move { sessions.find(filter).limit(most).await?.try_collect().await }).await?;
        found.into_iter().map(|stored| session(WHAT, stored)).collect()
    }

    /// Ends these sessions in one transaction. One that was ended before is told of again, which changes nothing.
    pub(crate) async fn revoke_sessions(&self, revocations: &[Revocation]) -> Result<(), Error> {
        let ended = Arc::new(Ended::new(revocations));
        let revoked = self.mongo.transact("revoke sessions", move |txn| {
            let ended = Arc::clone(&ended);
            Box::pin(async move { ended.write(txn).await })
        });
        revoked.await
    }

    /// The revocations that are not over.
    pub(crate) async fn revocations(&self, now: Timestamp) -> Result<Vec<RevocationFact>, Error> {
        const WHAT: &str = "list revocations";
        let (sessions, filter) = (self.sessions(), doc! { "revoked_until": { "$gt": bson::DateTime::from(now) } });
        let found: Vec<SessionDocument> =
            self.mongo.run(WHAT, async move { sessions.find(filter).await?.try_collect().await }).await?;
        let fact = |stored| {
            let Session { id, revoked_until, .. } = session(WHAT, stored)?;
            Ok(revoked_until.map(|until| RevocationFact { session_id: id, until }))
        };
        found.into_iter().filter_map(|stored| fact(stored).transpose()).collect()
    }
}

/// Sessions that end, and the events that tell of them.
pub(super) struct Ended {
    ops: Vec<UpdateOp>,
    events: Vec<Envelope>,
}

impl Ended {
    pub(super) fn new(revocations: &[Revocation]) -> Self {
        Self {
            ops: revocations.iter().map(|ended| revoke(ended.fact.session_id, ended.fact.until)).collect(),
            events: revocations.iter().map(|ended| ended.event.clone()).collect(),
        }
    }

    pub(super) async fn write(&self, txn: &mut Txn<'_>) -> Result<(), Error> {
        txn.update_many_ops(SESSIONS, self.ops.clone()).await?;
        outbox::append(txn, &self.events).await
    }
}

/// A change of an account that sets this and begins its next generation, in which of its sessions this one alone goes on.
pub(super) fn next_generation(mut set: Document, spared: Option<SessionId>) -> Document {
    set.insert("spared", spared.map(|id| id.to_string()));
    doc! { "$set": set, "$inc": { "version": 1_i64, "generation": 1_i64 } }
}

fn revoke(id: SessionId, until: Timestamp) -> UpdateOp {
    let until = bson::DateTime::from(until);
    UpdateOp::new(
        doc! { "_id": id.to_string(), "revoked_until": Bson::Null },
        // Kept until its revocation is over, also when it would have ended before.
        doc! { "$set": { "revoked_until": until }, "$max": { "forget_at": until } },
    )
}

/// A new session, to be written in the transaction that opens its account.
pub(super) fn document(what: &'static str, session: &Session) -> Result<Document, Error> {
    bson::serialize_to_document(&SessionDocument::from(session))
        .map_err(|error| Error::Corrupt { what, source: Arc::new(error) })
}

fn session(what: &'static str, stored: SessionDocument) -> Result<Session, Error> {
    stored.try_into().map_err(|error| Error::Corrupt { what, source: Arc::new(error) })
}
