//! Products in MongoDB.

use bson::{Document, doc};
use futures::TryStreamExt as _;
use shop_mongo::options::FindOptions;
use shop_mongo::{Claim, Collection, Error, idempotency};
use shop_types::{ProductId, Sku};

use super::documents::ProductDocument;
use super::{Inserted, PRODUCTS, STOCK, Store, taken};
use crate::domain::{Product, Search, Sort};

impl Store {
    fn product_collection(&self) -> Collection<ProductDocument> {
        self.mongo.collection(PRODUCTS)
    }

    /// Writes a new product, and with it the row of its idempotency key.
    pub(crate) async fn insert_product(&self, product: Product, claim: Option<Claim>) -> Result<Inserted, Error> {
        let start = claim.map(|claim| claim.start(product.id.to_string()));
        let document = bson::serialize_to_document(&ProductDocument::from(&product))
            .map_err(|error| Error::corrupt("insert product", error))?;
        let inserted = self.mongo.transact("insert product", move |txn| {
            let (document, start) = (document.clone(), start.clone());
            Box::pin(async move {
                if let Some(start) = start {
                    idempotency::insert(txn, &[start]).await?;
                }
                txn.insert_many(PRODUCTS, vec![document]).await
            })
        });
        taken(inserted.await)
    }

    /// Replaces a product that is still at `expected`; `false` when it is not.
    pub(crate) async fn save_product(&self, product: Product, expected: i64) -> Result<bool, Error> {
        let (products, document) = (self.product_collection(), ProductDocument::from(&product));
        let filter = doc! { "_id": document.id.as_str(), "version": expected };
        let replaced =
            self.mongo.run("save product", async move { products.replace_one(filter, document).await }).await?;
        Ok(replaced.matched_count == 1)
    }

    /// Removes a product that nobody has seen yet.
    pub(crate) async fn delete_draft(&self, id: ProductId) -> Result<(), Error> {
        let (products, filter) = (self.product_collection(), doc! { "_id": id.to_string(), "status": "draft" });
        self.mongo.run("delete draft", async move { products.delete_one(filter).await }).await.map(drop)
    }

    pub(crate) async fn product(&self, id: ProductId) -> Result<Option<Product>, Error> {
        self.one_product(doc! { "_id": id.to_string() }).await
    }

    pub(crate) async fn product_by_slug(&self, slug: &str) -> Result<Option<Product>, Error> {
        self.one_product(doc! { "slug": { "$eq": slug } }).await
    }

    async fn one_product(&self, filter: Document) -> Result<Option<Product>, Error> {
        let products = self.product_collection();
        let found = self.mongo.run("find product", async move { products.find_one(filter).await });
        found.await?.map(|stored| read(stored, "find product")).transpose()
    }

    /// Products that have one of these SKUs or ids.
    pub(crate) async fn products_with(&self, skus: &[Sku], ids: &[ProductId]) -> Result<Vec<Product>, Error> {
        let skus: Vec<_> = skus.iter().map(Sku::as_str).collect();
        let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
        let filter = doc! { "$or": [{ "variants.sku": { "$in": skus } }, { "_id": { "$in": ids } }] };
        let products = self.product_collection();
        let found: Vec<ProductDocument> = self
            .mongo
            .run("find products by sku", async move { products.find(filter).await?.try_collect().await })
            .await?;
        found.into_iter().map(|stored| read(stored, "find products by sku")).collect()
    }

    /// A page of the active products that match, and how many match in all.
    pub(crate) async fn products(&self, search: Search, number: u32, size: u32) -> Result<(Vec<Product>, u64), Error> {
        let sort = sort_of(search.sort);
        let mut filter = filter_of(&search);
        if search.in_stock {
            filter.insert("variants.sku", doc! { "$in": self.skus_in_stock().await? });
        }
        let options = FindOptions::builder()
            .sort(sort)
            .skip(u64::from(number.saturating_sub(1)) * u64::from(size))
            .limit(i64::from(size))
            .max_time(std::time::Duration::from_secs(2))
            .build();
        let (products, counted) = (self.product_collection(), self.product_collection());
        let count_filter = filter.clone();
        let page = self.mongo.run("list products", async move {
            products.find(filter).with_options(options).await?.try_collect::<Vec<_>>().await
        });
        let total = self.mongo.run("count products", async move { counted.count_documents(count_filter).await });
        let (page, total) = futures::try_join!(page, total)?;
        let page = page.into_iter().map(|stored| read(stored, "list products")).collect::<Result<_, _>>()?;
        Ok((page, total))
    }

    async fn skus_in_stock(&self) -> Result<Vec<String>, Error> {
        let stock = self.mongo.collection::<super::documents::StockDocument>(STOCK);
        let filter = doc! { "available": { "$gt": 0_i64 } };
        let found: Vec<_> =
            self.mongo.run("find stock", async move { stock.find(filter).await?.try_collect().await }).await?;
        Ok(found.into_iter().map(|row| row.sku).collect())
    }
}

fn read(stored: ProductDocument, what: &'static str) -> Result<Product, Error> {
    stored.try_into().map_err(|error| Error::corrupt(what, error))
}

fn sort_of(sort: Sort) -> Document {
    match sort {
        Sort::Newest => doc! { "created_at": -1, "_id": -1 },
        Sort::Oldest => doc! { "created_at": 1, "_id": 1 },
        Sort::Cheapest => doc! { "price": 1, "_id": 1 },
        Sort::Dearest => doc! { "price": -1, "_id": -1 },
        Sort::Name => doc! { "name": 1, "_id": 1 },
        Sort::NameDescending => doc! { "name": -1, "_id": -1 },
    }
}

fn filter_of(search: &Search) -> Document {
    let Search { words, category, min_price, max_price, in_stock: _, sort: _ } = search;
    let mut filter = doc! { "status": "active" };
    if let Some(words) = words {
        filter.insert("$text", doc! { "$search": words });
    }
    if let Some(category) = category {
        filter.insert("category", category.to_string());
    }
    let mut price = Document::new();
    if let Some(least) = min_price {
        price.insert("$gte", *least);
    }
    if let Some(most) = max_price {
        price.insert("$lte", *most);
    }
    if !price.is_empty() {
        filter.insert("price", price);
    }
    filter
}
