//! MongoDB out: collections and validators, and the one transaction that settles a batch of commands.
//!
//! What is decided stands in `domain`; what a batch reads and writes stands in `reading` and `writing`, how stored
//! documents look in `documents`, and bugs that tests plant in `planted`. What staff alone does stands in `locations` and
//! `movements`.

mod documents;
pub mod locations;
pub mod movements;
mod planted;
mod reading;
mod writing;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use futures::TryStreamExt as _;
use shop_faults::Bug;
use shop_mongo::{Document, Error, IndexModel, Mongo, Setup, Txn, doc, idempotency, inbox, outbox};
use shop_types::{Clock, EventId, OrderId, Sku};

use crate::domain::batch::decide;
use crate::domain::location::LocationId;
use crate::domain::{self, Adjustment, Answer, Command, Key, Shelf, Stock, Transfer, shelves};
use documents::StockDocument;

const STOCK: &str = "stock";
const RESERVATIONS: &str = "reservations";
const MOVEMENTS: &str = "movements";
/// How the idempotency row of a transfer says that it is one.
const TRANSFERRED: &str = "transferred";

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
    // What a batch reads: the stock of its SKUs, wherever it lies.
    let stock_setup = Setup::new(STOCK, [IndexModel::builder().keys(doc! { "sku": 1 }).build()]);
    let unguarded = shop_faults::planted(Bug::UnguardedDecrement);
    vec![
        if unguarded { stock_setup } else { stock_setup.validated(stock) },
        Setup::new(RESERVATIONS, []).validated(reservation),
        movements::setup(),
        Setup::new(locations::LOCATIONS, []),
        outbox::setup(),
        inbox::setup(),
        idempotency::setup(),
    ]
}

/// The stock of one SKU in `main`; `None` when nothing ever came in.
///
/// # Errors
/// As [`Error`] says.
pub async fn stock(mongo: &Mongo, sku: &Sku) -> Result<Option<Stock>, Error> {
    const WHAT: &str = "find stock";
    let (stock, id) = (mongo.collection::<StockDocument>(STOCK), stock_id(sku, &LocationId::main()));
    let found = mongo.run(WHAT, async move { stock.find_one(doc! { "_id": id }).await }).await?;
    found.map(Stock::try_from).transpose().map_err(|source| corrupt(WHAT, source))
}

/// The stock of a SKU in all locations, by the ids of those: a hundred at most, and those that are gone and had some.
///
/// # Errors
/// As [`Error`] says.
pub async fn stock_everywhere(mongo: &Mongo, sku: &Sku) -> Result<Vec<Stock>, Error> {
    const WHAT: &str = "find stock everywhere";
    let stock = mongo.collection::<StockDocument>(STOCK);
    // All ids that begin with the SKU and `@`: the next character behind that is `A`.
    let range = doc! { "_id": { "$gte": format!("{sku}@"), "$lt": format!("{sku}A") } };
    let finding = async move { stock.find(range).sort(doc! { "_id": 1 }).await?.try_collect::<Vec<_>>().await };
    let found = mongo.run(WHAT, finding).await?.into_iter().map(Stock::try_from);
    found.collect::<Result<_, _>>().map_err(|source| corrupt(WHAT, source))
}

/// The stock of many SKUs in all locations, by the index of `sku`; those that were never in stock are left out.
///
/// # Errors
/// As [`Error`] says.
pub async fn shelves_of(mongo: &Mongo, skus: &[Sku]) -> Result<BTreeMap<Sku, Shelf>, Error> {
    const WHAT: &str = "find what is available";
    let stock = mongo.collection::<StockDocument>(STOCK);
    let of_them = doc! { "sku": { "$in": skus.iter().map(Sku::as_str).collect::<Vec<_>>() } };
    let finding = async move { stock.find(of_them).await?.try_collect::<Vec<_>>().await };
    let found = mongo.run(WHAT, finding).await?.into_iter().map(Stock::try_from);
    Ok(shelves(found.collect::<Result<Vec<_>, _>>().map_err(|source| corrupt(WHAT, source))?))
}

/// Settles a batch inside a transaction: reads what it names, decides, and writes all of it. Run again from the start, it
/// reads again.
///
/// # Errors
/// As [`Error`] says; the transaction must then not be committed.
pub async fn settle(txn: &mut Txn<'_>, clock: &Arc<dyn Clock>, members: &[Member]) -> Result<Vec<Settled>, Error> {
    let mut new = first_of_each_event(members);
    let stored = planted::as_if_plenty(reading::load(txn, &commands(members, &new)).await?);
    let mut decision = decide(&stored, commands(members, &new));
    let had = claim_events(txn, members, &new, &decision.answers).await?;
    if !had.is_empty() {
        for (new, member) in new.iter_mut().zip(members) {
            *new &= member.event.is_none_or(|event| !had.contains(&event));
        }
        decision = decide(&stored, commands(members, &new));
    }
    let writes = planted::without_tombstones(decision.writes);
    writing::write(txn, clock, members, writes).await?;
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

fn sku_of(command: &Command) -> Option<&Sku> {
    match command {
        Command::SetOnHand { sku, .. }
        | Command::Adjust(Adjustment { sku, .. })
        | Command::Transfer(Transfer { sku, .. }) => Some(sku),
        Command::Reserve { .. } | Command::Commit { .. } | Command::Release { .. } => None,
    }
}

fn order_of(command: &Command) -> Option<OrderId> {
    match command {
        Command::Reserve { order, .. } | Command::Commit { order } | Command::Release { order, .. } => Some(*order),
        Command::SetOnHand { .. } | Command::Adjust(_) | Command::Transfer(_) => None,
    }
}

fn key_of(command: &Command) -> Option<&Key> {
    match command {
        Command::SetOnHand { key, .. } => Some(key),
        Command::Adjust(adjustment) => adjustment.key.as_ref(),
        Command::Transfer(transfer) => transfer.key.as_ref(),
        Command::Reserve { .. } | Command::Commit { .. } | Command::Release { .. } => None,
    }
}

fn stock_id(sku: &Sku, location: &LocationId) -> String {
    format!("{sku}@{location}")
}

fn corrupt(what: &'static str, source: documents::Unreadable) -> Error {
    Error::Corrupt { what, source: Arc::new(source) }
}
