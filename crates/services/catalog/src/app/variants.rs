//! What can be done with the variants of a product.

use shop_mongo::Claim;
use shop_types::{ProductId, Sku};

use super::{App, Error, ProductKey};
use crate::domain::{self, Listing, NewVariant, VariantChange};
use crate::store::{Added, Addition, Saved};

impl App {
    /// The product of a variant, which it has.
    ///
    /// # Errors
    /// [`Error::NoSuchProduct`]; [`Error::Domain`] when it has no such variant.
    pub(crate) async fn variant(&self, key: &ProductKey, sku: &Sku) -> Result<Listing, Error> {
        let listing = self.product(key).await?;
        if listing.product.variant(sku).is_none() {
            return Err(domain::Error::NoSuchVariant.into());
        }
        Ok(listing)
    }

    /// Adds a variant. The same key again gives the variant as it is now.
    ///
    /// # Errors
    /// [`Error::NoSuchProduct`], [`Error::SkuTaken`], [`Error::KeyReused`], [`Error::Domain`] for a broken rule and for a
    /// repeat after the variant was removed.
    pub(crate) async fn add_variant(
        &self,
        claim: Option<Claim>,
        product: ProductId,
        new: NewVariant,
    ) -> Result<Listing, Error> {
        let sku = new.sku.clone();
        if let Some(listing) = self.added_before(claim.as_ref(), &sku).await? {
            return Ok(listing);
        }
        let before = self.product(&ProductKey::Id(product)).await?;
        let addition = Addition { product, new, currency: self.currency, now: self.now() };
        let stale = self.stale_products([&before.product]);
        let added = self.store.add_variant(addition, claim.clone()).await?;
        stale.forget().await;
        match added {
            Added::Done(listing) => Ok(*listing),
            Added::Missing => Err(Error::NoSuchProduct),
            Added::SkuTaken => Err(Error::SkuTaken),
            // The SKU may be taken by the same request, which was faster.
            Added::Refused(broken) => self.added_before(claim.as_ref(), &sku).await?.ok_or_else(|| broken.into()),
            Added::KeyTaken => self.added_before(claim.as_ref(), &sku).await?.ok_or(Error::NoSuchProduct),
        }
    }

    async fn added_before(&self, claim: Option<&Claim>, sku: &Sku) -> Result<Option<Listing>, Error> {
        let Some(claim) = claim else { return Ok(None) };
        match self.claimed(claim).await? {
            Some(product) => self.variant(&ProductKey::Id(product), sku).await.map(Some),
            None => Ok(None),
        }
    }

    /// Changes a variant of a product that is still at `expected`.
    ///
    /// # Errors
    /// [`Error::NoSuchProduct`], [`Error::Stale`], [`Error::Domain`].
    pub(crate) async fn change_variant(
        &self,
        id: ProductId,
        sku: &Sku,
        expected: i64,
        change: VariantChange,
    ) -> Result<Listing, Error> {
        self.variant(&ProductKey::Id(id), sku).await?;
        let product = self.current(id, expected).await?.change_variant(sku, change, self.currency, self.now())?;
        match self.save(product, expected, None).await? {
            Saved::Done(listing) => Ok(*listing),
            Saved::Stale | Saved::NoCategory => Err(self.outrun(id).await?),
        }
    }

    /// Takes a variant of a product that is still at `expected` off sale.
    ///
    /// # Errors
    /// [`Error::NoSuchProduct`], [`Error::Stale`], [`Error::Domain`] for the default variant.
    pub(crate) async fn remove_variant(&self, id: ProductId, sku: &Sku, expected: i64) -> Result<(), Error> {
        self.variant(&ProductKey::Id(id), sku).await?;
        let product = self.current(id, expected).await?.remove_variant(sku, self.now())?;
        let stale = self.stale_products([&product]);
        let saved = self.store.remove_variant(product, expected, sku).await?;
        stale.forget().await;
        match saved {
            Saved::Done(_) => Ok(()),
            Saved::Stale | Saved::NoCategory => Err(self.outrun(id).await?),
        }
    }
}
