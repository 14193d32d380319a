//! What is read often, kept ready: under which name, for how long, and what a write makes old.
//!
//! Lists have too many names to be told one by one. Their names hold an epoch, which is kept like any other value: who
//! drops the epoch makes all lists old that were named by it.

use std::time::Duration;

use sha2::{Digest as _, Sha256};
use shop_redis::{Bytes, Cache, Hit};
use shop_types::CategoryId;
use shop_types::idempotency::hex;
use tokio::runtime::Handle;

use super::{App, ProductKey};
use crate::domain::{Place, Product, Search};

/// Answers that one process keeps; some are lists of a hundred products.
pub(super) const CAPACITY: u64 = 512;
/// Lives in Redis; in the process nothing lives longer than ten seconds.
const PRODUCT_LIFE: Duration = Duration::from_mins(5);
const LIST_LIFE: Duration = Duration::from_mins(5);
const SEARCH_LIFE: Duration = Duration::from_mins(2);
const CATEGORY_LIFE: Duration = Duration::from_mins(10);

/// Names the epoch of lists of products.
const LISTS: &str = "lists";
/// Names the epoch of categories, whose paths name each other.
const TREE: &str = "tree";

/// Something that is read often.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Reading<'a> {
    Product(&'a ProductKey),
    Products { search: &'a Search, place: &'a Place, size: u32 },
    Category(CategoryId),
    Categories,
}

impl Reading<'_> {
    fn life(self) -> Duration {
        match self {
            Self::Product(_) => PRODUCT_LIFE,
            Self::Products { search, .. } if search.words.is_some() => SEARCH_LIFE,
            Self::Products { .. } => LIST_LIFE,
            Self::Category(_) | Self::Categories => CATEGORY_LIFE,
        }
    }

    /// The name of the epoch that its own name holds.
    fn epoch(self) -> Option<&'static str> {
        match self {
            Self::Product(_) => None,
            Self::Products { .. } => Some(LISTS),
            Self::Category(_) | Self::Categories => Some(TREE),
        }
    }

    fn name(self) -> String {
        match self {
            Self::Product(ProductKey::Id(id)) => format!("product:{id}"),
            Self::Product(ProductKey::Slug(slug)) => format!("slug:{slug}"),
            Self::Products { search, place, size } => {
                hex(&Sha256::digest(format!("{search:?} {place:?} {size}").as_bytes()))
            }
            Self::Category(id) => id.to_string(),
            Self::Categories => "all".to_owned(),
        }
    }
}

impl App {
    /// The answer to a reading, made by `load` when nobody keeps it, and where it was found.
    ///
    /// # Errors
    /// What `load` answers. A Redis that is away is no error.
    pub(crate) async fn kept<F, Fut, E>(&self, reading: Reading<'_>, load: F) -> Result<(Bytes, Hit), E>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<Bytes, E>>,
    {
        let life = reading.life();
        let name = match reading.epoch() {
            Some(epoch) => {
                let fresh = async || Ok(Bytes::from(self.clock.new_id().to_string()));
                let (id, _) = self.cache.get_or_load(epoch, CATEGORY_LIFE, fresh).await?;
                format!("{epoch}:{}:{}", hex(&id), reading.name())
            }
            None => reading.name(),
        };
        self.cache.get_or_load(&name, life, load).await
    }

    /// To be called before a write of these products.
    pub(super) fn stale_products<'a>(&self, products: impl IntoIterator<Item = &'a Product>) -> Stale {
        Stale::of_products(self.cache.clone(), products)
    }

    /// To be called before a write of a category. Lists of those above it may hold other products then.
    pub(super) fn stale_categories(&self) -> Stale {
        Stale { cache: self.cache.clone(), names: vec![TREE.to_owned(), LISTS.to_owned()] }
    }
}

/// What a write makes old. Forget it after the commit.
///
/// Dropped instead, because the write failed or nobody waits for it any more, it is forgotten all the same, and once more
/// when the write cannot be under way any longer: nobody knows whether it was committed.
#[must_use]
pub(super) struct Stale {
    cache: Cache,
    names: Vec<String>,
}

impl Stale {
    /// What a write of these products makes old; nothing for none.
    pub(super) fn of_products<'a>(cache: Cache, products: impl IntoIterator<Item = &'a Product>) -> Self {
        let names = products.into_iter().flat_map(|product| {
            let (id, slug) = (ProductKey::Id(product.id), ProductKey::Slug(product.slug.clone()));
            [Reading::Product(&id).name(), Reading::Product(&slug).name()]
        });
        let mut names: Vec<String> = names.collect();
        if !names.is_empty() {
            names.push(LISTS.to_owned());
        }
        Self { cache, names }
    }

    /// No reader of this process is given, from now on, what was loaded before; others hear of it.
    pub(super) async fn forget(mut self) {
        self.cache.invalidate(&self.names).await;
        self.names.clear();
    }
}

impl Drop for Stale {
    fn drop(&mut self) {
        if self.names.is_empty() {
            return;
        }
        let (cache, names) = (self.cache.clone(), std::mem::take(&mut self.names));
        // Outside of a runtime the process is over, and its cache with it.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                cache.invalidate(&names).await;
                tokio::time::sleep(shop_mongo::DEADLINE).await;
                cache.invalidate(&names).await;
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use shop_types::ProductId;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn products_and_lists_live_five_minutes_searches_two_and_categories_ten() {
        let (product, category) = (ProductId::from_uuid(Uuid::from_u128(1)), CategoryId::from_uuid(Uuid::from_u128(2)));
        let keys = [ProductKey::Id(product), ProductKey::Slug("mug".to_owned())];
        assert!(keys.iter().all(|key| Reading::Product(key).life() == Duration::from_secs(300)));
        let (place, list) =
            (Place::Page(1), Search { categories: vec![category], in_stock: true, ..Search::default() });
        let words = Search { words: Some("mug".to_owned()), ..list.clone() };
        let life = |search: &Search| Reading::Products { search, place: &place, size: 20 }.life();
        assert_eq!((life(&list), life(&words)), (Duration::from_secs(300), Duration::from_secs(120)));
        let of_categories = [Reading::Category(category), Reading::Categories].map(Reading::life);
        assert_eq!(of_categories, [Duration::from_secs(600); 2]);
    }
}
