//! Variants as clients send and read them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use shop_types::{Money, Sku};
use utoipa::ToSchema;

use super::{ProductBody, given, present};
use crate::domain::{NewVariant, Variant, VariantChange};

/// A further variant of a product.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"sku": "mug-blue-l", "options": {"size": "L"}, "price": {"amount": 1299, "currency": "EUR"}}))]
pub(crate) struct NewVariantBody {
    sku: Sku,
    name: Option<String>,
    /// Up to 20 values by name; names are lower-case letters, digits, hyphens and underscores.
    #[serde(default)]
    options: BTreeMap<String, String>,
    price: Money,
}

impl NewVariantBody {
    pub(crate) fn sku(&self) -> &Sku {
        &self.sku
    }
}

impl From<NewVariantBody> for NewVariant {
    fn from(NewVariantBody { sku, name, options, price }: NewVariantBody) -> Self {
        Self { sku, name, options, price }
    }
}

/// What to change of a variant; absent fields stay.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"price": {"amount": 1199, "currency": "EUR"}}))]
pub(crate) struct VariantChangeBody {
    /// `null` takes its name away.
    #[serde(default, deserialize_with = "present")]
    name: Option<Option<String>>,
    /// All options that it shall have.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    options: Option<BTreeMap<String, String>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    price: Option<Money>,
}

impl From<VariantChangeBody> for VariantChange {
    fn from(VariantChangeBody { name, options, price }: VariantChangeBody) -> Self {
        Self { name, options, price }
    }
}

/// A variant as clients read it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VariantBody {
    sku: Sku,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    options: BTreeMap<String, String>,
    price: Money,
    /// Pieces that can be sold; absent while unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    stock: Option<i64>,
    /// Whether the product's own id stands for this variant.
    default: bool,
}

impl VariantBody {
    pub(super) fn new(variant: Variant, stock: Option<i64>, default: bool) -> Self {
        let Variant { sku, name, options, price } = variant;
        Self { sku, name, options: options.into_inner(), price, stock, default }
    }
}

impl ProductBody {
    /// All variants.
    pub(crate) fn into_variants(self) -> Vec<VariantBody> {
        self.variants
    }

    /// The variant that is sold under this SKU.
    pub(crate) fn into_variant(self, sku: &Sku) -> Option<VariantBody> {
        self.variants.into_iter().find(|variant| variant.sku == *sku)
    }
}
