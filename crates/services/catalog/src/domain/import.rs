//! How rows of an import become products: what is stored and the rows go in, writes, counts and faults come out.
//!
//! A row names its product by the SKU of the default variant or by its slug. Where there is none it makes one, otherwise it
//! changes it, and a row that says what is so already does nothing: so rows can be given again.

pub(crate) mod job;

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::Timestamp;
use shop_types::{CategoryId, Currency, Money, ProductId, Sku};

use super::{Error, NewProduct, NewVariant, Product, ProductChange, Status, VariantChange};

/// Faults of one import that are kept; further ones are only counted.
pub(crate) const MOST_FAULTS: usize = 100;

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Comma-separated, with a header.
    Csv,
    /// One JSON object a line.
    Ndjson,
}

/// What a row says of a product; what it does not say stays as it is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Row {
    pub(crate) sku: Option<Sku>,
    pub(crate) slug: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) description: Option<String>,
    /// `Some(None)` takes the product out of its category.
    pub(crate) category: Option<Option<CategoryId>>,
    pub(crate) attributes: Option<BTreeMap<String, String>>,
    pub(crate) price: Option<Money>,
    /// Variants to be added or changed; others stay.
    pub(crate) variants: Vec<RowVariant>,
}

/// What a row says of a variant; what it does not say stays as it is, and a new one is without.
#[derive(Debug, Clone)]
pub(crate) struct RowVariant {
    pub(crate) sku: Sku,
    pub(crate) said: VariantChange,
}

/// Why a row was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Which row, from 1; 0 is the header.
    pub(crate) row: u64,
    /// What in it; empty for the whole row.
    pub(crate) field: String,
    /// A stable word.
    pub(crate) code: String,
    /// For people.
    pub(crate) message: String,
}

/// A row as it was read.
#[derive(Debug, Clone)]
pub(crate) struct Numbered {
    /// From 1.
    pub(crate) number: u64,
    /// What it names if it makes a product.
    pub(crate) id: ProductId,
    pub(crate) row: Result<Row, Fault>,
}

/// What became of rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) created: u64,
    pub(crate) changed: u64,
    pub(crate) unchanged: u64,
    pub(crate) failed: u64,
    /// The first of those that failed.
    pub(crate) faults: Vec<Fault>,
}

/// A stored product that differs now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Changed {
    pub(crate) before: Product,
    pub(crate) after: Product,
}

/// What rows come to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Settled {
    pub(crate) tally: Tally,
    pub(crate) created: Vec<Product>,
    pub(crate) changed: Vec<Changed>,
}

enum Outcome {
    Created,
    Changed,
    Unchanged,
}

/// A rule that a row breaks, and where.
struct Refusal {
    field: String,
    error: Error,
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self { field: error.field().to_owned(), error }
    }
}

fn refuse(field: impl Into<String>, error: Error) -> Refusal {
    Refusal { field: field.into(), error }
}

/// Decides on rows, in their order: each sees what those before it have made. `stored` holds all products that one of them
/// names by SKU or slug, `categories` all categories that one of them names and that are there.
pub(crate) fn settle(
    stored: Vec<Product>,
    categories: HashSet<CategoryId>,
    rows: &[Numbered],
    currency: Currency,
    now: Timestamp,
) -> Settled {
    let mut batch = Batch { products: BTreeMap::new(), skus: HashMap::new(), slugs: HashMap::new(), categories };
    for product in stored {
        batch.put(Some(product.clone()), product);
    }
    let mut tally = Tally::default();
    for Numbered { number, id, row } in rows {
        let settled = match row {
            Ok(row) => batch.take(*id, row.clone(), currency, now).map_err(|refusal| fault(*number, &refusal)),
            Err(unreadable) => Err(unreadable.clone()),
        };
        match settled {
            Ok(Outcome::Created) => tally.created += 1,
            Ok(Outcome::Changed) => tally.changed += 1,
            Ok(Outcome::Unchanged) => tally.unchanged += 1,
            Err(fault) => {
                tally.failed += 1;
                if tally.faults.len() < MOST_FAULTS {
                    tally.faults.push(fault);
                }
            }
        }
    }
    let mut settled = Settled { tally, ..Settled::default() };
    for (before, after) in batch.products.into_values() {
        match before {
            None => settled.created.push(after),
            Some(before) if before == after => {}
            Some(before) => settled.changed.push(Changed { before, after }),
        }
    }
    settled
}

fn fault(row: u64, Refusal { field, error }: &Refusal) -> Fault {
    Fault { row, field: field.clone(), code: error.code().to_owned(), message: error.to_string() }
}

/// The state in the middle of a batch.
struct Batch {
    /// As stored, if it is, and as it is now.
    products: BTreeMap<ProductId, (Option<Product>, Product)>,
    skus: HashMap<Sku, ProductId>,
    slugs: HashMap<String, ProductId>,
    categories: HashSet<CategoryId>,
}

