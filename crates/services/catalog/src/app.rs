//! The operations of the catalog: load, decide by the rules of `domain`, save.

mod error;

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::Context as _;
use shop_mongo::Claim;
use shop_service::Service;
use shop_types::event::StockFact;
use shop_types::{CategoryId, Clock, Currency, EventId, Page, ProductId, Sku};

pub(crate) use self::error::Error;
use crate::domain::{Category, CategoryChange, NewCategory, NewProduct, Product, ProductChange, Search, Status};
use crate::peers::Inventory;
use crate::store::{Inserted, Store};

/// The catalog's operations over its own database.
pub(crate) struct App {
    store: Store,
    inventory: Inventory,
    clock: Arc<dyn Clock>,
    currency: Currency,
}

/// A product with what is known of its stock.
#[derive(Debug, Clone)]
pub(crate) struct Listing {
    pub(crate) product: Product,
    /// Pieces that can be sold, by SKU; absent where nothing was told yet.
    pub(crate) available: HashMap<Sku, i64>,
}

/// Names a product in a path.
#[derive(Debug, Clone)]
pub(crate) enum ProductKey {
    Id(ProductId),
    Slug(String),
}

impl App {
    /// Connects the operations to the service's database and peers.
    pub(crate) fn connect(service: &Service) -> anyhow::Result<Self> {
        Ok(Self {
            store: Store::new(service.mongo()?),
            inventory: Inventory::new(service.mesh()),
            clock: service.clock(),
            currency: service.config().currency.parse().context("SHOPMESH_CURRENCY is not a currency")?,
        })
    }

    /// Creates collections, validators and indexes.
    pub(crate) async fn prepare(&self) -> Result<(), Error> {
        self.store.prepare().await.map_err(Error::Store)
    }

    /// Creates a product; with `stock`, nobody sees it before its stock is set, and a repeat with the same key completes
    /// what a failure interrupted (ruling 22).
    ///
    /// # Errors
    /// [`Error::Domain`] for a broken rule, [`Error::SkuTaken`] and [`Error::SlugTaken`] for names in use,
    /// [`Error::NoSuchCategory`], [`Error::KeyReused`], [`Error::Peer`] when inventory is away.
    pub(crate) async fn create_product(
        &self,
        claim: Option<Claim>,
        new: NewProduct,
        stock: Option<u32>,
    ) -> Result<Listing, Error> {
        if let Some(claim) = &claim
            && let Some(made) = self.replayed(claim).await?
        {
            return self.complete(made, stock).await;
        }
        if let Some(category) = new.category {
            self.store.category(category).await?.ok_or(Error::NoSuchCategory)?;
        }
        let id = ProductId::from_uuid(self.clock.new_id());
        let product = Product::create(id, new, self.currency, self.clock.now())?;
        let has_key = claim.is_some();
        match self.store.insert_product(product.clone(), claim.clone()).await? {
            Inserted::Done => {}
            Inserted::SkuTaken => return Err(Error::SkuTaken),
            Inserted::SlugTaken => return Err(Error::SlugTaken),
            Inserted::KeyTaken => {
                let claim = claim.ok_or(Error::KeyReused)?;
                let made = self.replayed(&claim).await?.ok_or(Error::KeyReused)?;
                return self.complete(made, stock).await;
            }
        }
        let completed = self.complete(product, stock).await;
        if completed.is_err() && !has_key {
            // Without a key nobody can complete it later: take the draft back, so that a repeat starts afresh.
            self.store.delete_draft(id).await?;
        }
        completed
    }

    async fn replayed(&self, claim: &Claim) -> Result<Option<Product>, Error> {
        let Some(row) = self.store.claimed(claim).await? else { return Ok(None) };
        if !claim.fits(&row) {
            return Err(Error::KeyReused);
        }
        let id = row.resource.parse().map_err(|_| Error::NoSuchProduct)?;
        Ok(Some(self.store.product(id).await?.ok_or(Error::NoSuchProduct)?))
    }

