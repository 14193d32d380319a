//! What can be done with products.

use shop_mongo::Claim;
use shop_types::{CategoryId, ErrorKind, Page, ProductId, ServiceError as _, Sku};

use super::{App, Error};
use crate::domain::{
    Cursor, Facets, Listing, NewProduct, Offer, Place, Product, ProductChange, Search, Status, offer, search,
};
use crate::store::{Inserted, Saved, Start};

/// Names a product in a path.
#[derive(Debug, Clone)]
pub(crate) enum ProductKey {
    Id(ProductId),
    Slug(String),
}

/// How far an earlier request with the same key has come.
enum Earlier {
    /// There was none, or there is no key.
    None,
    /// It wrote the product, which may still wait for its stock.
    Made(Box<Listing>),
    /// It wrote a draft that has expired, or was taken back since it could not be completed.
    Expired(ProductId),
}

impl App {
    /// Creates a product; with `stock` or the name of a category, nobody sees it before its stock is set and its category
    /// is there, and a repeat with the same key completes what a failure interrupted (ruling 22).
    ///
    /// # Errors
    /// [`Error::Domain`] for a broken rule, [`Error::SkuTaken`] and [`Error::SlugTaken`] for names in use,
    /// [`Error::KeyReused`], [`Error::StockHeld`], [`Error::Peer`] when inventory is away.
    pub(crate) async fn create_product(&self, claim: Option<Claim>, new: NewProduct) -> Result<Listing, Error> {
        let (stock, category, has_key) = (new.stock, new.category_name.clone(), claim.is_some());
        let listing = self.written(claim, new).await?;
        let id = listing.product.id;
        let completed = self.complete(listing, stock, category).await;
        // Without a key nobody can complete it later, and what is refused is refused to a repeat, too.
        let is_final = completed.as_ref().is_err_and(|error| !has_key || error.kind() == ErrorKind::Conflict);
        if is_final {
            // Take the draft back, so that its SKU and slug are free again.
            if let Err(error) = self.store.delete_draft(id).await {
                tracing::warn!(error = &error as &dyn std::error::Error, "Left a draft to its expiry");
            }
        }
        completed
    }

    /// The product that this or an earlier request with the same key has written, which may wait for its stock.
    async fn written(&self, claim: Option<Claim>, new: NewProduct) -> Result<Listing, Error> {
        let (id, unwritten) = match self.earlier(claim.as_ref()).await? {
            Earlier::None => (ProductId::from_uuid(self.clock.new_id()), claim.clone()),
            Earlier::Made(listing) => return Ok(*listing),
            Earlier::Expired(id) => (id, None),
        };
        let category = new.category_name.clone();
        let mut product = Product::create(id, new, self.currency, self.now())?;
        if let Some(name) = category {
            // One that is there is touched with those of all that are inserted at the same time.
            product.category = self.known_category(&name).await?;
        }
        // A draft is in no answer.
        let stale = self.stale_products((product.status != Status::Draft).then_some(&product));
        let inserted = self.store.insert_product(product, unwritten).await?;
        stale.forget().await;
        match inserted {
            Inserted::Done(listing) => Ok(listing),
            Inserted::SkuTaken => Err(Error::SkuTaken),
            Inserted::NameTaken => Err(Error::SlugTaken),
            Inserted::NoCategory => Err(Error::unknown_category("categoryId")),
            Inserted::Refused(broken) => Err(broken.into()),
            Inserted::KeyTaken => match self.earlier(claim.as_ref()).await? {
                Earlier::Made(listing) => Ok(*listing),
                // Gone again between the two: the next attempt sees clearly.
                Earlier::None | Earlier::Expired(_) => {
                    Err(shop_mongo::Error::Conflict { what: "insert product" }.into())
                }
            },
        }
    }

    async fn earlier(&self, claim: Option<&Claim>) -> Result<Earlier, Error> {
        let Some(claim) = claim else { return Ok(Earlier::None) };
        let Some(id) = self.claimed(claim).await? else { return Ok(Earlier::None) };
        // Only drafts are ever deleted.
        Ok(self.store.product(id).await?.map_or(Earlier::Expired(id), |listing| Earlier::Made(Box::new(listing))))
    }

    /// Does for a draft what is left to do, in this order: its stock, which inventory may refuse; its category; the rest.
    async fn complete(&self, listing: Listing, stock: Option<u32>, category: Option<String>) -> Result<Listing, Error> {
        let outrun = || Error::from(shop_mongo::Error::Conflict { what: "publish product" });
        let product = &listing.product;
        if product.status != Status::Draft {
            return Ok(listing);
        }
        if let (Some(quantity), Some(default)) = (stock, product.default_variant()) {
            self.inventory.set_on_hand(&default.sku, quantity, &product.id.to_string()).await?;
        }
        let category = match category {
            Some(name) if product.category.is_none() => Some(self.category_named(&name).await?),
            Some(_) | None => None,
        };
        let (id, expected) = (product.id, product.version);
        match self.save(listing.product.publish(category, self.now()), expected, category).await? {
            Saved::Done(listing) => Ok(*listing),
            // Another repeat of the same key was faster, to complete it or to take it back.
            Saved::Stale => self.store.product(id).await?.ok_or_else(outrun),
            // The category was deleted between the two.
            Saved::NoCategory => Err(outrun()),
        }
    }

