//! Other services out: the cart at its version, prices, stock, money.

use shop_mesh::convert::{money_from_proto, money_to_proto};
use shop_mesh::{Channel, Mesh, PeerError};
use shop_proto::cart::cart_client::CartClient;
use shop_proto::cart::{GetCartReply, GetCartRequest, RefreshPricesRequest};
use shop_proto::catalog::GetVariantsRequest;
use shop_proto::catalog::catalog_client::CatalogClient;
use shop_proto::identity::FindUserRequest;
use shop_proto::identity::find_user_request::User;
use shop_proto::identity::identity_client::IdentityClient;
use shop_proto::inventory::inventory_client::InventoryClient;
use shop_proto::inventory::{Line, ReservationState, ReserveRequest};
use shop_proto::payment::payment_client::PaymentClient;
use shop_proto::payment::{AuthorizeReply, AuthorizeRequest, PaymentState};
use shop_types::event::CartFact;
use shop_types::id::UserKind;
use shop_types::{CartId, ErrorKind, Money, Named, ProductId, Quantity, Sku, UserId};

use crate::domain::{Order, Priced, Shortage, Wanted};

/// The services that an order needs.
pub(crate) struct Peers {
    identity: IdentityClient<Channel>,
    cart: CartClient<Channel>,
    catalog: CatalogClient<Channel>,
    inventory: InventoryClient<Channel>,
    payment: PaymentClient<Channel>,
}

/// A cart as it stands, if the caller may see it.
#[derive(Debug, Clone)]
pub(crate) struct Cart {
    pub(crate) fact: CartFact,
    pub(crate) wanted: Vec<Wanted>,
}

/// What became of the stock of an order (W2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stock {
    Held,
    Refused {
        shortages: Vec<Shortage>,
    },
    /// Given back already: the order was decided while its driver slept.
    Over,
}

/// What became of the money of an attempt (W3 to W5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Hold {
    Authorized {
        payment: String,
    },
    Declined {
        payment: String,
        reason: String,
    },
    /// The buyer must act at the provider first.
    RequiresAction {
        payment: String,
        url: String,
    },
    /// Nobody knows yet; ask again.
    Unknown,
    /// Ended already: the order was decided while its driver slept, or staff took the hold back.
    Over {
        payment: String,
    },
}

impl Peers {
    pub(crate) fn new(mesh: &Mesh) -> Self {
        Self {
            identity: IdentityClient::new(mesh.channel("identity")),
            cart: CartClient::new(mesh.channel("cart")),
            catalog: CatalogClient::new(mesh.channel("catalog")),
            inventory: InventoryClient::new(mesh.channel("inventory")),
            payment: PaymentClient::new(mesh.channel("payment")),
        }
    }

