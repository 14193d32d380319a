//! MongoDB out: products, categories and what is known of stock. Documents never leave this file and its folder.

mod categories;
mod documents;
mod images;
mod imports;
mod insertions;
mod lists;
mod products;
mod stock;
mod variants;

use bson::doc;
use shop_mongo::idempotency::{self, Row};
use shop_mongo::{Claim, Error, Files, IndexModel, Mongo, Setup, Txn, UpdateOp, inbox, options::IndexOptions};
use shop_types::CategoryId;
use tokio_util::sync::CancellationToken;

pub(crate) use self::images::ImageAddition;
pub(crate) use self::imports::{Begun, RowBatch};
use self::insertions::Insertions;
pub(crate) use self::lists::Start;
pub(crate) use self::variants::Addition;
use crate::domain::{Listing, Placed};

const PRODUCTS: &str = "products";
const CATEGORIES: &str = "categories";
/// How often something was created of which there may be only so many.
const CREATIONS: &str = "creations";
const STOCK: &str = "stock";

const SKU_INDEX: &str = "sku";
const SLUG_INDEX: &str = "slug";
const NAME_INDEX: &str = "name";
const ID_INDEX: &str = "_id_";
const TEXT_INDEX: &str = "words";
/// A draft that nobody completes is garbage after an hour: its creator was told 503.
const DRAFT_LIFE: std::time::Duration = std::time::Duration::from_secs(3600);

/// What became of an insert.
#[derive(Debug)]
pub(crate) enum Inserted<T> {
    Done(T),
    /// A variant's SKU is in use.
    SkuTaken,
    /// The slug of a product or the name of a category is in use.
    NameTaken,
    /// The idempotency key is in use, or the id of a draft that is written again.
    KeyTaken,
    /// The category that it shall be in is not there.
    NoCategory,
    /// There is no room for it where it shall be.
    Refused(crate::domain::Error),
}

/// What became of a changed product.
#[derive(Debug)]
pub(crate) enum Saved {
    Done(Box<Listing>),
    /// It has another version by now, or is gone.
    Stale,
    /// The category that it shall be in is not there.
    NoCategory,
}

/// What became of a variant or an image to add.
#[derive(Debug)]
pub(crate) enum Added {
    Done(Box<Listing>),
    /// The product is not there.
    Missing,
    /// Another product is sold under this SKU.
    SkuTaken,
    /// The idempotency key is in use.
    KeyTaken,
    /// It breaks a rule.
    Refused(crate::domain::Error),
}

/// What became of a change of a category.
#[derive(Debug)]
pub(crate) enum Moved {
    Done(Placed),
    Missing,
    Stale {
        current: i64,
    },
    /// The name is in use.
    NameTaken,
    /// The category that it shall be below is not there.
    NoParent,
    /// The change breaks a rule.
    Refused(crate::domain::Error),
}

/// What became of a category to delete.
#[derive(Debug)]
pub(crate) enum Removed {
    Done,
    Missing,
    Stale {
        current: i64,
    },
    /// Products or other categories are in it.
    InUse,
}

/// The catalog's own database.
pub(crate) struct Store {
    mongo: Mongo,
    images: Files,
    insertions: Insertions,
}

impl Store {
    /// Insertions that were accepted when `stop` is cancelled are still carried out.
    pub(crate) fn new(mongo: &Mongo, stop: CancellationToken) -> Self {
        Self { mongo: mongo.clone(), images: mongo.files("images"), insertions: insertions::spawn(mongo, stop) }
    }

    /// Makes collections and indexes; see the table in README.md for which query uses which.
    pub(crate) async fn prepare(&self) -> Result<(), Error> {
        let index = |keys| IndexModel::builder().keys(keys).build();
        let named = |keys, options| IndexModel::builder().keys(keys).options(options).build();
        let unique = |name: &str| IndexOptions::builder().unique(true).name(name.to_owned()).build();
        let words = IndexOptions::builder().name(TEXT_INDEX.to_owned()).default_language("none".to_owned()).build();
        let products = Setup::new(
            PRODUCTS,
            [
                named(doc! { "variants.sku": 1 }, unique(SKU_INDEX)),
                named(doc! { "slug": 1 }, unique(SLUG_INDEX)),
                index(doc! { "status": 1, "created_at": -1, "_id": -1 }),
                index(doc! { "status": 1, "price": 1, "_id": 1 }),
                index(doc! { "status": 1, "name": 1, "_id": 1 }),
                index(doc! { "category": 1, "status": 1, "created_at": -1, "_id": -1 }),
                index(doc! { "facets": 1, "status": 1, "created_at": -1, "_id": -1 }),
                named(doc! { "images.id": 1 }, IndexOptions::builder().sparse(true).build()),
                // No language: every word counts as it is written, also in shops that do not speak English.
                named(doc! { "name": "text", "description": "text" }, words),
                named(doc! { "draft_since": 1 }, IndexOptions::builder().expire_after(DRAFT_LIFE).build()),
            ],
        )
        .validated(doc! { "$jsonSchema": {
            "required": ["_id", "slug", "name", "variants", "status", "price", "version"],
            "properties": {
                "price": { "bsonType": "long", "minimum": 0_i64 },
                "version": { "bsonType": "long", "minimum": 1_i64 },
                "status": { "enum": ["draft", "active", "archived"] },
                "variants": { "bsonType": "array", "minItems": 1, "maxItems": 100 },
            },
        } });
        let categories =
            Setup::new(CATEGORIES, [named(doc! { "name": 1 }, unique(NAME_INDEX)), index(doc! { "parent": 1 })]);
        let (creations, stock) = (Setup::new(CREATIONS, []), Setup::new(STOCK, []));
        let [imports, chunks] = imports::setup();
        self.images.ensure().await?;
        let shared = [idempotency::setup(), inbox::setup()];
        let own = [products, categories, creations, stock, imports, chunks];
        self.mongo.ensure(&[&own[..], &shared].concat()).await
    }

    /// The row of an idempotency key, when it was used before.
    pub(crate) async fn claimed(&self, claim: &Claim) -> Result<Option<Row>, Error> {
        idempotency::find(&self.mongo, claim.id()).await
    }
}

/// Sorts the unique index that an insert met.
fn taken<T>(result: Result<Inserted<T>, Error>) -> Result<Inserted<T>, Error> {
    match result {
        Err(error) if error.is_duplicate_of(SKU_INDEX) => Ok(Inserted::SkuTaken),
        Err(error) if error.is_duplicate_of(SLUG_INDEX) || error.is_duplicate_of(NAME_INDEX) => Ok(Inserted::NameTaken),
        // Ids are fresh, or those of a draft that its key names: what else is taken is the row of the key, or that draft.
        Err(error) if error.is_duplicate_of(ID_INDEX) => Ok(Inserted::KeyTaken),
        ended => ended,
    }
}

/// Marks a category as being put to use, so that of this write and one that deletes or moves the category at the same
/// time only one can commit; `false` when it is not there.
async fn touch(txn: &mut Txn<'_>, category: CategoryId) -> Result<bool, Error> {
    let touched = txn.update_many_ops(CATEGORIES, vec![touching(category)]).await?;
    Ok(touched.matched == 1)
}

fn touching(category: CategoryId) -> UpdateOp {
    UpdateOp::new(doc! { "_id": category.to_string() }, doc! { "$inc": { "touched": 1_i64 } })
}
