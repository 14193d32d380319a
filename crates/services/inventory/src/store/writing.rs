//! What a batch writes once it is decided, each write guarded by what was read.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use shop_faults::Bug;
use shop_mongo::idempotency::{Finish, Start};
use shop_mongo::{Document, Error, Txn, UpdateOp, bson, doc, idempotency, outbox};
use shop_types::event::StockFact;
use shop_types::{Clock, Envelope, Event, EventId, Sku};

use super::documents::{MovementDocument, ReservationDocument, StockDocument};
use super::{MOVEMENTS, Member, RESERVATIONS, STOCK, TRANSFERRED, locations, order_of, sku_of, stock_id};
use crate::domain::batch::{Cause, Change, Changed, Done, Movement, Writes};
use crate::domain::location::LocationId;
use crate::domain::{Moved, Reservation, Stock, Transferred};

/// Writes what a batch has changed: stock, reservations, the ledger of movements, keys and events.
pub(super) async fn write(
    txn: &mut Txn<'_>,
    clock: &Arc<dyn Clock>,
    members: &[Member],
    writes: Writes,
) -> Result<(), Error> {
    let Writes { stock, facts, reservations, movements, done } = writes;
    let now = clock.now();
    write_stock(txn, &stock).await?;
    locations::count(txn, came(&movements)).await?;
    write_reservations(txn, &reservations).await?;
    let rows = movements.iter().map(|movement| to_document(txn, &MovementDocument::new(movement, now)));
    let rows = rows.collect::<Result<_, _>>()?;
    txn.insert_many(MOVEMENTS, rows).await?;
    write_done(txn, &done).await?;
    let event = |fact: StockFact| stock_changed(clock, now, cause_of(&fact.sku, &movements, members), fact);
    let events: Vec<Envelope> = facts.into_iter().map(event).collect();
    outbox::append(txn, &events).await
}

/// How many pieces came into each location; what moves inside of one does not count.
fn came(movements: &[Movement]) -> BTreeMap<LocationId, i64> {
    let mut came = BTreeMap::new();
    for Movement { cause: _, change: Change { available, reserved, sold }, after } in movements {
        *came.entry(after.location.clone()).or_default() += available + reserved + sold;
    }
    came
}

/// One guarded write per SKU and location, in sorted order, so that two pods meet at their first common SKU and not
/// crosswise.
async fn write_stock(txn: &mut Txn<'_>, changes: &[Changed<Stock>]) -> Result<(), Error> {
    let mut new = Vec::new();
    let mut moved = Vec::new();
    for of_one_sku in changes.chunk_by(|one, other| one.after.sku == other.after.sku) {
        moved.extend(touch_of_main(of_one_sku));
        for Changed { before, after } in of_one_sku {
            match before {
                Some(before) => moved.push(guarded(before, after)),
                None => new.push(to_document(txn, &StockDocument::from(after))?),
            }
        }
    }
    txn.update_each(STOCK, moved).await?;
    txn.insert_many(STOCK, new).await
}

/// What can be sold is told over all locations, so whoever changes it in one must not miss what another changes elsewhere:
/// all of them write to `main`, and of two at the same time one conflicts.
fn touch_of_main(changes: &[Changed<Stock>]) -> Option<UpdateOp> {
    let first = &changes.first()?.after;
    let sells = |Changed { before, after }: &Changed<Stock>| {
        before.as_ref().is_none_or(|before| before.available != after.available)
    };
    if first.location.is_main() || !changes.iter().any(sells) {
        return None;
    }
    let main = LocationId::main();
    let empty = doc! {
        "sku": first.sku.as_str(), "location": main.as_str(), "version": 0_i64,
        "available": 0_i64, "reserved": 0_i64, "sold": 0_i64, "received": 0_i64,
    };
    let touch = doc! { "$inc": { "touched": 1_i64 }, "$setOnInsert": empty };
    Some(UpdateOp::new(doc! { "_id": stock_id(&first.sku, &main) }, touch).upsert())
}

