//! What a batch writes once it is decided, each write guarded by what was read.

use std::sync::Arc;

use jiff::Timestamp;
use shop_faults::Bug;
use shop_mongo::idempotency::{Finish, Start};
use shop_mongo::{Document, Error, Txn, UpdateOp, bson, doc, idempotency, outbox};
use shop_types::event::StockFact;
use shop_types::{Clock, Envelope, Event, EventId, Sku};

use super::documents::{MovementDocument, ReservationDocument, StockDocument};
use super::{MOVEMENTS, Member, RESERVATIONS, STOCK, order_of, sku_of, stock_id};
use crate::domain::batch::{Cause, Changed, Done, Movement, Writes};
use crate::domain::{Reservation, Stock};

/// Writes what a batch has changed: stock, reservations, the ledger of movements, keys and events.
pub(super) async fn write(
    txn: &mut Txn<'_>,
    clock: &Arc<dyn Clock>,
    members: &[Member],
    writes: Writes,
) -> Result<(), Error> {
    let Writes { stock, reservations, movements, done } = writes;
    let now = clock.now();
    write_stock(txn, &stock).await?;
    write_reservations(txn, &reservations).await?;
    let rows = movements.iter().map(|movement| to_document(txn, &MovementDocument::new(movement, now)));
    let rows = rows.collect::<Result<_, _>>()?;
    txn.insert_many(MOVEMENTS, rows).await?;
    write_done(txn, &done).await?;
    let event = |change: &Changed<Stock>| {
        stock_changed(clock, now, cause_of(&change.after.sku, &movements, members), &change.after)
    };
    let events: Vec<Envelope> = stock.iter().filter(|change| is_worth_telling(change)).map(event).collect();
    outbox::append(txn, &events).await
}

/// One guarded write per SKU, in sorted order, so that two pods meet at their first common SKU and not crosswise.
async fn write_stock(txn: &mut Txn<'_>, changes: &[Changed<Stock>]) -> Result<(), Error> {
    let mut new = Vec::new();
    let mut moved = Vec::new();
    for Changed { before, after } in changes {
        let Some(before) = before else {
            new.push(to_document(txn, &StockDocument::from(after))?);
            continue;
        };
        let left = |before: i64, after: i64| doc! { "$gte": (before - after).max(0) };
        let mut guard = doc! { "_id": stock_id(&after.sku) };
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
        moved.push(UpdateOp::new(guard, change));
    }
    txn.update_each(STOCK, moved).await?;
    txn.insert_many(STOCK, new).await
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
    let start = |Done { key, stock }: &Done| Start {
        id: key.id.clone(),
        fingerprint: key.fingerprint.clone(),
        resource: stock_id(&stock.sku),
    };
    let finish = |Done { key, stock }: &Done| Finish {
        id: key.id.clone(),
        status: 201,
        outcome: "moved".to_owned(),
        version: stock.version,
    };
    idempotency::insert(txn, &done.iter().map(start).collect::<Vec<_>>()).await?;
    idempotency::finish(txn, &done.iter().map(finish).collect::<Vec<_>>()).await
}

/// Others hear of what can be sold. That held pieces are now sold changes nothing for them.
fn is_worth_telling(Changed { before, after }: &Changed<Stock>) -> bool {
    before.as_ref().is_none_or(|before| before.available != after.available)
}

/// What can be sold of a SKU after the whole batch.
fn stock_changed(clock: &Arc<dyn Clock>, now: Timestamp, cause: Option<&Member>, after: &Stock) -> Envelope {
    let Stock { sku, available, version, reserved: _, sold: _, received: _ } = after;
    Envelope {
        id: EventId::from_uuid(clock.new_id()),
        aggregate: sku.to_string(),
        version: *version,
        occurred_at: now,
        traceparent: cause.and_then(|member| member.traceparent.clone()),
        event: Event::StockChanged(StockFact { sku: sku.clone(), available: *available, version: *version }),
    }
}

/// The first member that moved a SKU: an event can name one trace only.
fn cause_of<'m>(sku: &Sku, movements: &[Movement], members: &'m [Member]) -> Option<&'m Member> {
    let first = movements.iter().find(|movement| &movement.after.sku == sku)?;
    members.iter().find(|member| match &first.cause {
        Cause::Reserved(order) | Cause::Committed(order) | Cause::Released(order) | Cause::Restocked(order) => {
            order_of(&member.command) == Some(*order)
        }
        Cause::Counted | Cause::Adjusted { .. } => sku_of(&member.command) == Some(sku),
    })
}

fn to_document(txn: &Txn<'_>, value: &impl serde::Serialize) -> Result<Document, Error> {
    bson::serialize_to_document(value).map_err(|source| Error::Failed { what: txn.what(), source: Arc::new(source) })
}
