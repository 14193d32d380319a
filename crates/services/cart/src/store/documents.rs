//! How a cart looks in MongoDB, and the way back to the domain value.

use serde::{Deserialize, Serialize};
use shop_mongo::bson::{self, DateTime};
use shop_types::{CartId, Currency, Money, ProductId, Quantity, Sku};

use crate::domain::merge::Brought;
use crate::domain::{Cart, Line, Offer, Owner};

/// A document that this version cannot read.
#[derive(Debug, thiserror::Error)]
#[error("a cart has an owner of an unknown kind")]
pub(super) struct UnknownOwner;

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct CartDocument {
    #[serde(rename = "_id")]
    id: CartId,
    owner: String,
    number: i64,
    version: i64,
    /// Absent in carts that were written before it was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<SinceDocument>,
    /// When it came to its version; absent in carts that were written before it was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    updated_at: Option<DateTime>,
    /// When the database wrote it last: the best that those tell.
    #[serde(default, skip_serializing)]
    written_at: Option<DateTime>,
    currency: Currency,
    lines: Vec<LineDocument>,
}

/// [`Cart::since`], and the version that said so: a pod that does not know of it yet grows the version alone (ADR 0007).
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SinceDocument {
    version: i64,
    at: i64,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct LineDocument {
    sku: Sku,
    product: ProductId,
    name: String,
    quantity: Quantity,
    /// In minor units of `currency`.
    unit_price: i64,
    currency: Currency,
    priced_at: DateTime,
    withdrawn: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    brought: Vec<BroughtDocument>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct BroughtDocument {
    cart: CartId,
    version: i64,
    quantity: Quantity,
}

/// The owner as one word, so that one index and one guard name it.
pub(crate) fn owner_word(owner: &Owner) -> String {
    match owner {
        Owner::User(id) => format!("user:{id}"),
        Owner::Guest(hash) => format!("guest:{hash}"),
    }
}

/// The cart as a copy of it in Redis holds it: its document.
pub(crate) fn to_copy(cart: &Cart) -> Option<Vec<u8>> {
    bson::serialize_to_vec(&CartDocument::from(cart)).ok()
}

/// The cart of a copy; `None` when another version of this service has written what this one cannot read.
pub(crate) fn from_copy(copy: &[u8]) -> Option<Cart> {
    bson::deserialize_from_slice::<CartDocument>(copy).ok()?.try_into().ok()
}

fn parse_owner(word: &str) -> Result<Owner, UnknownOwner> {
    match word.split_once(':') {
        Some(("user", id)) => id.parse().map(Owner::User).map_err(|_| UnknownOwner),
        Some(("guest", hash)) => Ok(Owner::Guest(hash.to_owned())),
        Some(_) | None => Err(UnknownOwner),
    }
}

pub(super) const fn since(cart: &Cart) -> SinceDocument {
    SinceDocument { version: cart.since, at: cart.version }
}

pub(super) fn lines(cart: &Cart) -> Vec<LineDocument> {
    let line = |line: &Line| {
        let Line { sku, product, name, quantity, unit_price, priced_at, offer, brought } = line.clone();
        let Money { amount: unit_price, currency } = unit_price;
        let withdrawn = offer == Offer::Withdrawn;
        let brought =
            brought.into_iter().map(|Brought { cart, version, quantity }| BroughtDocument { cart, version, quantity });
        let (priced_at, brought) = (priced_at.into(), brought.collect());
        LineDocument { sku, product, name, quantity, unit_price, currency, priced_at, withdrawn, brought }
    };
    cart.lines.iter().map(line).collect()
}

impl From<&Cart> for CartDocument {
    fn from(cart: &Cart) -> Self {
        let Cart { id, owner, number, version, since: _, updated_at, currency, lines: _ } = cart;
        let (owner, since, updated_at) = (owner_word(owner), Some(since(cart)), Some((*updated_at).into()));
        let (id, number, version, currency, lines) = (*id, *number, *version, *currency, lines(cart));
        Self { id, owner, number, version, since, updated_at, written_at: None, currency, lines }
    }
}

impl TryFrom<CartDocument> for Cart {
    type Error = UnknownOwner;

    fn try_from(document: CartDocument) -> Result<Self, UnknownOwner> {
        let CartDocument { id, owner, number, version, since, updated_at, written_at, currency, lines } = document;
        let line = |line: LineDocument| {
            let LineDocument { sku, product, name, quantity, unit_price, currency, priced_at, withdrawn, brought } =
                line;
            let offer = if withdrawn { Offer::Withdrawn } else { Offer::Sold };
            let unit_price = Money::new(unit_price, currency);
            let from = |BroughtDocument { cart, version, quantity }| Brought { cart, version, quantity };
            let brought = brought.into_iter().map(from).collect();
            Line { sku, product, name, quantity, unit_price, priced_at: priced_at.to_jiff(), offer, brought }
        };
        let lines = lines.into_iter().map(line).collect();
        let since = since.filter(|since| since.at == version).map_or(version, |since| since.version);
        let owner = parse_owner(&owner)?;
        let updated_at = updated_at.or(written_at).map_or_else(|| id.made_at().unwrap_or_default(), DateTime::to_jiff);
        Ok(Self { id, owner, number, version, since, updated_at, currency, lines })
    }
}