fn guarded(before: &Stock, after: &Stock) -> UpdateOp {
    let left = |before: i64, after: i64| doc! { "$gte": (before - after).max(0) };
    let mut guard = doc! { "_id": stock_id(&after.sku, &after.location) };
    if !shop_faults::planted(Bug::UnguardedDecrement) {
        guard.insert("version", before.version);
        guard.insert("available", left(before.available, after.available));
        guard.insert("reserved", left(before.reserved, after.reserved));
        guard.insert("sold", left(before.sold, after.sold));
    }
    let change = doc! { "$inc": {
        "available": after.available - before.available,
        "reserved": after.reserved - before.reserved,
        "sold": after.sold - before.sold,
        "received": after.received - before.received,
        "version": after.version - before.version,
    } };
    UpdateOp::new(guard, change)
}

async fn write_reservations(txn: &mut Txn<'_>, changes: &[Changed<Reservation>]) -> Result<(), Error> {
    let mut new = Vec::new();
    let mut moved = Vec::new();
    for Changed { before, after } in changes {
        match before {
            None => new.push(to_document(txn, &ReservationDocument::from(after))?),
            Some(before) => {
                let guard = doc! { "_id": after.order.to_string(), "state": before.state.word() };
                moved.push(UpdateOp::new(guard, doc! { "$set": { "state": after.state.word() } }));
            }
        }
    }
    txn.update_each(RESERVATIONS, moved).await?;
    txn.insert_many(RESERVATIONS, new).await
}

async fn write_done(txn: &mut Txn<'_>, done: &[Done]) -> Result<(), Error> {
    if done.is_empty() {
        return Ok(());
    }
    let start = |Done { key, moved }: &Done| {
        let Stock { sku, location, .. } = named_by(moved);
        Start { id: key.id.clone(), fingerprint: key.fingerprint.clone(), resource: stock_id(sku, location) }
    };
    let finish = |Done { key, moved }: &Done| Finish {
        id: key.id.clone(),
        status: 201,
        outcome: outcome(moved).to_owned(),
        version: named_by(moved).version,
    };
    idempotency::insert(txn, &done.iter().map(start).collect::<Vec<_>>()).await?;
    idempotency::finish(txn, &done.iter().map(finish).collect::<Vec<_>>()).await
}

const fn outcome(moved: &Moved) -> &'static str {
    match moved {
        Moved::Stock(_) => "moved",
        Moved::Transfer(_) => TRANSFERRED,
    }
}

/// The stock whose movement tells all of it: that of a transfer names the other one.
fn named_by(moved: &Moved) -> &Stock {
    match moved {
        Moved::Stock(stock) => stock,
        Moved::Transfer(Transferred { from, .. }) => from,
    }
}

/// What can be sold of a SKU after the whole batch.
fn stock_changed(clock: &Arc<dyn Clock>, now: Timestamp, cause: Option<&Member>, fact: StockFact) -> Envelope {
    Envelope {
        id: EventId::from_uuid(clock.new_id()),
        aggregate: fact.sku.to_string(),
        version: fact.version,
        occurred_at: now,
        traceparent: cause.and_then(|member| member.traceparent.clone()),
        event: Event::StockChanged(fact),
    }
}

/// The first member that moved a SKU: an event can name one trace only.
fn cause_of<'m>(sku: &Sku, movements: &[Movement], members: &'m [Member]) -> Option<&'m Member> {
    let first = movements.iter().find(|movement| &movement.after.sku == sku)?;
    members.iter().find(|member| match &first.cause {
        Cause::Reserved(order) | Cause::Committed(order) | Cause::Released(order) | Cause::Restocked(order) => {
            order_of(&member.command) == Some(*order)
        }
        Cause::Counted | Cause::Adjusted { .. } | Cause::Transferred { .. } => sku_of(&member.command) == Some(sku),
    })
}

fn to_document(txn: &Txn<'_>, value: &impl serde::Serialize) -> Result<Document, Error> {
    bson::serialize_to_document(value).map_err(|source| Error::Failed { what: txn.what(), source: Arc::new(source) })
}
