//! A batch of rows: what they name is read, they are decided, and products, counts and lease are written together.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use bson::{Document, doc};
use jiff::Timestamp;
use serde::Deserialize;
use shop_mongo::{Error, Txn, UpdateOp};
use shop_types::{CategoryId, Currency, ImportId, Sku};

use super::IMPORTS;
use super::documents::FaultDocument;
use crate::domain::import::{Changed, MOST_FAULTS, Numbered, Row, Settled, Tally, settle};
use crate::domain::{Listing, Product};
use crate::store::documents::{ProductDocument, VariantDocument};
use crate::store::products::{change_to, read};
use crate::store::stock::meet_stock;
use crate::store::{CATEGORIES, PRODUCTS, Store, touching};

/// Rows of an import that follow each other.
#[derive(Debug, Clone)]
pub(crate) struct RowBatch {
    pub(crate) import: ImportId,
    /// Who works on it.
    pub(crate) holder: String,
    /// Whether nothing but the counts shall be written.
    pub(crate) dry_run: bool,
    pub(crate) rows: Vec<Numbered>,
    /// Where the last of them ends in the upload, in bytes.
    pub(crate) end: u64,
    pub(crate) currency: Currency,
    pub(crate) now: Timestamp,
}

#[derive(Debug, Deserialize)]
struct CategoryName {
    #[serde(rename = "_id")]
    id: String,
}

impl Store {
    /// Settles a batch; `None` when the import has another holder by now, or was settled further: nothing was written then.
    /// `before_writing` hears what is about to be written, each time that it is tried.
    pub(crate) async fn settle_rows<B>(&self, batch: RowBatch, before_writing: B) -> Result<Option<Settled>, Error>
    where
        B: Fn(&Settled) + Send + Sync + 'static,
    {
        let before_writing = Arc::new(before_writing);
        self.mongo
            .transact("settle rows", move |txn| {
                let (batch, before_writing) = (batch.clone(), Arc::clone(&before_writing));
                Box::pin(async move { settle_in(txn, batch, &*before_writing).await })
            })
            .await
    }
}

