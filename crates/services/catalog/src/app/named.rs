//! Categories that are called by their names, and stock that comes with a change: older names do in one call what present
//! ones do in several. Whatever can be refused is refused before the first of them is done. What comes between two of
//! them all the same (somebody else's change, a store that went away) leaves the earlier ones done: a change says what is
//! to be, so that the same once more, of the version that then is, does the rest.

use shop_types::{CategoryId, ProductId};

use super::{App, Error, ProductKey};
use crate::domain::category::check_name;
use crate::domain::{Listing, NewCategory, ProductChange, Tree, check_stock};

impl App {
    /// Changes a product, at the version `expected` or at whichever it is, sets what is on hand of its default variant
    /// (ruling 22), and puts it in the category of this name, which is made if there is none.
    ///
    /// # Errors
    /// As [`App::change_product`]; [`Error::StockHeld`], [`Error::Peer`] when inventory is away; [`Error::Domain`] for a
    /// category that cannot be made.
    pub(crate) async fn change_product_in(
        &self,
        category: Option<String>,
        stock: Option<u32>,
        id: ProductId,
        expected: Option<i64>,
        change: ProductChange,
    ) -> Result<Listing, Error> {
        check_stock(stock)?;
        let Listing { product, .. } = self.product(&ProductKey::Id(id)).await?;
        product.check_active()?;
        let current = product.version;
        if expected.is_some_and(|expected| expected != current) {
            return Err(Error::Stale { current });
        }
        let changed = product.change(change.clone(), self.currency, self.now())?;
        let known = match &category {
            Some(name) => {
                check_name("category", name)?;
                self.known_category(name).await?
            }
            None => None,
        };
        // Before everything else, since orders may hold more than that.
        if let (Some(quantity), Some(default)) = (stock, changed.default_variant()) {
            self.inventory.set_on_hand(&default.sku, quantity, &self.clock.new_id().to_string()).await?;
        }
        let category = match (category, known) {
            (Some(name), None) => Some(Some(self.category_named(&name).await?)),
            (_, known) => known.map(Some),
        };
        let change = ProductChange { category, ..change };
        match expected {
            Some(version) => self.change_product(id, version, change).await,
            None => self.change_present_product(id, change).await,
        }
    }

    /// The category of a name; `None` when it is not there, and refused when it could not be made either.
    pub(super) async fn known_category(&self, name: &str) -> Result<Option<CategoryId>, Error> {
        let found = self.find_named(name).await?;
        if found.is_none() {
            let all = self.store.categories().await?;
            Tree::new(all.iter().map(|category| (category.id, category.parent))).check_new(None)?;
        }
        Ok(found)
    }

    /// The category of a name, or a new root with it.
    pub(super) async fn category_named(&self, name: &str) -> Result<CategoryId, Error> {
        if let Some(found) = self.find_named(name).await? {
            return Ok(found);
        }
        let new = NewCategory { name: name.to_owned(), description: None, parent: None };
        match self.create_category(None, new).await {
            Ok(made) => Ok(made.category.id),
            // Somebody else was faster; what a majority of the database does not have yet, the next attempt sees.
            Err(Error::CategoryNameTaken) => {
                let found = self.find_named(name).await?;
                found.ok_or_else(|| shop_mongo::Error::Conflict { what: "find category by name" }.into())
            }
            Err(other) => Err(other),
        }
    }

    async fn find_named(&self, name: &str) -> Result<Option<CategoryId>, Error> {
        Ok(self.store.category_named(name.trim()).await?)
    }
}
