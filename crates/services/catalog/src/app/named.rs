//! Products in a category that is called by its name, and stock that comes with a change: older names do in one call what
//! present ones do in several. Whatever can be refused is refused before the first of them is done. What comes between
//! two of them all the same (somebody else's change, a store that went away) leaves the earlier ones done; a change says
//! what is to be, so that the same once more does the rest.

use shop_mongo::Claim;
use shop_types::{CategoryId, ProductId};

use super::products::Earlier;
use super::{App, Error, ProductKey};
use crate::domain::category::check_name;
use crate::domain::{Listing, NewCategory, NewProduct, Product, ProductChange, check_stock};

impl App {
    /// Creates a product in the category of this name, which is made if there is none.
    ///
    /// # Errors
    /// As [`App::create_product`] and [`App::create_category`], but for a name in use.
    pub(crate) async fn create_product_in(
        &self,
        category: Option<String>,
        claim: Option<Claim>,
        new: NewProduct,
    ) -> Result<Listing, Error> {
        let Some(name) = category else { return self.create_product(claim, new).await };
        let earlier = self.earlier(claim.as_ref()).await?;
        let category = match &earlier {
            // Nothing of a repeat is looked at once the product stands.
            Earlier::Made(_) => None,
            Earlier::None | Earlier::Expired(_) => {
                let id = ProductId::from_uuid(self.clock.new_id());
                let product = Product::create(id, new.clone(), self.currency, self.now())?;
                Some(self.category_for(&product, &name).await?)
            }
        };
        self.create_after(earlier, claim, NewProduct { category, ..new }).await
    }

    /// Changes a product, at the version `expected` or at whichever it is, sets what is on hand of its default variant
    /// (ruling 22), and puts it in the category of this name, which is made if there is none.
    ///
    /// # Errors
    /// As [`App::change_product`] and [`App::create_category`], but for a name in use; [`Error::StockHeld`],
    /// [`Error::Peer`] when inventory is away.
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
        let current = product.version;
        let changed = product.change(change.clone(), self.currency, self.now())?;
        if expected.is_some_and(|expected| expected != current) {
            return Err(Error::Stale { current });
        }
        if let Some(name) = &category {
            check_name("category", name)?;
        }
        // Before everything else, since orders may hold more than that.
        if let (Some(quantity), Some(default)) = (stock, changed.default_variant()) {
            self.inventory.set_on_hand(&default.sku, quantity, &self.clock.new_id().to_string()).await?;
        }
        let category = match category {
            Some(name) => Some(Some(self.category_named(&name).await?)),
            None => None,
        };
        let change = ProductChange { category, ..change };
        match expected {
            Some(version) => self.change_product(id, version, change).await,
            None => self.change_present_product(id, change).await,
        }
    }

    /// The category of a name for a new product, for which none is made if its SKU is taken.
    async fn category_for(&self, product: &Product, name: &str) -> Result<CategoryId, Error> {
        check_name("category", name)?;
        if let Some(found) = self.find_named(name).await? {
            return Ok(found);
        }
        let skus: Vec<_> = product.variants.iter().map(|variant| variant.sku.clone()).collect();
        if !self.store.products_with(&skus, &[]).await?.is_empty() {
            return Err(Error::SkuTaken);
        }
        self.category_named(name).await
    }

    /// The category of a name, or a new root with it.
    async fn category_named(&self, name: &str) -> Result<CategoryId, Error> {
        if let Some(found) = self.find_named(name).await? {
            return Ok(found);
        }
        let new = NewCategory { name: name.to_owned(), description: None, parent: None };
        match self.create_category(None, new).await {
            Ok(made) => Ok(made.category.id),
            // Somebody else was faster.
            Err(Error::CategoryNameTaken) => self.find_named(name).await?.ok_or(Error::CategoryNameTaken),
            Err(other) => Err(other),
        }
    }

    async fn find_named(&self, name: &str) -> Result<Option<CategoryId>, Error> {
        Ok(self.store.category_named(name.trim()).await?)
    }
}
