//! MongoDB out: collections and validators, and the one transaction that settles a batch of commands.
//!
//! What is decided stands in `domain`; how stored documents look stands in `documents`.

mod documents;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use shop_mongo::idempotency::{Finish, Row, Start};
use shop_mongo::{Document, Error, Mongo, Setup, Txn, UpdateOp, bson, doc, idempotency, inbox, outbox};
use shop_types::event::StockFact;
use shop_types::{Clock, Envelope, Event, EventId, OrderId, Sku};

use crate::domain::batch::{Cause, Changed, Done, Movement, Stored, Writes, decide};
use crate::domain::{self, Adjustment, Answer, Command, Key, LOCATION, Line, Lines, Reservation, Stock};
use documents::{MovementDocument, ReservationDocument, StockDocument};

const STOCK: &str = "stock";
const RESERVATIONS: &str = "reservations";
const MOVEMENTS: &str = "movements";

/// Whose inbox rows are ours.
const GROUP: &str = "inventory";

/// A command on its way through the group.
#[derive(Debug, Clone)]
pub struct Member {
    /// What is to be done.
    pub command: Command,
    /// The event that asks for it; one that was settled before is not settled again.
    pub event: Option<EventId>,
    /// The trace that it belongs to.
    pub traceparent: Option<String>,
}

/// How a member fared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// The rules have answered.
    Answered(Result<Answer, domain::Error>),
    /// Its event was settled before.
    SeenBefore,
}

/// Everything that must exist before traffic. The validators repeat the rules that nothing may break: no count below
/// zero, and every piece that was received is in exactly one place (invariant I1).
#[must_use]
pub fn setup() -> Vec<Setup> {
    let counts = ["available", "reserved", "sold", "received"];
    let properties: Document = counts
        .iter()
        .map(|count| ((*count).to_owned(), doc! { "bsonType": "long", "minimum": 0_i64 }.into()))
        .collect();
    let mut required = vec!["sku", "location", "version"];
    required.extend(counts);
    let stock = doc! {
        "$jsonSchema": { "required": required, "properties": properties },
        "$expr": { "$eq": ["$received", { "$add": ["$available", "$reserved", "$sold"] }] },
    };
    let states = ["HELD", "REFUSED", "COMMITTED", "RELEASED", "RESTOCKED"];
    let reservation = doc! { "$jsonSchema": {
        "required": ["state", "lines"],
        "properties": { "state": { "enum": states.to_vec() }, "lines": { "bsonType": "array" } },
    } };
    vec![
        Setup::new(STOCK, []).validated(stock),
        Setup::new(RESERVATIONS, []).validated(reservation),
        Setup::new(MOVEMENTS, []),
        outbox::setup(),
        inbox::setup(),
        idempotency::setup(),
    ]
}

/// The stock of one SKU; `None` when nothing ever came in.
///
/// # Errors
/// As [`Error`] says.
pub async fn stock(mongo: &Mongo, sku: &Sku) -> Result<Option<Stock>, Error> {
    let (stock, id) = (mongo.collection::<StockDocument>(STOCK), stock_id(sku));
    let found = mongo.run("find stock", async move { stock.find_one(doc! { "_id": id }).await }).await?;
    Ok(found.map(Stock::from))
}

/// Settles a batch inside a transaction: reads what it names, decides, and writes all of it. Run again from the start, it
/// reads again.
///
/// # Errors
/// As [`Error`] says; the transaction must then not be committed.
pub async fn settle(txn: &mut Txn<'_>, clock: &Arc<dyn Clock>, members: &[Member]) -> Result<Vec<Settled>, Error> {
    let mut new = first_of_each_event(members);
    let stored = load(txn, &commands(members, &new)).await?;
    let mut decision = decide(&stored, commands(members, &new));
    let had = claim_events(txn, members, &new, &decision.answers).await?;
    if !had.is_empty() {
        for (new, member) in new.iter_mut().zip(members) {
            *new &= member.event.is_none_or(|event| !had.contains(&event));
        }
        decision = decide(&stored, commands(members, &new));
    }
    write(txn, clock, members, decision.writes).await?;
    let mut answers = decision.answers.into_iter();
    let settled = |new: bool| match new.then(|| answers.next()).flatten() {
        Some(answer) => Settled::Answered(answer),
        None => Settled::SeenBefore,
    };
    Ok(new.into_iter().map(settled).collect())
}

/// Tells for each member whether it is the first of its event in this batch.
fn first_of_each_event(members: &[Member]) -> Vec<bool> {
    let mut seen = HashSet::new();
    members.iter().map(|member| member.event.is_none_or(|event| seen.insert(event))).collect()
}

fn commands<'m>(members: &'m [Member], new: &[bool]) -> Vec<&'m Command> {
    members.iter().zip(new).filter(|(_, new)| **new).map(|(member, _)| &member.command).collect()
}

/// Remembers the events that are done with this batch, and gives those that were done before. One that a rule refuses is
/// not remembered: it becomes a dead letter, and may be tried again.
async fn claim_events(
    txn: &mut Txn<'_>,
    members: &[Member],
    new: &[bool],
    answers: &[Result<Answer, domain::Error>],
) -> Result<HashSet<EventId>, Error> {
    let decided = members.iter().zip(new).filter(|(_, new)| **new).zip(answers);
    let done: Vec<EventId> =
        decided.filter(|(_, answer)| answer.is_ok()).filter_map(|((member, _), _)| member.event).collect();
    if done.is_empty() { Ok(HashSet::new()) } else { inbox::claim(txn, GROUP, &done).await }
}

