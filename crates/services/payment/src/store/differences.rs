//! In what the provider's books differ from ours, and who compares them when.
//!
//! A difference counts once it has stood unchanged for [`SETTLED`] by the database's clock: what is under way is none.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use bson::oid::ObjectId;
use bson::{DateTime, Document, doc};
use futures::TryStreamExt;
use jiff::Timestamp;
use serde::Deserialize;
use shop_mongo::{Error, IndexModel, Setup, UpdateOp, options};
use shop_types::Money;

use super::document::PaymentDocument;
use super::{PAYMENTS, Store, from_now};
use crate::domain::reconciliation::{Difference, Kind, Past};
use crate::domain::{Payment, PaymentId};

const DIFFERENCES: &str = "reconciliation_differences";
const RUNS: &str = "reconciliation_runs";

/// The only row of the runs.
const RUN: &str = "run";

/// How long a difference has to stand before it counts.
const SETTLED: Duration = Duration::from_secs(60);

/// A run of the comparison that this pod has claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Run {
    holder: String,
    /// What runs before it have read.
    pub(crate) past: Past,
}

/// Where a page of payments ended.
#[derive(Debug, Clone)]
pub(crate) struct Place(DateTime, String);

/// A difference that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    /// What differs.
    pub(crate) difference: Difference,
    /// Since when it stands, by the database's clock.
    pub(crate) since: Timestamp,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Noted {
    /// Bookings of the provider that were read.
    pub(crate) bookings: usize,
    /// Payments of ours that were read.
    pub(crate) payments: usize,
    /// When it began, by the pod's clock.
    pub(crate) began: Timestamp,
    /// Whether it read the whole window.
    pub(crate) is_everything: bool,
}

#[derive(Deserialize)]
struct Name {
    reference: String,
}

#[derive(Deserialize)]
struct Row {
    kind: String,
    reference: String,
    ours: i64,
    ours_currency: String,
    theirs: i64,
    theirs_currency: String,
    first_seen: DateTime,
}

pub(super) fn setup() -> [Setup; 2] {
    let words: Vec<&str> = Kind::ALL.iter().map(|kind| kind.word()).collect();
    let index = |keys| IndexModel::builder().keys(keys).build();
    let indexes = [index(doc! { "first_seen": 1, "_id": 1 }), index(doc! { "run": 1 })];
    let differences = Setup::new(DIFFERENCES, indexes).validated(doc! {
        "$jsonSchema": {
            "required": ["kind", "reference", "ours", "theirs", "first_seen", "run"],
            "properties": {
                "kind": { "enum": words }, "ours": { "bsonType": "long" }, "theirs": { "bsonType": "long" },
            },
        },
    });
    [differences, Setup::new(RUNS, [])]
}

fn settled() -> Document {
    let before = doc! { "$subtract": ["$$NOW", i64::try_from(SETTLED.as_millis()).unwrap_or(i64::MAX)] };
    doc! { "$expr": { "$lte": ["$first_seen", before] } }
}

impl Store {
    /// Claims the next run when it is due: one pod at a time, by the database's clock. Without [`Self::keep_run`] another
    /// pod may claim it after the lease.
    pub(crate) async fn claim_run(&self, lease: Duration) -> Result<Option<Run>, Error> {
        let own = ObjectId::new().to_hex();
        let runs = self.mongo.collection::<Document>(RUNS);
        let due = doc! { "$lte": [{ "$ifNull": ["$next_at", DateTime::from_millis(0)] }, "$$NOW"] };
        let claimed = doc! { "$mergeObjects": ["$$ROOT", { "holder": &own, "next_at": from_now(lease) }] };
        let claim = vec![doc! { "$replaceWith": { "$cond": [due, claimed, "$$ROOT"] } }];
        let claimed = self.mongo.run("claim reconciliation", async move {
            let claimed = runs.find_one_and_update(doc! { "_id": RUN }, claim).upsert(true);
            claimed.return_document(options::ReturnDocument::After).await
        });
        let row = match claimed.await {
            Ok(row) => row,
            // Two pods made the row at once: the other one has the run.
            Err(error) if error.is_duplicate() => None,
            Err(error) => return Err(error),
        };
        let Some(row) = row.filter(|row| row.get_str("holder").is_ok_and(|holder| holder == own)) else {
            return Ok(None);
        };
        let time = |field| row.get_datetime(field).ok().map(|at| at.to_jiff());
        let past = Past { last: time("read_to"), everything: time("read_everything_at") };
        Ok(Some(Run { holder: own, past }))
    }

