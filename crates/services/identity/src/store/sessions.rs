//! Sessions in MongoDB.

use std::sync::Arc;

use futures::TryStreamExt as _;
use jiff::Timestamp;
use shop_mongo::{Bson, Collection, Error, UpdateOp, bson, doc, outbox};
use shop_types::event::RevocationFact;
use shop_types::{Envelope, SessionId};

use super::documents::SessionDocument;
use super::{SESSIONS, Store};
use crate::domain::Session;

impl Store {
    fn sessions(&self) -> Collection<SessionDocument> {
        self.mongo.collection(SESSIONS)
    }

    /// Writes a new session.
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
        let (id, until, event) = (id.to_string(), bson::DateTime::from(until), Arc::new([event]));
        let revoked = self.mongo.transact("revoke session", move |txn| {
            let (guard, event) = (doc! { "_id": &id, "revoked_until": Bson::Null }, Arc::clone(&event));
            // Kept until its revocation is over, also when it would have ended before.
            let change = doc! { "$set": { "revoked_until": until }, "$max": { "forget_at": until } };
            Box::pin(async move {
                if known {
                    let updated = txn.update_many_ops(SESSIONS, vec![UpdateOp::new(guard, change)]).await?;
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

fn session(what: &'static str, stored: SessionDocument) -> Result<Session, Error> {
    stored.try_into().map_err(|error| Error::Corrupt { what, source: Arc::new(error) })
}
