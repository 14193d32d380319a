//! MongoDB out: the collection of carts, and the one transaction that settles a batch of commands.
//!
//! The owner is part of every query and of every guard: a stranger's cart is never read, let alone written. What is
//! decided stands in `domain`; how a cart looks stands in `documents`.

mod documents;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use shop_mongo::idempotency::{Finish, Start};
use shop_mongo::options::{IndexOptions, ReturnDocument};
use shop_mongo::{Document, Error, IndexModel, Mongo, Setup, Txn, UpdateOp, bson, doc, idempotency, inbox};
use shop_types::{CartId, EventId, Fingerprint};

use crate::domain::batch::{Change, Changed, Command, Done, Key, Merge, Stored, decide};
use crate::domain::{self, Cart, Owner};
use documents::CartDocument;
pub(crate) use documents::{from_copy, owner_word, to_copy};

const CARTS: &str = "carts";
/// When a cart was written last, by the database's clock.
const WRITTEN: &str = "written_at";
/// How long a guest's cart is kept after that: far longer than an order of it is on its way.
const GUESTS_LIFE: Duration = Duration::from_hours(30 * 24);
/// The carts that pieces came from.
const BROUGHT: &str = "lines.brought.cart";

/// Whose inbox rows are ours.
const GROUP: &str = "cart";

/// A command on its way through the group.
#[derive(Debug, Clone)]
pub struct Member {
    /// What is to be done.
    pub command: Command,
    /// The event that asks for it; one that was settled before is not settled again.
    pub event: Option<EventId>,
}

/// How a member fared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// The rules have answered.
    Answered(Result<Option<Cart>, domain::Error>),
    /// Its event was settled before.
    SeenBefore,
}

/// Everything that must exist before traffic. The unique index keeps a user from having two open carts; another forgets carts of
/// guests who do not come back.
#[must_use]
pub fn setup() -> Vec<Setup> {
    let unique = IndexOptions::builder().unique(true).build();
    let owner = IndexModel::builder().keys(doc! { "owner": 1 }).options(unique).build();
    // Few carts have taken another one over.
    let sparse = IndexOptions::builder().sparse(true).build();
    let brought = IndexModel::builder().keys(doc! { BROUGHT: 1 }).options(sparse).build();
    // The words of guests: `;` follows `:`.
    let of_guests = doc! { "owner": { "$gte": "guest:", "$lt": "guest;" } };
    let forget = IndexOptions::builder().expire_after(GUESTS_LIFE).partial_filter_expression(of_guests).build();
    let forgotten = IndexModel::builder().keys(doc! { WRITTEN: 1 }).options(forget).build();
    let shape = doc! { "$jsonSchema": {
        "required": ["owner", "number", "version", "currency", "lines"],
        "properties": {
            "owner": { "bsonType": "string" },
            "version": { "bsonType": "long", "minimum": 1_i64 },
            "lines": { "bsonType": "array", "maxItems": 100 },
        },
    } };
    vec![Setup::new(CARTS, [owner, brought, forgotten]).validated(shape), inbox::setup(), idempotency::setup()]
}

/// The cart of an owner by its id; `None` when there is none, or it is somebody else's.
///
/// # Errors
/// As [`Error`] says.
pub async fn find(mongo: &Mongo, id: CartId, owner: &Owner) -> Result<Option<Cart>, Error> {
    find_one(mongo, doc! { "_id": id.to_string(), "owner": owner_word(owner) }).await
}

/// The cart of an owner.
///
/// # Errors
/// As [`Error`] says.
pub async fn find_of(mongo: &Mongo, owner: &Owner) -> Result<Option<Cart>, Error> {
    find_one(mongo, doc! { "owner": owner_word(owner) }).await
}

/// Whose cart this is; `None` when it is gone, or none is named.
///
/// # Errors
/// As [`Error`] says.
pub async fn owner_of(mongo: &Mongo, cart: Option<CartId>) -> Result<Option<Owner>, Error> {
    let Some(id) = cart else { return Ok(None) };
    Ok(find_one(mongo, doc! { "_id": id.to_string() }).await?.map(|cart| cart.owner))
}

async fn find_one(mongo: &Mongo, filter: Document) -> Result<Option<Cart>, Error> {
    const WHAT: &str = "find cart";
    let carts = mongo.collection::<CartDocument>(CARTS);
    let found = mongo.run(WHAT, async move { carts.find_one(filter).await }).await?;
    found.map(|document| read(WHAT, document)).transpose()
}

