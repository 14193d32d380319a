//! HTTP in: parse, call the [`App`], respond. `configure` at the bottom is the URL table.

mod locations;
mod movements;
mod transfers;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use shop_http::{Access, Body, Code, ErrorBody, HttpError, LoggedIn, MaybeKey, Method, PathText, Route, reply};
use shop_mongo::idempotency::row_id;
use shop_types::Sku;
use shop_types::caller::Subject;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::app::App;
use crate::domain::location::LocationId;
use crate::domain::{self, Delta, Key, Reason, Stock};

/// Who may call what.
pub const ACCESS: &[Route] = &[
    (Method::Get, "/api/v1/stock/{sku}", Access::STAFF),
    (Method::Post, "/api/v1/stock/{sku}/adjustments", Access::STAFF),
    (Method::Post, "/api/v1/stock/{sku}/transfers", Access::STAFF),
    (Method::Get, "/api/v1/movements", Access::STAFF),
    (Method::Get, "/api/v1/locations", Access::STAFF),
    (Method::Post, "/api/v1/locations", Access::STAFF),
    (Method::Get, "/api/v1/locations/{id}", Access::STAFF),
    (Method::Patch, "/api/v1/locations/{id}", Access::STAFF),
    (Method::Delete, "/api/v1/locations/{id}", Access::STAFF),
];

/// The codes of this service beside the shared ones.
pub const CODES: &[Code] = &[
    ("stock_below_zero", 409, "There would be fewer pieces than orders hold; those are not free to be taken off."),
    ("stock_above_limit", 409, "There would be more than 1,000,000,000 pieces on hand."),
    ("location_taken", 409, "Another location has this id."),
    ("too_many_locations", 409, "There are 100 locations already."),
    ("location_main", 409, "Orders are served from main first, so it stays."),
    (
        "location_in_use",
        409,
        "There is stock in this location: move it first. Where pieces were sold from stays: they may come back.",
    ),
    ("reservation_differs", 409, "The order has a reservation of other lines."),
    ("idempotency_key_reused", 422, "This Idempotency-Key was used for another request."),
];

/// Names the operation in idempotency rows.
const ADJUST: &str = "adjust_stock";

/// Where the pieces of a SKU are.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct StockReply {
    /// Which variant.
    sku: Sku,
    /// Where.
    #[schema(example = "main")]
    location: String,
    /// Pieces that can be sold now.
    available: i64,
    /// Pieces that orders hold.
    reserved: i64,
    /// Pieces on the shelf: available and reserved.
    on_hand: i64,
    /// Pieces sold and paid for.
    sold: i64,
    /// Grows with every movement; also the `ETag`.
    version: i64,
}

impl From<Stock> for StockReply {
    fn from(stock: Stock) -> Self {
        let on_hand = stock.on_hand();
        let Stock { sku, location, available, reserved, sold, received: _, version } = stock;
        Self { sku, location: location.to_string(), available, reserved, on_hand, sold, version }
    }
}

/// Where the pieces of a SKU are, in `main` and everywhere.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct StockOverview {
    /// In `main`, the first to serve orders.
    #[serde(flatten)]
    main: StockReply,
    /// In each location where some ever came in, `main` included.
    locations: Vec<StockReply>,
}

impl StockOverview {
    fn new(sku: Sku, everywhere: Vec<Stock>) -> Self {
        let main = everywhere.iter().find(|stock| stock.location.is_main()).cloned();
        let main = main.unwrap_or_else(|| Stock::none(sku, LocationId::main()));
        Self { main: main.into(), locations: everywhere.into_iter().map(StockReply::from).collect() }
    }

    /// Grows with every movement, wherever it was.
    fn version(&self) -> i64 {
        self.locations.iter().map(|stock| stock.version).sum()
    }
}

/// A change of the stock by hand.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct AdjustmentBody {
    /// Pieces that came in (positive) or are gone (negative); never 0.
    #[serde(deserialize_with = "delta")]
    #[schema(value_type = i64, minimum = -1_000_000, maximum = 1_000_000, example = 5)]
    delta: Delta,
    /// Why, for the history.
    #[serde(deserialize_with = "reason")]
    #[schema(value_type = String, min_length = 1, max_length = 200, example = "delivery 4711")]
    reason: Reason,
    /// Where; `main` without it.
    #[serde(default = "LocationId::main", deserialize_with = "locations::id")]
    #[schema(value_type = String, pattern = "^[a-z0-9-]{1,32}$", default = "main", example = "main", required = false)]
    location: LocationId,
}

fn delta<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Delta, D::Error> {
    Delta::new(i64::deserialize(deserializer)?).map_err(D::Error::custom)
}

fn reason<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Reason, D::Error> {
    Reason::new(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

/// Shows the stock of a SKU in `main`, which is asked first for orders, and in all locations.
#[utoipa::path(
    tag = "inventory",
    params(("sku" = Sku, Path, description = "Stock keeping unit")),
    responses(
        (status = 200, body = StockOverview, headers(("ETag" = String, description = "The sum of all versions"))),
        (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody, description = "Nothing ever came in"),
    ),
)]
#[get("/api/v1/stock/{sku}")]
async fn get_stock(app: web::Data<App>, sku: PathText<Sku>) -> Result<HttpResponse, HttpError> {
    let everywhere = app.stock_everywhere(&sku.0).await?;
    let overview = StockOverview::new(sku.0, everywhere);
    Ok(reply::with_etag(overview.version(), &overview))
}

/// Adds pieces that came in or takes off pieces that are gone, and answers the stock right after that. The first
/// adjustment of a SKU makes its stock. With an Idempotency-Key it counts once, and a repeated call gets the old answer.
#[utoipa::path(
    tag = "inventory",
    params(
        ("sku" = Sku, Path, description = "Stock keeping unit"),
        ("Idempotency-Key" = Option<String>, Header, description = "Names this adjustment"),
    ),
    request_body = AdjustmentBody,
    responses(
        (status = 201, body = StockReply, headers(("ETag" = String, description = "The version"))),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody, description = "Not a SKU"),
        (status = 409, body = ErrorBody, description = "Below zero, or above the limit"),
        (status = 413, body = ErrorBody), (status = 415, body = ErrorBody), (status = 422, body = ErrorBody),
    ),
)]
#[post("/api/v1/stock/{sku}/adjustments")]
async fn adjust_stock(
    app: web::Data<App>,
    request: HttpRequest,
    sku: PathText<Sku>,
    LoggedIn(by, ..): LoggedIn,
    MaybeKey(key): MaybeKey,
    body: Body<AdjustmentBody>,
) -> Result<HttpResponse, HttpError> {
    let fingerprint = body.fingerprint(&request);
    let key = key.map(|key| Key { id: row_id(&Subject::User(by).to_string(), ADJUST, &key), fingerprint });
    let AdjustmentBody { delta, reason, location } = body.into_inner();
    let stock = app.adjust(domain::Adjustment { sku: sku.0, location, delta, reason, by, key }).await?;
    let version = stock.version;
    Ok(reply::with_status(StatusCode::CREATED, version, &StockReply::from(stock)))
}

/// Mounts the routes.
pub fn configure(config: &mut ServiceConfig<'_>) {
    config
        .service(get_stock)
        .service(adjust_stock)
        .service(transfers::transfer_stock)
        .service(movements::list_movements)
        .service(locations::list_locations)
        .service(locations::add_location)
        .service(locations::get_location)
        .service(locations::rename_location)
        .service(locations::remove_location);
}
