//! What the aliases take and answer: products with a decimal price and the name of their category.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use shop_http::HttpError;
use shop_http::alias::{Decimal, Ids, Pagination, Price};
use shop_redis::Bytes;
use shop_types::page::PageInfo;
use shop_types::{CategoryId, Currency, Money, ProductId, Sku};
use utoipa::ToSchema;

use crate::app::Error;
use crate::domain;

/// A product to create.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "name": "Blue mug", "description": "Holds a third of a litre", "price": 9.99, "category": "Mugs", "stock": 40
}))]
pub(crate) struct NewProductAlias {
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    /// In the currency of the shop, with at most as many places as it has.
    pub(crate) price: Decimal,
    /// The name of a category; one that is not there is created.
    pub(crate) category: Option<String>,
    /// Pieces on hand, none when absent.
    #[schema(maximum = 1_000_000)]
    pub(crate) stock: Option<u32>,
    /// The product's id when absent.
    pub(crate) sku: Option<Sku>,
}

/// What to change of a product; absent fields stay.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"price": 10.49, "stock": 25}))]
pub(crate) struct ProductChangeAlias {
    pub(crate) name: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) price: Option<Decimal>,
    /// The name of a category; one that is not there is created.
    pub(crate) category: Option<String>,
    /// Pieces on hand from now on.
    #[schema(maximum = 1_000_000)]
    pub(crate) stock: Option<u32>,
}

/// A category to create.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"name": "Mugs", "description": "For tea and coffee"}))]
pub(crate) struct NewCategoryAlias {
    pub(crate) name: String,
    pub(crate) description: Option<String>,
}

/// What to change of a category; absent fields stay.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"name": "Cups"}))]
pub(crate) struct CategoryChangeAlias {
    pub(crate) name: Option<String>,
    pub(crate) description: Option<String>,
}

/// A price as it was written, in minor units.
pub(crate) fn money(price: &Decimal, currency: Currency) -> Result<Money, Error> {
    let rule = "must be a decimal number such as 29.99, 0 or more, with at most as many places as the currency has";
    let price = price.money(currency).ok().filter(|price| price.amount >= 0);
    price.ok_or_else(|| domain::Error::invalid("price", rule).into())
}

/// A product as the aliases show it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProductAlias {
    #[serde(flatten)]
    ids: Ids,
    name: String,
    description: String,
    /// Of the default variant.
    price: Option<Price>,
    /// The name of its category.
    #[serde(skip_serializing_if = "Option::is_none")]
    category: Option<String>,
    /// Pieces of the default variant that can be sold.
    stock: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    sku: Option<Sku>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl ProductAlias {
    /// The same with this stock: it was set a moment ago, and is told later.
    pub(crate) fn with_stock(self, stock: Option<u32>) -> Self {
        Self { stock: stock.map_or(self.stock, i64::from), ..self }
    }
}

/// A category as the aliases show it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CategoryAlias {
    #[serde(flatten)]
    ids: Ids,
    name: String,
    description: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

/// A page of products.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProductsAlias {
    pub(crate) products: Vec<ProductAlias>,
    /// The category that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) category: Option<String>,
    pub(crate) pagination: Pagination,
    /// Whether it was made for an earlier request.
    pub(crate) cached: bool,
}

/// One product that was read.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FoundProductAlias {
    pub(crate) product: ProductAlias,
    /// Whether it was made for an earlier request.
    pub(crate) cached: bool,
}

/// One product that was written.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WrittenProductAlias {
    pub(crate) message: &'static str,
    pub(crate) product: ProductAlias,
}

/// All categories.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CategoriesAlias {
    pub(crate) categories: Vec<CategoryAlias>,
    /// Whether it was made for an earlier request.
    pub(crate) cached: bool,
}

/// One category that was read.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FoundCategoryAlias {
    pub(crate) category: CategoryAlias,
    /// Whether it was made for an earlier request.
    pub(crate) cached: bool,
}

/// One category that was written.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WrittenCategoryAlias {
    pub(crate) message: &'static str,
    pub(crate) category: CategoryAlias,
}

/// What was done.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MessageAlias {
    pub(crate) message: &'static str,
}

/// The names of categories.
pub(crate) type Names = HashMap<CategoryId, String>;

/// A product in its canonical form, as far as the aliases show it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Product {
    id: ProductId,
    name: String,
    description: String,
    category_id: Option<CategoryId>,
    price: Option<Money>,
    sku: Option<Sku>,
    stock: Option<i64>,
    status: Option<String>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl Product {
    /// `None` for one that is archived: by older names it is gone.
    fn shown(self, names: &Names) -> Option<ProductAlias> {
        let Self { id, name, description, category_id, price, sku, stock, status, created_at, updated_at } = self;
        (status.as_deref() != Some("archived")).then(|| ProductAlias {
            ids: Ids::new(&id, None),
            name,
            description,
            price: price.map(Price),
            category: category_id.and_then(|id| names.get(&id).cloned()),
            stock: stock.unwrap_or(0),
            sku,
            created_at,
            updated_at,
        })
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Category {
    id: CategoryId,
    name: String,
    description: String,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl From<Category> for CategoryAlias {
    fn from(category: Category) -> Self {
        let Category { id, name, description, created_at, updated_at } = category;
        Self { ids: Ids::new(&id, None), name, description, created_at, updated_at }
    }
}

#[derive(Debug, Deserialize)]
struct List<T> {
    items: Vec<T>,
}

#[derive(Debug, Deserialize)]
struct ProductPage {
    items: Vec<Product>,
    page: PageParts,
}

#[derive(Debug, Deserialize)]
struct PageParts {
    number: u32,
    size: u32,
    total: u64,
    pages: u64,
}

/// What is kept for every reader has one form, the canonical one; the aliases are made of that.
fn read<'b, T: Deserialize<'b>>(bytes: &'b Bytes) -> Result<T, HttpError> {
    serde_json::from_slice(bytes).map_err(HttpError::internal)
}

/// A product from its canonical form; `None` for one that is archived.
pub(crate) fn product(bytes: &Bytes, names: &Names) -> Result<Option<ProductAlias>, HttpError> {
    read::<Product>(bytes).map(|product| product.shown(names))
}

/// A page of products from its canonical form.
pub(crate) fn products(bytes: &Bytes, names: &Names) -> Result<(Vec<ProductAlias>, Pagination), HttpError> {
    let ProductPage { items, page: PageParts { number, size, total, pages } } = read(bytes)?;
    let page = PageInfo { number, size, total, pages, next_cursor: None };
    Ok((items.into_iter().filter_map(|product| product.shown(names)).collect(), Pagination::from(&page)))
}

/// A category from its canonical form.
pub(crate) fn category(bytes: &Bytes) -> Result<CategoryAlias, HttpError> {
    read::<Category>(bytes).map(CategoryAlias::from)
}

/// All categories from their canonical form.
pub(crate) fn categories(bytes: &Bytes) -> Result<Vec<CategoryAlias>, HttpError> {
    Ok(read::<List<Category>>(bytes)?.items.into_iter().map(CategoryAlias::from).collect())
}

/// The names of all categories.
pub(crate) fn names(bytes: &Bytes) -> Result<Names, HttpError> {
    Ok(read::<List<Category>>(bytes)?.items.into_iter().map(|category| (category.id, category.name)).collect())
}
