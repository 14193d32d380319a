//! What can be done with categories.

use shop_mongo::Claim;
use shop_types::CategoryId;

use super::{App, Error};
use crate::domain::{Category, CategoryChange, NewCategory, Placed, category};
use crate::store::{Inserted, Moved, Removed};

impl App {
    /// All categories by name, each with those above it.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub(crate) async fn categories(&self) -> Result<Vec<Placed>, Error> {
        Ok(category::place(self.store.categories().await?))
    }

    /// One category.
    ///
    /// # Errors
    /// [`Error::NoSuchCategory`].
    pub(crate) async fn category(&self, id: CategoryId) -> Result<Placed, Error> {
        self.store.category(id).await?.ok_or(Error::NoSuchCategory)
    }

    /// Creates a category. The same key again gives the category as it is now.
    ///
    /// # Errors
    /// [`Error::Domain`], [`Error::CategoryNameTaken`], [`Error::KeyReused`]; [`Error::NoSuchCategory`] for a repeat after
    /// the category was deleted.
    pub(crate) async fn create_category(&self, claim: Option<Claim>, new: NewCategory) -> Result<Placed, Error> {
        if let Some(made) = self.made_before(claim.as_ref()).await? {
            return Ok(made);
        }
        let category = Category::create(CategoryId::from_uuid(self.clock.new_id()), &new, self.now())?;
        let stale = self.stale_categories();
        let inserted = self.store.insert_category(category, claim.clone()).await?;
        stale.forget().await;
        match inserted {
            Inserted::Done(placed) => Ok(placed),
            Inserted::NameTaken | Inserted::SkuTaken => Err(Error::CategoryNameTaken),
            Inserted::NoCategory => Err(Error::unknown_category("parentId")),
            Inserted::Refused(broken) => Err(broken.into()),
            Inserted::KeyTaken => self.made_before(claim.as_ref()).await?.ok_or(Error::NoSuchCategory),
        }
    }

    async fn made_before(&self, claim: Option<&Claim>) -> Result<Option<Placed>, Error> {
        let Some(claim) = claim else { return Ok(None) };
        match self.claimed(claim).await? {
            Some(id) => self.category(id).await.map(Some),
            None => Ok(None),
        }
    }

    /// Changes a category that is still at `expected`.
    ///
    /// # Errors
    /// [`Error::NoSuchCategory`], [`Error::Stale`], [`Error::CategoryNameTaken`], [`Error::Domain`] for a circle and for a tree that is too deep.
    pub(crate) async fn change_category(
        &self,
        id: CategoryId,
        expected: i64,
        change: CategoryChange,
    ) -> Result<Placed, Error> {
        let stale = self.stale_categories();
        let changed = self.store.change_category(id, expected, change, self.now()).await?;
        stale.forget().await;
        match changed {
            Moved::Done(placed) => Ok(placed),
            Moved::Missing => Err(Error::NoSuchCategory),
            Moved::Stale { current } => Err(Error::Stale { current }),
            Moved::NameTaken => Err(Error::CategoryNameTaken),
            Moved::NoParent => Err(Error::unknown_category("parentId")),
            Moved::Refused(broken) => Err(broken.into()),
        }
    }

    /// Deletes a category that nothing is in.
    ///
    /// # Errors
    /// [`Error::NoSuchCategory`], [`Error::Stale`], [`Error::CategoryInUse`] while products or other categories name it.
    pub(crate) async fn delete_category(&self, id: CategoryId, expected: i64) -> Result<(), Error> {
        let stale = self.stale_categories();
        let removed = self.store.delete_category(id, expected).await?;
        stale.forget().await;
        match removed {
            Removed::Done => Ok(()),
            Removed::Missing => Err(Error::NoSuchCategory),
            Removed::Stale { current } => Err(Error::Stale { current }),
            Removed::InUse => Err(Error::CategoryInUse),
        }
    }
}
