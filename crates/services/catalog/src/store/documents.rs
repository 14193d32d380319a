//! Documents as they are stored, and their way to and from domain values.

use std::collections::{BTreeSet, HashMap};

use bson::DateTime;
use serde::{Deserialize, Serialize};
use shop_types::{Currency, Money, Sku};

use crate::domain::{Attributes, Category, Image, Listing, Media, Product, Status, Variant};

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
    #[serde(default)]
    attributes: Vec<AttributeDocument>,
    /// What lists are narrowed by: the attributes and the options of all variants.
    #[serde(default)]
    facets: Vec<AttributeDocument>,
    variants: Vec<VariantDocument>,
    #[serde(default)]
    images: Vec<ImageDocument>,
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

/// In this order: an index compares it as a whole.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct AttributeDocument {
    pub(super) name: String,
    pub(super) value: String,
}

impl AttributeDocument {
    fn new((name, value): (&str, &str)) -> Self {
        Self { name: name.to_owned(), value: value.to_owned() }
    }
}

fn attributes(stored: Vec<AttributeDocument>) -> Attributes {
    Attributes::from_stored(stored.into_iter().map(|AttributeDocument { name, value }| (name, value)))
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct VariantDocument {
    sku: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) options: Vec<AttributeDocument>,
    pub(super) price: i64,
    /// Pieces that can be sold, as inventory told last; absent while it told nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    available: Option<i64>,
    /// The version of that fact.
    #[serde(skip_serializing_if = "Option::is_none")]
    stock_version: Option<i64>,
}

/// What is said of an image; its bytes are a file of the same id.
#[derive(Debug, Serialize, Deserialize)]
struct ImageDocument {
    id: String,
    media: MediaDocument,
    bytes: i64,
    alt: String,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum MediaDocument {
    Png,
    Jpeg,
    Webp,
}

impl From<&Image> for ImageDocument {
    fn from(Image { id, media, bytes, alt }: &Image) -> Self {
        let media = match media {
            Media::Png => MediaDocument::Png,
            Media::Jpeg => MediaDocument::Jpeg,
            Media::Webp => MediaDocument::Webp,
        };
        // At most a few MiB.
        Self { id: id.to_string(), media, bytes: i64::try_from(*bytes).unwrap_or(i64::MAX), alt: alt.clone() }
    }
}

impl TryFrom<ImageDocument> for Image {
    type Error = Unreadable;

    fn try_from(ImageDocument { id, media, bytes, alt }: ImageDocument) -> Result<Self, Unreadable> {
        Ok(Self {
            id: id.parse().map_err(|_| Unreadable("images.id"))?,
            media: match media {
                MediaDocument::Png => Media::Png,
                MediaDocument::Jpeg => Media::Jpeg,
                MediaDocument::Webp => Media::Webp,
            },
            bytes: u64::try_from(bytes).map_err(|_| Unreadable("images.bytes"))?,
            alt,
        })
    }
}

impl ProductDocument {
    /// Takes over what was told of its SKUs before it was there.
    pub(super) fn with_stock(mut self, told: &[StockDocument]) -> Self {
        self.variants = self.variants.into_iter().map(|variant| variant.with_stock(told)).collect();
        self
    }
}

impl VariantDocument {
    /// Takes over what was told of its SKU before it was there.
    pub(super) fn with_stock(mut self, told: &[StockDocument]) -> Self {
        if let Some(row) = told.iter().find(|row| row.sku == self.sku) {
            self.available = row.available;
            self.stock_version = row.version;
        }
        self
    }
}

impl From<&Variant> for VariantDocument {
    fn from(Variant { sku, name, options, price }: &Variant) -> Self {
        Self {
            sku: sku.to_string(),
            name: name.clone(),
            options: options.iter().map(AttributeDocument::new).collect(),
            price: price.amount,
            available: None,
            stock_version: None,
        }
    }
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
        let Product {
            id,
            slug,
            name,
            description,
            category,
            attributes,
            variants,
            images,
            status,
            version,
            created_at,
            updated_at,
        } = product;
        let options = variants.iter().flat_map(|variant| variant.options.iter());
        let facets: BTreeSet<_> = attributes.iter().chain(options).map(AttributeDocument::new).collect();
        let default = product.default_variant();
        Self {
            id: id.to_string(),
            slug: slug.clone(),
            name: name.clone(),
            description: description.clone(),
            category: category.map(|id| id.to_string()),
            attributes: attributes.iter().map(AttributeDocument::new).collect(),
            facets: facets.into_iter().collect(),
            variants: variants.iter().map(VariantDocument::from).collect(),
            images: images.iter().map(ImageDocument::from).collect(),
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

impl TryFrom<ProductDocument> for Listing {
    type Error = Unreadable;

    fn try_from(stored: ProductDocument) -> Result<Self, Unreadable> {
        let currency: Currency = stored.currency.parse().map_err(|_| Unreadable("currency"))?;
        let mut available = HashMap::new();
        let mut variants = Vec::with_capacity(stored.variants.len());
        for VariantDocument { sku, name, options, price, available: pieces, stock_version: _ } in stored.variants {
            let sku: Sku = sku.parse().map_err(|_| Unreadable("variants.sku"))?;
            if let Some(pieces) = pieces {
                available.insert(sku.clone(), pieces);
            }
            let options = attributes(options);
            variants.push(Variant { sku, name, options, price: Money::new(price, currency) });
        }
        let product = Product {
            id: stored.id.parse().map_err(|_| Unreadable("_id"))?,
            slug: stored.slug,
            name: stored.name,
            description: stored.description,
            category: stored.category.map(|id| id.parse().map_err(|_| Unreadable("category"))).transpose()?,
            attributes: attributes(stored.attributes),
            variants,
            images: stored.images.into_iter().map(Image::try_from).collect::<Result<_, _>>()?,
            status: match stored.status {
                StatusDocument::Draft => Status::Draft,
                StatusDocument::Active => Status::Active,
                StatusDocument::Archived => Status::Archived,
            },
            version: stored.version,
            created_at: stored.created_at.to_jiff(),
            updated_at: stored.updated_at.to_jiff(),
        };
        Ok(Self { product, available })
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

/// What was last told of a SKU's stock. Also there, without a fact, for the SKUs of products.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StockDocument {
    #[serde(rename = "_id")]
    pub(super) sku: String,
    pub(super) available: Option<i64>,
    pub(super) version: Option<i64>,
}
