//! The operations of the catalog: load, decide by the rules of `domain`, save.

mod cache;
mod categories;
mod error;
mod images;
mod imports;
mod named;
mod present;
mod products;
mod variants;

use std::sync::Arc;

use anyhow::Context as _;
use jiff::{Timestamp, Unit};
use prometheus::IntCounterVec;
use shop_mongo::Claim;
use shop_redis::Cache;
use shop_service::Service;
use shop_types::event::StockFact;
use shop_types::{Clock, Currency, EventId, Id, Sku};
use tokio::sync::{Notify, Semaphore};

pub(crate) use self::cache::Reading;
pub(crate) use self::error::Error;
pub(crate) use self::images::NewImage;
pub(crate) use self::imports::Upload;
pub(crate) use self::products::ProductKey;
use crate::peers::Inventory;
use crate::store::Store;

/// The catalog's operations over its own database.
pub(crate) struct App {
    store: Store,
    inventory: Inventory,
    cache: Cache,
    views: IntCounterVec,
    clock: Arc<dyn Clock>,
    currency: Currency,
    /// Wakes whoever works on imports.
    imports: Notify,
    /// Places for images that are being sent: each is held in memory whole.
    image_places: Arc<Semaphore>,
}

impl App {
    /// Connects the operations to the service's database and peers.
    pub(crate) fn connect(service: &Service) -> anyhow::Result<Self> {
        Ok(Self {
            store: Store::new(service.mongo()?, service.stop()),
            inventory: Inventory::new(service.mesh()),
            cache: service.redis()?.cache("catalog", cache::CAPACITY).context("failed to make the cache")?,
            views: service.metrics().counter("product_views_total", "Answers that showed one product", &[])?,
            clock: service.clock(),
            currency: service.config().currency.parse().context("SHOPMESH_CURRENCY is not a currency")?,
            imports: Notify::new(),
            image_places: Arc::new(Semaphore::new(images::MOST_SENT)),
        })
    }

    /// Creates collections, validators and indexes.
    pub(crate) async fn prepare(&self) -> Result<(), Error> {
        Ok(self.store.prepare().await?)
    }

    /// Remembers what can be sold; facts that are older than what is known change nothing.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub(crate) async fn remember_stock(&self, facts: Vec<(EventId, StockFact)>) -> Result<(), Error> {
        let skus: Vec<Sku> = facts.iter().map(|(_, fact)| fact.sku.clone()).collect();
        self.store.remember_stock(facts).await?;
        // Also of facts that were known: who remembered them may have ended before this.
        let shown = self.store.products_with(&skus, &[]).await?;
        self.stale_products(&shown).forget().await;
        Ok(())
    }

    /// Counts that one product was shown.
    pub(crate) fn count_view(&self) {
        self.views.with_label_values::<&str>(&[]).inc();
    }

    /// The time, as exact as it is stored: so that what is answered now is what is read later.
    pub(crate) fn now(&self) -> Timestamp {
        let now = self.clock.now();
        now.round(Unit::Millisecond).unwrap_or(now)
    }

    /// The currency of all prices.
    pub(crate) const fn currency(&self) -> Currency {
        self.currency
    }

    /// What a key was used for before, if it was.
    ///
    /// # Errors
    /// [`Error::KeyReused`] when that was another request.
    async fn claimed<K>(&self, claim: &Claim) -> Result<Option<Id<K>>, Error> {
        let Some(row) = self.store.claimed(claim).await? else { return Ok(None) };
        if !claim.fits(&row) {
            return Err(Error::KeyReused);
        }
        let id = row.resource.parse().map_err(|error| shop_mongo::Error::corrupt("find idempotency row", error))?;
        Ok(Some(id))
    }
}
