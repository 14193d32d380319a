//! Products and their variants.

pub(crate) mod images;
mod variants;

use std::collections::BTreeMap;

use jiff::Timestamp;
use shop_types::{CategoryId, Currency, Money, ProductId, Quantity, Sku};

use self::images::Image;
use super::category::check_name;
use super::{Attributes, Error, Lines, slug_of, text};

const NAME: &str = "must be 1 to 200 characters on one line";
const DESCRIPTION: &str = "must be at most 10000 characters";
const SLUG: &str = "must be 1 to 80 lower-case letters, digits and single hyphens";
/// Words that stand where a product's id or slug stands in a path (ruling 30).
const RESERVED_SLUGS: [&str; 4] = ["imports", "exports", "batch-get", "category"];
const MOST_VARIANTS: usize = 100;

/// Whether a product can be seen and bought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// Being created: its stock is not set yet, so nobody sees it.
    Draft,
    /// For sale.
    Active,
    /// Taken off sale; kept because orders name it.
    Archived,
}

/// One thing that can be bought, stocked and shipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Variant {
    pub(crate) sku: Sku,
    pub(crate) name: Option<String>,
    /// What tells it apart from the other variants: its size, its colour.
    pub(crate) options: Attributes,
    pub(crate) price: Money,
}

/// A product: the first of its variants is the default one (ruling 21).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Product {
    pub(crate) id: ProductId,
    pub(crate) slug: String,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) category: Option<CategoryId>,
    pub(crate) attributes: Attributes,
    pub(crate) variants: Vec<Variant>,
    /// In the order in which they are shown; at most 20.
    pub(crate) images: Vec<Image>,
    pub(crate) status: Status,
    pub(crate) version: i64,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
}

/// What a new product is made of, as asked for.
#[derive(Debug, Clone)]
pub(crate) struct NewProduct {
    pub(crate) name: String,
    pub(crate) slug: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) category: Option<CategoryId>,
    /// The name of its category instead, which is to be there before anybody may see the product.
    pub(crate) category_name: Option<String>,
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) price: Money,
    pub(crate) sku: Option<Sku>,
    pub(crate) variants: Vec<NewVariant>,
    /// Pieces on hand of the default variant, to be set before anybody may see the product.
    pub(crate) stock: Option<u32>,
}

/// A further variant, as asked for.
#[derive(Debug, Clone)]
pub(crate) struct NewVariant {
    pub(crate) sku: Sku,
    pub(crate) name: Option<String>,
    pub(crate) options: BTreeMap<String, String>,
    pub(crate) price: Money,
}

/// What is to change of a variant; absent parts stay as they are.
#[derive(Debug, Clone, Default)]
pub(crate) struct VariantChange {
    /// `Some(None)` takes its name away.
    pub(crate) name: Option<Option<String>>,
    /// All options that it has from now on.
    pub(crate) options: Option<BTreeMap<String, String>>,
    pub(crate) price: Option<Money>,
}

/// What is to change; absent parts stay as they are.
#[derive(Debug, Clone, Default)]
pub(crate) struct ProductChange {
    pub(crate) name: Option<String>,
    pub(crate) description: Option<String>,
    /// `Some(None)` takes the product out of its category.
    pub(crate) category: Option<Option<CategoryId>>,
    /// All attributes that it has from now on.
    pub(crate) attributes: Option<BTreeMap<String, String>>,
    pub(crate) price: Option<Money>,
}

impl Product {
    /// Makes a product at version 1. Without a SKU the default variant's is the product's id (ruling 21); without a slug
    /// it is made from the name and the id's last characters.
    pub(crate) fn create(id: ProductId, new: NewProduct, currency: Currency, now: Timestamp) -> Result<Self, Error> {
        let name = text("name", &new.name, 1..=200, Lines::One, NAME)?;
        let sku = match new.sku {
            Some(sku) => sku,
            None => id.to_string().parse().map_err(|broken| Error::broken("sku", broken))?,
        };
        let price = price("price", new.price, currency)?;
        let mut variants = vec![Variant { sku, name: None, options: Attributes::default(), price }];
        for (n, variant) in new.variants.into_iter().enumerate() {
            let variant = Variant::create(&format!("variants[{n}]"), variant, currency)?;
            if variants.iter().any(|other| other.sku == variant.sku) {
                return Err(Error::invalid(format!("variants[{n}].sku"), "must be another one for each variant"));
            }
            variants.push(variant);
        }
        if variants.len() > MOST_VARIANTS {
            return Err(Error::invalid("variants", "must be at most 99"));
        }
        check_stock(new.stock)?;
        if let Some(name) = &new.category_name {
            check_name("category", name)?;
        }
        let is_whole = new.stock.is_none() && new.category_name.is_none();
        Ok(Self {
            slug: match new.slug {
                Some(slug) => check_slug(&slug)?,
                None => made_slug(&name, id),
            },
            description: description(new.description.as_deref())?,
            id,
            name,
            category: new.category,
            attributes: Attributes::new("attributes", new.attributes)?,
            variants,
            images: Vec::new(),
            status: if is_whole { Status::Active } else { Status::Draft },
            version: 1,
            created_at: now,
            updated_at: now,
        })
    }

