//! Variants in MongoDB: added to and removed from the document of their product.

use bson::{Document, doc};
use jiff::Timestamp;
use shop_mongo::idempotency::{self, Start};
use shop_mongo::options::ReturnDocument;
use shop_mongo::{Claim, Error, Txn};
use shop_types::{Currency, ProductId, Sku};

use super::documents::{ProductDocument, VariantDocument};
use super::products::{read, set_to};
use super::stock::meet_stock;
use super::{Added, ID_INDEX, PRODUCTS, SKU_INDEX, Saved, Store};
use crate::domain::{Listing, NewVariant, Product, Status};

/// A variant to add, and when.
#[derive(Debug, Clone)]
pub(crate) struct Addition {
    pub(crate) product: ProductId,
    pub(crate) new: NewVariant,
    pub(crate) currency: Currency,
    pub(crate) now: Timestamp,
}

impl Store {
    /// Adds a variant to a product, whatever version that has, and writes the row of its idempotency key.
    pub(crate) async fn add_variant(&self, addition: Addition, claim: Option<Claim>) -> Result<Added, Error> {
        let start = claim.map(|claim| claim.start(addition.product.to_string()));
        let added = self.mongo.transact("add variant", move |txn| {
            let (addition, start) = (addition.clone(), start.clone());
            Box::pin(add_in(txn, addition, start))
        });
        match added.await {
            Err(error) if error.is_duplicate_of(SKU_INDEX) => Ok(Added::SkuTaken),
            Err(error) if error.is_duplicate_of(ID_INDEX) => Ok(Added::KeyTaken),
            ended => ended,
        }
    }

    /// Writes a product that is still at `expected` and has lost the variant with this SKU.
    pub(crate) async fn remove_variant(&self, product: Product, expected: i64, sku: &Sku) -> Result<Saved, Error> {
        const WHAT: &str = "remove variant";
        let filter = doc! { "_id": product.id.to_string(), "version": expected };
        let set = set_to(&product).map_err(|error| Error::corrupt(WHAT, error))?;
        let change = doc! { "$set": set, "$pull": { "variants": { "sku": sku.as_str() } } };
        let products = self.product_collection();
        let saving = self.mongo.run(WHAT, async move {
            products.find_one_and_update(filter, change).return_document(ReturnDocument::After).await
        });
        saving.await?.map_or(Ok(Saved::Stale), |stored| Ok(Saved::Done(Box::new(read(stored, WHAT)?))))
    }
}

async fn add_in(txn: &mut Txn<'_>, addition: Addition, start: Option<Start>) -> Result<Added, Error> {
    let Addition { product, new, currency, now } = addition;
    let found: Vec<ProductDocument> = txn.find_many(PRODUCTS, [product.to_string()]).await?;
    let Some(stored) = found.into_iter().next() else { return Ok(Added::Missing) };
    let Listing { product, .. } = read(stored, txn.what())?;
    if product.status == Status::Draft {
        return Ok(Added::Missing);
    }
    let (sku, expected) = (new.sku.clone(), product.version);
    let product = match product.add_variant(new, currency, now) {
        Ok(product) => product,
        Err(broken) => return Ok(Added::Refused(broken)),
    };
    if let Some(start) = start {
        idempotency::insert(txn, &[start]).await?;
    }
    let told = meet_stock(txn, std::iter::once(sku.as_str())).await?;
    let change = push(&product, &sku, &told).map_err(|error| Error::corrupt(txn.what(), error))?;
    let products = txn.collection::<ProductDocument>(PRODUCTS);
    let filter = doc! { "_id": product.id.to_string(), "version": expected };
    let saving = products.find_one_and_update(filter, change).return_document(ReturnDocument::After);
    let saved = saving.session(&mut *txn.session).await.map_err(|error| txn.sort(error))?;
    saved.map_or(Ok(Added::Missing), |stored| Ok(Added::Done(Box::new(read(stored, txn.what())?))))
}

fn push(
    product: &Product,
    sku: &Sku,
    told: &[super::documents::StockDocument],
) -> Result<Document, bson::error::Error> {
    let added = product.variant(sku).map(|variant| VariantDocument::from(variant).with_stock(told));
    let added = added.map(|added| bson::serialize_to_document(&added)).transpose()?;
    Ok(doc! { "$set": set_to(product)?, "$push": { "variants": added } })
}