    async fn complete(&self, product: Product, stock: Option<u32>) -> Result<Listing, Error> {
        let (Status::Draft, Some(quantity), Some(default)) = (product.status, stock, product.default_variant()) else {
            return self.listing(product).await;
        };
        self.inventory.set_on_hand(&default.sku, quantity, &product.id.to_string()).await?;
        let expected = product.version;
        let published = product.publish(self.clock.now());
        if !self.store.save_product(published.clone(), expected).await? {
            // Another repeat of the same key was faster.
            let product = self.store.product(published.id).await?.ok_or(Error::NoSuchProduct)?;
            return self.listing(product).await;
        }
        self.listing(published).await
    }

    /// One product for sale, or an archived one by its id: orders name those.
    ///
    /// # Errors
    /// [`Error::NoSuchProduct`].
    pub(crate) async fn product(&self, key: &ProductKey) -> Result<Listing, Error> {
        let found = match key {
            ProductKey::Id(id) => self.store.product(*id).await?,
            ProductKey::Slug(slug) => self.store.product_by_slug(slug).await?,
        };
        let product = found.filter(|product| product.status != Status::Draft).ok_or(Error::NoSuchProduct)?;
        self.listing(product).await
    }

    /// A page of the products for sale.
    ///
    /// # Errors
    /// [`Error::Domain`] when a bound of the search is broken.
    pub(crate) async fn products(&self, search: Search, number: u32, size: u32) -> Result<Page<Listing>, Error> {
        let (products, total) = self.store.products(search.check()?, number, size).await?;
        let skus: Vec<Sku> = products.iter().flat_map(|p| p.variants.iter().map(|v| v.sku.clone())).collect();
        let available = self.store.available(&skus).await?;
        let listings = products.into_iter().map(|product| {
            let own = |variant: &crate::domain::Variant| Some((variant.sku.clone(), *available.get(&variant.sku)?));
            let available = product.variants.iter().filter_map(own).collect();
            Listing { product, available }
        });
        Ok(Page::new(listings.collect(), number, size, total))
    }

    /// Changes a product that is still at `expected`.
    ///
    /// # Errors
    /// [`Error::NoSuchProduct`], [`Error::Stale`], [`Error::NoSuchCategory`], [`Error::Domain`].
    pub(crate) async fn change_product(
        &self,
        id: ProductId,
        expected: i64,
        change: ProductChange,
    ) -> Result<Listing, Error> {
        if let Some(Some(category)) = change.category {
            self.store.category(category).await?.ok_or(Error::NoSuchCategory)?;
        }
        let product = self.current(id, expected).await?.change(change, self.currency, self.clock.now())?;
        self.save(product, expected).await
    }

    /// Takes a product off sale for good.
    ///
    /// # Errors
    /// [`Error::NoSuchProduct`], [`Error::Stale`], [`Error::Domain`] when it is archived already.
    pub(crate) async fn archive_product(&self, id: ProductId, expected: i64) -> Result<(), Error> {
        let product = self.current(id, expected).await?.archive(self.clock.now())?;
        self.save(product, expected).await.map(drop)
    }

    async fn current(&self, id: ProductId, expected: i64) -> Result<Product, Error> {
        let product = self.store.product(id).await?.ok_or(Error::NoSuchProduct)?;
        if product.version == expected { Ok(product) } else { Err(Error::Stale { current: product.version }) }
    }

    async fn save(&self, product: Product, expected: i64) -> Result<Listing, Error> {
        if self.store.save_product(product.clone(), expected).await? {
            return self.listing(product).await;
        }
        let current = self.store.product(product.id).await?.ok_or(Error::NoSuchProduct)?;
        Err(Error::Stale { current: current.version })
    }

    async fn listing(&self, product: Product) -> Result<Listing, Error> {
        let skus: Vec<Sku> = product.variants.iter().map(|variant| variant.sku.clone()).collect();
        Ok(Listing { available: self.store.available(&skus).await?, product })
    }

