//! What clients send and read.

mod address;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, de};
use shop_types::{CartId, Money, OrderId, Page, ProductId, Quantity, Sku, UserId};
use utoipa::ToSchema;

pub(crate) use self::address::{OrderAddressBody, OrderChangeBody};
use crate::app::{Item, Source};
use crate::domain::{
    Address, Decision, Entry, Error, Line, Order, Owner, Return, ReturnId, ReturnReason, ReturnState, State,
};

/// An order to place: from a cart, or from items.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"cartId": "01980000-0000-7000-8000-000000000001", "payment": {"method": "tok_visa"}}))]
pub(crate) struct NewOrderBody {
    /// A cart of the buyer; either this or `items`.
    cart_id: Option<CartId>,
    /// Lines named one by one; either these or `cartId`.
    items: Option<Vec<ItemBody>>,
    /// Where it is sent, when something is.
    address: Option<OrderAddressBody>,
    payment: PaymentBody,
}

/// One line of an order to place: by SKU, or by product for its default variant.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ItemBody {
    sku: Option<Sku>,
    product_id: Option<ProductId>,
    quantity: Quantity,
}

/// How it is paid.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PaymentBody {
    /// The payment provider's token for a card, 1 to 64 visible ASCII characters. Card numbers never come here.
    method: String,
}

impl PaymentBody {
    /// The payment method.
    pub(crate) fn read(self) -> Result<String, Error> {
        let method = self.method;
        let good = (1..=64).contains(&method.len()) && method.bytes().all(|b| b.is_ascii_graphic());
        let rule = "must be 1 to 64 visible ASCII characters";
        if good { Ok(method) } else { Err(Error::Invalid { field: "payment.method".into(), rule }) }
    }
}

/// Another attempt to pay.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"payment": {"method": "tok_visa"}}))]
pub(crate) struct NewPaymentBody {
    payment: PaymentBody,
}

impl NewPaymentBody {
    /// The payment method.
    pub(crate) fn read(self) -> Result<String, Error> {
        self.payment.read()
    }
}

impl NewOrderBody {
    /// Where the lines come from, the payment method, and the address.
    pub(crate) fn read(self) -> Result<(Source, String, Option<Address>), Error> {
        let invalid = |field: String, rule| Error::Invalid { field, rule };
        let method = self.payment.read()?;
        let address = self.address.map(OrderAddressBody::read).transpose()?;
        let source = match (self.cart_id, self.items) {
            (Some(cart), None) => Source::Cart(cart),
            (None, Some(items)) if (1..=100).contains(&items.len()) => {
                let item = |(n, ItemBody { sku, product_id, quantity }): (usize, ItemBody)| match (sku, product_id) {
                    (Some(sku), None) => Ok((Item::Sku(sku), quantity)),
                    (None, Some(product)) => Ok((Item::Product(product), quantity)),
                    (Some(_), Some(_)) | (None, None) => {
                        Err(invalid(format!("items[{n}]"), "must have either sku or productId"))
                    }
                };
                Source::Items(items.into_iter().enumerate().map(item).collect::<Result<_, _>>()?)
            }
            (None, Some(_)) => return Err(invalid("items".into(), "must be 1 to 100")),
            (Some(_), Some(_)) | (None, None) => {
                return Err(invalid("cartId".into(), "must be given, or items, but not both"));
            }
        };
        Ok((source, method, address))
    }
}

/// A state by its word, in a query.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StatusWord(pub(crate) State);

impl<'de> Deserialize<'de> for StatusWord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        State::from_word(&word).map(Self).ok_or_else(|| {
            de::Error::custom(
                "must be placed, confirmed, paid, shipped, delivered, rejected, cancelling, cancelled, returning or refunded",
            )
        })
    }
}

/// A state of a return by its word, in a query.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReturnWord(pub(crate) ReturnState);

impl<'de> Deserialize<'de> for ReturnWord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        let state = ReturnState::from_word(&word);
        state.map(Self).ok_or_else(|| de::Error::custom("must be requested, accepted or refused"))
    }
}

/// The status that staff gives an order.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"status": "shipped"}))]
pub(crate) struct StatusBody {
    /// shipped or delivered.
    #[schema(value_type = String)]
    pub(crate) status: StatusWord,
}

