//! Orders as they are stored, and their way to and from domain values.

use bson::DateTime;
use serde::{Deserialize, Serialize};
use shop_types::event::CartFact;
use shop_types::{Currency, Money, Quantity};

use crate::domain::{Address, Entry, Line, Order, Owner, Shortage, State, address};

/// A stored value that is no longer what this version reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stored field {0} cannot be read")]
pub(super) struct Unreadable(pub(super) &'static str);

/// An order. `deadline` and `lease_until` are written by the database's clock and stand outside of this struct.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct OrderDocument {
    #[serde(rename = "_id")]
    pub(super) id: String,
    number: i64,
    user: Option<String>,
    guest: Option<GuestDocument>,
    cart: Option<CartDocument>,
    lines: Vec<LineDocument>,
    total: i64,
    currency: String,
    payment_method: String,
    state: String,
    /// Follows from the last entry of the history; for queries.
    phase: String,
    attempt: i64,
    payment: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    shortages: Vec<ShortageDocument>,
    pub(super) version: i64,
    pub(super) history: Vec<EntryDocument>,
    created_at: DateTime,
    /// The idempotency row that waits for the outcome of the present attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) claim: Option<String>,
}

/// The owner of what a guest has ordered.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct GuestDocument {
    cart: String,
    token_hash: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct CartDocument {
    id: String,
    version: i64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct LineDocument {
    sku: String,
    product: String,
    name: String,
    quantity: i64,
    unit_price: i64,
    total: i64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ShortageDocument {
    sku: String,
    requested: i64,
    available: i64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct EntryDocument {
    state: String,
    at: DateTime,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next_action: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    address: Option<AddressDocument>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct AddressDocument {
    name: String,
    line1: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    line2: Option<String>,
    city: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    postal_code: Option<String>,
    country: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    phone: Option<String>,
}

impl From<&Address> for AddressDocument {
    fn from(address: &Address) -> Self {
        let Address { name, line1, line2, city, region, postal_code, country, phone } = address;
        let text = |line: &address::Line| line.as_str().to_owned();
        Self {
            name: text(name),
            line1: text(line1),
            line2: line2.as_ref().map(text),
            city: text(city),
            region: region.as_ref().map(text),
            postal_code: postal_code.as_ref().map(text),
            country: country.as_str().to_owned(),
            phone: phone.as_ref().map(text),
        }
    }
}

impl From<AddressDocument> for Address {
    fn from(stored: AddressDocument) -> Self {
        let AddressDocument { name, line1, line2, city, region, postal_code, country, phone } = stored;
        let line = address::Line::from_stored;
        Self {
            name: line(name),
            line1: line(line1),
            line2: line2.map(line),
            city: line(city),
            region: region.map(line),
            postal_code: postal_code.map(line),
            country: address::Country::from_stored(country),
            phone: phone.map(line),
        }
    }
}

impl From<&Entry> for EntryDocument {
    fn from(entry: &Entry) -> Self {
        let Entry { state, at, reason, next_action, address } = entry;
        let (reason, next_action) = (reason.clone(), next_action.clone());
        let address = address.as_ref().map(AddressDocument::from);
        Self { state: state.as_str().into(), at: (*at).into(), reason, next_action, address }
    }
}

impl From<&Shortage> for ShortageDocument {
    fn from(shortage: &Shortage) -> Self {
        let Shortage { sku, requested, available } = shortage;
        Self { sku: sku.to_string(), requested: i64::from(requested.get()), available: *available }
    }
}

/// Whose something is, as two fields of which one is there.
pub(super) fn owner_fields(owner: &Owner) -> (Option<String>, Option<GuestDocument>) {
    match owner {
        Owner::User(id) => (Some(id.to_string()), None),
        Owner::Guest { cart, token_hash } => {
            (None, Some(GuestDocument { cart: cart.to_string(), token_hash: token_hash.clone() }))
        }
    }
}

/// Reads what [`owner_fields`] made.
pub(super) fn read_owner(user: Option<String>, guest: Option<GuestDocument>) -> Result<Owner, Unreadable> {
    match (user, guest) {
        (Some(user), None) => Ok(Owner::User(user.parse().map_err(|_| Unreadable("user"))?)),
        (None, Some(GuestDocument { cart, token_hash })) => {
            Ok(Owner::Guest { cart: cart.parse().map_err(|_| Unreadable("guest.cart"))?, token_hash })
        }
        (Some(_), Some(_)) | (None, None) => Err(Unreadable("user")),
    }
}

impl OrderDocument {
    pub(super) fn new(order: &Order, claim: Option<String>) -> Self {
        let Order {
            id,
            number,
            owner,
            cart,
            lines,
            total,
            payment_method,
            state,
            attempt,
            payment,
            shortages,
            version,
            history,
            created_at,
        } = order;
        let (user, guest) = owner_fields(owner);
        Self {
            id: id.to_string(),
            number: *number,
            user,
            guest,
            cart: cart.map(|cart| CartDocument { id: cart.id.to_string(), version: cart.version }),
            lines: lines.iter().map(line_document).collect(),
            total: total.amount,
            currency: total.currency.to_string(),
            payment_method: payment_method.clone(),
            state: state.as_str().into(),
            phase: order.phase().as_str().into(),
            attempt: i64::from(*attempt),
            payment: payment.clone(),
            shortages: shortages.iter().map(ShortageDocument::from).collect(),
            version: *version,
            history: history.iter().map(EntryDocument::from).collect(),
            created_at: (*created_at).into(),
            claim,
        }
    }
}

fn line_document(line: &Line) -> LineDocument {
    let Line { sku, product, name, quantity, unit_price, total } = line;
    LineDocument {
        sku: sku.to_string(),
        product: product.to_string(),
        name: name.clone(),
        quantity: i64::from(quantity.get()),
        unit_price: unit_price.amount,
        total: total.amount,
    }
}

impl TryFrom<OrderDocument> for Order {
    type Error = Unreadable;

    fn try_from(stored: OrderDocument) -> Result<Self, Unreadable> {
        let currency: Currency = stored.currency.parse().map_err(|_| Unreadable("currency"))?;
        let owner = read_owner(stored.user, stored.guest)?;
        let cart = stored.cart.map(|CartDocument { id, version }| {
            Ok(CartFact { id: id.parse().map_err(|_| Unreadable("cart.id"))?, version })
        });
        Ok(Self {
            id: stored.id.parse().map_err(|_| Unreadable("_id"))?,
            number: stored.number,
            owner,
            cart: cart.transpose()?,
            lines: stored.lines.into_iter().map(|line| read_line(line, currency)).collect::<Result<_, _>>()?,
            total: Money::new(stored.total, currency),
            payment_method: stored.payment_method,
            state: State::from_word(&stored.state).ok_or(Unreadable("state"))?,
            attempt: u32::try_from(stored.attempt).map_err(|_| Unreadable("attempt"))?,
            payment: stored.payment,
            shortages: stored.shortages.into_iter().map(read_shortage).collect::<Result<_, _>>()?,
            version: stored.version,
            history: stored.history.into_iter().map(read_entry).collect::<Result<_, _>>()?,
            created_at: stored.created_at.to_jiff(),
        })
    }
}

fn read_line(line: LineDocument, currency: Currency) -> Result<Line, Unreadable> {
    let LineDocument { sku, product, name, quantity, unit_price, total } = line;
    Ok(Line {
        sku: sku.parse().map_err(|_| Unreadable("lines.sku"))?,
        product: product.parse().map_err(|_| Unreadable("lines.product"))?,
        name,
        quantity: read_quantity(quantity).ok_or(Unreadable("lines.quantity"))?,
        unit_price: Money::new(unit_price, currency),
        total: Money::new(total, currency),
    })
}

fn read_quantity(pieces: i64) -> Option<Quantity> {
    u32::try_from(pieces).ok().and_then(|pieces| Quantity::new(pieces).ok())
}

fn read_shortage(shortage: ShortageDocument) -> Result<Shortage, Unreadable> {
    let ShortageDocument { sku, requested, available } = shortage;
    Ok(Shortage {
        sku: sku.parse().map_err(|_| Unreadable("shortages.sku"))?,
        requested: read_quantity(requested).ok_or(Unreadable("shortages.requested"))?,
        available,
    })
}

fn read_entry(entry: EntryDocument) -> Result<Entry, Unreadable> {
    let EntryDocument { state, at, reason, next_action, address } = entry;
    let state = State::from_word(&state).ok_or(Unreadable("history.state"))?;
    Ok(Entry { state, at: at.to_jiff(), reason, next_action, address: address.map(Address::from) })
}
