//! What carts look like in requests and answers.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use shop_types::caller::GuestToken;
use shop_types::{CartId, Money, ProductId, Quantity, Sku};

use crate::app::Error;
use crate::domain::merge::Policy;
use crate::domain::{self, Cart, Line, Offer};
use crate::peers::Item;

/// What is put into a cart: a SKU, or a product, which means its default variant.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({ "sku": "mug-blue", "quantity": 2 }))]
pub(super) struct ItemBody {
    /// Which variant; or `productId`.
    #[serde(default)]
    sku: Option<Sku>,
    /// Which product; or `sku`.
    #[serde(default)]
    product_id: Option<ProductId>,
    /// How many pieces.
    #[schema(value_type = u32, minimum = 1, maximum = 1_000_000, example = 2)]
    pub(super) quantity: Quantity,
}

impl ItemBody {
    /// What is meant.
    pub(super) fn item(&self) -> Result<Item, Error> {
        match (&self.sku, self.product_id) {
            (Some(sku), None) => Ok(Item::Sku(sku.clone())),
            (None, Some(product)) => Ok(Item::Product(product)),
            (None, None) | (Some(_), Some(_)) => {
                Err(Error::Request { field: "sku", message: "name either sku or productId" })
            }
        }
    }
}

/// Another quantity of a line.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct QuantityBody {
    /// How many pieces from now on.
    #[schema(value_type = u32, minimum = 1, maximum = 1_000_000, example = 2)]
    pub(super) quantity: Quantity,
}

/// Which cart is taken over, and how.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MergeBody {
    /// The guest's cart.
    pub(super) from: CartId,
    /// Whose lines stay.
    policy: PolicyBody,
}

impl MergeBody {
    /// Whose lines stay.
    pub(super) fn policy(&self) -> Policy {
        match self.policy {
            PolicyBody::Merge => Policy::Merge,
            PolicyBody::KeepGuest => Policy::KeepGuest,
            PolicyBody::KeepAccount => Policy::KeepAccount,
        }
    }
}

/// Whose lines stay.
#[derive(Debug, Clone, Copy, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
enum PolicyBody {
    /// Those of both.
    Merge,
    /// The guest's.
    KeepGuest,
    /// The account's.
    KeepAccount,
}

/// One line of a cart.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct LineReply {
    /// Which variant.
    sku: Sku,
    /// Of which product.
    product_id: ProductId,
    /// What people call it.
    name: String,
    /// How many pieces.
    #[schema(value_type = u32)]
    quantity: Quantity,
    /// What one piece costs.
    unit_price: Money,
    /// What the line comes to.
    line_total: Money,
    /// Whether it can no longer be bought; an order with this line is refused.
    withdrawn: bool,
}

impl LineReply {
    fn new(line: &Line) -> Result<Self, domain::Error> {
        Ok(Self {
            sku: line.sku.clone(),
            product_id: line.product,
            name: line.name.clone(),
            quantity: line.quantity,
            unit_price: line.unit_price,
            line_total: line.total()?,
            withdrawn: line.offer == Offer::Withdrawn,
        })
    }
}

/// A cart.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CartReply {
    /// Names it.
    id: CartId,
    /// The number that people use.
    number: i64,
    /// Grows with every change; also the `ETag`.
    version: i64,
    /// When it was opened.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it came to this version.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    /// What lies in it, in the order of adding.
    lines: Vec<LineReply>,
    /// What everything comes to, without tax, shipping and discounts.
    total: Money,
}

impl CartReply {
    /// Shows a cart.
    pub(crate) fn new(cart: &Cart) -> Result<Self, domain::Error> {
        let lines = cart.lines.iter().map(LineReply::new).collect::<Result<_, _>>()?;
        let (created_at, updated_at) = (cart.created_at(), cart.updated_at);
        let (id, number, version) = (cart.id, cart.number, cart.version);
        Ok(Self { id, number, version, created_at, updated_at, lines, total: cart.total()? })
    }
}

/// A cart that was opened.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct OpenedReply {
    /// The cart.
    #[serde(flatten)]
    cart: CartReply,
    /// The secret of a guest's cart, told this once; send it as `X-Guest-Token`.
    #[serde(skip_serializing_if = "Option::is_none")]
    guest_token: Option<String>,
}

impl OpenedReply {
    /// Shows a cart, and its secret if it is new.
    pub(super) fn new(cart: &Cart, token: Option<&GuestToken>) -> Result<Self, domain::Error> {
        Ok(Self { cart: CartReply::new(cart)?, guest_token: token.map(|token| token.expose().to_owned()) })
    }
}
