//! What the aliases take and answer about orders: decimal prices, few states.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use shop_http::alias::{Ids, Pagination, Price};
use shop_types::{NamedCart, NamedUser, ProductId, Quantity, Sku, UserId};
use utoipa::ToSchema;

use crate::domain::{Line, Order, State};
use crate::routes::body::{OrderAddressBody, PaymentBody};

/// An order to place, in one of three shapes: a cart; one product and its quantity; or items.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "userId": 12, "items": [{"productId": "01980000-0000-7000-8000-000000000001", "quantity": 2}]
}))]
pub(crate) struct NewOrderAlias {
    /// Who buys; the caller when absent. Customers may name themselves alone.
    #[schema(inline)]
    pub(crate) user_id: Option<NamedUser>,
    /// A cart of the caller.
    #[schema(inline)]
    pub(crate) cart_id: Option<NamedCart>,
    /// The same under another name.
    #[schema(inline)]
    pub(crate) shopping_cart_id: Option<NamedCart>,
    pub(crate) product_id: Option<ProductId>,
    pub(crate) sku: Option<Sku>,
    /// One when absent.
    pub(crate) quantity: Option<Quantity>,
    pub(crate) items: Option<Vec<OrderItemAlias>>,
    pub(crate) address: Option<OrderAddressBody>,
    /// The sandbox's good card when absent.
    pub(crate) payment: Option<PaymentBody>,
}

/// One line of an order to place.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OrderItemAlias {
    pub(crate) product_id: Option<ProductId>,
    pub(crate) sku: Option<Sku>,
    pub(crate) quantity: Quantity,
}

/// The status that staff gives an order.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
pub(crate) struct StatusAlias {
    pub(crate) status: StatusWord,
}

/// A state in the words of the aliases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum StatusWord {
    Pending,
    #[serde(alias = "processing")]
    Confirmed,
    Shipped,
    Delivered,
    Cancelled,
}

impl StatusWord {
    /// The word for a state.
    pub(crate) const fn of(state: State) -> Self {
        match state {
            State::Placed => Self::Pending,
            State::Confirmed | State::Paid => Self::Confirmed,
            State::Shipped => Self::Shipped,
            State::Delivered | State::Returning => Self::Delivered,
            State::Rejected | State::Cancelling | State::Cancelled | State::Refunded => Self::Cancelled,
        }
    }

    /// The states that the word stands for.
    pub(crate) fn states(self) -> Vec<State> {
        State::ALL.into_iter().filter(|state| Self::of(*state) == self).collect()
    }
}

/// An order as the aliases show it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OrderAlias {
    #[serde(flatten)]
    ids: Ids,
    /// Absent for guests.
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<UserId>,
    items: Vec<OrderLineAlias>,
    total_amount: Price,
    /// The same.
    total: Price,
    currency: String,
    status: StatusWord,
    /// Where the buyer has to go before the payment goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_action_url: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

/// One line of an order.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OrderLineAlias {
    product_id: ProductId,
    product_name: String,
    sku: Sku,
    quantity: Quantity,
    /// What one piece cost when it was ordered.
    price: Price,
}

impl From<Line> for OrderLineAlias {
    fn from(line: Line) -> Self {
        let Line { sku, product, name, quantity, unit_price, total: _ } = line;
        Self { product_id: product, product_name: name, sku, quantity, price: Price(unit_price) }
    }
}

impl From<Order> for OrderAlias {
    fn from(order: Order) -> Self {
        Self {
            ids: Ids::new(&order.id, order.number),
            user_id: order.owner.user(),
            total_amount: Price(order.total),
            total: Price(order.total),
            currency: order.total.currency.to_string(),
            status: StatusWord::of(order.state),
            next_action_url: order.next_action().map(str::to_owned),
            created_at: order.created_at,
            updated_at: order.history.last().map_or(order.created_at, |entry| entry.at),
            items: order.lines.into_iter().map(OrderLineAlias::from).collect(),
        }
    }
}

/// An order that was written.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WrittenOrderAlias {
    pub(crate) message: &'static str,
    pub(crate) order: OrderAlias,
}

/// An order that was read.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FoundOrderAlias {
    pub(crate) order: OrderAlias,
    /// Always false: orders are never answered from a cache.
    pub(crate) cached: bool,
}

/// The lines of an order.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ItemsAlias {
    pub(crate) items: Vec<OrderLineAlias>,
    /// Always false: orders are never answered from a cache.
    pub(crate) cached: bool,
}

/// A page of orders.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OrdersAlias {
    pub(crate) orders: Vec<OrderAlias>,
    /// Whose they are, when that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user_id: Option<UserId>,
    pub(crate) pagination: Pagination,
    /// Always false: orders are never answered from a cache.
    pub(crate) cached: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_has_one_word_and_every_word_its_states() {
        let words = [
            StatusWord::Pending,
            StatusWord::Confirmed,
            StatusWord::Shipped,
            StatusWord::Delivered,
            StatusWord::Cancelled,
        ];
        let states: usize = words.iter().map(|word| word.states().len()).sum();
        assert_eq!(states, State::ALL.len());
        assert_eq!(StatusWord::Confirmed.states(), [State::Confirmed, State::Paid]);
        assert_eq!(serde_json::from_str::<StatusWord>("\"processing\"").unwrap(), StatusWord::Confirmed);
    }
}
