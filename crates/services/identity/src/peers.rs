//! Other services out: what they keep of a person.

use futures::TryStreamExt as _;
use shop_mesh::{Channel, Mesh, PeerError};
use shop_proto::person::carts_client::CartsClient;
use shop_proto::person::orders_client::OrdersClient;
use shop_proto::person::payments_client::PaymentsClient;
use shop_proto::person::{ExportPersonRequest, Record};
use shop_types::UserId;

/// Another service that keeps something of people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    Order,
    Cart,
    Payment,
}

/// The services that keep something of people.
pub(crate) struct Peers {
    orders: OrdersClient<Channel>,
    carts: CartsClient<Channel>,
    payments: PaymentsClient<Channel>,
}

impl Peer {
    const fn name(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::Cart => "cart",
            Self::Payment => "payment",
        }
    }
}

impl Peers {
    pub(crate) fn new(mesh: &Mesh) -> Self {
        Self {
            orders: OrdersClient::new(mesh.channel(Peer::Order.name())),
            carts: CartsClient::new(mesh.channel(Peer::Cart.name())),
            payments: PaymentsClient::new(mesh.channel(Peer::Payment.name())),
        }
    }

    /// What a service keeps of a person, behind the first so many records: as many as one answer holds, and none at the end.
    pub(crate) async fn kept_of(&self, peer: Peer, user: UserId, behind: u32) -> Result<Vec<Record>, PeerError> {
        let request = ExportPersonRequest { user_id: user.to_string(), received: behind };
        let reply = match peer {
            Peer::Order => self.orders.clone().export_person(request).await,
            Peer::Cart => self.carts.clone().export_person(request).await,
            Peer::Payment => self.payments.clone().export_person(request).await,
        };
        let failed = |status| PeerError::from_status(peer.name(), status);
        reply.map_err(failed)?.into_inner().try_collect().await.map_err(failed)
    }
}
