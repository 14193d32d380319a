//! MongoDB out: products, categories and what is known of stock. Documents never leave this file and its folder.

mod categories;
mod documents;
mod products;
mod stock;

use bson::doc;
use shop_mongo::idempotency::{self, Row};
use shop_mongo::{Claim, Error, IndexModel, Mongo, Setup, inbox, options::IndexOptions};

const PRODUCTS: &str = "products";
const CATEGORIES: &str = "categories";
const STOCK: &str = "stock";

const SKU_INDEX: &str = "sku";
const SLUG_INDEX: &str = "slug";
const NAME_INDEX: &str = "name";
/// A draft that nobody completes is garbage after an hour: its creator was told 503.
const DRAFT_LIFE: std::time::Duration = std::time::Duration::from_secs(3600);

/// What became of an insert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Inserted {
    Done,
    /// A variant's SKU is in use.
    SkuTaken,
    /// The slug, or for categories the name, is in use.
    SlugTaken,
    /// The idempotency key is in use.
    KeyTaken,
}

/// The catalog's own database.
pub(crate) struct Store {
    mongo: Mongo,
}

impl Store {
    pub(crate) fn new(mongo: &Mongo) -> Self {
        Self { mongo: mongo.clone() }
    }

    /// Makes collections and indexes; see the table in README.md for which query uses which.
    pub(crate) async fn prepare(&self) -> Result<(), Error> {
        let index = |keys| IndexModel::builder().keys(keys).build();
        let named = |keys, options| IndexModel::builder().keys(keys).options(options).build();
        let unique = |name: &str| IndexOptions::builder().unique(true).name(name.to_owned()).build();
        let products = Setup::new(
            PRODUCTS,
            [
                named(doc! { "variants.sku": 1 }, unique(SKU_INDEX)),
                named(doc! { "slug": 1 }, unique(SLUG_INDEX)),
                index(doc! { "status": 1, "created_at": -1, "_id": -1 }),
                index(doc! { "status": 1, "price": 1, "_id": 1 }),
                index(doc! { "status": 1, "name": 1, "_id": 1 }),
                index(doc! { "category": 1, "status": 1, "created_at": -1, "_id": -1 }),
                index(doc! { "name": "text", "description": "text" }),
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
        let stock = Setup::new(STOCK, []);
        self.mongo.ensure(&[products, categories, stock, idempotency::setup(), inbox::setup()]).await
    }

    /// The row of an idempotency key, when it was used before.
    pub(crate) async fn claimed(&self, claim: &Claim) -> Result<Option<Row>, Error> {
        idempotency::find(&self.mongo, claim.id()).await
    }
}

/// Sorts the unique index that an insert met.
fn taken(result: Result<(), Error>) -> Result<Inserted, Error> {
    match result {
        Ok(()) => Ok(Inserted::Done),
        Err(error) if error.is_duplicate_of(SKU_INDEX) => Ok(Inserted::SkuTaken),
        Err(error) if error.is_duplicate_of(SLUG_INDEX) || error.is_duplicate_of(NAME_INDEX) => Ok(Inserted::SlugTaken),
        // The ids of products and categories are fresh: what else is taken is the row of the key.
        Err(error) if error.is_duplicate() => Ok(Inserted::KeyTaken),
        Err(error) => Err(error),
    }
}