    /// Keeps a run for another lease; `false` when another pod has claimed it meanwhile.
    pub(crate) async fn keep_run(&self, run: &Run, lease: Duration) -> Result<bool, Error> {
        self.set_run(run, doc! { "next_at": from_now(lease) }).await
    }

    /// Ends a run: the next one is due after a pause. `noted`: it went through.
    pub(crate) async fn end_run(&self, run: &Run, pause: Duration, noted: Option<Noted>) -> Result<(), Error> {
        let mut set = doc! { "next_at": from_now(pause) };
        if let Some(Noted { bookings, payments, began, is_everything }) = noted {
            let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
            let began = DateTime::from_millis(began.as_millisecond());
            set.extend(doc! { "finished_at": "$$NOW", "bookings": count(bookings), "payments": count(payments) });
            set.insert("read_to", began);
            if is_everything {
                set.insert("read_everything_at", began);
            }
        }
        self.set_run(run, set).await.map(drop)
    }

    async fn set_run(&self, run: &Run, set: Document) -> Result<bool, Error> {
        let (runs, held) = (self.mongo.collection::<Document>(RUNS), doc! { "_id": RUN, "holder": &run.holder });
        let set = vec![doc! { "$set": set }];
        let updated = self.mongo.run("keep reconciliation", async move { runs.update_one(held, set).await }).await?;
        Ok(updated.matched_count == 1)
    }

    /// When a run went through last, by the database's clock.
    pub(crate) async fn last_run(&self) -> Result<Option<Timestamp>, Error> {
        let runs = self.mongo.collection::<Document>(RUNS);
        let row =
            self.mongo.run("find reconciliation", async move { runs.find_one(doc! { "_id": RUN }).await }).await?;
        Ok(row.and_then(|row| row.get_datetime("finished_at").ok().map(|at| at.to_jiff())))
    }

    /// Writes differences that a run has found.
    pub(crate) async fn note_differences(&self, run: &Run, found: &[Difference]) -> Result<(), Error> {
        for part in found.chunks(500) {
            let ops = part.iter().map(|difference| note(run, difference)).collect();
            self.mongo.update_many_ops("note differences", DIFFERENCES, ops).await?;
        }
        Ok(())
    }

    /// Forgets the differences that a run has not found.
    pub(crate) async fn forget_differences(&self, run: &Run) -> Result<(), Error> {
        let differences = self.mongo.collection::<Document>(DIFFERENCES);
        let gone = doc! { "run": { "$ne": &run.holder } };
        self.mongo.run("forget differences", async move { differences.delete_many(gone).await }).await.map(drop)
    }

