//! Lists of products, what they could be narrowed to, and what is sold under given SKUs, as clients read and ask them.

use serde::{Deserialize, Serialize};
use shop_types::page::PageInfo;
use shop_types::{CategoryId, Money, Page, ProductId, Sku};
use utoipa::ToSchema;

use super::ProductBody;
use crate::domain::{Facets, Listing, Offer};

/// A page of products and the facets of the whole list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProductList {
    items: Vec<ProductBody>,
    page: PageInfo,
    facets: FacetsBody,
}

impl ProductList {
    pub(crate) fn new(page: Page<Listing>, facets: Facets) -> Self {
        let Page { items, page } = page.map(ProductBody::from);
        Self { items, page, facets: facets.into() }
    }
}

/// What the list could be narrowed to further.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FacetsBody {
    /// Up to 100, the fullest first; of a list of one category, only that one and those below it.
    categories: Vec<CategoryCount>,
    /// Up to 100, the most frequent first; ask for one with `attr.<name>=<value>`.
    attributes: Vec<AttributeCount>,
    /// Absent for an empty list.
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<PriceRange>,
    /// Products of which at least one piece can be sold.
    in_stock: u64,
    /// False when the list is so long that only 10,000 products of it were counted.
    exact: bool,
}

/// How many products of the list are in a category or in one below it: what narrowing by it would leave.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CategoryCount {
    id: CategoryId,
    count: u64,
}

/// How many products of the list have a value of an attribute or option.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AttributeCount {
    name: String,
    value: String,
    count: u64,
}

/// Least and highest price of a default variant, minor units.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PriceRange {
    min: i64,
    max: i64,
}

impl From<Facets> for FacetsBody {
    fn from(facets: Facets) -> Self {
        let Facets { categories, attributes, prices, in_stock, exact } = facets;
        let attributes = attributes.into_iter().map(|(name, value, count)| AttributeCount { name, value, count });
        Self {
            categories: categories.into_iter().map(|(id, count)| CategoryCount { id, count }).collect(),
            attributes: attributes.collect(),
            price: prices.map(|(min, max)| PriceRange { min, max }),
            in_stock,
            exact,
        }
    }
}

/// What to look up: at most 200 SKUs and ids together.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"skus": ["mug-blue"], "productIds": []}))]
pub(crate) struct BatchGetBody {
    #[serde(default)]
    pub(crate) skus: Vec<Sku>,
    /// Each stands for the default variant of its product.
    #[serde(default)]
    pub(crate) product_ids: Vec<ProductId>,
}

/// What was found; what is sold by nobody is absent.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OfferList {
    items: Vec<OfferBody>,
}

impl OfferList {
    pub(crate) fn new(offers: Vec<Offer>) -> Self {
        Self { items: offers.into_iter().map(OfferBody::from).collect() }
    }
}

/// What is sold under a SKU now.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OfferBody {
    sku: Sku,
    product_id: ProductId,
    /// Of the product, with that of the variant.
    name: String,
    price: Money,
    /// The product's version that this price belongs to.
    version: i64,
    /// Whether the product's own id stands for this variant.
    default: bool,
    /// Off sale for good.
    archived: bool,
}

impl From<Offer> for OfferBody {
    fn from(offer: Offer) -> Self {
        let Offer { sku, product, name, price, version, default, archived } = offer;
        Self { sku, product_id: product, name, price, version, default, archived }
    }
}