/// Drops the cart of an owner, if there is one, once for each event that asks for it.
///
/// # Errors
/// As [`Error`] says.
pub async fn drop_of(mongo: &Mongo, event: EventId, owner: &Owner) -> Result<(), Error> {
    let owner = owner_word(owner);
    let dropped = mongo.transact("drop cart", move |txn| {
        let filter = doc! { "owner": &owner };
        Box::pin(async move {
            if inbox::claim(txn, GROUP, &[event]).await?.is_empty() {
                let carts = txn.collection::<Document>(CARTS);
                let deleted = carts.delete_one(filter).session(&mut *txn.session).await;
                deleted.map_err(|error| txn.sort(error))?;
            }
            Ok(())
        })
    });
    dropped.await
}

/// Stores a new cart, unless its owner has one: gives the one that is stored then.
///
/// # Errors
/// As [`Error`] says.
pub async fn open(mongo: &Mongo, fresh: &Cart) -> Result<Cart, Error> {
    const WHAT: &str = "open cart";
    let document = to_document(WHAT, &CartDocument::from(fresh))?;
    let filter = doc! { "owner": owner_word(&fresh.owner) };
    let carts = mongo.collection::<CartDocument>(CARTS);
    let work = async move {
        let opened = doc! { "$setOnInsert": document, "$currentDate": { WRITTEN: true } };
        let upsert = carts.find_one_and_update(filter, opened);
        upsert.upsert(true).return_document(ReturnDocument::After).await
    };
    match mongo.run(WHAT, work).await {
        Ok(Some(stored)) => read(WHAT, stored),
        // Two calls at once: the other one's cart is there now.
        Err(error) if error.is_duplicate() => find_of(mongo, &fresh.owner).await?.ok_or(error),
        Ok(None) => Err(Error::Conflict { what: WHAT }),
        Err(error) => Err(error),
    }
}

/// Settles a batch inside a transaction, at a time: reads what it names, decides, and writes all of it. Run again from the
/// start, it reads again.
///
/// # Errors
/// As [`Error`] says; the transaction must then not be committed.
pub async fn settle(txn: &mut Txn<'_>, members: &[Member], now: Timestamp) -> Result<Vec<Settled>, Error> {
    let new = claim_events(txn, members).await?;
    let commands: Vec<&Command> = members.iter().zip(&new).filter(|(_, new)| **new).map(|(m, _)| &m.command).collect();
    let stored = Stored { carts: load_carts(txn, &commands).await?, done: load_done(txn, &commands).await? };
    // As it will be read again.
    let decision = decide(&stored, commands, bson::DateTime::from(now).to_jiff());
    write_carts(txn, decision.carts).await?;
    write_done(txn, &decision.done).await?;
    let mut answers = decision.answers.into_iter();
    let settled = |new: bool| match new.then(|| answers.next()).flatten() {
        Some(answer) => Settled::Answered(answer),
        None => Settled::SeenBefore,
    };
    Ok(new.into_iter().map(settled).collect())
}

/// Tells for each member whether it is to be decided: all but those whose event was settled before, here or earlier.
async fn claim_events(txn: &mut Txn<'_>, members: &[Member]) -> Result<Vec<bool>, Error> {
    let ids: Vec<EventId> = members.iter().filter_map(|member| member.event).collect();
    let mut seen: HashSet<EventId> =
        if ids.is_empty() { HashSet::new() } else { inbox::claim(txn, GROUP, &ids).await? };
    Ok(members.iter().map(|member| member.event.is_none_or(|id| seen.insert(id))).collect())
}

async fn load_carts(txn: &mut Txn<'_>, commands: &[&Command]) -> Result<BTreeMap<CartId, Cart>, Error> {
    let owned = |cart: &CartId, owner: &Owner| ("_id", cart.to_string(), Some(owner_word(owner)));
    let named = |command: &&Command| match command {
        Command::Change { cart, owner, change: Change::Merge(Merge { from, guest, .. }) } => {
            vec![owned(cart, owner), owned(from, guest)]
        }
        Command::Change { cart, owner, change: _ } => vec![owned(cart, owner)],
        Command::Clear { cart, ordered: _ } => vec![("_id", cart.to_string(), None), (BROUGHT, cart.to_string(), None)],
        Command::Hear => Vec::new(),
    };
    let named: BTreeSet<(&str, String, Option<String>)> = commands.iter().flat_map(named).collect();
    if named.is_empty() {
        return Ok(BTreeMap::new());
    }
    let filter = |(field, id, owner): (&str, String, Option<String>)| {
        let mut filter = doc! { field: id };
        filter.extend(owner.map(|owner| ("owner".to_owned(), owner.into())));
        filter
    };
    let any: Vec<Document> = named.into_iter().map(filter).collect();
    let found: Vec<CartDocument> = txn.find(CARTS, doc! { "$or": any }).await?;
    found.into_iter().map(|document| read(txn.what(), document).map(|cart| (cart.id, cart))).collect()
}

