//! What clients send and read. Stored documents never stand here, so that a new stored field is not shown by accident.

mod image;
mod import;
mod list;
mod variant;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use shop_types::{CategoryId, Money, ProductId, Sku};
use utoipa::ToSchema;

pub(super) use self::image::{ImageBody, ImageChangeBody};
pub(super) use self::import::ImportBody;
pub(super) use self::list::{BatchGetBody, OfferList, ProductList};
pub(super) use self::variant::{NewVariantBody, VariantBody, VariantChangeBody};
use crate::domain::{
    Above, Category, CategoryChange, Listing, NewCategory, NewProduct, NewVariant, Placed, ProductChange, Status,
};

/// A product to create.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"name": "Blue mug", "price": {"amount": 999, "currency": "EUR"}, "sku": "mug-blue", "stock": 40}))]
pub(crate) struct NewProductBody {
    name: String,
    slug: Option<String>,
    description: Option<String>,
    category_id: Option<CategoryId>,
    /// Up to 20 values by name; names are lower-case letters, digits, hyphens and underscores.
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    price: Money,
    /// SKU of the default variant; the product's id when absent.
    sku: Option<Sku>,
    #[serde(default)]
    variants: Vec<NewVariantBody>,
    /// Pieces on hand of the default variant, 0 to 1,000,000.
    #[schema(maximum = 1_000_000)]
    stock: Option<u32>,
}

impl From<NewProductBody> for NewProduct {
    fn from(body: NewProductBody) -> Self {
        let NewProductBody { name, slug, description, category_id, attributes, price, sku, variants, stock } = body;
        let variants = variants.into_iter().map(NewVariant::from).collect();
        let (category, category_name) = (category_id, None);
        Self { name, slug, description, category, category_name, attributes, price, sku, variants, stock }
    }
}

/// What to change of a product; absent fields stay.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"price": {"amount": 1099, "currency": "EUR"}}))]
pub(crate) struct ProductChangeBody {
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    name: Option<String>,
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    description: Option<String>,
    /// `null` takes the product out of its category.
    #[serde(default, deserialize_with = "present")]
    category_id: Option<Option<CategoryId>>,
    /// All attributes that it shall have.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    attributes: Option<BTreeMap<String, String>>,
    /// Price of the default variant.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    price: Option<Money>,
}

impl From<ProductChangeBody> for ProductChange {
    fn from(body: ProductChangeBody) -> Self {
        let ProductChangeBody { name, description, category_id, attributes, price } = body;
        Self { name, description, category: category_id, attributes, price }
    }
}

/// A field that may be absent but not `null`: there is nothing that `null` could mean.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Tells an absent field (outer `None`) from one that is `null`.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// A product as clients read it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProductBody {
    id: ProductId,
    slug: String,
    name: String,
    description: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    category_id: Option<CategoryId>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    attributes: BTreeMap<String, String>,
    /// Price of the default variant.
    price: Option<Money>,
    /// SKU of the default variant.
    sku: Option<Sku>,
    /// Pieces of the default variant that can be sold; absent while unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    stock: Option<i64>,
    variants: Vec<VariantBody>,
    /// In their order; at most 20.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<ImageBody>,
    status: StatusBody,
    version: i64,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

/// Whether a product can be bought.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum StatusBody {
    Draft,
    Active,
    Archived,
}

impl From<Listing> for ProductBody {
    fn from(Listing { product, available }: Listing) -> Self {
        let default = product.default_variant().cloned();
        let images = ImageBody::all(&product);
        let variants = product.variants.into_iter().enumerate().map(|(n, variant)| {
            let stock = available.get(&variant.sku).copied();
            VariantBody::new(variant, stock, n == 0)
        });
        Self {
            id: product.id,
            slug: product.slug,
            name: product.name,
            description: product.description,
            category_id: product.category,
            attributes: product.attributes.into_inner(),
            price: default.as_ref().map(|variant| variant.price),
            stock: default.as_ref().and_then(|variant| available.get(&variant.sku).copied()),
            sku: default.map(|variant| variant.sku),
            variants: variants.collect(),
            images,
            status: match product.status {
                Status::Draft => StatusBody::Draft,
                Status::Active => StatusBody::Active,
                Status::Archived => StatusBody::Archived,
            },
            version: product.version,
            created_at: product.created_at,
            updated_at: product.updated_at,
        }
    }
}

/// A category to create.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"name": "Mugs", "description": "For tea and coffee"}))]
pub(crate) struct NewCategoryBody {
    name: String,
    description: Option<String>,
    parent_id: Option<CategoryId>,
}

impl From<NewCategoryBody> for NewCategory {
    fn from(body: NewCategoryBody) -> Self {
        let NewCategoryBody { name, description, parent_id } = body;
        Self { name, description, parent: parent_id }
    }
}

/// What to change of a category; absent fields stay.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"name": "Cups"}))]
pub(crate) struct CategoryChangeBody {
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    name: Option<String>,
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    description: Option<String>,
    /// `null` makes it a root.
    #[serde(default, deserialize_with = "present")]
    parent_id: Option<Option<CategoryId>>,
}

impl From<CategoryChangeBody> for CategoryChange {
    fn from(body: CategoryChangeBody) -> Self {
        let CategoryChangeBody { name, description, parent_id } = body;
        Self { name, description, parent: parent_id }
    }
}

/// A category as clients read it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CategoryBody {
    id: CategoryId,
    name: String,
    description: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_id: Option<CategoryId>,
    /// Those above it, the root first; at most 7.
    path: Vec<AboveBody>,
    version: i64,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

/// A category that stands above another one.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AboveBody {
    id: CategoryId,
    name: String,
}

impl From<Placed> for CategoryBody {
    fn from(Placed { category, path }: Placed) -> Self {
        let Category { id, name, description, parent, version, created_at, updated_at } = category;
        let path = path.into_iter().map(|Above { id, name }| AboveBody { id, name }).collect();
        Self { id, name, description, parent_id: parent, path, version, created_at, updated_at }
    }
}
