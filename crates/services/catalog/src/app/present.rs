//! Changes of things as they are now, for callers that have not said which version they mean. What is absent from such a
//! change stays as somebody else has made it, and whoever is outrun decides again: they named no version that could be stale.

use shop_mongo::Pauses;
use shop_telemetry::context;
use shop_types::{CategoryId, ProductId};
use tokio::time::{Instant, sleep};

use super::{App, Error, ProductKey};
use crate::domain::{CategoryChange, Listing, Placed, ProductChange};

impl App {
    /// Changes a product at whichever version it is.
    ///
    /// # Errors
    /// As [`App::change_product`], but for [`Error::Stale`]: [`Error::Store`] when others were faster until the deadline.
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
    /// As [`App::archive_product`], with the same exception.
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
    /// As [`App::change_category`], with the same exception.
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
    /// As [`App::delete_category`], with the same exception.
    pub(crate) async fn delete_present_category(&self, id: CategoryId) -> Result<(), Error> {
        again(async || {
            let version = self.category(id).await?.category.version;
            self.delete_category(id, version).await
        })
        .await
    }
}

/// Does something again that was outrun, until the deadline of the request.
async fn again<T>(attempt: impl AsyncFn() -> Result<T, Error>) -> Result<T, Error> {
    let until = Instant::now() + context::remaining().unwrap_or(shop_mongo::DEADLINE);
    let mut pauses = Pauses::default();
    loop {
        match attempt().await {
            Err(Error::Stale { .. }) => {}
            done => return done,
        }
        let pause = pauses.pause();
        if Instant::now() + pause >= until {
            return Err(shop_mongo::Error::Conflict { what: "change as it is now" }.into());
        }
        sleep(pause).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use shop_types::{ErrorKind, ServiceError as _};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_is_outrun_until_the_deadline_is_told_to_come_again_and_not_that_they_are_stale() {
        let (began, tries) = (Instant::now(), AtomicU32::new(0));
        let outrun = again(async || {
            tries.fetch_add(1, Ordering::Relaxed);
            Err::<(), _>(Error::Stale { current: 2 })
        });
        let error = outrun.await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Unavailable, "unavailable"));
        assert!(began.elapsed() <= shop_mongo::DEADLINE, "{:?}", began.elapsed());
        let tries = tries.into_inner();
        assert!((10..1000).contains(&tries), "{tries}");
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_outrun_a_few_times_succeeds_and_what_is_refused_is_not_tried_again() {
        let tries = AtomicU32::new(0);
        let tried = async |last: u32| match tries.fetch_add(1, Ordering::Relaxed) {
            n if n < last => Err(Error::Stale { current: 2 }),
            n => Ok(n),
        };
        assert!(matches!(again(async || tried(9).await).await, Ok(9)));
        let refused = again(async || tried(0).await.and(Err::<(), _>(Error::NoSuchProduct))).await;
        assert!(matches!(refused, Err(Error::NoSuchProduct)), "{refused:?}");
        assert_eq!(tries.into_inner(), 11);
    }
}
