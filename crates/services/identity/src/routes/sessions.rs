//! One's own sessions.

use actix_web::web::Data;
use actix_web::{HttpResponse, delete, get};
use jiff::Timestamp;
use serde::Serialize;
use shop_http::{ErrorBody, HttpError, LoggedIn, PathId, PlainPageQuery, Query, reply};
use shop_types::id::SessionKind;
use shop_types::{Page, SessionId};
use utoipa::ToSchema;

use crate::app::App;
use crate::domain::Session;

/// A session as its owner reads it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SessionItemBody {
    id: SessionId,
    /// Whether it is the one that asks.
    current: bool,
    /// When its last refresh token was made.
    #[schema(value_type = String, format = DateTime)]
    last_used_at: Timestamp,
    /// When it ends if nothing happens in it.
    #[schema(value_type = String, format = DateTime)]
    ends_at: Timestamp,
}

impl SessionItemBody {
    fn new(session: &Session, here: SessionId) -> Self {
        let Session { id, refreshed_at, ends_at, .. } = session;
        Self { id: *id, current: *id == here, last_used_at: *refreshed_at, ends_at: *ends_at }
    }
}

/// Lists one's own sessions that can go on, the last used first.
#[utoipa::path(tag = "identity", params(PlainPageQuery), responses(
    (status = 200, description = "A page of sessions", body = Page<SessionItemBody>),
    (status = 401, description = "No token, or one that does not hold", body = ErrorBody),
    (status = 422, description = "A parameter breaks its rule", body = ErrorBody),
))]
#[get("/api/v1/me/sessions")]
pub(crate) async fn list_sessions(
    app: Data<App>,
    LoggedIn(id, _, here): LoggedIn,
    Query(page): Query<PlainPageQuery>,
) -> Result<HttpResponse, HttpError> {
    let sessions = app.sessions(id, page.page, page.size).await?;
    Ok(reply::ok(&sessions.map(|session| SessionItemBody::new(&session, here))))
}

/// Ends one of one's own sessions: its tokens count no longer, in every pod as soon as it hears of it.
#[utoipa::path(tag = "identity", params(("id" = String, Path)), responses(
    (status = 204, description = "The session has ended"),
    (status = 401, description = "No token, or one that does not hold", body = ErrorBody),
    (status = 404, description = "No such session, or not yours, or it has ended", body = ErrorBody),
))]
#[delete("/api/v1/me/sessions/{id}")]
pub(crate) async fn end_session(
    app: Data<App>,
    LoggedIn(id, ..): LoggedIn,
    session: PathId<SessionKind>,
) -> Result<HttpResponse, HttpError> {
    app.end_session(id, session.0).await?;
    Ok(reply::no_content())
}

/// Ends all of one's own sessions but this one.
#[utoipa::path(tag = "identity", responses(
    (status = 204, description = "The others have ended"),
    (status = 401, description = "No token, or one that does not hold", body = ErrorBody),
))]
#[delete("/api/v1/me/sessions")]
pub(crate) async fn end_other_sessions(
    app: Data<App>,
    LoggedIn(id, _, here): LoggedIn,
) -> Result<HttpResponse, HttpError> {
    app.end_other_sessions(id, here).await?;
    Ok(reply::no_content())
}
