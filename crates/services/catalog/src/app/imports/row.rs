//! Rows as they stand in files, the same for imports and exports: what was exported can be imported again.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use shop_types::{CategoryId, Money, Sku};

use crate::domain::import::{Row, RowVariant};
use crate::domain::{Product, Variant, VariantChange};

/// One product: a line of NDJSON, or the cells of a line of CSV.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RowBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sku: Option<Sku>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) slug: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<String>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(super) category_id: Option<Option<CategoryId>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) attributes: Option<BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) price: Option<Money>,
    #[serde(default)]
    pub(super) variants: Vec<VariantRow>,
}

/// A variant of it; also the default one, when it has a name or options.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VariantRow {
    sku: Sku,
    /// `null` takes its name away.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    name: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    options: Option<BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<Money>,
}

/// Tells an absent field (outer `None`) from one that is `null`.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl From<RowBody> for Row {
    fn from(body: RowBody) -> Self {
        let RowBody { sku, slug, name, description, category_id, attributes, price, variants } = body;
        let variant = |VariantRow { sku, name, options, price }| {
            let said = VariantChange { name, options, price };
            RowVariant { sku, said }
        };
        let variants = variants.into_iter().map(variant).collect();
        Self { sku, slug, name, description, category: category_id, attributes, price, variants }
    }
}

impl From<Product> for RowBody {
    fn from(product: Product) -> Self {
        let default = product.default_variant().map(|variant| (variant.sku.clone(), variant.price));
        let told = |(n, variant): &(usize, Variant)| {
            *n > 0 || variant.name.is_some() || variant.options.iter().next().is_some()
        };
        let variants = product.variants.into_iter().enumerate().filter(told).map(|(_, variant)| {
            let Variant { sku, name, options, price } = variant;
            VariantRow { sku, name: Some(name), options: Some(options.into_inner()), price: Some(price) }
        });
        let (sku, price) = default.unzip();
        Self {
            sku,
            slug: Some(product.slug),
            name: Some(product.name),
            description: Some(product.description),
            category_id: Some(product.category),
            attributes: Some(product.attributes.into_inner()),
            price,
            variants: variants.collect(),
        }
    }
}