async fn settle_in<B>(txn: &mut Txn<'_>, batch: RowBatch, before_writing: &B) -> Result<Option<Settled>, Error>
where
    B: Fn(&Settled) + Sync,
{
    let RowBatch { import, holder, dry_run, rows, end, currency, now } = batch;
    let readable: Vec<&Row> = rows.iter().filter_map(|numbered| numbered.row.as_ref().ok()).collect();
    let (stored, categories) = (products_of(txn, &readable).await?, categories_of(txn, &readable).await?);
    let settled = settle(stored, categories, &rows, currency, now);
    let Some(first) = rows.first() else { return Ok(Some(settled)) };
    let counted = count(rows.len(), end, &settled.tally).map_err(|error| Error::corrupt(txn.what(), error))?;
    let before = i64::try_from(first.number - 1).unwrap_or(i64::MAX);
    let mine = doc! { "_id": import.to_string(), "holder": holder, "rows": before };
    if txn.update_many_ops(IMPORTS, vec![UpdateOp::new(mine, counted)]).await?.matched != 1 {
        return Ok(None);
    }
    if !dry_run {
        before_writing(&settled);
        write(txn, &settled).await?;
    }
    Ok(Some(settled))
}

/// The change of the import: what became of the rows, that its holder is alive and that it got further.
fn count(rows: usize, end: u64, tally: &Tally) -> Result<Document, bson::error::Error> {
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let faults = tally.faults.iter().cloned().map(|fault| bson::serialize_to_document(&FaultDocument::from(fault)));
    let faults: Vec<Document> = faults.collect::<Result<_, _>>()?;
    let most = i64::try_from(MOST_FAULTS).unwrap_or(i64::MAX);
    Ok(doc! {
        "$inc": {
            "rows": number(rows as u64),
            "created": number(tally.created),
            "changed": number(tally.changed),
            "unchanged": number(tally.unchanged),
            "failed": number(tally.failed),
        },
        "$set": { "bytes_read": number(end), "takes": 1_i64 },
        "$push": { "faults": { "$each": faults, "$slice": most } },
        "$currentDate": { "renewed_at": true },
    })
}

/// All products that one of the rows names, by SKU or by slug.
async fn products_of(txn: &mut Txn<'_>, rows: &[&Row]) -> Result<Vec<Product>, Error> {
    let skus: BTreeSet<&str> = rows.iter().flat_map(|row| skus(row)).map(Sku::as_str).collect();
    let slugs: BTreeSet<&str> = rows.iter().filter_map(|row| row.slug.as_deref()).collect();
    let named = |names: BTreeSet<&str>| doc! { "$in": names.into_iter().collect::<Vec<_>>() };
    let filter = doc! { "$or": [{ "variants.sku": named(skus) }, { "slug": named(slugs) }] };
    let found: Vec<ProductDocument> = txn.find(PRODUCTS, filter).await?;
    found.into_iter().map(|stored| read(stored, txn.what()).map(|Listing { product, .. }| product)).collect()
}

fn skus(row: &Row) -> impl Iterator<Item = &Sku> {
    row.sku.iter().chain(row.variants.iter().map(|variant| &variant.sku))
}

/// Those categories that the rows name and that are there.
async fn categories_of(txn: &mut Txn<'_>, rows: &[&Row]) -> Result<HashSet<CategoryId>, Error> {
    let named: BTreeSet<CategoryId> = rows.iter().filter_map(|row| row.category.flatten()).collect();
    let found: Vec<CategoryName> = txn.find_many(CATEGORIES, named.iter().map(ToString::to_string)).await?;
    found.iter().map(|one| one.id.parse().map_err(|error| Error::corrupt(txn.what(), error))).collect()
}

async fn write(txn: &mut Txn<'_>, settled: &Settled) -> Result<(), Error> {
    let Settled { tally: _, created, changed } = settled;
    let moved = changed.iter().filter(|one| one.before.category != one.after.category).map(|one| &one.after);
    let put: BTreeSet<CategoryId> = created.iter().chain(moved).filter_map(|product| product.category).collect();
    txn.update_each(CATEGORIES, put.into_iter().map(touching).collect()).await?;

    let made = created.iter().flat_map(|product| product.variants.iter()).map(|variant| variant.sku.as_str());
    let added: Vec<&str> = made.chain(changed.iter().flat_map(new_skus)).collect();
    let told = if added.is_empty() { Vec::new() } else { meet_stock(txn, added.into_iter()).await? };

    let documents = created.iter().map(|product| {
        let stored = ProductDocument::from(product).with_stock(&told);
        bson::serialize_to_document(&stored).map_err(|error| Error::corrupt(txn.what(), error))
    });
    let documents = documents.collect::<Result<_, _>>()?;
    txn.insert_many(PRODUCTS, documents).await?;

    let mut ops = Vec::with_capacity(changed.len());
    for Changed { before, after } in changed {
        let corrupt = |error| Error::corrupt(txn.what(), error);
        // First what the product had, in its places; then what it gets, behind them. One change cannot do both.
        let set = change_to(after, before.variants.len()).map_err(corrupt)?;
        ops.push(UpdateOp::new(doc! { "_id": after.id.to_string(), "version": before.version }, set));
        let new = after.variants.iter().skip(before.variants.len()).map(|variant| {
            bson::serialize_to_document(&VariantDocument::from(variant).with_stock(&told)).map_err(corrupt)
        });
        let new: Vec<Document> = new.collect::<Result<_, _>>()?;
        if !new.is_empty() {
            let at = doc! { "_id": after.id.to_string(), "version": after.version };
            ops.push(UpdateOp::new(at, doc! { "$push": { "variants": { "$each": new } } }));
        }
    }
    txn.update_each(PRODUCTS, ops).await
}

fn new_skus(Changed { before, after }: &Changed) -> impl Iterator<Item = &str> {
    after.variants.iter().skip(before.variants.len()).map(|variant| variant.sku.as_str())
}