    /// The products that sell these SKUs, and those with these ids; drafts and unknown ones are absent.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub(crate) async fn sold_as(&self, skus: &[Sku], ids: &[ProductId]) -> Result<Vec<Product>, Error> {
        let mut found = self.store.products_with(skus, ids).await?;
        found.retain(|product| product.status != Status::Draft);
        Ok(found)
    }

    /// All categories by name.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub(crate) async fn categories(&self) -> Result<Vec<Category>, Error> {
        Ok(self.store.categories().await?)
    }

    /// One category.
    ///
    /// # Errors
    /// [`Error::NoSuchCategory`].
    pub(crate) async fn category(&self, id: CategoryId) -> Result<Category, Error> {
        self.store.category(id).await?.ok_or(Error::NoSuchCategory)
    }

    /// Creates a category.
    ///
    /// # Errors
    /// [`Error::Domain`], [`Error::CategoryNameTaken`], [`Error::NoSuchCategory`] for the parent, [`Error::KeyReused`].
    pub(crate) async fn create_category(&self, claim: Option<Claim>, new: NewCategory) -> Result<Category, Error> {
        if let Some(claim) = &claim
            && let Some(made) = self.replayed_category(claim).await?
        {
            return Ok(made);
        }
        if let Some(parent) = new.parent {
            self.store.category(parent).await?.ok_or(Error::NoSuchCategory)?;
        }
        let category = Category::create(CategoryId::from_uuid(self.clock.new_id()), &new, self.clock.now())?;
        match self.store.insert_category(category.clone(), claim.clone()).await? {
            Inserted::Done => Ok(category),
            Inserted::KeyTaken => {
                let claim = claim.ok_or(Error::KeyReused)?;
                self.replayed_category(&claim).await?.ok_or(Error::KeyReused)
            }
            Inserted::SkuTaken | Inserted::SlugTaken => Err(Error::CategoryNameTaken),
        }
    }

    async fn replayed_category(&self, claim: &Claim) -> Result<Option<Category>, Error> {
        let Some(row) = self.store.claimed(claim).await? else { return Ok(None) };
        if !claim.fits(&row) {
            return Err(Error::KeyReused);
        }
        let id = row.resource.parse().map_err(|_| Error::NoSuchCategory)?;
        Ok(Some(self.category(id).await?))
    }

    /// Changes a category that is still at `expected`.
    ///
    /// # Errors
    /// [`Error::NoSuchCategory`], [`Error::Stale`], [`Error::CategoryNameTaken`], [`Error::Domain`] for a circle.
    pub(crate) async fn change_category(
        &self,
        id: CategoryId,
        expected: i64,
        change: CategoryChange,
    ) -> Result<Category, Error> {
        let current = self.category(id).await?;
        if current.version != expected {
            return Err(Error::Stale { current: current.version });
        }
        let ancestors = match change.parent {
            Some(Some(parent)) => self.store.ancestors(parent).await?.ok_or(Error::NoSuchCategory)?,
            Some(None) | None => Vec::new(),
        };
        let changed = current.change(change, &ancestors, self.clock.now())?;
        if self.store.save_category(changed.clone(), expected).await? {
            return Ok(changed);
        }
        Err(Error::Stale { current: self.category(id).await?.version })
    }

    /// Deletes a category that nothing is in.
    ///
    /// # Errors
    /// [`Error::NoSuchCategory`], [`Error::Stale`], [`Error::CategoryInUse`] while products or other categories name it.
    pub(crate) async fn delete_category(&self, id: CategoryId, expected: i64) -> Result<(), Error> {
        let current = self.category(id).await?;
        if current.version != expected {
            return Err(Error::Stale { current: current.version });
        }
        if self.store.category_in_use(id).await? {
            return Err(Error::CategoryInUse);
        }
        if self.store.delete_category(id, expected).await? { Ok(()) } else { Err(Error::NoSuchCategory) }
    }

    /// Remembers what can be sold; facts that are older than what is known change nothing.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub(crate) async fn remember_stock(&self, facts: Vec<(EventId, StockFact)>) -> Result<(), Error> {
        Ok(self.store.remember_stock(facts).await?)
    }
}
