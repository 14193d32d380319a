//! What the aliases take and answer about carts.

use serde::{Deserialize, Serialize};
use shop_http::alias::{Ids, Price};
use shop_types::{NamedUser, ProductId, Quantity, Sku, UserId};
use utoipa::ToSchema;

use crate::app::Error;
use crate::domain::{self, Cart, Line};
use crate::peers::Item;

/// Most items of one request: as many as a cart has lines.
const MOST_ITEMS: usize = domain::MAX_LINES;

/// What is put into a cart: one product and its quantity, or items.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"userId": 12, "productId": "01980000-0000-7000-8000-000000000001", "quantity": 2}))]
pub(crate) struct FilledCartAlias {
    /// Whose cart it is; the caller's when absent.
    #[schema(inline)]
    user_id: Option<NamedUser>,
    product_id: Option<ProductId>,
    sku: Option<Sku>,
    /// One when absent.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 1_000_000)]
    quantity: Option<Quantity>,
    items: Option<Vec<CartItemAlias>>,
}

/// One item.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CartItemAlias {
    product_id: Option<ProductId>,
    sku: Option<Sku>,
    /// One when absent.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 1_000_000)]
    quantity: Option<Quantity>,
}

impl CartItemAlias {
    fn read(self) -> Result<(Item, Quantity), Error> {
        let quantity = match self.quantity {
            Some(quantity) => quantity,
            None => Quantity::new(1).map_err(|broken| Error::Request { field: "quantity", message: broken.0 })?,
        };
        match (self.sku, self.product_id) {
            (Some(sku), None) => Ok((Item::Sku(sku), quantity)),
            (None, Some(product)) => Ok((Item::Product(product), quantity)),
            (None, None) | (Some(_), Some(_)) => {
                Err(Error::Request { field: "productId", message: "name either sku or productId" })
            }
        }
    }
}

impl FilledCartAlias {
    /// Whose cart it is, when that is said.
    pub(crate) const fn user(&self) -> Option<NamedUser> {
        self.user_id
    }

    /// What is put into it.
    pub(crate) fn read(self) -> Result<Vec<(Item, Quantity)>, Error> {
        let Self { user_id: _, product_id, sku, quantity, items } = self;
        let items = match items {
            Some(items) if (1..=MOST_ITEMS).contains(&items.len()) && product_id.is_none() && sku.is_none() => items,
            Some(_) => {
                let message = "must be 1 to 100, without productId beside";
                return Err(Error::Request { field: "items", message });
            }
            None => vec![CartItemAlias { product_id, sku, quantity }],
        };
        items.into_iter().map(CartItemAlias::read).collect()
    }
}

/// A cart as the aliases show it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CartAlias {
    #[serde(flatten)]
    ids: Ids,
    user_id: Option<UserId>,
    items: Vec<CartLineAlias>,
    total: Price,
}

/// One line of a cart.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct CartLineAlias {
    product_id: ProductId,
    product_name: String,
    sku: Sku,
    #[schema(value_type = u32)]
    quantity: Quantity,
    /// What one piece costs.
    price: Price,
}

impl From<&Line> for CartLineAlias {
    fn from(line: &Line) -> Self {
        Self {
            product_id: line.product,
            product_name: line.name.clone(),
            sku: line.sku.clone(),
            quantity: line.quantity,
            price: Price(line.unit_price),
        }
    }
}

impl CartAlias {
    /// Shows a cart.
    pub(crate) fn new(cart: &Cart) -> Result<Self, domain::Error> {
        Ok(Self {
            ids: Ids::new(&cart.id, cart.number),
            user_id: cart.owner.user(),
            items: cart.lines.iter().map(CartLineAlias::from).collect(),
            total: Price(cart.total()?),
        })
    }
}

/// What was done.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MessageAlias {
    pub(crate) message: &'static str,
}
