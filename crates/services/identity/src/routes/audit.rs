//! The audit log, for admins.

use actix_web::web::Data;
use actix_web::{HttpResponse, get};
use jiff::Timestamp;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use shop_http::{ErrorBody, HttpError, PlainPageQuery, PlainPaged, reply};
use shop_types::{OrderId, Page, Role, StaffCall, UserId};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::domain::audit::{About, CALL, Entry, Line, Word};
use crate::store::AuditFilter;

/// Which entries of the audit log a list shows.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct EntryFilter {
    /// What was done to this account or API key.
    #[param(value_type = Option<String>)]
    user_id: Option<UserId>,
    /// What was done by this account or API key.
    #[param(value_type = Option<String>)]
    actor_id: Option<UserId>,
    /// Entries of this action: `call`, or one of those of accounts.
    #[serde(default, deserialize_with = "word")]
    #[param(value_type = Option<String>)]
    action: Option<Word>,
}

fn word<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Word>, D::Error> {
    let found = Word::parse(&String::deserialize(deserializer)?);
    found.map(Some).ok_or_else(|| D::Error::custom("must be the action of an entry"))
}

/// What was written down.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EntryBody {
    id: String,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Who did it: an account, or an API key.
    actor_id: UserId,
    /// `call` for a write that staff, an admin or a program asked a service for; or what was done to an account: `created`,
    /// `details_changed`, `role_changed`, `deactivated`, `activated`, `deleted`, `api_key_created`, `api_key_removed` or
    /// `order_linked`.
    action: &'static str,
    /// Whose account, or which API key, it was done to; absent for a call.
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<UserId>,
    /// The role before.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<Role>,
    /// The role after.
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<Role>,
    /// The order that a program told of.
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<OrderId>,
    /// Of a call: which service.
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<String>,
    /// Of a call: what the token said that the actor may do.
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<Role>,
    /// Of a call: in upper case.
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<String>,
    /// Of a call: the template of the route.
    #[serde(skip_serializing_if = "Option::is_none")]
    route: Option<String>,
    /// Of a call: without the query, cut off after 256 bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    /// Of a call: its `X-Request-Id`, as in the logs.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    /// Of a call: how it was answered. Absent when that is not known: it is under way, its client went away, or the pod died.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
}

impl EntryBody {
    /// What every entry has.
    fn of(id: String, at: Timestamp, actor_id: UserId, action: &'static str) -> Self {
        Self {
            id,
            at,
            actor_id,
            action,
            user_id: None,
            from: None,
            to: None,
            order_id: None,
            service: None,
            role: None,
            method: None,
            route: None,
            path: None,
            request_id: None,
            status: None,
        }
    }
}

impl From<Line> for EntryBody {
    fn from(line: Line) -> Self {
        match line {
            Line::Entry(Entry { id, at, actor, user, action }) => {
                let About { roles, order } = action.about();
                let (from, to) = roles.unzip();
                let entry = Self::of(id.to_string(), at, actor, action.word());
                Self { user_id: Some(user), from, to, order_id: order, ..entry }
            }
            Line::Call(StaffCall { id, at, service, actor, role, method, route, path, request_id, status }) => Self {
                service: Some(service),
                role: Some(role),
                method: Some(method),
                route: Some(route),
                path: Some(path),
                request_id: Some(request_id),
                status,
                ..Self::of(id.to_string(), at, actor, CALL)
            },
        }
    }
}

/// Lists what was written down, the latest first: writes of staff, admins and programs in all services, and what was done to
/// accounts. A call is in the list some moments after it was made.
#[utoipa::path(tag = "identity", params(PlainPageQuery, EntryFilter), responses(
    (status = 200, description = "A page of entries", body = Page<EntryBody>),
    (status = 403, description = "Not an admin", body = ErrorBody),
    (status = 422, description = "A parameter breaks its rule", body = ErrorBody),
))]
#[get("/api/v1/audit")]
pub(crate) async fn list_audit(app: Data<App>, list: PlainPaged<EntryFilter>) -> Result<HttpResponse, HttpError> {
    let PlainPaged(page, EntryFilter { user_id, actor_id, action }) = list;
    let filter = AuditFilter { user: user_id, actor: actor_id, action };
    let entries = app.audit(filter, (page.page, page.size)).await?;
    Ok(reply::ok(&entries.map(EntryBody::from)))
}
