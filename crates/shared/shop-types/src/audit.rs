//! What is kept of a write that staff, an admin or a program asks for. What belongs here: the words and the trait. Who decides
//! which calls are kept (the guard of HTTP), and how they get to the audit log (the outbox), do not know each other.

use std::fmt::Debug;
use std::pin::Pin;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{CallId, Caller, ErrorKind, Role, ServiceError, UserId};

/// Bytes of a path that are kept.
const LONGEST_PATH: usize = 256;

/// A call that may change something: by whom, and where. Never what was sent: no body, no query, no header but the name of the
/// request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StaffCall {
    /// Names it, also in the audit log.
    pub id: CallId,
    /// When it came, by the clock of the pod.
    pub at: Timestamp,
    /// Which service was called.
    pub service: String,
    /// Who called: a person's account, or an API key.
    pub actor: UserId,
    /// What the token said that they may do.
    pub role: Role,
    /// In upper case.
    pub method: String,
    /// The template of the route.
    pub route: String,
    /// The path, without the query; cut off after 256 bytes.
    pub path: String,
    /// `X-Request-Id`, as in the logs.
    pub request_id: String,
    /// The status of the answer; absent until there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
}

impl StaffCall {
    /// The same, answered.
    #[must_use]
    pub fn answered(self, status: u16) -> Self {
        Self { status: Some(status), ..self }
    }
}

/// Whose writes are kept: staff, admins and programs. `None` for customers, guests and everybody else.
#[must_use]
pub const fn kept(caller: &Caller) -> Option<(UserId, Role)> {
    match caller {
        Caller::User { id, role: role @ (Role::Staff | Role::Admin | Role::Service), .. } => Some((*id, *role)),
        Caller::User { role: Role::Customer, .. } | Caller::Guest { .. } | Caller::Anonymous => None,
    }
}

/// As much of a path as is kept.
#[must_use]
pub fn cut(path: &str) -> &str {
    path.get(..path.floor_char_boundary(LONGEST_PATH)).unwrap_or(path)
}

/// What an [`AuditTrail`] answers later.
pub type Recording<'a> = Pin<Box<dyn Future<Output = Result<(), Unrecorded>> + Send + 'a>>;

/// Writes calls down where they are not lost.
pub trait AuditTrail: Send + Sync + Debug {
    /// Writes down that a call is about to be carried out. It must not be before this has succeeded: so nothing is done that
    /// nobody wrote down.
    ///
    /// # Errors
    /// [`Unrecorded`] when it was not written down, or nobody knows.
    fn called(&self, call: StaffCall) -> Recording<'_>;

    /// Writes down how a call was answered.
    ///
    /// # Errors
    /// [`Unrecorded`]: then the log shows the call without a status, which means that it is not known.
    fn answered(&self, call: StaffCall) -> Recording<'_>;
}

/// A call could not be written down.
#[derive(Debug, thiserror::Error)]
#[error("failed to write a call into the audit log")]
pub struct Unrecorded(#[source] Box<dyn std::error::Error + Send + Sync>);

impl ServiceError for Unrecorded {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Unavailable
    }

    fn code(&self) -> &'static str {
        "unavailable"
    }
}

impl Unrecorded {
    /// Says why.
    pub fn new(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(source.into())
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::SessionId;

    #[test]
    fn writes_of_staff_admins_and_programs_are_kept_and_of_nobody_else() {
        let (id, session) = (UserId::from_uuid(Uuid::from_u128(1)), SessionId::from_uuid(Uuid::from_u128(2)));
        for (role, is_kept) in
            [(Role::Customer, false), (Role::Staff, true), (Role::Admin, true), (Role::Service, true)]
        {
            assert_eq!(kept(&Caller::User { id, role, session }), is_kept.then_some((id, role)));
        }
        assert_eq!(kept(&Caller::Anonymous), None);
    }

    #[test]
    fn a_long_path_is_cut_between_two_characters() {
        assert_eq!(cut("/api/v1/products/1"), "/api/v1/products/1");
        let long = format!("/{}", "\u{fc}".repeat(200));
        assert_eq!(cut(&long).len(), 255);
        assert!(long.starts_with(cut(&long)));
    }

    #[test]
    fn a_call_survives_json_with_and_without_a_status() {
        let call = StaffCall {
            id: CallId::from_uuid(Uuid::from_u128(1)),
            at: Timestamp::UNIX_EPOCH,
            service: "order".into(),
            actor: UserId::from_uuid(Uuid::from_u128(2)),
            role: Role::Staff,
            method: "PATCH".into(),
            route: "/api/v1/orders/{id}/status".into(),
            path: "/api/v1/orders/7/status".into(),
            request_id: "r".into(),
            status: None,
        };
        for call in [call.clone(), call.answered(409)] {
            let json = serde_json::to_string(&call).unwrap();
            assert_eq!(serde_json::from_str::<StaffCall>(&json).unwrap(), call);
        }
    }
}