async fn load(txn: &mut Txn<'_>, commands: &[&Command]) -> Result<Stored, Error> {
    let reservations = load_reservations(txn, commands).await?;
    let skus = skus_of(commands, &reservations);
    let stock: Vec<StockDocument> = txn.find_many(STOCK, skus.into_iter().map(stock_id)).await?;
    let stock = stock.into_iter().map(Stock::from).map(|stock| (stock.sku.clone(), stock)).collect();
    Ok(Stored { stock, reservations, done: load_done(txn, commands).await? })
}

async fn load_reservations(txn: &mut Txn<'_>, commands: &[&Command]) -> Result<BTreeMap<OrderId, Reservation>, Error> {
    let orders: BTreeSet<OrderId> = commands.iter().filter_map(|command| order_of(command)).collect();
    let found: Vec<ReservationDocument> =
        txn.find_many(RESERVATIONS, orders.into_iter().map(|order| order.to_string())).await?;
    let domain = |document: ReservationDocument| {
        let reservation = Reservation::try_from(document).map_err(|source| corrupt(txn.what(), source))?;
        Ok((reservation.order, reservation))
    };
    found.into_iter().map(domain).collect()
}

/// The keyed commands that were done before, with the stock as it was right after each.
async fn load_done(txn: &mut Txn<'_>, commands: &[&Command]) -> Result<BTreeMap<String, Done>, Error> {
    let ids: Vec<String> = commands.iter().filter_map(|command| key_of(command)).map(|key| key.id.clone()).collect();
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows = idempotency::find_many(txn, &ids).await?;
    let movement_of = |row: &Row| format!("{}:{}", row.resource, row.version.unwrap_or_default());
    let found: Vec<MovementDocument> = txn.find_many(MOVEMENTS, rows.values().map(movement_of)).await?;
    let movements: HashMap<&str, &MovementDocument> = found.iter().map(|movement| (movement.id(), movement)).collect();
    let done = |row: &Row| {
        let movement = movements.get(movement_of(row).as_str()).ok_or_else(|| {
            corrupt(txn.what(), documents::Unreadable("an idempotency row names a movement that is not there"))
        })?;
        let key = Key { id: row.id.clone(), fingerprint: row.fingerprint.clone() };
        Ok((row.id.clone(), Done { key, stock: movement.stock_after() }))
    };
    rows.values().map(done).collect()
}

async fn write(txn: &mut Txn<'_>, clock: &Arc<dyn Clock>, members: &[Member], writes: Writes) -> Result<(), Error> {
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
    outbox::append(txn, &stock.iter().map(event).collect::<Vec<_>>()).await
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
        let guard = doc! {
            "_id": stock_id(&after.sku),
            "version": before.version,
            "available": left(before.available, after.available),
            "reserved": left(before.reserved, after.reserved),
            "sold": left(before.sold, after.sold),
        };
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

fn sku_of(command: &Command) -> Option<&Sku> {
    match command {
        Command::SetOnHand { sku, .. } | Command::Adjust(Adjustment { sku, .. }) => Some(sku),
        Command::Reserve { .. } | Command::Commit { .. } | Command::Release { .. } => None,
    }
}

fn order_of(command: &Command) -> Option<OrderId> {
    match command {
        Command::Reserve { order, .. } | Command::Commit { order } | Command::Release { order, .. } => Some(*order),
        Command::SetOnHand { .. } | Command::Adjust(_) => None,
    }
}

fn key_of(command: &Command) -> Option<&Key> {
    match command {
        Command::SetOnHand { key, .. } => Some(key),
        Command::Adjust(adjustment) => adjustment.key.as_ref(),
        Command::Reserve { .. } | Command::Commit { .. } | Command::Release { .. } => None,
    }
}

fn skus_of<'c>(commands: &[&'c Command], reservations: &'c BTreeMap<OrderId, Reservation>) -> BTreeSet<&'c Sku> {
    let asked = commands.iter().filter_map(|command| match command {
        Command::Reserve { lines, .. } => Some(lines),
        Command::Commit { .. } | Command::Release { .. } | Command::SetOnHand { .. } | Command::Adjust(_) => None,
    });
    let known = reservations.values().filter_map(|reservation| reservation.lines.as_ref());
    let mut skus: BTreeSet<&Sku> = asked.chain(known).flat_map(Lines::as_slice).map(sku).collect();
    skus.extend(commands.iter().filter_map(|command| sku_of(command)));
    skus
}

fn sku(line: &Line) -> &Sku {
    &line.sku
}

fn stock_id(sku: &Sku) -> String {
    format!("{sku}@{LOCATION}")
}

fn to_document(txn: &Txn<'_>, value: &impl serde::Serialize) -> Result<Document, Error> {
    bson::serialize_to_document(value).map_err(|source| Error::Failed { what: txn.what(), source: Arc::new(source) })
}

fn corrupt(what: &'static str, source: documents::Unreadable) -> Error {
    Error::Corrupt { what, source: Arc::new(source) }
}