impl Batch {
    fn put(&mut self, before: Option<Product>, now: Product) {
        self.skus.extend(now.variants.iter().map(|variant| (variant.sku.clone(), now.id)));
        self.slugs.insert(now.slug.clone(), now.id);
        self.products.insert(now.id, (before, now));
    }

    fn take(&mut self, id: ProductId, row: Row, currency: Currency, now: Timestamp) -> Result<Outcome, Refusal> {
        let named = self.named(&row)?;
        if row.category.flatten().is_some_and(|category| !self.categories.contains(&category)) {
            return Err(Error::invalid("categoryId", "must be the id of a category").into());
        }
        let owner = named.unwrap_or(id);
        for (n, variant) in row.variants.iter().enumerate() {
            if self.skus.get(&variant.sku).is_some_and(|other| *other != owner) {
                return Err(refuse(format!("variants[{n}].sku"), Error::SkuTaken));
            }
        }
        let present = named.and_then(|id| self.products.get(&id));
        let Some((before, product)) = present.cloned() else {
            self.put(None, made(id, row, currency, now)?);
            return Ok(Outcome::Created);
        };
        let changed = changed(&product, row, currency, now)?;
        if changed == product {
            return Ok(Outcome::Unchanged);
        }
        self.put(before, changed);
        Ok(Outcome::Changed)
    }

    /// The product that a row names; `None` when there is none yet.
    fn named(&self, row: &Row) -> Result<Option<ProductId>, Refusal> {
        if row.sku.is_none() && row.slug.is_none() {
            return Err(Error::invalid("sku", "is required, or slug is").into());
        }
        let by_sku = row.sku.as_ref().and_then(|sku| self.skus.get(sku));
        let by_slug = row.slug.as_ref().and_then(|slug| self.slugs.get(slug));
        let Some((_, product)) = by_sku.or(by_slug).and_then(|id| self.products.get(id)) else { return Ok(None) };
        let default = product.default_variant().map(|variant| &variant.sku);
        if let Some(sku) = &row.sku
            && default != Some(sku)
        {
            let taken = by_sku.is_some();
            let other = Error::invalid("sku", "must be that of the product with this slug");
            return Err(refuse("sku", if taken { Error::SkuTaken } else { other }));
        }
        if row.slug.as_ref().is_some_and(|slug| *slug != product.slug) {
            return Err(Error::invalid("slug", "must be that of the product with this SKU").into());
        }
        match product.status {
            // Somebody is creating it just now.
            Status::Draft => Err(refuse("sku", Error::SkuTaken)),
            Status::Active | Status::Archived => Ok(Some(product.id)),
        }
    }
}

fn made(id: ProductId, row: Row, currency: Currency, now: Timestamp) -> Result<Product, Refusal> {
    let Row { sku, slug, name, description, category, attributes, price, variants } = row;
    let new = NewProduct {
        name: name.ok_or_else(|| Error::invalid("name", "is required for a new product"))?,
        slug,
        description,
        category: category.flatten(),
        category_name: None,
        attributes: attributes.unwrap_or_default(),
        price: price.ok_or_else(|| Error::invalid("price", "is required for a new product"))?,
        sku,
        variants: Vec::new(),
        stock: None,
    };
    let product = Product::create(id, new, currency, now)?;
    Ok(Product { version: 1, ..with_variants(product, variants, currency, now)? })
}

/// The product as the row wants it, one version further; the same value when it is so already.
fn changed(product: &Product, row: Row, currency: Currency, now: Timestamp) -> Result<Product, Refusal> {
    let Row { sku: _, slug: _, name, description, category, attributes, price, variants } = row;
    let change = ProductChange { name, description, category, attributes, price };
    let next = product.clone().change(change, currency, now)?;
    let next = with_variants(next, variants, currency, now)?;
    let same = Product { version: product.version, updated_at: product.updated_at, ..next.clone() };
    Ok(if same == *product { same } else { Product { version: product.version + 1, ..next } })
}

fn with_variants(
    product: Product,
    variants: Vec<RowVariant>,
    currency: Currency,
    now: Timestamp,
) -> Result<Product, Refusal> {
    variants.into_iter().enumerate().try_fold(product, |product, (n, RowVariant { sku, said })| {
        let next = if product.variant(&sku).is_some() {
            product.change_variant(&sku, said, currency, now)
        } else {
            new_variant(sku, said).and_then(|new| product.add_variant(new, currency, now))
        };
        next.map_err(|error| refuse(format!("variants[{n}].{}", error.field()).trim_end_matches('.'), error))
    })
}

fn new_variant(sku: Sku, said: VariantChange) -> Result<NewVariant, Error> {
    let VariantChange { name, options, price } = said;
    let price = price.ok_or_else(|| Error::invalid("price", "is required for a new variant"))?;
    Ok(NewVariant { sku, name: name.flatten(), options: options.unwrap_or_default(), price })
}

#[cfg(test)]
mod tests;
