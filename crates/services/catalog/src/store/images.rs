//! Images in MongoDB: their bytes in GridFS, what is said of them in the document of their product.
//!
//! Bytes come before they are named, and go after: so no product ever names what is not there. What a process that died
//! between the two left behind, nobody names, and is swept.

use bson::{Document, doc};
use futures::TryStreamExt as _;
use jiff::Timestamp;
use shop_mongo::idempotency::{self, Start};
use shop_mongo::options::ReturnDocument;
use shop_mongo::{Claim, Error, Part, Txn};
use shop_types::{ImageId, ProductId};

use super::documents::ProductDocument;
use super::products::{read, set_to};
use super::{Added, ID_INDEX, PRODUCTS, Store};
use crate::domain::{Image, Listing, Status};

/// Files or chunks that are looked at in one step of a sweep.
const STEP: i64 = 500;

/// An image to add, where and when.
#[derive(Debug, Clone)]
pub(crate) struct ImageAddition {
    pub(crate) product: ProductId,
    pub(crate) image: Image,
    /// From 0; at the end without it.
    pub(crate) position: Option<u32>,
    pub(crate) now: Timestamp,
}

impl Store {
    /// Keeps the bytes of an image that no product names yet.
    pub(crate) async fn keep_image(&self, id: ImageId, bytes: Vec<u8>) -> Result<(), Error> {
        self.images.put(&id.to_string(), bytes).await
    }

    /// The bytes of an image.
    pub(crate) async fn image(&self, id: ImageId) -> Result<Option<Vec<u8>>, Error> {
        self.images.get(&id.to_string()).await
    }

    /// Forgets the bytes of images that no product names any more.
    pub(crate) async fn drop_images(&self, ids: impl IntoIterator<Item = ImageId>) -> Result<(), Error> {
        self.images.delete(&ids.into_iter().map(|id| id.to_string()).collect::<Vec<_>>()).await
    }

    /// Adds an image to a product, whatever version that has, and writes the row of its idempotency key.
    pub(crate) async fn add_image(&self, addition: ImageAddition, claim: Option<Claim>) -> Result<Added, Error> {
        let start = claim.map(|claim| claim.start(addition.image.id.to_string()));
        let added = self.mongo.transact("add image", move |txn| {
            let (addition, start) = (addition.clone(), start.clone());
            Box::pin(add_in(txn, addition, start))
        });
        match added.await {
            Err(error) if error.is_duplicate_of(ID_INDEX) => Ok(Added::KeyTaken),
            ended => ended,
        }
    }

    /// The product that has this image.
    pub(crate) async fn product_of_image(&self, id: ImageId) -> Result<Option<Listing>, Error> {
        self.one_product(doc! { "images.id": id.to_string() }).await
    }

    /// Deletes bytes and chunks of images between `after` and `before` that no product names, one step of them. Gives the
    /// last id that was looked at; `None` when there are no more.
    pub(crate) async fn sweep_images(&self, part: Part, after: &str, before: &str) -> Result<Option<String>, Error> {
        const WHAT: &str = "find named images";
        let mut ids = self.images.ids_after(part, after, before, STEP).await?;
        let last = ids.last().cloned();
        if !ids.is_empty() {
            let (products, filter) =
                (self.mongo.collection::<Document>(PRODUCTS), doc! { "images.id": { "$in": ids.clone() } });
            let only = doc! { "images.id": 1 };
            let finding = async move { products.find(filter).projection(only).await?.try_collect::<Vec<_>>().await };
            let named = self.mongo.run(WHAT, finding).await?;
            let images = named.iter().filter_map(|product| product.get_array("images").ok()).flatten();
            let named: Vec<&str> = images.filter_map(|image| image.as_document()?.get_str("id").ok()).collect();
            ids.retain(|id| !named.contains(&id.as_str()));
            self.images.delete(&ids).await?;
        }
        Ok(last)
    }
}

async fn add_in(txn: &mut Txn<'_>, addition: ImageAddition, start: Option<Start>) -> Result<Added, Error> {
    let ImageAddition { product, image, position, now } = addition;
    let found: Vec<ProductDocument> = txn.find_many(PRODUCTS, [product.to_string()]).await?;
    let Some(stored) = found.into_iter().next() else { return Ok(Added::Missing) };
    let Listing { product, .. } = read(stored, txn.what())?;
    if product.status == Status::Draft {
        return Ok(Added::Missing);
    }
    let expected = product.version;
    let product = match product.add_image(image, position, now) {
        Ok(product) => product,
        Err(broken) => return Ok(Added::Refused(broken)),
    };
    if let Some(start) = start {
        idempotency::insert(txn, &[start]).await?;
    }
    let set = set_to(&product).map_err(|error| Error::corrupt(txn.what(), error))?;
    let products = txn.collection::<ProductDocument>(PRODUCTS);
    let filter = doc! { "_id": product.id.to_string(), "version": expected };
    let saving = products.find_one_and_update(filter, doc! { "$set": set }).return_document(ReturnDocument::After);
    let saved = saving.session(&mut *txn.session).await.map_err(|error| txn.sort(error))?;
    saved.map_or(Ok(Added::Missing), |stored| Ok(Added::Done(Box::new(read(stored, txn.what())?))))
}
