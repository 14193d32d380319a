//! Documents as they are stored, and their way to and from domain values.

use bson::DateTime;
use serde::{Deserialize, Serialize};
use shop_types::{Currency, Money};

use crate::domain::{Category, Product, Status, Variant};

/// A stored text that is no longer an id, a SKU or a currency: somebody else wrote into our database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the field {0} of a stored document cannot be read")]
pub(super) struct Unreadable(&'static str);

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ProductDocument {
    #[serde(rename = "_id")]
    pub(super) id: String,
    slug: String,
    name: String,
    description: String,
    category: Option<String>,
    variants: Vec<VariantDocument>,
    /// Minor units of the default variant, for sorting and filtering.
    price: i64,
    currency: String,
    status: StatusDocument,
    version: i64,
    created_at: DateTime,
    updated_at: DateTime,
    /// Present while a draft: a TTL index removes those that nobody completes.
    #[serde(skip_serializing_if = "Option::is_none")]
    draft_since: Option<DateTime>,
}

#[derive(Debug, Serialize, Deserialize)]
struct VariantDocument {
    sku: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    price: i64,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum StatusDocument {
    Draft,
    Active,
    Archived,
}

impl From<&Product> for ProductDocument {
    fn from(product: &Product) -> Self {
        let Product { id, slug, name, description, category, variants, status, version, created_at, updated_at } =
            product;
        let default = product.default_variant();
        Self {
            id: id.to_string(),
            slug: slug.clone(),
            name: name.clone(),
            description: description.clone(),
            category: category.map(|id| id.to_string()),
            variants: variants
                .iter()
                .map(|Variant { sku, name, price }| VariantDocument {
                    sku: sku.to_string(),
                    name: name.clone(),
                    price: price.amount,
                })
                .collect(),
            price: default.map_or(0, |variant| variant.price.amount),
            currency: default.map_or_else(String::new, |variant| variant.price.currency.to_string()),
            status: match status {
                Status::Draft => StatusDocument::Draft,
                Status::Active => StatusDocument::Active,
                Status::Archived => StatusDocument::Archived,
            },
            version: *version,
            created_at: (*created_at).into(),
            updated_at: (*updated_at).into(),
            draft_since: (*status == Status::Draft).then(|| (*created_at).into()),
        }
    }
}

impl TryFrom<ProductDocument> for Product {
    type Error = Unreadable;

    fn try_from(stored: ProductDocument) -> Result<Self, Unreadable> {
        let currency: Currency = stored.currency.parse().map_err(|_| Unreadable("currency"))?;
        let variant = |variant: VariantDocument| {
            Ok(Variant {
                sku: variant.sku.parse().map_err(|_| Unreadable("variants.sku"))?,
                name: variant.name,
                price: Money::new(variant.price, currency),
            })
        };
        Ok(Self {
            id: stored.id.parse().map_err(|_| Unreadable("_id"))?,
            slug: stored.slug,
            name: stored.name,
            description: stored.description,
            category: stored.category.map(|id| id.parse().map_err(|_| Unreadable("category"))).transpose()?,
            variants: stored.variants.into_iter().map(variant).collect::<Result<_, _>>()?,
            status: match stored.status {
                StatusDocument::Draft => Status::Draft,
                StatusDocument::Active => Status::Active,
                StatusDocument::Archived => Status::Archived,
            },
            version: stored.version,
            created_at: stored.created_at.to_jiff(),
            updated_at: stored.updated_at.to_jiff(),
        })
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct CategoryDocument {
    #[serde(rename = "_id")]
    pub(super) id: String,
    name: String,
    description: String,
    pub(super) parent: Option<String>,
    version: i64,
    created_at: DateTime,
    updated_at: DateTime,
}

impl From<&Category> for CategoryDocument {
    fn from(category: &Category) -> Self {
        let Category { id, name, description, parent, version, created_at, updated_at } = category;
        Self {
            id: id.to_string(),
            name: name.clone(),
            description: description.clone(),
            parent: parent.map(|id| id.to_string()),
            version: *version,
            created_at: (*created_at).into(),
            updated_at: (*updated_at).into(),
        }
    }
}

impl TryFrom<CategoryDocument> for Category {
    type Error = Unreadable;

    fn try_from(stored: CategoryDocument) -> Result<Self, Unreadable> {
        let CategoryDocument { id, name, description, parent, version, created_at, updated_at } = stored;
        Ok(Self {
            id: id.parse().map_err(|_| Unreadable("_id"))?,
            name,
            description,
            parent: parent.map(|id| id.parse().map_err(|_| Unreadable("parent"))).transpose()?,
            version,
            created_at: created_at.to_jiff(),
            updated_at: updated_at.to_jiff(),
        })
    }
}

/// What was last told of a SKU's stock.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StockDocument {
    #[serde(rename = "_id")]
    pub(super) sku: String,
    pub(super) available: i64,
    pub(super) version: i64,
}