    /// Who has an account, by id or by number. `None`: nobody.
    pub(crate) async fn user(&self, named: Named<UserKind>) -> Result<Option<UserId>, PeerError> {
        let user = match named {
            Named::Id(id) => User::Id(id.to_string()),
            Named::Number(number) => User::Number(number),
        };
        let reply = self.identity.clone().find_user(FindUserRequest { user: Some(user) }).await;
        match reply.map_err(|status| PeerError::from_status("identity", status)) {
            Ok(reply) => reply.into_inner().user_id.parse().map(Some).map_err(|_| unreadable("identity")),
            Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads a cart with the caller's own token; nothing is written (ruling 16). `None`: there is no such cart for them.
    pub(crate) async fn cart(&self, id: CartId) -> Result<Option<Cart>, PeerError> {
        self.find_cart(GetCartRequest { cart_id: id.to_string(), number: None }).await
    }

    /// The same by the number of the caller's own cart.
    pub(crate) async fn cart_of_number(&self, number: i64) -> Result<Option<Cart>, PeerError> {
        self.find_cart(GetCartRequest { cart_id: String::new(), number: Some(number) }).await
    }

    /// Has a cart show the prices of now, with the caller's own token.
    pub(crate) async fn refresh_prices(&self, id: CartId) -> Result<(), PeerError> {
        let request = RefreshPricesRequest { cart_id: id.to_string() };
        let reply = self.cart.clone().refresh_prices(request).await;
        reply.map(|_| ()).map_err(|status| PeerError::from_status("cart", status))
    }

    async fn find_cart(&self, request: GetCartRequest) -> Result<Option<Cart>, PeerError> {
        let reply = self.cart.clone().get_cart(request).await;
        match reply.map_err(|status| PeerError::from_status("cart", status)) {
            Ok(reply) => read_cart(reply.into_inner()).map(Some),
            Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What the catalog sells under these SKUs, and as default variants of these products.
    pub(crate) async fn offers(&self, skus: &[Sku], products: &[ProductId]) -> Result<Vec<(Priced, bool)>, PeerError> {
        let request = GetVariantsRequest {
            skus: skus.iter().map(ToString::to_string).collect(),
            product_ids: products.iter().map(ToString::to_string).collect(),
        };
        let reply = self.catalog.clone().get_variants(request).await;
        let reply = reply.map_err(|status| PeerError::from_status("catalog", status))?.into_inner();
        let offer = |variant: shop_proto::catalog::Variant| {
            let priced = Priced {
                sku: variant.sku.parse().ok()?,
                product: variant.product_id.parse().ok()?,
                name: variant.name,
                price: money_from_proto(&variant.price?).ok()?,
                archived: variant.archived,
            };
            Some((priced, variant.default_variant))
        };
        let offers: Option<Vec<_>> = reply.variants.into_iter().map(offer).collect();
        offers.ok_or_else(|| unreadable("catalog"))
    }

    /// Takes stock for all lines or none (W2); the same order again gets the same answer.
    pub(crate) async fn reserve(&self, order: &Order) -> Result<Stock, PeerError> {
        let lines = order.lines.iter().map(|line| Line { sku: line.sku.to_string(), quantity: line.quantity.get() });
        let request = ReserveRequest { order_id: order.id.to_string(), lines: lines.collect() };
        let reply = self.inventory.clone().reserve(request).await;
        let reply = reply.map_err(|status| PeerError::from_status("inventory", status))?.into_inner();
        match reply.state() {
            ReservationState::Held | ReservationState::Committed => Ok(Stock::Held),
            ReservationState::Refused => {
                let shortages: Option<Vec<_>> = reply.shortages.into_iter().map(read_shortage).collect();
                Ok(Stock::Refused { shortages: shortages.ok_or_else(|| unreadable("inventory"))? })
            }
            ReservationState::Released | ReservationState::Restocked => Ok(Stock::Over),
            ReservationState::Unspecified => Err(unreadable("inventory")),
        }
    }

    /// Places a hold for the order's present attempt; the same attempt again gets the same payment.
    pub(crate) async fn authorize(&self, order: &Order) -> Result<Hold, PeerError> {
        let request = AuthorizeRequest {
            order_id: order.id.to_string(),
            attempt: order.attempt,
            amount: Some(money_to_proto(order.total)),
            method: order.payment_method.clone(),
            user_id: order.owner.user().map(|id| id.to_string()).unwrap_or_default(),
        };
        let reply = self.payment.clone().authorize(request).await;
        let reply = reply.map_err(|status| PeerError::from_status("payment", status))?.into_inner();
        let state = reply.state();
        let AuthorizeReply { payment_id: payment, state: _, reason, next_action_url: url } = reply;
        Ok(match state {
            PaymentState::Authorized | PaymentState::Capturing | PaymentState::Captured => Hold::Authorized { payment },
            PaymentState::Declined => Hold::Declined { payment, reason },
            PaymentState::Created => Hold::Unknown,
            PaymentState::RequiresAction if url.is_empty() => return Err(unreadable("payment")),
            PaymentState::RequiresAction => Hold::RequiresAction { payment, url },
            PaymentState::Voiding
            | PaymentState::Voided
            | PaymentState::Cancelling
            | PaymentState::Cancelled
            | PaymentState::Refunded
            | PaymentState::Failed => Hold::Over { payment },
            PaymentState::Unspecified => return Err(unreadable("payment")),
        })
    }
}

fn read_cart(reply: GetCartReply) -> Result<Cart, PeerError> {
    let id = reply.cart_id.parse().map_err(|_| unreadable("cart"))?;
    let line = |line: shop_proto::cart::CartLine| {
        Some(Wanted {
            sku: line.sku.parse().ok()?,
            quantity: Quantity::new(line.quantity).ok()?,
            shown: Some(Money::new(line.shown_price, line.currency.parse().ok()?)),
        })
    };
    let wanted: Option<Vec<_>> = reply.lines.into_iter().map(line).collect();
    let wanted = wanted.ok_or_else(|| unreadable("cart"))?;
    Ok(Cart { fact: CartFact { id, version: reply.version }, wanted })
}

fn read_shortage(shortage: shop_proto::inventory::Shortage) -> Option<Shortage> {
    let shop_proto::inventory::Shortage { sku, requested, available } = shortage;
    Some(Shortage { sku: sku.parse().ok()?, requested: Quantity::new(requested).ok()?, available })
}

fn unreadable(peer: &'static str) -> PeerError {
    PeerError::new(peer, ErrorKind::Internal, "unreadable_reply", "the reply cannot be read")
}