    /// The variant that the product's own id stands for.
    pub(crate) fn default_variant(&self) -> Option<&Variant> {
        self.variants.first()
    }

    /// Applies a change and counts the version up.
    pub(crate) fn change(mut self, change: ProductChange, currency: Currency, now: Timestamp) -> Result<Self, Error> {
        let ProductChange { name, description: new_description, category, attributes, price: new_price } = change;
        self.check_active()?;
        if let Some(name) = name {
            self.name = text("name", &name, 1..=200, Lines::One, NAME)?;
        }
        if new_description.is_some() {
            self.description = description(new_description.as_deref())?;
        }
        if let Some(category) = category {
            self.category = category;
        }
        if let Some(attributes) = attributes {
            self.attributes = Attributes::new("attributes", attributes)?;
        }
        if let (Some(new_price), Some(default)) = (new_price, self.variants.first_mut()) {
            default.price = price("price", new_price, currency)?;
        }
        Ok(self.next(now))
    }

    /// Makes a draft visible, in this category if one is given.
    pub(crate) fn publish(mut self, category: Option<CategoryId>, now: Timestamp) -> Self {
        if self.status == Status::Draft {
            self.status = Status::Active;
        }
        self.category = category.or(self.category);
        self.next(now)
    }

    /// Takes the product off sale for good, out of its category, and its images away.
    pub(crate) fn archive(mut self, now: Timestamp) -> Result<Self, Error> {
        self.check_active()?;
        self.status = Status::Archived;
        self.images.clear();
        // A category must not be kept by what nobody can take out of it any more.
        self.category = None;
        Ok(self.next(now))
    }

    fn next(mut self, now: Timestamp) -> Self {
        self.version += 1;
        self.updated_at = now;
        self
    }
}

fn description(value: Option<&str>) -> Result<String, Error> {
    text("description", value.unwrap_or_default(), 0..=10_000, Lines::Many, DESCRIPTION)
}

/// Pieces that a product may be given at once.
///
/// # Errors
/// [`Error::Invalid`] for more than [`Quantity::MAX`].
pub(crate) fn check_stock(stock: Option<u32>) -> Result<(), Error> {
    match stock {
        Some(pieces) if pieces > Quantity::MAX => Err(Error::invalid("stock", "must be 0 to 1000000")),
        Some(_) | None => Ok(()),
    }
}

/// Prices are in the shop's currency, not negative, and small enough that a full cart cannot overflow.
fn price(field: &str, price: Money, currency: Currency) -> Result<Money, Error> {
    const MOST: i64 = 1_000_000_000_000;
    if price.currency != currency {
        return Err(Error::invalid(format!("{field}.currency"), "must be the currency of the shop"));
    }
    if !(0..=MOST).contains(&price.amount) {
        return Err(Error::invalid(format!("{field}.amount"), "must be 0 to 1000000000000 minor units"));
    }
    Ok(price)
}

fn check_slug(slug: &str) -> Result<String, Error> {
    if slug.is_empty() || slug_of(slug) != slug {
        return Err(Error::invalid("slug", SLUG));
    }
    if RESERVED_SLUGS.contains(&slug) {
        return Err(Error::invalid("slug", "must not be imports, exports, batch-get or category"));
    }
    if slug.parse::<ProductId>().is_ok() {
        return Err(Error::invalid("slug", "must not look like an id"));
    }
    Ok(slug.to_owned())
}

fn made_slug(name: &str, id: ProductId) -> String {
    let id = id.to_string();
    let tail: String = id.chars().skip(24).collect();
    let readable = slug_of(name);
    if readable.is_empty() {
        tail
    } else {
        format!("{}-{tail}", &readable[..readable.len().min(67)].trim_end_matches('-'))
    }
}

#[cfg(test)]
mod tests;
