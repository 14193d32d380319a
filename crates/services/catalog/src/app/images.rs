//! What can be done with the images of a product.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use shop_mongo::{Claim, Part};
use shop_types::{ImageId, ProductId};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{App, Error, ProductKey};
use crate::domain::{self, Image, ImageChange, Listing, Media};
use crate::store::{Added, ImageAddition, Saved};

/// Images that are sent at once. Each may take twice its 5 MiB while it is read: so many fit beside everything else.
pub(super) const MOST_SENT: usize = 8;
/// How long an image waits for others to be sent: a page shows more of them than there are places.
const MOST_WAITED: Duration = Duration::from_secs(3);
/// Between two sweeps.
const SWEEP: Duration = Duration::from_secs(3600);
/// What is younger may still be on its way into its product.
const GRACE: SignedDuration = SignedDuration::from_hours(1);

/// An image to add to a product.
pub(crate) struct NewImage {
    pub(crate) product: ProductId,
    pub(crate) bytes: Vec<u8>,
    /// What the client says that it is.
    pub(crate) media: Media,
    pub(crate) alt: String,
    /// From 0; at the end without it.
    pub(crate) position: Option<u32>,
}

impl App {
    /// A product that has this image.
    ///
    /// # Errors
    /// [`Error::NoSuchProduct`]; [`Error::Domain`] when it has no such image.
    pub(crate) async fn product_with_image(&self, key: &ProductKey, image: ImageId) -> Result<Listing, Error> {
        let listing = self.product(key).await?;
        if listing.product.image(image).is_none() {
            return Err(domain::Error::NoSuchImage.into());
        }
        Ok(listing)
    }

    /// The bytes of an image, and a place among those that are being sent, to be held until the last byte has gone.
    ///
    /// # Errors
    /// [`Error::Domain`] when it was taken away just now; [`Error::Busy`] when no place becomes free within
    /// [`MOST_WAITED`].
    pub(crate) async fn image_bytes(&self, image: ImageId) -> Result<(Vec<u8>, OwnedSemaphorePermit), Error> {
        let place = tokio::time::timeout(MOST_WAITED, Arc::clone(&self.image_places).acquire_owned()).await;
        let place = place.map_err(|_| Error::Busy)?.map_err(|_| Error::Busy)?;
        let bytes = self.store.image(image).await?.ok_or(domain::Error::NoSuchImage)?;
        Ok((bytes, place))
    }

    /// Adds an image and gives its id. The same key again gives the image as it is now.
    ///
    /// # Errors
    /// [`Error::NoSuchProduct`], [`Error::ImageMedia`] when the bytes are not what the client says, [`Error::KeyReused`],
    /// [`Error::Domain`] for a broken rule and for a repeat after the image was taken away.
    pub(crate) async fn add_image(&self, claim: Option<Claim>, new: NewImage) -> Result<(Listing, ImageId), Error> {
        let NewImage { product, bytes, media, alt, position } = new;
        if Media::of(&bytes) != Some(media) {
            return Err(Error::ImageMedia);
        }
        if let Some(added) = self.image_added_before(claim.as_ref()).await? {
            return Ok(added);
        }
        let id = ImageId::from_uuid(self.clock.new_id());
        let image = Image { id, media, bytes: bytes.len() as u64, alt };
        let before = self.product(&ProductKey::Id(product)).await?;
        // A rule that is broken already is told before the bytes are stored.
        before.product.clone().add_image(image.clone(), position, self.now())?;
        self.store.keep_image(id, bytes).await?;
        let stale = self.stale_products([&before.product]);
        let addition = ImageAddition { product, image, position, now: self.now() };
        let added = self.store.add_image(addition, claim.clone()).await;
        stale.forget().await;
        let refused = match added? {
            Added::Done(listing) => return Ok((*listing, id)),
            Added::KeyTaken => None,
            Added::Missing | Added::SkuTaken => Some(Error::NoSuchProduct),
            Added::Refused(broken) => Some(broken.into()),
        };
        self.forget_images([id]).await;
        match refused {
            Some(error) => Err(error),
            None => self.image_added_before(claim.as_ref()).await?.ok_or_else(|| domain::Error::NoSuchImage.into()),
        }
    }

    async fn image_added_before(&self, claim: Option<&Claim>) -> Result<Option<(Listing, ImageId)>, Error> {
        let Some(claim) = claim else { return Ok(None) };
        let Some(id) = self.claimed(claim).await? else { return Ok(None) };
        let listing = self.store.product_of_image(id).await?.ok_or(domain::Error::NoSuchImage)?;
        Ok(Some((listing, id)))
    }

    /// Changes what is said of an image of a product that is still at `expected`, or where it stands.
    ///
    /// # Errors
    /// [`Error::NoSuchProduct`], [`Error::Stale`], [`Error::Domain`].
    pub(crate) async fn change_image(
        &self,
        id: ProductId,
        image: ImageId,
        expected: i64,
        change: ImageChange,
    ) -> Result<Listing, Error> {
        self.product_with_image(&ProductKey::Id(id), image).await?;
        let product = self.current(id, expected).await?.change_image(image, change, self.now())?;
        match self.save(product, expected, None).await? {
            Saved::Done(listing) => Ok(*listing),
            Saved::Stale | Saved::NoCategory => Err(self.outrun(id).await?),
        }
    }

    /// Takes an image away from a product that is still at `expected`.
    ///
    /// # Errors
    /// [`Error::NoSuchProduct`], [`Error::Stale`], [`Error::Domain`].
    pub(crate) async fn remove_image(&self, id: ProductId, image: ImageId, expected: i64) -> Result<(), Error> {
        self.product_with_image(&ProductKey::Id(id), image).await?;
        let product = self.current(id, expected).await?.remove_image(image, self.now())?;
        match self.save(product, expected, None).await? {
            Saved::Done(_) => {
                self.forget_images([image]).await;
                Ok(())
            }
            Saved::Stale | Saved::NoCategory => Err(self.outrun(id).await?),
        }
    }

    /// Forgets the bytes of images that no product names; what fails is swept later.
    pub(super) async fn forget_images(&self, ids: impl IntoIterator<Item = ImageId>) {
        if let Err(error) = self.store.drop_images(ids).await {
            warn!(error = &error as &dyn std::error::Error, "Left images to the sweep");
        }
    }

    /// Until stopped: deletes images that no product names, as a process leaves them that dies between two writes. Several
    /// pods may do so at once.
    pub(crate) async fn sweep_images(self: Arc<Self>, stop: CancellationToken) {
        while !stop.is_cancelled() {
            for part in [Part::Files, Part::Chunks] {
                if let Err(error) = self.sweep_part(part, &stop).await {
                    warn!(error = &error as &dyn std::error::Error, "Cannot sweep images");
                }
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(SWEEP) => {}
            }
        }
    }

    async fn sweep_part(&self, part: Part, stop: &CancellationToken) -> Result<(), shop_mongo::Error> {
        // Ids begin with the milliseconds since 1970 at which they were made.
        let oldest = self.clock.now().checked_sub(GRACE).unwrap_or(self.clock.now()).as_millisecond();
        let before = format!("{:08x}-{:04x}", oldest >> 16, oldest & 0xffff);
        let mut place = Some(String::new());
        while let Some(after) = place.filter(|_| !stop.is_cancelled()) {
            place = self.store.sweep_images(part, &after, &before).await?;
        }
        Ok(())
    }
}
