//! Categories in MongoDB.

use bson::doc;
use futures::TryStreamExt as _;
use shop_mongo::{Claim, Collection, Error, idempotency};
use shop_types::CategoryId;

use super::documents::{CategoryDocument, ProductDocument};
use super::{CATEGORIES, Inserted, PRODUCTS, Store, taken};
use crate::domain::Category;

impl Store {
    fn category_collection(&self) -> Collection<CategoryDocument> {
        self.mongo.collection(CATEGORIES)
    }

    /// Writes a new category, and with it the row of its idempotency key.
    pub(crate) async fn insert_category(&self, category: Category, claim: Option<Claim>) -> Result<Inserted, Error> {
        let start = claim.map(|claim| claim.start(category.id.to_string()));
        let document = bson::serialize_to_document(&CategoryDocument::from(&category))
            .map_err(|error| Error::corrupt("insert category", error))?;
        let inserted = self.mongo.transact("insert category", move |txn| {
            let (document, start) = (document.clone(), start.clone());
            Box::pin(async move {
                if let Some(start) = start {
                    idempotency::insert(txn, &[start]).await?;
                }
                txn.insert_many(CATEGORIES, vec![document]).await
            })
        });
        taken(inserted.await)
    }

    /// Replaces a category that is still at `expected`; `false` when it is not, or when its name is in use.
    pub(crate) async fn save_category(&self, category: Category, expected: i64) -> Result<bool, Error> {
        let (categories, document) = (self.category_collection(), CategoryDocument::from(&category));
        let filter = doc! { "_id": document.id.as_str(), "version": expected };
        let replaced =
            self.mongo.run("save category", async move { categories.replace_one(filter, document).await }).await?;
        Ok(replaced.matched_count == 1)
    }

    /// Deletes a category that is still at `expected`; `false` when it is not.
    pub(crate) async fn delete_category(&self, id: CategoryId, expected: i64) -> Result<bool, Error> {
        let (categories, filter) = (self.category_collection(), doc! { "_id": id.to_string(), "version": expected });
        let deleted = self.mongo.run("delete category", async move { categories.delete_one(filter).await }).await?;
        Ok(deleted.deleted_count == 1)
    }

    pub(crate) async fn category(&self, id: CategoryId) -> Result<Option<Category>, Error> {
        let (categories, filter) = (self.category_collection(), doc! { "_id": id.to_string() });
        let found = self.mongo.run("find category", async move { categories.find_one(filter).await }).await?;
        found.map(|stored| stored.try_into().map_err(|error| Error::corrupt("find category", error))).transpose()
    }

    /// All categories by name: a shop has hundreds, not thousands.
    pub(crate) async fn categories(&self) -> Result<Vec<Category>, Error> {
        let categories = self.category_collection();
        let found: Vec<CategoryDocument> = self
            .mongo
            .run("list categories", async move {
                categories.find(doc! {}).sort(doc! { "name": 1 }).await?.try_collect().await
            })
            .await?;
        found
            .into_iter()
            .map(|stored| stored.try_into().map_err(|error| Error::corrupt("list categories", error)))
            .collect()
    }

    /// The ids from a category up to its root, itself first; `None` when it does not exist.
    pub(crate) async fn ancestors(&self, id: CategoryId) -> Result<Option<Vec<CategoryId>>, Error> {
        let all = self.categories().await?;
        let parent_of = |id: CategoryId| all.iter().find(|category| category.id == id).map(|category| category.parent);
        if parent_of(id).is_none() {
            return Ok(None);
        }
        let mut path = vec![id];
        while let Some(Some(Some(parent))) = path.last().map(|last| parent_of(*last)) {
            if path.contains(&parent) {
                break;
            }
            path.push(parent);
        }
        Ok(Some(path))
    }

    /// Whether a product or another category names it.
    pub(crate) async fn category_in_use(&self, id: CategoryId) -> Result<bool, Error> {
        let products = self.mongo.collection::<ProductDocument>(PRODUCTS);
        let categories = self.category_collection();
        let (by_product, by_category) = (doc! { "category": id.to_string() }, doc! { "parent": id.to_string() });
        let product = self.mongo.run("find product of category", async move { products.find_one(by_product).await });
        let category = self.mongo.run("find child category", async move { categories.find_one(by_category).await });
        let (product, category) = futures::try_join!(product, category)?;
        Ok(product.is_some() || category.is_some())
    }
}
