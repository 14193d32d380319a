//! Categories in MongoDB. Whoever puts something into a category, or rests a decision on where it stands, writes to it in
//! the same transaction (`touch`): so what holds when a write commits was not made untrue by a write beside it.

use bson::{Document, doc};
use futures::TryStreamExt as _;
use jiff::Timestamp;
use shop_mongo::{Claim, Collection, Error, Txn, UpdateOp, idempotency};
use shop_types::CategoryId;

use super::documents::CategoryDocument;
use super::{CATEGORIES, Inserted, Moved, NAME_INDEX, PRODUCTS, Removed, Store, taken, touch, touching};
use crate::domain::{Category, CategoryChange};

impl Store {
    fn category_collection(&self) -> Collection<CategoryDocument> {
        self.mongo.collection(CATEGORIES)
    }

    /// Writes a new category, and with it the row of its idempotency key.
    pub(crate) async fn insert_category(
        &self,
        category: Category,
        claim: Option<Claim>,
    ) -> Result<Inserted<Category>, Error> {
        let start = claim.map(|claim| claim.start(category.id.to_string()));
        let document = document_of(&category, "insert category")?;
        let inserted = self.mongo.transact("insert category", move |txn| {
            let (category, document, start) = (category.clone(), document.clone(), start.clone());
            Box::pin(async move {
                if let Some(parent) = category.parent
                    && !touch(txn, parent).await?
                {
                    return Ok(Inserted::NoCategory);
                }
                if let Some(start) = start {
                    idempotency::insert(txn, &[start]).await?;
                }
                txn.insert_many(CATEGORIES, vec![document]).await?;
                Ok(Inserted::Done(category))
            })
        });
        taken(inserted.await)
    }

    /// Changes a category that is still at `expected`, as the rules of the domain say.
    pub(crate) async fn change_category(
        &self,
        id: CategoryId,
        expected: i64,
        change: CategoryChange,
        now: Timestamp,
    ) -> Result<Moved, Error> {
        let changed = self.mongo.transact("change category", move |txn| {
            let change = change.clone();
            Box::pin(change_in(txn, id, expected, change, now))
        });
        match changed.await {
            Err(error) if error.is_duplicate_of(NAME_INDEX) => Ok(Moved::NameTaken),
            ended => ended,
        }
    }

    /// Deletes a category that is still at `expected` and that neither a product nor another category names.
    pub(crate) async fn delete_category(&self, id: CategoryId, expected: i64) -> Result<Removed, Error> {
        self.mongo
            .transact("delete category", move |txn| {
                Box::pin(async move {
                    let Some(current) = find_in(txn, id).await? else { return Ok(Removed::Missing) };
                    if current.version != expected {
                        return Ok(Removed::Stale { current: current.version });
                    }
                    let id = id.to_string();
                    if any(txn, PRODUCTS, doc! { "category": &id }).await?
                        || any(txn, CATEGORIES, doc! { "parent": &id }).await?
                    {
                        return Ok(Removed::InUse);
                    }
                    let categories = txn.collection::<Document>(CATEGORIES);
                    let deleting = categories.delete_one(doc! { "_id": id }).session(&mut *txn.session);
                    deleting.await.map_err(|error| txn.sort(error))?;
                    Ok(Removed::Done)
                })
            })
            .await
    }

    pub(crate) async fn category(&self, id: CategoryId) -> Result<Option<Category>, Error> {
        let (categories, filter) = (self.category_collection(), doc! { "_id": id.to_string() });
        let found = self.mongo.run("find category", async move { categories.find_one(filter).await }).await?;
        found.map(|stored| read(stored, "find category")).transpose()
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
        found.into_iter().map(|stored| read(stored, "list categories")).collect()
    }
}

async fn change_in(
    txn: &mut Txn<'_>,
    id: CategoryId,
    expected: i64,
    change: CategoryChange,
    now: Timestamp,
) -> Result<Moved, Error> {
    let Some(current) = find_in(txn, id).await? else { return Ok(Moved::Missing) };
    if current.version != expected {
        return Ok(Moved::Stale { current: current.version });
    }
    let ancestors = match change.parent.flatten() {
        Some(parent) => ancestors(txn, parent).await?,
        None => Vec::new(),
    };
    if change.parent.flatten().is_some() && ancestors.is_empty() {
        return Ok(Moved::NoParent);
    }
    let changed = match current.change(change, &ancestors, now) {
        Ok(changed) => changed,
        Err(broken) => return Ok(Moved::Refused(broken)),
    };
    let mut set = document_of(&changed, txn.what())?;
    set.remove("_id");
    let mut writes: Vec<UpdateOp> = ancestors.into_iter().map(touching).collect();
    writes.push(UpdateOp::new(doc! { "_id": id.to_string(), "version": expected }, doc! { "$set": set }));
    txn.update_each(CATEGORIES, writes).await?;
    Ok(Moved::Done(changed))
}

/// The ids from a category up to its root, itself first; none when it does not exist.
async fn ancestors(txn: &mut Txn<'_>, from: CategoryId) -> Result<Vec<CategoryId>, Error> {
    let mut path = Vec::new();
    let mut next = Some(from);
    while let Some(id) = next.filter(|id| !path.contains(id)) {
        let Some(category) = find_in(txn, id).await? else { break };
        path.push(id);
        next = category.parent;
    }
    Ok(path)
}

async fn find_in(txn: &mut Txn<'_>, id: CategoryId) -> Result<Option<Category>, Error> {
    let found: Vec<CategoryDocument> = txn.find_many(CATEGORIES, [id.to_string()]).await?;
    found.into_iter().next().map(|stored| read(stored, txn.what())).transpose()
}

async fn any(txn: &mut Txn<'_>, collection: &str, filter: Document) -> Result<bool, Error> {
    let documents = txn.collection::<Document>(collection);
    let finding = documents.find_one(filter).projection(doc! { "_id": 1 });
    let found = finding.session(&mut *txn.session).await.map_err(|error| txn.sort(error))?;
    Ok(found.is_some())
}

fn document_of(category: &Category, what: &'static str) -> Result<Document, Error> {
    bson::serialize_to_document(&CategoryDocument::from(category)).map_err(|error| Error::corrupt(what, error))
}

fn read(stored: CategoryDocument, what: &'static str) -> Result<Category, Error> {
    stored.try_into().map_err(|error| Error::corrupt(what, error))
}
