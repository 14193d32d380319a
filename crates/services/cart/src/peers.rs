//! Other services out: what the catalog sells, and for how much; how much of it there is; who has an account.

use std::time::{Duration, Instant};

use shop_mesh::convert::money_from_proto;
use shop_mesh::{Channel, Mesh, PeerError};
use shop_proto::catalog::catalog_client::CatalogClient;
use shop_proto::catalog::{self, GetVariantsRequest};
use shop_proto::identity::FindUserRequest;
use shop_proto::identity::find_user_request::User;
use shop_proto::identity::identity_client::IdentityClient;
use shop_proto::inventory::GetAvailableRequest;
use shop_proto::inventory::inventory_client::InventoryClient;
use shop_telemetry::context;
use shop_types::id::UserKind;
use shop_types::{ErrorKind, Named, ProductId, Sku, UserId};
use tonic::Request;

use crate::domain::stock::Stock;
use crate::domain::{Offer, Variant};

const CATALOG: &str = "catalog";
const INVENTORY: &str = "inventory";
const IDENTITY: &str = "identity";

/// How long anybody waits for what is available: it is nice to know, and not needed.
const PATIENCE: Duration = Duration::from_secs(1);

/// The services that carts need.
#[derive(Debug, Clone)]
pub struct Peers {
    /// What is sold.
    pub catalog: Catalog,
    /// How much of it there is.
    pub inventory: Inventory,
    /// Who has an account.
    pub identity: Identity,
}

impl Peers {
    /// Uses channels of the mesh.
    #[must_use]
    pub fn new(mesh: &Mesh) -> Self {
        Self { catalog: Catalog::new(mesh), inventory: Inventory::new(mesh), identity: Identity::new(mesh) }
    }
}

/// Why a peer gave no answer that can be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It refused, or could not be reached.
    #[error(transparent)]
    Refused(#[from] PeerError),
    /// It answered what the contract does not allow.
    #[error("a peer answered with a {0} that is not one")]
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

    /// Finds each of these items, in their order; `None` for one that the catalog does not know.
    ///
    /// # Errors
    /// [`Error::Refused`], [`Error::Unreadable`].
    pub async fn each(&self, items: &[Item]) -> Result<Vec<Option<Variant>>, Error> {
        let (mut skus, mut products) = (Vec::new(), Vec::new());
        for item in items {
            match item {
                Item::Sku(sku) => skus.push(sku.to_string()),
                Item::Product(id) => products.push(id.to_string()),
            }
        }
        let found = self.ask(skus, products).await?;
        let find = |item: &Item| {
            let wanted = |variant: &&catalog::Variant| match item {
                Item::Sku(sku) => variant.sku == sku.as_str(),
                Item::Product(id) => variant.default_variant && variant.product_id == id.to_string(),
            };
            found.iter().find(wanted).map(read).transpose()
        };
        items.iter().map(find).collect()
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

/// The stock.
#[derive(Debug, Clone)]
pub struct Inventory {
    client: InventoryClient<Channel>,
}

impl Inventory {
    /// Uses a channel of the mesh.
    #[must_use]
    pub fn new(mesh: &Mesh) -> Self {
        Self { client: InventoryClient::new(mesh.channel(INVENTORY)) }
    }

    /// Looks how many pieces one line could get now of each of these SKUs, a second long. Of a SKU that was never in
    /// stock there are none, as orders say, too.
    ///
    /// # Errors
    /// [`Error::Refused`], [`Error::Unreadable`].
    pub async fn available(&self, skus: &[Sku]) -> Result<Stock, Error> {
        let mut request = Request::new(GetAvailableRequest { skus: skus.iter().map(ToString::to_string).collect() });
        request.set_timeout(PATIENCE);
        let asked = Instant::now();
        let reply = self.client.clone().get_available(request).await;
        if reply.is_err() {
            // Says nothing of how much this process can take on: nobody is to be refused for want of this answer.
            context::waited(asked.elapsed());
        }
        let reply = reply.map_err(|status| PeerError::from_status(INVENTORY, status))?;
        let mut stock: Stock = skus.iter().map(|sku| (sku.clone(), 0)).collect();
        for found in reply.into_inner().skus {
            stock.insert(found.sku.parse().map_err(|_| Error::Unreadable("SKU"))?, found.available);
        }
        Ok(stock)
    }
}

/// The accounts.
#[derive(Debug, Clone)]
pub struct Identity {
    client: IdentityClient<Channel>,
}

impl Identity {
    /// Uses a channel of the mesh.
    #[must_use]
    pub fn new(mesh: &Mesh) -> Self {
        Self { client: IdentityClient::new(mesh.channel(IDENTITY)) }
    }

    /// Finds who has an account of this id or number; `None` when nobody has.
    ///
    /// # Errors
    /// [`Error::Refused`], [`Error::Unreadable`].
    pub async fn user(&self, named: Named<UserKind>) -> Result<Option<UserId>, Error> {
        let user = match named {
            Named::Id(id) => User::Id(id.to_string()),
            Named::Number(number) => User::Number(number),
        };
        let reply = self.client.clone().find_user(FindUserRequest { user: Some(user) }).await;
        match reply.map_err(|status| PeerError::from_status(IDENTITY, status)) {
            Ok(reply) => reply.into_inner().user_id.parse().map(Some).map_err(|_| Error::Unreadable("user id")),
            Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
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
