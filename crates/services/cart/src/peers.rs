//! Other services out: what the catalog sells, and for how much.

use shop_mesh::convert::money_from_proto;
use shop_mesh::{Channel, Mesh, PeerError};
use shop_proto::catalog::catalog_client::CatalogClient;
use shop_proto::catalog::{self, GetVariantsRequest};
use shop_types::{ProductId, Sku};

use crate::domain::{Offer, Variant};

const CATALOG: &str = "catalog";

/// Why the catalog gave no answer that can be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It refused, or could not be reached.
    #[error(transparent)]
    Refused(#[from] PeerError),
    /// It answered what the contract does not allow.
    #[error("catalog answered with a {0} that is not one")]
    Unreadable(&'static str),
}

/// What a buyer points at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// A variant.
    Sku(Sku),
    /// The default variant of a product (ruling 21).
    Product(ProductId),
}

/// The catalog.
#[derive(Debug, Clone)]
pub struct Catalog {
    client: CatalogClient<Channel>,
}

impl Catalog {
    /// Uses a channel of the mesh.
    #[must_use]
    pub fn new(mesh: &Mesh) -> Self {
        Self { client: CatalogClient::new(mesh.channel(CATALOG)) }
    }

    /// Finds one item; `None` when the catalog does not know it.
    ///
    /// # Errors
    /// [`Error::Refused`], [`Error::Unreadable`].
    pub async fn variant(&self, item: &Item) -> Result<Option<Variant>, Error> {
        let (skus, products) = match item {
            Item::Sku(sku) => (vec![sku.to_string()], Vec::new()),
            Item::Product(id) => (Vec::new(), vec![id.to_string()]),
        };
        let found = self.ask(skus, products).await?;
        let wanted = |variant: &&catalog::Variant| match item {
            Item::Sku(sku) => variant.sku == sku.as_str(),
            Item::Product(id) => variant.default_variant && variant.product_id == id.to_string(),
        };
        found.iter().find(wanted).map(read).transpose()
    }

    /// Finds many variants; unknown ones are left out.
    ///
    /// # Errors
    /// [`Error::Refused`], [`Error::Unreadable`].
    pub async fn variants(&self, skus: &[Sku]) -> Result<Vec<Variant>, Error> {
        let skus = skus.iter().map(ToString::to_string).collect();
        self.ask(skus, Vec::new()).await?.iter().map(read).collect()
    }

    async fn ask(&self, skus: Vec<String>, product_ids: Vec<String>) -> Result<Vec<catalog::Variant>, Error> {
        let request = GetVariantsRequest { skus, product_ids };
        let reply = self.client.clone().get_variants(request).await;
        let reply = reply.map_err(|status| PeerError::from_status(CATALOG, status))?;
        Ok(reply.into_inner().variants)
    }
}

fn read(variant: &catalog::Variant) -> Result<Variant, Error> {
    let catalog::Variant { sku, product_id, name, price, version: _, default_variant: _, archived } = variant;
    let price = price.as_ref().ok_or(Error::Unreadable("price"))?;
    Ok(Variant {
        sku: sku.parse().map_err(|_| Error::Unreadable("SKU"))?,
        product: product_id.parse().map_err(|_| Error::Unreadable("product id"))?,
        name: name.clone(),
        price: money_from_proto(price).map_err(|_| Error::Unreadable("price"))?,
        offer: if *archived { Offer::Withdrawn } else { Offer::Sold },
    })
}
