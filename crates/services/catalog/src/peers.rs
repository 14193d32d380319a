//! Other services out: the stock that comes with a product.

use shop_mesh::{Channel, Mesh, PeerError};
use shop_proto::inventory::SetOnHandRequest;
use shop_proto::inventory::inventory_client::InventoryClient;
use shop_types::Sku;

/// The inventory service.
pub(crate) struct Inventory(InventoryClient<Channel>);

impl Inventory {
    pub(crate) fn new(mesh: &Mesh) -> Self {
        Self(InventoryClient::new(mesh.channel("inventory")))
    }

    /// Sets what is on hand of a SKU; the same key again changes nothing.
    ///
    /// # Errors
    /// [`PeerError`] when inventory is away or refuses.
    pub(crate) async fn set_on_hand(&self, sku: &Sku, quantity: u32, key: &str) -> Result<(), PeerError> {
        let request = SetOnHandRequest { sku: sku.to_string(), quantity, key: key.to_owned() };
        let mut client = self.0.clone();
        client.set_on_hand(request).await.map(drop).map_err(|status| PeerError::from_status("inventory", status))
    }
}
