//! How an order is written: as a new document, or as what has changed since it was read.

use std::time::Duration;

use bson::{Bson, Document, doc};
use shop_mongo::idempotency::Finish;
use shop_mongo::{Error, UpdateOp};

use crate::domain::{Order, Phase, ReturnId, State};
use crate::store::documents::{EntryDocument, OrderDocument, ShortageDocument, Unreadable};
use crate::store::leases::LEASE_MILLISECONDS;

/// An order as stored, and what the group makes of it.
pub(super) struct Sheet {
    /// What the database has; `None` for a new order.
    stored: Option<Stored>,
    pub(super) order: Order,
    /// The idempotency row that waits for the outcome of the present attempt.
    pub(super) claim: Option<String>,
    /// A return that this group has written down. The order is written with it, so that another group which meets the
    /// same order does not decide on what it was before.
    pub(super) asked_back: Option<ReturnId>,
}

struct Stored {
    version: i64,
    entries: usize,
    /// How many of the entries have an address.
    addresses: usize,
}

impl Sheet {
    pub(super) const fn new(order: Order, claim: String) -> Self {
        Self { stored: None, order, claim: Some(claim), asked_back: None }
    }

    pub(super) fn read(mut document: OrderDocument) -> Result<Self, Unreadable> {
        let claim = document.claim.take();
        let order = Order::try_from(document)?;
        let entries = order.history.len();
        let stored = Stored { version: order.version, entries, addresses: addresses(&order, entries) };
        Ok(Self { stored: Some(stored), order, claim, asked_back: None })
    }
}

/// How many of the first entries have an address.
fn addresses(order: &Order, entries: usize) -> usize {
    order.history.iter().take(entries).filter(|entry| entry.address.is_some()).count()
}

/// The writes that one order needs, in their order.
pub(super) fn write(what: &'static str, sheet: &Sheet, deadline: Duration) -> Result<Vec<UpdateOp>, Error> {
    let Some(stored) = &sheet.stored else { return Ok(vec![place(what, sheet, deadline)?]) };
    let mut writes = Vec::new();
    if let Some(id) = sheet.asked_back {
        let guard = doc! { "_id": sheet.order.id.to_string(), "version": stored.version };
        writes.push(UpdateOp::new(guard, doc! { "$set": { "last_return": id.to_string() } }));
    }
    if sheet.order.version > stored.version {
        writes.push(change(what, sheet, stored)?);
    }
    Ok(writes)
}

/// An upsert that changes nothing when the order is there, with times by the database's clock (ruling 17).
fn place(what: &'static str, sheet: &Sheet, deadline: Duration) -> Result<UpdateOp, Error> {
    let document = OrderDocument::new(&sheet.order, sheet.claim.clone());
    let id = document.id.clone();
    let fields = bson::serialize_to_document(&document).map_err(|error| Error::corrupt(what, error))?;
    let deadline = i64::try_from(deadline.as_millis()).unwrap_or(i64::MAX);
    // `$literal`: a product named "$price" is a name, not a field.
    let fresh = doc! { "$mergeObjects": [
        { "$literal": fields },
        {
            "deadline": { "$add": ["$$NOW", deadline] },
            "lease_until": { "$add": ["$$NOW", LEASE_MILLISECONDS] },
        },
    ] };
    let is_new = doc! { "$eq": [{ "$type": "$version" }, "missing"] };
    let pipeline = vec![doc! { "$replaceWith": { "$cond": [is_new, fresh, "$$ROOT"] } }];
    Ok(UpdateOp::new(doc! { "_id": id }, pipeline).upsert())
}

/// The new state under the version that was read, and the lines of history since.
fn change(what: &'static str, sheet: &Sheet, stored: &Stored) -> Result<UpdateOp, Error> {
    let order = &sheet.order;
    let corrupt = |error| Error::corrupt(what, error);
    // A history that was read and has fewer addresses now is written anew; all else only grows it.
    let is_rewritten = addresses(order, stored.entries) < stored.addresses;
    let entries = order.history.iter().skip(if is_rewritten { 0 } else { stored.entries }).map(EntryDocument::from);
    let entries: Vec<Document> =
        entries.map(|entry| bson::serialize_to_document(&entry)).collect::<Result<_, _>>().map_err(corrupt)?;
    let mut set = doc! {
        "state": order.state.as_str(),
        "phase": order.phase().as_str(),
        "payment": order.payment.clone(),
        "version": order.version,
        "claim": sheet.claim.clone().map_or(Bson::Null, Bson::String),
        "attempt": i64::from(order.attempt),
        "payment_method": &order.payment_method,
    };
    if !order.shortages.is_empty() {
        let shortages =
            order.shortages.iter().map(|shortage| bson::serialize_to_document(&ShortageDocument::from(shortage)));
        set.insert("shortages", shortages.collect::<Result<Vec<_>, _>>().map_err(corrupt)?);
    }
    let guard = doc! { "_id": order.id.to_string(), "version": stored.version };
    if is_rewritten {
        set.insert("history", entries);
        return Ok(UpdateOp::new(guard, doc! { "$set": set }));
    }
    if order.phase() != Phase::Driving {
        return Ok(UpdateOp::new(guard, doc! { "$set": set, "$push": { "history": { "$each": entries } } }));
    }
    // Whoever opens another attempt drives it: the lease is taken with it, by the database's clock.
    let lease = doc! { "$set": {
        "history": { "$concatArrays": ["$history", { "$literal": entries }] },
        "lease_until": { "$add": ["$$NOW", LEASE_MILLISECONDS] },
    } };
    Ok(UpdateOp::new(guard, vec![doc! { "$replaceWith": { "$mergeObjects": ["$$ROOT", { "$literal": set }] } }, lease]))
}

/// How the request that asked for an attempt ends, once its outcome is known (ruling 14).
pub(super) fn finish(id: String, order: &Order) -> Finish {
    let (status, outcome) = match (order.state, order.phase()) {
        (State::Placed, Phase::Declined) => (402, "payment_declined"),
        (State::Placed, Phase::AwaitsBuyer) => (202, "requires_action"),
        (State::Rejected, _) => (409, order.reason().unwrap_or("rejected")),
        (
            State::Placed
            | State::Confirmed
            | State::Paid
            | State::Shipped
            | State::Delivered
            | State::Cancelling
            | State::Cancelled
            | State::Returning
            | State::Refunded,
            _,
        ) => (201, "confirmed"),
    };
    Finish { id, status, outcome: outcome.to_owned(), version: order.version }
}
