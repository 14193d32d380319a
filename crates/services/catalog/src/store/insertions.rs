//! New products in MongoDB. Those that come at the same time are written together: each touches its category, so that one
//! transaction for each of many in one category would have all but one begin again.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use shop_mongo::idempotency::{self, Start};
use shop_mongo::{Claim, Error, Group, Mongo, Txn, bson, doc};
use shop_types::{CategoryId, ProductId, Sku};
use tokio_util::sync::CancellationToken;

use super::documents::{CategoryDocument, ProductDocument};
use super::products::read;
use super::stock::meet_stock;
use super::{CATEGORIES, Inserted, PRODUCTS, Store, taken, touching};
use crate::domain::{Listing, Product};

const WHAT: &str = "insert products";
/// A product with more variants is written alone, so that no group is more than a transaction can do in time.
const MOST_VARIANTS: usize = 8;

/// A product on its way into the collection.
#[derive(Debug)]
pub(super) struct Insertion {
    product: Product,
    start: Option<Start>,
}

pub(super) type Insertions = Group<Insertion, Inserted<Listing>>;

/// What is not free any more.
#[derive(Debug, Default)]
struct Used {
    keys: HashSet<String>,
    ids: HashSet<ProductId>,
    skus: HashSet<Sku>,
    slugs: HashSet<String>,
}

pub(super) fn spawn(mongo: &Mongo, stop: CancellationToken) -> Insertions {
    Group::spawn(mongo, WHAT, |txn, insertions| Box::pin(insert(txn, insertions)), stop)
}

impl Store {
    /// Writes a new product with what is known of its stock, and with it the row of its idempotency key.
    pub(crate) async fn insert_product(
        &self,
        product: Product,
        claim: Option<Claim>,
    ) -> Result<Inserted<Listing>, Error> {
        let start = claim.map(|claim| claim.start(product.id.to_string()));
        let (is_large, insertion) = (product.variants.len() > MOST_VARIANTS, Insertion { product, start });
        if !is_large {
            return taken(self.insertions.submit(insertion).await);
        }
        let alone = Arc::new([insertion]);
        let inserted = self.mongo.transact(WHAT, move |txn| {
            let alone = Arc::clone(&alone);
            Box::pin(async move { insert(txn, &*alone).await })
        });
        taken(inserted.await.and_then(|mut answers| answers.pop().ok_or(Error::Conflict { what: WHAT })))
    }
}

/// Writes all that may be. What somebody takes meanwhile is an error, upon which the group is split.
async fn insert(txn: &mut Txn<'_>, insertions: &[Insertion]) -> Result<Vec<Inserted<Listing>>, Error> {
    let missing = touch_all(txn, insertions.iter().filter_map(|insertion| insertion.product.category)).await?;
    let mut used = used(txn, insertions).await?;
    let refusals: Vec<Option<Inserted<Listing>>> = insertions
        .iter()
        .map(|insertion| match insertion.product.category {
            Some(category) if missing.contains(&category) => Some(Inserted::NoCategory),
            _ => used.refusal(insertion),
        })
        .collect();
    let placed = || insertions.iter().zip(&refusals).filter(|(_, refusal)| refusal.is_none()).map(|(one, _)| one);
    let starts: Vec<Start> = placed().filter_map(|insertion| insertion.start.clone()).collect();
    idempotency::insert(txn, &starts).await?;
    let skus: BTreeSet<&str> =
        placed().flat_map(|insertion| &insertion.product.variants).map(|variant| variant.sku.as_str()).collect();
    let told = meet_stock(txn, skus.iter().copied()).await?;
    let mut stored: HashMap<ProductId, ProductDocument> = placed()
        .map(|insertion| (insertion.product.id, ProductDocument::from(&insertion.product).with_stock(&told)))
        .collect();
    let documents = placed().filter_map(|insertion| stored.get(&insertion.product.id));
    let documents = documents.map(bson::serialize_to_document).collect::<Result<_, _>>();
    txn.insert_many(PRODUCTS, documents.map_err(|error| Error::corrupt(WHAT, error))?).await?;
    let answer = |(insertion, refusal): (&Insertion, Option<_>)| match (refusal, stored.remove(&insertion.product.id)) {
        (None, Some(stored)) => read(stored, WHAT).map(Inserted::Done),
        (refusal, _) => Ok(refusal.unwrap_or(Inserted::KeyTaken)),
    };
    insertions.iter().zip(refusals).map(answer).collect()
}

/// What of these products somebody has already.
async fn used(txn: &mut Txn<'_>, insertions: &[Insertion]) -> Result<Used, Error> {
    let keys: Vec<String> =
        insertions.iter().filter_map(|insertion| insertion.start.as_ref()).map(|start| start.id.clone()).collect();
    let keys = idempotency::find_many(txn, &keys).await?.into_keys().collect();
    let products = || insertions.iter().map(|insertion| &insertion.product);
    let ids: Vec<String> = products().map(|product| product.id.to_string()).collect();
    let slugs: Vec<&str> = products().map(|product| product.slug.as_str()).collect();
    let skus: Vec<&str> =
        products().flat_map(|product| &product.variants).map(|variant| variant.sku.as_str()).collect();
    let any =
        doc! { "$or": [{ "_id": { "$in": ids } }, { "variants.sku": { "$in": skus } }, { "slug": { "$in": slugs } }] };
    let mut used = Used { keys, ..Used::default() };
    for stored in txn.find::<ProductDocument>(PRODUCTS, any).await? {
        used.take(&read(stored, WHAT)?.product);
    }
    Ok(used)
}

impl Used {
    /// Why a product cannot be written; if it can, nothing of it is free from now on.
    fn refusal(&mut self, Insertion { product, start }: &Insertion) -> Option<Inserted<Listing>> {
        let key = start.as_ref().map(|start| &start.id);
        if key.is_some_and(|key| self.keys.contains(key)) || self.ids.contains(&product.id) {
            return Some(Inserted::KeyTaken);
        }
        if product.variants.iter().any(|variant| self.skus.contains(&variant.sku)) {
            return Some(Inserted::SkuTaken);
        }
        if self.slugs.contains(&product.slug) {
            return Some(Inserted::NameTaken);
        }
        self.keys.extend(key.cloned());
        self.take(product);
        None
    }

    fn take(&mut self, product: &Product) {
        self.ids.insert(product.id);
        self.skus.extend(product.variants.iter().map(|variant| variant.sku.clone()));
        self.slugs.insert(product.slug.clone());
    }
}

/// Touches categories, each once; gives those that are not there.
async fn touch_all(
    txn: &mut Txn<'_>,
    categories: impl Iterator<Item = CategoryId>,
) -> Result<HashSet<CategoryId>, Error> {
    let categories: BTreeSet<CategoryId> = categories.collect();
    let touched = txn.update_many_ops(CATEGORIES, categories.iter().copied().map(touching).collect()).await?;
    if touched.matched == categories.len() {
        return Ok(HashSet::new());
    }
    let ids = categories.iter().map(ToString::to_string);
    let present: Vec<CategoryDocument> = txn.find_many(CATEGORIES, ids).await?;
    let present: HashSet<&str> = present.iter().map(|category| category.id.as_str()).collect();
    Ok(categories.into_iter().filter(|id| !present.contains(id.to_string().as_str())).collect())
}