    /// One product for sale; by its id also an archived one, since orders name those.
    ///
    /// # Errors
    /// [`Error::NoSuchProduct`].
    pub(crate) async fn product(&self, key: &ProductKey) -> Result<Listing, Error> {
        let found = match key {
            ProductKey::Id(id) => self.store.product(*id).await?,
            ProductKey::Slug(slug) => self.store.product_by_slug(slug).await?,
        };
        let visible = |listing: &Listing| match listing.product.status {
            Status::Draft => false,
            Status::Active => true,
            Status::Archived => matches!(key, ProductKey::Id(_)),
        };
        found.filter(visible).ok_or(Error::NoSuchProduct)
    }

    /// A page of the products for sale, and what the whole list could be narrowed to.
    ///
    /// # Errors
    /// [`Error::Domain`] when a bound of the search is broken.
    pub(crate) async fn products(
        &self,
        search: Search,
        place: Place,
        size: u32,
    ) -> Result<(Page<Listing>, Facets), Error> {
        let mut search = search.check()?;
        let number = place.number(size);
        // How much stands before a cursor is not known: the pages before it may have had another size.
        let (start, first) = match place {
            Place::Page(number) => (Start::Skip(search::items_before(number, size)?), number),
            Place::Beyond(count) => (Start::Skip(search::offset(count)?), number),
            Place::After(cursor) => (Start::After(cursor), 1),
        };
        if let [category] = search.categories.as_slice() {
            search.categories = self.store.subtree(*category).await?;
        }
        let (found, facets) =
            futures::try_join!(self.store.products(&search, start, size), self.store.facets(&search))?;
        let (listings, more, total) = found;
        let last = listings.last().filter(|_| more);
        let next = last.map(|last| Cursor::after(&last.product, search.sort, number.saturating_add(1)).to_string());
        let mut page = Page::new(listings, first, size, total);
        (page.page.number, page.page.next_cursor) = (number, next);
        Ok((page, facets))
    }

    /// Changes a product that is still at `expected`.
    ///
    /// # Errors
    /// [`Error::NoSuchProduct`], [`Error::Stale`], [`Error::Domain`].
    pub(crate) async fn change_product(
        &self,
        id: ProductId,
        expected: i64,
        change: ProductChange,
    ) -> Result<Listing, Error> {
        let category = change.category.flatten();
        let product = self.current(id, expected).await?.change(change, self.currency, self.now())?;
        match self.save(product, expected, category).await? {
            Saved::Done(listing) => Ok(*listing),
            Saved::NoCategory => Err(Error::unknown_category("categoryId")),
            Saved::Stale => Err(self.outrun(id).await?),
        }
    }

    /// Takes a product off sale for good; its images go.
    ///
    /// # Errors
    /// [`Error::NoSuchProduct`], [`Error::Stale`], [`Error::Domain`] when it is archived already.
    pub(crate) async fn archive_product(&self, id: ProductId, expected: i64) -> Result<(), Error> {
        let product = self.current(id, expected).await?;
        let images: Vec<_> = product.images.iter().map(|image| image.id).collect();
        let product = product.archive(self.now())?;
        match self.save(product, expected, None).await? {
            Saved::Done(_) => {
                self.forget_images(images).await;
                Ok(())
            }
            Saved::Stale | Saved::NoCategory => Err(self.outrun(id).await?),
        }
    }

    /// Writes a product that is still at `expected`; readers are given it from then on.
    pub(super) async fn save(
        &self,
        product: Product,
        expected: i64,
        category: Option<CategoryId>,
    ) -> Result<Saved, Error> {
        let stale = self.stale_products([&product]);
        let saved = self.store.save_product(product, expected, category).await?;
        stale.forget().await;
        Ok(saved)
    }

    /// A product that can be changed, if it is at the version that the caller has read.
    pub(super) async fn current(&self, id: ProductId, expected: i64) -> Result<Product, Error> {
        let Listing { product, .. } = self.product(&ProductKey::Id(id)).await?;
        if product.version == expected { Ok(product) } else { Err(Error::Stale { current: product.version }) }
    }

    /// What to say when somebody else was faster.
    pub(super) async fn outrun(&self, id: ProductId) -> Result<Error, Error> {
        let Listing { product, .. } = self.product(&ProductKey::Id(id)).await?;
        Ok(Error::Stale { current: product.version })
    }

    /// What is sold under these SKUs and as the default variants of these products; what is in drafts or unknown is absent.
    ///
    /// # Errors
    /// [`Error::Domain`] for more than 200 of both.
    pub(crate) async fn offers(&self, skus: &[Sku], ids: &[ProductId]) -> Result<Vec<Offer>, Error> {
        offer::check(skus, ids)?;
        let mut found = self.store.products_with(skus, ids).await?;
        found.retain(|product| product.status != Status::Draft);
        Ok(offer::among(&found, skus, ids))
    }
}
