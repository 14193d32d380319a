//! The history of stock over HTTP.

use actix_web::{HttpResponse, get, web};
use jiff::Timestamp;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use shop_http::{ErrorBody, HttpError, Query, reply};
use shop_types::{OrderId, Sku, UserId};

use crate::app::App;
use crate::domain::TransferId;
use crate::domain::batch::Change;
use crate::domain::history::{Cursor, Recorded, Search};
use crate::domain::location::LocationId;

/// Which movements are listed.
#[derive(Debug, Clone, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct MovementQuery {
    /// Of this SKU.
    #[serde(default)]
    #[param(value_type = Option<String>)]
    sku: Option<Sku>,
    /// In this location.
    #[serde(default, deserialize_with = "parsed")]
    #[param(value_type = Option<String>)]
    location: Option<LocationId>,
    /// Not before this time.
    #[serde(default)]
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Before this time.
    #[serde(default)]
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
    /// The `nextCursor` of an earlier page of the same list.
    #[serde(default, deserialize_with = "parsed")]
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
    /// Items per page.
    #[serde(default = "usual_size", deserialize_with = "size")]
    #[param(default = 20, minimum = 1, maximum = 100, required = false)]
    size: u32,
}

const fn usual_size() -> u32 {
    20
}

fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    match u32::deserialize(deserializer)? {
        size @ 1..=100 => Ok(size),
        _ => Err(D::Error::custom("must be 1 to 100")),
    }
}

fn parsed<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    String::deserialize(deserializer)?.parse().map(Some).map_err(D::Error::custom)
}

/// Pieces that moved from one place to another, came in or went.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct MovementReply {
    /// Names it: the stock and its version.
    #[schema(example = "mug@main:7")]
    id: String,
    /// Of what.
    sku: Sku,
    /// Where.
    location: String,
    /// The version of the stock that it made.
    version: i64,
    /// reserved, committed, released, restocked, counted, adjusted or transferred.
    cause: String,
    /// For which order.
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<OrderId>,
    /// Why, as staff says.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Who of staff.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<UserId>,
    /// The transfer that it is one of the two movements of.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Uuid)]
    transfer_id: Option<TransferId>,
    /// By how much what can be sold has changed.
    available_change: i64,
    /// By how much what orders hold has changed.
    reserved_change: i64,
    /// By how much what is sold has changed.
    sold_change: i64,
    /// Pieces that could be sold right after it.
    available: i64,
    /// Pieces that orders held right after it.
    reserved: i64,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
}

impl From<Recorded> for MovementReply {
    fn from(recorded: Recorded) -> Self {
        let Recorded {
            id,
            sku,
            location,
            version,
            cause,
            order,
            reason,
            by,
            transfer,
            change,
            available,
            reserved,
            at,
        } = recorded;
        let Change { available: available_change, reserved: reserved_change, sold: sold_change } = change;
        Self {
            id,
            sku,
            location,
            version,
            cause,
            order_id: order,
            reason,
            by,
            transfer_id: transfer,
            available_change,
            reserved_change,
            sold_change,
            available,
            reserved,
            at,
        }
    }
}

/// A page of movements, the newest first.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct MovementList {
    items: Vec<MovementReply>,
    page: MovementPage,
}

/// Where the page stands.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct MovementPage {
    /// Items asked for per page.
    size: u32,
    /// Send it back as `cursor` for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// Lists movements of stock, the newest first, by cursor: a history has no number of pages.
#[utoipa::path(
    tag = "inventory",
    params(MovementQuery),
    responses(
        (status = 200, body = MovementList), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 422, body = ErrorBody, description = "A parameter breaks its rule"),
    ),
)]
#[get("/api/v1/movements")]
pub(super) async fn list_movements(
    app: web::Data<App>,
    Query(query): Query<MovementQuery>,
) -> Result<HttpResponse, HttpError> {
    let MovementQuery { sku, location, from, to, cursor, size } = query;
    let (found, next) = app.movements(&Search { sku, location, from, to, after: cursor, size }).await?;
    let page = MovementPage { size, next_cursor: next.map(|cursor| cursor.to_string()) };
    Ok(reply::ok(&MovementList { items: found.into_iter().map(MovementReply::from).collect(), page }))
}
