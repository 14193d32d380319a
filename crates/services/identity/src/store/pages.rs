//! Pages of lists: bounded, counted, and never longer at work than anybody waits.

use std::time::Duration;

use futures::TryStreamExt as _;
use serde::de::DeserializeOwned;
use shop_mongo::options::{CountOptions, FindOptions};
use shop_mongo::{Collection, Document, Error};

use super::Store;

/// How long the server may work on a list.
const LONGEST: Duration = Duration::from_secs(2);

/// A page of a list in this sequence.
pub(super) fn options(sort: Document, number: u32, size: u32) -> FindOptions {
    FindOptions::builder()
        .sort(sort)
        .skip(u64::from(number.saturating_sub(1)) * u64::from(size))
        .limit(i64::from(size))
        .max_time(LONGEST)
        .build()
}

impl Store {
    /// The documents of a page, and how many match in all, as far as is counted.
    pub(super) async fn page<T>(
        &self,
        what: &'static str,
        collection: Collection<T>,
        filter: Document,
        options: FindOptions,
    ) -> Result<(Vec<T>, u64), Error>
    where
        T: DeserializeOwned + Send + Sync + 'static,
    {
        let (counted, same) = (collection.clone(), filter.clone());
        let mut count = CountOptions::default();
        count.max_time = Some(LONGEST);
        count.collation.clone_from(&options.collation);
        let page = self.mongo.run(what, async move {
            collection.find(filter).with_options(options).await?.try_collect::<Vec<T>>().await
        });
        let total = self.mongo.run(what, async move { shop_mongo::count(&counted, same, count).await });
        futures::try_join!(page, total)
    }
}
