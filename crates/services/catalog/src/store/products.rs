//! Products in MongoDB, each with a copy of the stock of its variants, so that a read is one query.

use bson::{Document, doc};
use futures::TryStreamExt as _;
use shop_mongo::options::ReturnDocument;
use shop_mongo::{Collection, Error};
use shop_types::{CategoryId, ProductId, Sku};

use super::documents::{ProductDocument, VariantDocument};
use super::{PRODUCTS, Saved, Store, touch};
use crate::domain::{Listing, Product, Status};

impl Store {
    pub(super) fn product_collection(&self) -> Collection<ProductDocument> {
        self.mongo.collection(PRODUCTS)
    }

    /// Writes a product that is still at `expected`, but for its stock, which is not the product's. `category` is the one
    /// that it is newly put in.
    pub(crate) async fn save_product(
        &self,
        product: Product,
        expected: i64,
        category: Option<CategoryId>,
    ) -> Result<Saved, Error> {
        const WHAT: &str = "save product";
        let filter = doc! { "_id": product.id.to_string(), "version": expected };
        let change = change_to(&product, product.variants.len()).map_err(|error| Error::corrupt(WHAT, error))?;
        let Some(category) = category else {
            let products = self.product_collection();
            let saving = self.mongo.run(WHAT, async move {
                products.find_one_and_update(filter, change).return_document(ReturnDocument::After).await
            });
            return saved(saving.await?);
        };
        self.mongo
            .transact(WHAT, move |txn| {
                let (filter, change) = (filter.clone(), change.clone());
                Box::pin(async move {
                    if !touch(txn, category).await? {
                        return Ok(Saved::NoCategory);
                    }
                    let products = txn.collection::<ProductDocument>(PRODUCTS);
                    let saving = products.find_one_and_update(filter, change).return_document(ReturnDocument::After);
                    saved(saving.session(&mut *txn.session).await.map_err(|error| txn.sort(error))?)
                })
            })
            .await
    }

    /// Removes a product that nobody has seen.
    pub(crate) async fn delete_draft(&self, id: ProductId) -> Result<(), Error> {
        let products = self.product_collection();
        let filter = doc! { "_id": id.to_string(), "status": "draft" };
        self.mongo.run("delete draft", async move { products.delete_one(filter).await }).await.map(drop)
    }

    pub(crate) async fn product(&self, id: ProductId) -> Result<Option<Listing>, Error> {
        self.one_product(doc! { "_id": id.to_string() }).await
    }

    pub(crate) async fn product_by_slug(&self, slug: &str) -> Result<Option<Listing>, Error> {
        self.one_product(doc! { "slug": slug }).await
    }

    pub(super) async fn one_product(&self, filter: Document) -> Result<Option<Listing>, Error> {
        let products = self.product_collection();
        let found = self.mongo.run("find product", async move { products.find_one(filter).await });
        found.await?.map(|stored| read(stored, "find product")).transpose()
    }

    /// Up to `size` products for sale by id, from behind one of them on.
    pub(crate) async fn products_after(&self, after: Option<ProductId>, size: u32) -> Result<Vec<Product>, Error> {
        const WHAT: &str = "export products";
        let mut filter = doc! { "status": "active" };
        if let Some(after) = after {
            filter.insert("_id", doc! { "$gt": after.to_string() });
        }
        let products = self.product_collection();
        let found: Vec<ProductDocument> = self
            .mongo
            .run(WHAT, async move {
                products.find(filter).sort(doc! { "_id": 1 }).limit(i64::from(size)).await?.try_collect().await
            })
            .await?;
        found.into_iter().map(|stored| read(stored, WHAT).map(|listing| listing.product)).collect()
    }

    /// Products that have one of these SKUs or ids.
    pub(crate) async fn products_with(&self, skus: &[Sku], ids: &[ProductId]) -> Result<Vec<Product>, Error> {
        const WHAT: &str = "find products by sku";
        let skus: Vec<_> = skus.iter().map(Sku::as_str).collect();
        let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
        let filter = doc! { "$or": [{ "variants.sku": { "$in": skus } }, { "_id": { "$in": ids } }] };
        let products = self.product_collection();
        let found: Vec<ProductDocument> =
            self.mongo.run(WHAT, async move { products.find(filter).await?.try_collect().await }).await?;
        found.into_iter().map(|stored| read(stored, WHAT).map(|listing| listing.product)).collect()
    }
}

fn saved(stored: Option<ProductDocument>) -> Result<Saved, Error> {
    stored.map_or(Ok(Saved::Stale), |stored| Ok(Saved::Done(Box::new(read(stored, "save product")?))))
}

/// The change that makes a stored product this one, but for variants behind the first `had`: those it has stored, in the
/// same order. The stock of its variants stays: inventory's facts come in between, and do not count as versions of the
/// product.
pub(super) fn change_to(product: &Product, had: usize) -> Result<Document, bson::error::Error> {
    let mut set = set_to(product)?;
    for (n, variant) in product.variants.iter().take(had).enumerate() {
        let VariantDocument { name, options, price, .. } = variant.into();
        set.insert(format!("variants.{n}.name"), name);
        set.insert(format!("variants.{n}.options"), bson::serialize_to_bson(&options)?);
        set.insert(format!("variants.{n}.price"), price);
    }
    let mut change = doc! { "$set": set };
    if product.status != Status::Draft {
        change.insert("$unset", doc! { "draft_since": "" });
    }
    Ok(change)
}

/// All fields of a product but its id and its variants.
pub(super) fn set_to(product: &Product) -> Result<Document, bson::error::Error> {
    let mut set = bson::serialize_to_document(&ProductDocument::from(product))?;
    set.remove("_id");
    set.remove("variants");
    Ok(set)
}

pub(super) fn read(stored: ProductDocument, what: &'static str) -> Result<Listing, Error> {
    stored.try_into().map_err(|error| Error::corrupt(what, error))
}
