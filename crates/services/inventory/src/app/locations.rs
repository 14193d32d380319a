//! What staff can do with locations, and how it sees all stock and its history.

use shop_mongo::Claim;
use shop_types::Sku;

use super::{App, Error};
use crate::domain::Stock;
use crate::domain::history::{Cursor, Recorded, Search};
use crate::domain::location::{self, Location, LocationId, LocationName};
use crate::store::locations::{Added, Removed};
use crate::store::{self, locations, movements};

impl App {
    /// All locations, by id.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn locations(&self) -> Result<Vec<Location>, Error> {
        Ok(locations::locations(&self.mongo).await?)
    }

    /// One location.
    ///
    /// # Errors
    /// [`location::Error::NoSuch`]; [`Error::Store`].
    pub async fn location(&self, id: &LocationId) -> Result<Location, Error> {
        Ok(locations::location(&self.mongo, id).await?.ok_or(location::Error::NoSuch)?)
    }

    /// Adds a location. The same key again gives it as it is now.
    ///
    /// # Errors
    /// [`location::Error::Taken`], [`location::Error::TooMany`], [`location::Error::KeyReused`];
    /// [`location::Error::NoSuch`] for a repeat after it was removed; [`Error::Store`].
    pub async fn add_location(
        &self,
        claim: Option<Claim>,
        id: LocationId,
        name: LocationName,
    ) -> Result<Location, Error> {
        if let Some(added) = self.added_before(claim.as_ref(), &id).await? {
            return Ok(added);
        }
        let location = Location { id, name, version: 1 };
        match locations::add(&self.mongo, &location, claim.as_ref()).await? {
            Added::Done => Ok(location),
            Added::TooMany => Err(location::Error::TooMany.into()),
            // By the same request, which was faster, or by another one.
            Added::Taken => {
                let added = self.added_before(claim.as_ref(), &location.id).await?;
                added.ok_or_else(|| location::Error::Taken.into())
            }
        }
    }

    async fn added_before(&self, claim: Option<&Claim>, id: &LocationId) -> Result<Option<Location>, Error> {
        let Some(claim) = claim else { return Ok(None) };
        let Some(row) = shop_mongo::idempotency::find(&self.mongo, claim.id()).await? else { return Ok(None) };
        if !claim.fits(&row) {
            return Err(location::Error::KeyReused.into());
        }
        self.location(id).await.map(Some)
    }

    /// Gives a location that is still at `seen` another name.
    ///
    /// # Errors
    /// [`location::Error::NoSuch`], [`location::Error::Stale`]; [`Error::Store`].
    pub async fn rename_location(&self, id: &LocationId, seen: i64, name: &LocationName) -> Result<Location, Error> {
        if let Some(location) = locations::rename(&self.mongo, id, seen, name).await? {
            return Ok(location);
        }
        self.location(id).await?;
        Err(location::Error::Stale.into())
    }

    /// Removes a location that is still at `seen` and where nothing lies and from where nothing was sold; never `main`.
    ///
    /// # Errors
    /// [`location::Error::Main`], [`location::Error::InUse`], [`location::Error::NoSuch`], [`location::Error::Stale`];
    /// [`Error::Store`].
    pub async fn remove_location(&self, id: &LocationId, seen: i64) -> Result<(), Error> {
        if id.is_main() {
            return Err(location::Error::Main.into());
        }
        match locations::remove(&self.mongo, id, seen).await? {
            Removed::Done => Ok(()),
            Removed::Missing => Err(location::Error::NoSuch.into()),
            Removed::Stale => Err(location::Error::Stale.into()),
            Removed::InUse => Err(location::Error::InUse.into()),
        }
    }

    /// The stock of a SKU in all locations where some ever came in, by the ids of those.
    ///
    /// # Errors
    /// [`Error::UnknownSku`] when nothing ever came in anywhere; [`Error::Store`].
    pub async fn stock_everywhere(&self, sku: &Sku) -> Result<Vec<Stock>, Error> {
        let mut found = store::stock_everywhere(&self.mongo, sku).await?;
        // `main` is written to also where only others have the SKU.
        found.retain(|stock| stock.version > 0);
        if found.is_empty() { Err(Error::UnknownSku) } else { Ok(found) }
    }

    /// A page of the history of stock, the newest first, and where the next one begins if there is one.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn movements(&self, search: &Search) -> Result<(Vec<Recorded>, Option<Cursor>), Error> {
        Ok(movements::movements(&self.mongo, search).await?)
    }
}
