//! API keys: by what a program proves which one it is. A key is the program's account: its id is the user that the
//! program's tokens name, and the session that they belong to.

use std::time::Duration;

use jiff::Timestamp;
use shop_types::{Role, SessionId, UserId};

use super::Name;
use super::session::{MARGIN, later, tokens_end};

/// A key as the database keeps it, without the digest of its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiKey {
    pub(crate) id: UserId,
    /// What it is for.
    pub(crate) name: Name,
    pub(crate) role: ProgramRole,
    /// The admin who made it.
    pub(crate) created_by: UserId,
    pub(crate) created_at: Timestamp,
    /// When it ends by itself.
    pub(crate) expires_at: Option<Timestamp>,
    /// When it last brought a token.
    pub(crate) last_used_at: Option<Timestamp>,
    /// No token that it has brought so far lives longer than that.
    pub(crate) tokens_until: Option<Timestamp>,
}

/// What a program may do. It is never an admin: nobody could say who gave a role to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProgramRole {
    /// What is made for programs, and nothing else.
    Service,
    /// What staff may do.
    Staff,
}

/// A role is not for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be service or staff")]
pub(crate) struct NotForPrograms;

impl ApiKey {
    /// The session that all of its tokens belong to.
    pub(crate) const fn session(&self) -> SessionId {
        SessionId::from_uuid(self.id.as_uuid())
    }

    /// Whether it brings tokens.
    pub(crate) fn counts(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| now < end)
    }

    /// How long a token lives that is made now: as others do, and not longer than the key.
    pub(crate) fn token_life(&self, access: Duration, now: Timestamp) -> Duration {
        let left = |end: Timestamp| Duration::try_from(end.duration_since(now)).unwrap_or_default();
        self.expires_at.map_or(access, |end| access.min(left(end)))
    }

    /// When the last token of this key has certainly ended, if it brings no more from now on: tokens may have been made to live longer
    /// than those of now.
    pub(crate) fn last_token(&self, access: Duration, now: Timestamp) -> Timestamp {
        let end = tokens_end(access, now);
        self.tokens_until.map_or(end, |until| end.max(later(until, MARGIN)))
    }
}

impl From<ProgramRole> for Role {
    fn from(role: ProgramRole) -> Self {
        match role {
            ProgramRole::Service => Self::Service,
            ProgramRole::Staff => Self::Staff,
        }
    }
}

impl TryFrom<Role> for ProgramRole {
    type Error = NotForPrograms;

    fn try_from(role: Role) -> Result<Self, NotForPrograms> {
        match role {
            Role::Service => Ok(Self::Service),
            Role::Staff => Ok(Self::Staff),
            Role::Customer | Role::Admin => Err(NotForPrograms),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCESS: Duration = Duration::from_secs(600);

    fn key(expires_at: Option<i64>) -> ApiKey {
        let id = UserId::from_uuid(uuid::Uuid::from_u128(1));
        ApiKey {
            id,
            name: "stock system".parse().unwrap(),
            role: ProgramRole::Service,
            created_by: id,
            created_at: Timestamp::UNIX_EPOCH,
            expires_at: expires_at.map(|second| Timestamp::from_second(second).unwrap()),
            last_used_at: None,
            tokens_until: None,
        }
    }

    #[test]
    fn a_token_never_outlives_its_key() {
        let now = Timestamp::UNIX_EPOCH;
        for (expires_at, counts, life) in
            [(None, true, 600), (Some(601), true, 600), (Some(40), true, 40), (Some(0), false, 0), (Some(-9), false, 0)]
        {
            let key = key(expires_at);
            assert_eq!((key.counts(now), key.token_life(ACCESS, now).as_secs()), (counts, life), "{expires_at:?}");
        }
    }

    #[test]
    fn programs_are_neither_customers_nor_admins() {
        for role in [ProgramRole::Service, ProgramRole::Staff] {
            assert_eq!(ProgramRole::try_from(Role::from(role)), Ok(role));
        }
        for role in [Role::Customer, Role::Admin] {
            assert_eq!(ProgramRole::try_from(role), Err(NotForPrograms));
        }
    }
}
