//! What is sold under a SKU, at which price and version: what carts and orders ask for.

use shop_types::{Money, ProductId, Sku};

use super::{Error, Product, Status, Variant};

/// Most SKUs and ids of one question together.
pub(crate) const MOST: usize = 200;

/// One variant of a product, as it is sold now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) sku: Sku,
    pub(crate) product: ProductId,
    /// The product's name, with that of the variant if it has one.
    pub(crate) name: String,
    pub(crate) price: Money,
    /// The product's version that this price belongs to.
    pub(crate) version: i64,
    /// Whether the product's id stands for this variant.
    pub(crate) default: bool,
    /// Off sale for good.
    pub(crate) archived: bool,
}

/// Checks that not too much is asked at once.
pub(crate) fn check(skus: &[Sku], ids: &[ProductId]) -> Result<(), Error> {
    if skus.len() + ids.len() > MOST {
        return Err(Error::invalid("skus", "must be at most 200, together with productIds"));
    }
    Ok(())
}

/// Those of the variants that are named by SKU, or as default variants by the id of their product; each once.
pub(crate) fn among(products: &[Product], skus: &[Sku], ids: &[ProductId]) -> Vec<Offer> {
    let variants = products.iter().flat_map(|product| {
        let named = ids.contains(&product.id);
        product.variants.iter().enumerate().map(move |(n, variant)| (product, variant, n == 0, named && n == 0))
    });
    let asked = variants.filter(|(_, variant, _, named)| *named || skus.contains(&variant.sku));
    asked.map(|(product, variant, default, _)| offer(product, variant, default)).collect()
}

fn offer(product: &Product, variant: &Variant, default: bool) -> Offer {
    Offer {
        sku: variant.sku.clone(),
        product: product.id,
        name: match &variant.name {
            Some(name) => format!("{}, {name}", product.name),
            None => product.name.clone(),
        },
        price: variant.price,
        version: product.version,
        default,
        archived: product.status == Status::Archived,
    }
}
