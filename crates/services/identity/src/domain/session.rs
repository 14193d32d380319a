//! A session: one login, from its first refresh token to its end. Its tokens form a chain of which only the last counts.
//!
//! A second use of an older one means that two parties hold the chain, and nobody can tell which is the thief: the session
//! ends (RFC 9700 section 4.14.2). The one exception: whoever repeats the last call within [`REPEAT_WINDOW`] and before its
//! result was used gets the same result, because a reply may have been lost on its way to an honest holder.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use shop_types::{SessionId, UserId};

use super::refresh::{BYTES, Digest};
use super::{RefreshKey, RefreshToken};

/// How long the last call may be repeated.
pub(crate) const REPEAT_WINDOW: SignedDuration = SignedDuration::from_secs(10);

/// How much later the last token of what ends now may end than the time of its end says: it may be in the making, by a pod
/// whose clock is ahead.
pub(crate) const MARGIN: SignedDuration = SignedDuration::from_secs(30);

/// How long tokens and sessions live.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lifetimes {
    /// An access token.
    pub(crate) access: Duration,
    /// A session, whatever happens in it.
    pub(crate) absolute: Duration,
    /// A session in which nothing happens.
    pub(crate) idle: Duration,
}

/// One login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) user: UserId,
    /// Makes the tokens of this session depend on something that stands only in the database.
    pub(crate) salt: [u8; BYTES],
    /// The place of the last token in the chain.
    pub(crate) counter: u32,
    /// The last token.
    pub(crate) current: Digest,
    /// The one before it.
    pub(crate) previous: Option<Digest>,
    /// When the last token was made.
    pub(crate) refreshed_at: Timestamp,
    /// When it ends whatever happens.
    pub(crate) closes_at: Timestamp,
    /// When it ends if nothing happens, at the latest `closes_at`.
    pub(crate) ends_at: Timestamp,
    /// When the last access token that was made with a refresh token expires.
    pub(crate) access_until: Timestamp,
    /// Until when its access tokens must be refused, once it was revoked.
    pub(crate) revoked_until: Option<Timestamp>,
    /// The number of the account's [`Generation`] in which it was opened.
    pub(crate) generation: i64,
}

/// Which sessions of an account go on. A change that ends them all begins the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Generation {
    pub(crate) number: i64,
    /// A session from before that goes on all the same.
    pub(crate) spared: Option<SessionId>,
}

impl Generation {
    /// That of a new account.
    pub(crate) const FIRST: Self = Self { number: 0, spared: None };

    /// Whether a session of the account goes on.
    pub(crate) fn has(&self, session: &Session) -> bool {
        session.generation == self.number || self.spared == Some(session.id)
    }
}

/// What a refresh token brings its holder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Presented {
    /// The next one.
    Rotate,
    /// The last one, a second time.
    Repeat(RefreshToken),
    /// The end of the session: it was used before.
    Reused,
    /// Nothing: the session has ended, or the token was never made by us.
    Refused,
}

impl Session {
    /// Opens a session and makes its first token. `salt` is random.
    pub(crate) fn open(
        id: SessionId,
        user: UserId,
        salt: [u8; BYTES],
        key: &RefreshKey,
        lifetimes: Lifetimes,
        now: Timestamp,
    ) -> (Self, RefreshToken) {
        let token = RefreshToken::derive(key, &salt, id, 0);
        let closes_at = later(now, lifetimes.absolute);
        let session = Self {
            id,
            user,
            salt,
            counter: 0,
            current: token.digest(),
            previous: None,
            refreshed_at: now,
            closes_at,
            ends_at: later(now, lifetimes.idle).min(closes_at),
            access_until: later(now, lifetimes.access),
            revoked_until: None,
            generation: 0,
        };
        (session, token)
    }

    /// The same in this generation of its account.
    pub(crate) const fn of(self, generation: Generation) -> Self {
        Self { generation: generation.number, ..self }
    }

    /// Whether it can go on.
    pub(crate) fn is_open(&self, now: Timestamp) -> bool {
        self.revoked_until.is_none() && now < self.ends_at
    }

    /// Judges a refresh token that names this session.
    pub(crate) fn judge(&self, token: &RefreshToken, key: &RefreshKey, now: Timestamp) -> Presented {
        if !self.is_open(now) {
            return Presented::Refused;
        }
        if token.counter == self.counter && self.current.is_of(token) {
            return Presented::Rotate;
        }
        let is_previous = token.counter.checked_add(1) == Some(self.counter)
            && self.previous.is_some_and(|previous| previous.is_of(token));
        if is_previous && now.duration_since(self.refreshed_at) <= REPEAT_WINDOW {
            let successor = self.token_at(key, self.counter);
            // With a new signing key the successor cannot be made again; whoever lost it logs in.
            return if self.current.is_of(&successor) { Presented::Repeat(successor) } else { Presented::Refused };
        }
        let was_ours = token.counter < self.counter && self.token_at(key, token.counter).is_same(token);
        // An invented token must not end a session: session ids stand in access tokens and are no secret.
        if is_previous || was_ours { Presented::Reused } else { Presented::Refused }
    }

    /// The session after its last token was used, and the next token.
    pub(crate) fn rotate(&self, key: &RefreshKey, lifetimes: Lifetimes, now: Timestamp) -> (Self, RefreshToken) {
        let counter = self.counter.saturating_add(1);
        let token = self.token_at(key, counter);
        let next = Self {
            counter,
            current: token.digest(),
            previous: Some(self.current),
            refreshed_at: now,
            ends_at: later(now, lifetimes.idle).min(self.closes_at),
            access_until: later(now, lifetimes.access).max(self.access_until),
            ..self.clone()
        };
        (next, token)
    }

    /// When the last access token of this session has certainly expired, also one of a repeated call, which is not noted.
    pub(crate) fn last_access(&self, lifetimes: Lifetimes, now: Timestamp) -> Timestamp {
        later(self.access_until, REPEAT_WINDOW).max(tokens_end(lifetimes.access, now))
    }

    fn token_at(&self, key: &RefreshKey, counter: u32) -> RefreshToken {
        RefreshToken::derive(key, &self.salt, self.id, counter)
    }
}

/// When the last access token has certainly ended of a session or key that brings no more from now on.
pub(crate) fn tokens_end(access: Duration, now: Timestamp) -> Timestamp {
    later(later(now, access), MARGIN)
}

/// `from` and so much later, at most the end of the calendar.
pub(crate) fn later(from: Timestamp, by: impl Into<jiff::TimestampArithmetic>) -> Timestamp {
    from.checked_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
