//! Transfers between locations over HTTP.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, post, web};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use shop_http::{Body, ErrorBody, HttpError, LoggedIn, MaybeKey, PathText, reply};
use shop_mongo::idempotency::row_id;
use shop_types::caller::Subject;
use shop_types::{Quantity, Sku};

use super::{StockReply, locations, reason};
use crate::app::App;
use crate::domain::location::LocationId;
use crate::domain::{Key, Reason, Transfer, TransferId, Transferred};

/// Names the operation in idempotency rows.
const TRANSFER: &str = "transfer_stock";

/// Pieces to be moved from one location to another.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct TransferBody {
    /// Where they are.
    #[serde(deserialize_with = "locations::id")]
    #[schema(value_type = String, pattern = "^[a-z0-9-]{1,32}$", example = "main")]
    from: LocationId,
    /// Where they go; another location.
    #[serde(deserialize_with = "locations::id")]
    #[schema(value_type = String, pattern = "^[a-z0-9-]{1,32}$", example = "berlin")]
    to: LocationId,
    /// How many; no order holds them.
    #[serde(deserialize_with = "quantity")]
    #[schema(value_type = u32, minimum = 1, maximum = 1_000_000, example = 3)]
    quantity: Quantity,
    /// Why, for the history.
    #[serde(deserialize_with = "reason")]
    #[schema(value_type = String, min_length = 1, max_length = 200, example = "filled up")]
    reason: Reason,
}

fn quantity<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Quantity, D::Error> {
    Quantity::new(u32::deserialize(deserializer)?).map_err(D::Error::custom)
}

/// A transfer that was done.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct TransferReply {
    /// Names it: the `transferId` of both movements.
    #[schema(value_type = String, format = Uuid)]
    id: TransferId,
    /// The stock right after it where the pieces were.
    from: StockReply,
    /// The stock right after it where they are.
    to: StockReply,
}

impl From<Transferred> for TransferReply {
    fn from(Transferred { id, from, to }: Transferred) -> Self {
        Self { id, from: from.into(), to: to.into() }
    }
}

/// Moves pieces that no order holds from one location to another, in one step, and answers both stocks right after that.
/// With an Idempotency-Key it counts once, and a repeated call gets the old answer.
#[utoipa::path(
    tag = "inventory",
    params(
        ("sku" = Sku, Path, description = "Stock keeping unit"),
        ("Idempotency-Key" = Option<String>, Header, description = "Names this transfer"),
    ),
    request_body = TransferBody,
    responses(
        (status = 201, body = TransferReply),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody, description = "Not a SKU"),
        (status = 409, body = ErrorBody, description = "Too few free pieces there, or above the limit"),
        (status = 413, body = ErrorBody), (status = 415, body = ErrorBody), (status = 422, body = ErrorBody),
    ),
)]
#[post("/api/v1/stock/{sku}/transfers")]
pub(super) async fn transfer_stock(
    app: web::Data<App>,
    request: HttpRequest,
    sku: PathText<Sku>,
    LoggedIn(by, ..): LoggedIn,
    MaybeKey(key): MaybeKey,
    body: Body<TransferBody>,
) -> Result<HttpResponse, HttpError> {
    let fingerprint = body.fingerprint(&request);
    let key = key.map(|key| Key { id: row_id(&Subject::User(by).to_string(), TRANSFER, &key), fingerprint });
    let TransferBody { from, to, quantity: pieces, reason } = body.into_inner();
    let transfer = Transfer { id: app.new_transfer(), sku: sku.0, from, to, pieces, reason, by, key };
    let done = app.transfer(transfer).await?;
    Ok(reply::with_status(StatusCode::CREATED, None, &TransferReply::from(done)))
}