async fn load_done(txn: &mut Txn<'_>, commands: &[&Command]) -> Result<BTreeMap<String, Fingerprint>, Error> {
    let ids: Vec<String> = commands.iter().filter_map(|command| key_of(command)).map(|key| key.id.clone()).collect();
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows = idempotency::find_many(txn, &ids).await?;
    Ok(rows.into_iter().map(|(id, row)| (id, row.fingerprint)).collect())
}

/// One guarded write per cart, sorted by id, so that two pods meet at their first common cart and not crosswise.
async fn write_carts(txn: &mut Txn<'_>, changes: Vec<Changed>) -> Result<(), Error> {
    let mut changed = Vec::new();
    let mut discarded = Vec::new();
    for Changed { before, after } in changes {
        let guard =
            doc! { "_id": before.id.to_string(), "owner": owner_word(&before.owner), "version": before.version };
        match after {
            Some(after) => {
                let unwritable = |source| failed(txn.what(), source);
                let lines = bson::serialize_to_bson(&documents::lines(&after)).map_err(unwritable)?;
                let since = bson::serialize_to_bson(&documents::since(&after)).map_err(unwritable)?;
                let updated_at = bson::DateTime::from(after.updated_at);
                let set = doc! { "lines": lines, "version": after.version, "since": since, "updated_at": updated_at };
                changed.push(UpdateOp::new(guard, doc! { "$set": set, "$currentDate": { WRITTEN: true } }));
            }
            None => discarded.push(guard),
        }
    }
    txn.update_each(CARTS, changed).await?;
    for guard in discarded {
        discard(txn, guard).await?;
    }
    Ok(())
}

async fn discard(txn: &mut Txn<'_>, guard: Document) -> Result<(), Error> {
    let carts = txn.collection::<Document>(CARTS);
    let deleted = carts.delete_one(guard).session(&mut *txn.session).await.map_err(|error| txn.sort(error))?;
    match deleted.deleted_count {
        1 => Ok(()),
        _ => Err(Error::GuardFailed { what: txn.what(), expected: 1, matched: 0 }),
    }
}

async fn write_done(txn: &mut Txn<'_>, done: &[Done]) -> Result<(), Error> {
    if done.is_empty() {
        return Ok(());
    }
    let start = |Done { key, cart, .. }: &Done| Start {
        id: key.id.clone(),
        fingerprint: key.fingerprint.clone(),
        resource: cart.to_string(),
    };
    let finish = |Done { key, cart: _, version, outcome }: &Done| Finish {
        id: key.id.clone(),
        status: 200,
        outcome: (*outcome).to_owned(),
        version: *version,
    };
    idempotency::insert(txn, &done.iter().map(start).collect::<Vec<_>>()).await?;
    idempotency::finish(txn, &done.iter().map(finish).collect::<Vec<_>>()).await
}

fn key_of(command: &Command) -> Option<&Key> {
    match command {
        Command::Change { change: Change::Add { key, .. }, .. } => key.as_ref(),
        Command::Change { change: Change::Merge(Merge { key, .. }), .. } => Some(key),
        Command::Change {
            change:
                Change::SetQuantity { .. }
                | Change::Remove { .. }
                | Change::Reprice { .. }
                | Change::Empty
                | Change::Discard,
            ..
        }
        | Command::Clear { .. }
        | Command::Hear => None,
    }
}

fn read(what: &'static str, document: CartDocument) -> Result<Cart, Error> {
    Cart::try_from(document).map_err(|source| Error::Corrupt { what, source: Arc::new(source) })
}

fn to_document(what: &'static str, value: &impl serde::Serialize) -> Result<Document, Error> {
    bson::serialize_to_document(value).map_err(|source| failed(what, source))
}

fn failed(what: &'static str, source: bson::error::Error) -> Error {
    Error::Failed { what, source: Arc::new(source) }
}
