//! Sessions whose access tokens are refused although they have not expired.
//!
//! Fed from `session.revoked` events; what does not belong here: hearing and storing those events.

use std::collections::HashMap;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use shop_types::SessionId;

use crate::LEEWAY;

/// Every token checks the set and few sessions are revoked, so reading is free of locks and writing copies one part.
const PARTS: usize = 64;

/// The set of revoked sessions. A session stays in it until the last access token made for it is certainly dead.
pub struct Revocations([ArcSwap<HashMap<SessionId, Timestamp>>; PARTS]);

impl Default for Revocations {
    fn default() -> Self {
        Self(std::array::from_fn(|_| ArcSwap::from_pointee(HashMap::new())))
    }
}

impl std::fmt::Debug for Revocations {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sessions: usize = self.0.iter().map(|part| part.load().len()).sum();
        f.debug_struct("Revocations").field("sessions", &sessions).finish()
    }
}

impl Revocations {
    /// Refuses the tokens of a session; `until` is the expiry of the last access token made for it. A second call never
    /// shortens the first.
    pub fn revoke(&self, session: SessionId, until: Timestamp) {
        self.part(session).rcu(|sessions| {
            let mut sessions = HashMap::clone(sessions);
            let entry = sessions.entry(session).or_insert(until);
            *entry = until.max(*entry);
            sessions
        });
    }

    /// Whether the session was revoked.
    #[must_use]
    pub fn is_revoked(&self, session: SessionId) -> bool {
        self.part(session).load().contains_key(&session)
    }

    /// Forgets sessions whose tokens are refused as expired by now. Call it every minute or so.
    pub fn forget_expired(&self, now: Timestamp) {
        let lives = |until: Timestamp| now.duration_since(until) <= LEEWAY;
        for part in &self.0 {
            if part.load().values().any(|until| !lives(*until)) {
                part.rcu(|sessions| {
                    let mut sessions = HashMap::clone(sessions);
                    sessions.retain(|_, until| lives(*until));
                    sessions
                });
            }
        }
    }

    fn part(&self, session: SessionId) -> &ArcSwap<HashMap<SessionId, Timestamp>> {
        // The last byte of a UUIDv7 is random.
        let [.., last] = *session.as_uuid().as_bytes();
        &self.0[usize::from(last) % PARTS]
    }
}
