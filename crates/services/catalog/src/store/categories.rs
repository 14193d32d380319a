//! Categories in MongoDB. Whoever puts something into a category, or rests a decision on where it stands, writes to it in
//! the same transaction (`touch`): so what holds when a write commits was not made untrue by a write beside it. How many
//! there are is such a thing, too: whoever creates one writes to a document that nobody else writes to.

use bson::{Bson, Document, doc};
use futures::TryStreamExt as _;
use jiff::Timestamp;
use serde::Deserialize;
use shop_mongo::{Claim, Collection, Error, Txn, UpdateOp, idempotency};
use shop_types::CategoryId;
use shop_types::id::MalformedId;

use super::documents::{CategoryDocument, Unreadable};
use super::{CATEGORIES, CREATIONS, Inserted, Moved, NAME_INDEX, PRODUCTS, Removed, Store, taken, touching};
use crate::domain::tree::MOST_LEVELS;
use crate::domain::{Above, Category, CategoryChange, Placed, Tree, category};

impl Store {
    fn category_collection(&self) -> Collection<CategoryDocument> {
        self.mongo.collection(CATEGORIES)
    }

    /// Writes a new category, and with it the row of its idempotency key.
    pub(crate) async fn insert_category(
        &self,
        category: Category,
        claim: Option<Claim>,
    ) -> Result<Inserted<Placed>, Error> {
        let start = claim.map(|claim| claim.start(category.id.to_string()));
        let document = document_of(&category, "insert category")?;
        let inserted = self.mongo.transact("insert category", move |txn| {
            let (category, document, start) = (category.clone(), document.clone(), start.clone());
            Box::pin(async move {
                // Whoever creates another one at the same time writes here as well: so both are counted.
                let created = doc! { "$inc": { "created": 1_i64 } };
                txn.update_each(CREATIONS, vec![UpdateOp::new(doc! { "_id": CATEGORIES }, created).upsert()]).await?;
                let stored = all_in(txn).await?;
                let tree = tree_of(&stored);
                if category.parent.is_some_and(|parent| !tree.has(parent)) {
                    return Ok(Inserted::NoCategory);
                }
                if let Err(broken) = tree.check_new(category.parent) {
                    return Ok(Inserted::Refused(broken));
                }
                // All above it: whoever moves one of them meanwhile would not know how deep this one makes it.
                let above = category.parent.map(|parent| tree.lineage(parent)).unwrap_or_default();
                txn.update_each(CATEGORIES, above.into_iter().map(touching).collect()).await?;
                if let Some(start) = start {
                    idempotency::insert(txn, &[start]).await?;
                }
                txn.insert_many(CATEGORIES, vec![document]).await?;
                Ok(Inserted::Done(placed_among(stored, category)))
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

    /// Deletes a category that is still at `expected` and that neither a product on sale nor another category names.
    pub(crate) async fn delete_category(&self, id: CategoryId, expected: i64) -> Result<Removed, Error> {
        self.mongo
            .transact("delete category", move |txn| {
                Box::pin(async move {
                    let Some(current) = find_in(txn, id).await? else { return Ok(Removed::Missing) };
                    if current.version != expected {
                        return Ok(Removed::Stale { current: current.version });
                    }
                    let id = id.to_string();
                    if any(txn, PRODUCTS, doc! { "category": &id, "status": { "$ne": "archived" } }).await?
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

    /// One category and those above it.
    pub(crate) async fn category(&self, id: CategoryId) -> Result<Option<Placed>, Error> {
        const WHAT: &str = "find category";
        let (categories, pipeline) = (self.category_collection(), with_those_above(id));
        let found = self.mongo.run(WHAT, async move { categories.aggregate(pipeline).await?.try_next().await }).await?;
        found.map(|found| read_placed(found).map_err(|error| Error::corrupt(WHAT, error))).transpose()
    }

    /// The category with this name.
    pub(crate) async fn category_named(&self, name: &str) -> Result<Option<CategoryId>, Error> {
        const WHAT: &str = "find category by name";
        let (categories, filter) = (self.category_collection(), doc! { "name": name });
        let found = self.mongo.run(WHAT, async move { categories.find_one(filter).await }).await?;
        found.map(|stored| stored.id.parse().map_err(|error| Error::corrupt(WHAT, error))).transpose()
    }

    /// A category and all below it; itself also when it is not there.
    pub(crate) async fn subtree(&self, id: CategoryId) -> Result<Vec<CategoryId>, Error> {
        const WHAT: &str = "find subcategories";
        let (categories, pipeline) = (self.category_collection(), with_those_below(id));
        let found = self.mongo.run(WHAT, async move { categories.aggregate(pipeline).await?.try_next().await }).await?;
        let Some(found) = found else { return Ok(vec![id]) };
        let Below { below } = bson::deserialize_from_document(found).map_err(|error| Error::corrupt(WHAT, error))?;
        let ids = below.iter().map(|one| one.id.parse().map_err(|error| Error::corrupt(WHAT, error)));
        std::iter::once(Ok(id)).chain(ids).collect()
    }

    /// All categories and what is above them.
    pub(super) async fn tree(&self) -> Result<Tree, Error> {
        const WHAT: &str = "find tree";
        let categories: Collection<Branch> = self.mongo.collection(CATEGORIES);
        let finding = async move {
            // One batch; the filter makes it a walk through an index.
            let all = categories.find(doc! { "_id": { "$gte": "" } }).projection(doc! { "parent": 1 });
            all.batch_size(1000).await?.try_collect::<Vec<_>>().await
        };
        let branches = self.mongo.run(WHAT, finding).await?;
        let placed = branches.into_iter().map(|Branch { id, parent }| {
            let parent = parent.as_deref().map(str::parse).transpose();
            Ok((id.parse()?, parent?))
        });
        let placed: Result<Vec<_>, MalformedId> = placed.collect();
        placed.map(Tree::new).map_err(|error| Error::corrupt(WHAT, error))
    }

    /// All categories by name, which are a thousand at most.
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
    let stored = all_in(txn).await?;
    let tree = tree_of(&stored);
    if change.parent.flatten().is_some_and(|parent| !tree.has(parent)) {
        return Ok(Moved::NoParent);
    }
    let changed = match current.change(change, &tree, now) {
        Ok(changed) => changed,
        Err(broken) => return Ok(Moved::Refused(broken)),
    };
    let mut set = document_of(&changed, txn.what())?;
    set.remove("_id");
    let above = changed.parent.map(|parent| tree.lineage(parent)).unwrap_or_default();
    let mut writes: Vec<UpdateOp> = above.into_iter().map(touching).collect();
    writes.push(UpdateOp::new(doc! { "_id": id.to_string(), "version": expected }, doc! { "$set": set }));
    txn.update_each(CATEGORIES, writes).await?;
    Ok(Moved::Done(placed_among(stored, changed)))
}

/// All categories: a move has to know those above and those below, and a thousand small documents are one round trip.
async fn all_in(txn: &mut Txn<'_>) -> Result<Vec<Category>, Error> {
    let all = doc! { "_id": { "$gte": "" } };
    let stored: Vec<CategoryDocument> = txn.find(CATEGORIES, all).await?;
    stored.into_iter().map(|stored| read(stored, txn.what())).collect()
}

fn tree_of(categories: &[Category]) -> Tree {
    Tree::new(categories.iter().map(|category| (category.id, category.parent)))
}

/// A category as it was written, in the tree of the others.
fn placed_among(mut others: Vec<Category>, category: Category) -> Placed {
    others.retain(|other| other.id != category.id);
    others.push(category.clone());
    let placed = category::place(others).into_iter().find(|placed| placed.category.id == category.id);
    placed.unwrap_or(Placed { category, path: Vec::new() })
}

#[derive(Debug, Deserialize)]
struct AboveDocument {
    #[serde(rename = "_id")]
    id: String,
    name: String,
    steps: i64,
}

#[derive(Debug, Deserialize)]
struct Branch {
    #[serde(rename = "_id")]
    id: String,
    parent: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Below {
    below: Vec<BelowDocument>,
}

#[derive(Debug, Deserialize)]
struct BelowDocument {
    #[serde(rename = "_id")]
    id: String,
}

/// Steps that a walk through the tree takes at most.
fn most_steps() -> i64 {
    i64::try_from(MOST_LEVELS).unwrap_or(i64::MAX)
}

fn with_those_above(id: CategoryId) -> Vec<Document> {
    vec![
        doc! { "$match": { "_id": id.to_string() } },
        doc! { "$graphLookup": {
            "from": CATEGORIES,
            "startWith": "$parent",
            "connectFromField": "parent",
            "connectToField": "_id",
            "maxDepth": most_steps(),
            "depthField": "steps",
            "as": "above",
        } },
    ]
}

fn with_those_below(id: CategoryId) -> Vec<Document> {
    vec![
        doc! { "$match": { "_id": id.to_string() } },
        doc! { "$graphLookup": {
            "from": CATEGORIES,
            "startWith": "$_id",
            "connectFromField": "_id",
            "connectToField": "parent",
            "maxDepth": most_steps(),
            "as": "below",
        } },
        doc! { "$project": { "below._id": 1 } },
    ]
}

fn read_placed(mut found: Document) -> Result<Placed, Unfit> {
    let above = found.remove("above").unwrap_or(Bson::Array(Vec::new()));
    let mut above: Vec<AboveDocument> = bson::deserialize_from_bson(above)?;
    above.sort_by_key(|one| std::cmp::Reverse(one.steps));
    let stored: CategoryDocument = bson::deserialize_from_document(found)?;
    let path = above.into_iter().map(|one| Ok(Above { id: one.id.parse()?, name: one.name }));
    Ok(Placed { path: path.collect::<Result<_, Unfit>>()?, category: stored.try_into()? })
}

/// What was read is no category.
#[derive(Debug, thiserror::Error)]
enum Unfit {
    #[error("a stored category has another shape")]
    Shape(#[from] bson::error::Error),
    #[error("a stored category has an id that is none")]
    Id(#[from] MalformedId),
    #[error("a stored category cannot be read")]
    Value(#[from] Unreadable),
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