/// The wish to send a whole order back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"reason": "too small"}))]
pub(crate) struct NewReturnBody {
    /// Why: 1 to 200 characters.
    reason: String,
}

impl NewReturnBody {
    /// The reason.
    pub(crate) fn read(self) -> Result<ReturnReason, Error> {
        ReturnReason::new(&self.reason)
    }
}

/// What staff says to a return.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct DecisionBody {
    status: DecisionWord,
}

/// accepted or refused.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum DecisionWord {
    Accepted,
    Refused,
}

impl DecisionBody {
    /// The decision.
    pub(crate) const fn read(self) -> Decision {
        match self.status {
            DecisionWord::Accepted => Decision::Accept,
            DecisionWord::Refused => Decision::Refuse,
        }
    }
}

/// A return as clients read it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReturnBody {
    id: ReturnId,
    order_id: OrderId,
    /// requested, accepted or refused.
    status: &'static str,
    /// Why the buyer sends it back.
    reason: String,
    version: i64,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When staff has accepted or refused it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    decided_at: Option<Timestamp>,
}

impl From<Return> for ReturnBody {
    fn from(asked: Return) -> Self {
        let Return { id, order, owner: _, reason, state, version, created_at, decided_at } = asked;
        let (status, reason) = (state.as_str(), reason.as_str().to_owned());
        Self { id, order_id: order, status, reason, version, created_at, decided_at }
    }
}

/// An order as clients read it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OrderBody {
    id: OrderId,
    /// The number that people use.
    number: i64,
    /// placed, confirmed, paid, shipped, delivered, rejected, cancelling, cancelled, returning or refunded.
    status: &'static str,
    /// Why, for rejected and cancelled orders and declined payments.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<UserId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cart_id: Option<CartId>,
    items: Vec<LineBody>,
    total: Money,
    /// Where it is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<OrderAddressBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment_id: Option<String>,
    /// What the buyer has to do before the payment goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_action: Option<NextActionBody>,
    history: Vec<EntryBody>,
    version: i64,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

/// Something that only the buyer can do.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NextActionBody {
    /// redirect: send the buyer to `url`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// A page of the payment provider or the buyer's bank.
    url: String,
}

/// One line of an order.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LineBody {
    sku: Sku,
    product_id: ProductId,
    name: String,
    quantity: Quantity,
    unit_price: Money,
    total: Money,
}

/// One step of an order's history.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EntryBody {
    status: &'static str,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Why; `address_changed` and `address_forgotten` for entries that tell of the address alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl From<Line> for LineBody {
    fn from(line: Line) -> Self {
        let Line { sku, product, name, quantity, unit_price, total } = line;
        Self { sku, product_id: product, name, quantity, unit_price, total }
    }
}

impl From<Entry> for EntryBody {
    fn from(entry: Entry) -> Self {
        let Entry { state, at, reason, next_action: _, address: _ } = entry;
        Self { status: state.as_str(), at, reason }
    }
}

/// All lines of an order, at most 100.
pub(crate) fn lines(order: Order) -> Page<LineBody> {
    Page::whole(order.lines.into_iter().map(LineBody::from).collect())
}

/// All that became of an order, the oldest first: one entry for each version.
pub(crate) fn entries(order: Order) -> Page<EntryBody> {
    Page::whole(order.history.into_iter().map(EntryBody::from).collect())
}

impl From<Order> for OrderBody {
    fn from(order: Order) -> Self {
        let address = order.address().map(OrderAddressBody::from);
        let next_action = order.next_action().map(|url| NextActionBody { kind: "redirect", url: url.to_owned() });
        Self {
            id: order.id,
            number: order.number,
            status: order.state.as_str(),
            reason: order.reason().map(str::to_owned),
            user_id: match order.owner {
                Owner::User(id) => Some(id),
                Owner::Guest { .. } => None,
            },
            cart_id: order.cart.map(|cart| cart.id),
            items: order.lines.into_iter().map(LineBody::from).collect(),
            total: order.total,
            address,
            payment_id: order.payment,
            next_action,
            history: order.history.into_iter().map(EntryBody::from).collect(),
            version: order.version,
            created_at: order.created_at,
        }
    }
}