    /// The names under which the books differed when they were compared last: of so many differences, the oldest.
    pub(crate) async fn differing(&self, most: usize) -> Result<BTreeSet<String>, Error> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let rows = self.mongo.collection::<Name>(DIFFERENCES);
        let names: Vec<Name> = self
            .mongo
            .run("list what differs", async move {
                let rows = rows.find(doc! {}).sort(doc! { "first_seen": 1, "_id": 1 }).limit(most);
                rows.projection(doc! { "reference": 1 }).await?.try_collect().await
            })
            .await?;
        Ok(names.into_iter().map(|name| name.reference).collect())
    }

    /// A page of the differences that count, the oldest first, and how many there are.
    pub(crate) async fn differences(&self, skip: u64, limit: u32) -> Result<(Vec<Listed>, u64), Error> {
        let rows = self.mongo.collection::<Row>(DIFFERENCES);
        let (page, total) = self
            .mongo
            .run("list differences", async move {
                let page = rows.find(settled()).sort(doc! { "first_seen": 1, "_id": 1 });
                let page = page.skip(skip).limit(i64::from(limit)).await?;
                let page: Vec<Row> = page.try_collect().await?;
                Ok((page, rows.count_documents(settled()).await?))
            })
            .await?;
        Ok((page.into_iter().map(read).collect::<Result<_, _>>()?, total))
    }

    /// How many differences of each kind count.
    pub(crate) async fn count_differences(&self) -> Result<HashMap<Kind, i64>, Error> {
        let rows = self.mongo.collection::<Document>(DIFFERENCES);
        let count = [doc! { "$match": settled() }, doc! { "$group": { "_id": "$kind", "n": { "$sum": 1_i64 } } }];
        let counts: Vec<Document> = self
            .mongo
            .run("count differences", async move { rows.aggregate(count).await?.try_collect().await })
            .await?;
        let count = |row: Document| Some((Kind::from_word(row.get_str("_id").ok()?)?, row.get_i64("n").ok()?));
        Ok(counts.into_iter().filter_map(count).collect())
    }

    /// Payments by their names.
    pub(crate) async fn find_many(&self, ids: Vec<PaymentId>) -> Result<Vec<Payment>, Error> {
        let ids: Vec<String> = ids.iter().map(PaymentId::to_string).collect();
        let payments = self.mongo.collection::<PaymentDocument>(PAYMENTS);
        let filter = doc! { "_id": { "$in": ids } };
        let found: Vec<PaymentDocument> =
            self.mongo.run("find payments", async move { payments.find(filter).await?.try_collect().await }).await?;
        found.into_iter().map(Payment::try_from).collect()
    }

    /// A page of the payments that changed last at a time or later, and before another one, in the order they did, and where
    /// it ended.
    pub(crate) async fn changed_between(
        &self,
        (from, until): (Timestamp, Option<Timestamp>),
        after: Option<Place>,
        limit: u32,
    ) -> Result<(Vec<Payment>, Option<Place>), Error> {
        let date = |time: Timestamp| DateTime::from_millis(time.as_millisecond());
        let until = until.map_or_else(Document::new, |until| doc! { "$lt": date(until) });
        let within = |mut bounds: Document| {
            bounds.extend(until.clone());
            doc! { "since": bounds }
        };
        let filter = match after {
            None => within(doc! { "$gte": date(from) }),
            Some(Place(since, id)) => {
                doc! { "$or": [within(doc! { "$gt": since }), { "since": since, "_id": { "$gt": id } }] }
            }
        };
        let payments = self.mongo.collection::<PaymentDocument>(PAYMENTS);
        let found: Vec<PaymentDocument> = self
            .mongo
            .run("find changed payments", async move {
                let page = payments.find(filter).sort(doc! { "since": 1, "_id": 1 }).limit(i64::from(limit));
                page.await?.try_collect().await
            })
            .await?;
        let page: Vec<Payment> = found.into_iter().map(Payment::try_from).collect::<Result<_, _>>()?;
        let full = usize::try_from(limit).is_ok_and(|limit| page.len() == limit);
        let end = page.last().filter(|_| full);
        let place = end.map(|last| Place(DateTime::from_millis(last.since.as_millisecond()), last.id.to_string()));
        Ok((page, place))
    }
}

/// A difference stands since it was first seen so; another amount is another difference.
fn note(run: &Run, difference: &Difference) -> UpdateOp {
    let Difference { kind, reference, ours, theirs } = difference;
    let id = format!("{}:{reference}", kind.word());
    let same = doc! { "$and": [{ "$eq": ["$ours", ours.amount] }, { "$eq": ["$theirs", theirs.amount] }] };
    let row = doc! {
        "_id": &id, "kind": kind.word(), "reference": reference, "run": &run.holder,
        "ours": ours.amount, "ours_currency": ours.currency.to_string(),
        "theirs": theirs.amount, "theirs_currency": theirs.currency.to_string(),
    };
    let first_seen = doc! { "$cond": [same, { "$ifNull": ["$first_seen", "$$NOW"] }, "$$NOW"] };
    let stages =
        vec![doc! { "$replaceWith": { "$mergeObjects": [{ "$literal": row }, { "first_seen": first_seen }] } }];
    UpdateOp::new(doc! { "_id": id }, stages).upsert()
}

/// A stored difference has a field that does not fit.
#[derive(Debug, thiserror::Error)]
#[error("the field {0} of a difference does not fit")]
struct Unreadable(&'static str);

fn read(row: Row) -> Result<Listed, Error> {
    let corrupt = |field| Error::Corrupt { what: "difference", source: std::sync::Arc::new(Unreadable(field)) };
    let money = |amount, currency: &str, field| {
        currency.parse().map(|currency| Money::new(amount, currency)).map_err(|_| corrupt(field))
    };
    let difference = Difference {
        kind: Kind::from_word(&row.kind).ok_or_else(|| corrupt("kind"))?,
        ours: money(row.ours, &row.ours_currency, "ours_currency")?,
        theirs: money(row.theirs, &row.theirs_currency, "theirs_currency")?,
        reference: row.reference,
    };
    Ok(Listed { difference, since: row.first_seen.to_jiff() })
}
