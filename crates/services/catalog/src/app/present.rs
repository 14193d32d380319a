//! Changes of things as they are now, for callers that have not said which version they mean. What is absent from such a
//! change stays as somebody else has made it.

use shop_types::{CategoryId, ProductId};

use super::{App, Error, ProductKey};
use crate::domain::{CategoryChange, Listing, Placed, ProductChange};

/// How often a change that was outrun is decided again.
const TURNS: u32 = 5;

impl App {
    /// Changes a product at whichever version it is.
    ///
    /// # Errors
    /// As [`App::change_product`].
    pub(crate) async fn change_present_product(&self, id: ProductId, change: ProductChange) -> Result<Listing, Error> {
        again(async || {
            let version = self.product(&ProductKey::Id(id)).await?.product.version;
            self.change_product(id, version, change.clone()).await
        })
        .await
    }

    /// Takes a product off sale at whichever version it is.
    ///
    /// # Errors
    /// As [`App::archive_product`].
    pub(crate) async fn archive_present_product(&self, id: ProductId) -> Result<(), Error> {
        again(async || {
            let version = self.product(&ProductKey::Id(id)).await?.product.version;
            self.archive_product(id, version).await
        })
        .await
    }

    /// Changes a category at whichever version it is.
    ///
    /// # Errors
    /// As [`App::change_category`].
    pub(crate) async fn change_present_category(
        &self,
        id: CategoryId,
        change: CategoryChange,
    ) -> Result<Placed, Error> {
        again(async || {
            let version = self.category(id).await?.category.version;
            self.change_category(id, version, change.clone()).await
        })
        .await
    }

    /// Deletes a category at whichever version it is.
    ///
    /// # Errors
    /// As [`App::delete_category`].
    pub(crate) async fn delete_present_category(&self, id: CategoryId) -> Result<(), Error> {
        again(async || {
            let version = self.category(id).await?.category.version;
            self.delete_category(id, version).await
        })
        .await
    }
}

/// Does something again that was outrun, a few times.
async fn again<T>(attempt: impl AsyncFn() -> Result<T, Error>) -> Result<T, Error> {
    for _ in 1..TURNS {
        match attempt().await {
            Err(Error::Stale { .. }) => {}
            done => return done,
        }
    }
    attempt().await
}
