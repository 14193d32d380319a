//! Identity, cart, catalog, inventory and payment as a test wants them: in memory, with moods, and with a record of what was asked.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use shop_proto::cart::cart_server::{Cart, CartServer};
use shop_proto::cart::{CartLine, GetCartReply, GetCartRequest, RefreshPricesReply, RefreshPricesRequest};
use shop_proto::catalog::catalog_server::{Catalog, CatalogServer};
use shop_proto::catalog::{GetVariantsReply, GetVariantsRequest, Variant};
use shop_proto::identity::find_user_request::User;
use shop_proto::identity::identity_server::{Identity, IdentityServer};
use shop_proto::identity::{FindUserReply, FindUserRequest};
use shop_proto::inventory::inventory_server::{Inventory, InventoryServer};
use shop_proto::inventory::{
    CommitReply, CommitRequest, GetAvailableReply, GetAvailableRequest, Line, ReleaseReply, ReleaseRequest,
    ReservationState, ReserveReply, ReserveRequest, SetOnHandReply, SetOnHandRequest, Shortage,
};
use shop_proto::money::Money;
use shop_proto::payment::payment_server::{Payment, PaymentServer};
use shop_proto::payment::{AuthorizeReply, AuthorizeRequest, GetPaymentReply, GetPaymentRequest, PaymentState};
use shop_service::SystemClock;
use shop_types::Clock as _;
use tokio::sync::Mutex;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

use crate::given::Buyer;

/// The product whose default variant is the mug.
pub(crate) const MUG: &str = "0190b3c0-0000-7000-8000-000000000001";

/// Where buyers have to act.
pub(crate) const BANK: &str = "https://bank.example/3ds";

/// How a service answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Mood {
    #[default]
    Well,
    Away,
    /// It takes its time, longer than anybody waits.
    Hanging,
}

/// One of the services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Peer {
    Identity,
    Cart,
    Catalog,
    Inventory,
    Payment,
}

/// All services beside the one under test. Clones share their state.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fakes(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    moods: HashMap<Peer, Mood>,
    calls: Vec<Peer>,
    /// Who has an account: ids by numbers.
    users: HashMap<i64, String>,
    carts: HashMap<String, (Buyer, GetCartReply)>,
    variants: HashMap<String, Variant>,
    stock: HashMap<String, u32>,
    reservations: HashMap<String, ReserveReply>,
    payments: HashMap<String, AuthorizeReply>,
    /// Whose payments they are, by their ids.
    payers: HashMap<String, String>,
    /// Payments that were asked for, also those that are there.
    asked: Vec<String>,
}

impl Fakes {
    /// Sells a SKU at a price in cents of EUR, so many pieces of it.
    pub(crate) async fn sell(&self, sku: &str, cents: i64, pieces: u32) {
        let variant = Variant {
            sku: sku.to_owned(),
            product_id: if sku == "mug" { MUG.to_owned() } else { SystemClock.new_id().to_string() },
            name: sku.to_uppercase(),
            price: Some(Money { amount: cents, currency: "EUR".to_owned() }),
            version: 1,
            default_variant: true,
            archived: false,
        };
        let mut state = self.0.lock().await;
        state.variants.insert(sku.to_owned(), variant);
        state.stock.insert(sku.to_owned(), pieces);
    }

    /// Gives somebody an account with a number.
    pub(crate) async fn know(&self, user: &str, number: i64) {
        self.0.lock().await.users.insert(number, user.to_owned());
    }

    /// Takes a SKU off sale.
    pub(crate) async fn archive(&self, sku: &str) {
        self.0.lock().await.variants.get_mut(sku).unwrap().archived = true;
    }

    /// A cart of somebody, with pieces at the prices that they were shown; gives its id.
    pub(crate) async fn fill_cart(&self, owner: &Buyer, lines: &[(&str, u32, i64)]) -> String {
        let cart_id = SystemClock.new_id().to_string();
        let line = |(sku, quantity, cents): &(&str, u32, i64)| CartLine {
            sku: (*sku).to_owned(),
            quantity: *quantity,
            shown_price: *cents,
            currency: "EUR".to_owned(),
        };
        let lines = lines.iter().map(line).collect();
        let reply = GetCartReply { cart_id: cart_id.clone(), version: 7, user_id: String::new(), lines };
        self.0.lock().await.carts.insert(cart_id.clone(), (owner.clone(), reply));
        cart_id
    }

    /// Changes how a service answers from now on.
    pub(crate) async fn set(&self, peer: Peer, mood: Mood) {
        self.0.lock().await.moods.insert(peer, mood);
    }

    /// How often a service was asked.
    pub(crate) async fn calls(&self, peer: Peer) -> usize {
        self.0.lock().await.calls.iter().filter(|called| **called == peer).count()
    }

    /// What inventory holds for an order.
    pub(crate) async fn reservation(&self, order: &str) -> Option<ReservationState> {
        self.0.lock().await.reservations.get(order).map(ReserveReply::state)
    }

    /// Orders that inventory was asked about.
    pub(crate) async fn reservations(&self) -> usize {
        self.0.lock().await.reservations.len()
    }

    /// Pieces that can be sold.
    pub(crate) async fn pieces(&self, sku: &str) -> Option<u32> {
        self.0.lock().await.stock.get(sku).copied()
    }

    /// Payments that were opened.
    pub(crate) async fn payments(&self) -> usize {
        self.0.lock().await.payments.len()
    }

    /// How often the payment of an attempt was asked for.
    pub(crate) async fn asked(&self, payment: &str) -> usize {
        self.0.lock().await.asked.iter().filter(|asked| *asked == payment).count()
    }

    /// Who pays for the first attempt of an order: a user's id, or nothing for guests.
    pub(crate) async fn payer(&self, order: &str) -> Option<String> {
        self.0.lock().await.payers.get(&format!("{order}:1")).cloned()
    }

    /// Gives stock back for an order, also for one that inventory has not heard of yet.
    pub(crate) async fn release(&self, order: &str) {
        self.0.lock().await.reservations.insert(order.to_owned(), reservation(ReservationState::Released, Vec::new()));
    }

    /// The servers to mount.
    pub(crate) fn routes(&self) -> Routes {
        Routes::new(CartServer::new(self.clone()))
            .add_service(IdentityServer::new(self.clone()))
            .add_service(CatalogServer::new(self.clone()))
            .add_service(InventoryServer::new(self.clone()))
            .add_service(PaymentServer::new(self.clone()))
    }

    /// Records a call and answers by the mood.
    async fn called(&self, peer: Peer) -> Result<(), Status> {
        let mood = {
            let mut state = self.0.lock().await;
            state.calls.push(peer);
            state.moods.get(&peer).copied().unwrap_or_default()
        };
        match mood {
            Mood::Well => Ok(()),
            Mood::Away => Err(Status::unavailable("away")),
            Mood::Hanging => {
                tokio::time::sleep(Duration::from_secs(30)).await;
                Err(Status::unavailable("too late"))
            }
        }
    }
}

#[tonic::async_trait]
impl Identity for Fakes {
    async fn find_user(&self, request: Request<FindUserRequest>) -> Result<Response<FindUserReply>, Status> {
        self.called(Peer::Identity).await?;
        let state = self.0.lock().await;
        let found = match request.into_inner().user.unwrap() {
            User::Id(id) => state.users.iter().find(|(_, user)| **user == id),
            User::Number(number) => state.users.get_key_value(&number),
        };
        let (number, user) = found.ok_or_else(|| Status::not_found("no such user"))?;
        Ok(Response::new(FindUserReply { user_id: user.clone(), number: *number }))
    }
}

#[tonic::async_trait]
impl Cart for Fakes {
    async fn get_cart(&self, request: Request<GetCartRequest>) -> Result<Response<GetCartReply>, Status> {
        self.called(Peer::Cart).await?;
        let sent = |name| request.metadata().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let caller = match (sent("authorization"), sent("x-guest-token")) {
            (Some(bearer), _) => Buyer("Authorization", bearer),
            (None, Some(token)) => Buyer("X-Guest-Token", token),
            (None, None) => return Err(Status::unauthenticated("nobody asks")),
        };
        let GetCartRequest { cart_id, number } = request.get_ref();
        let state = self.0.lock().await;
        // The first cart of a test has the number 1.
        let mut carts = state.carts.values();
        let found = if number.is_some() { carts.find(|_| *number == Some(1)) } else { state.carts.get(cart_id) };
        match found {
            Some((owner, cart)) if *owner == caller => Ok(Response::new(cart.clone())),
            Some(_) | None => Err(Status::not_found("no such cart")),
        }
    }

    async fn refresh_prices(
        &self,
        request: Request<RefreshPricesRequest>,
    ) -> Result<Response<RefreshPricesReply>, Status> {
        self.called(Peer::Cart).await?;
        let State { carts, variants, .. } = &mut *self.0.lock().await;
        let (_, cart) = carts.get_mut(&request.get_ref().cart_id).ok_or_else(|| Status::not_found("no such cart"))?;
        for line in &mut cart.lines {
            line.shown_price = variants[&line.sku].price.as_ref().unwrap().amount;
        }
        Ok(Response::new(RefreshPricesReply {}))
    }
}

#[tonic::async_trait]
impl Catalog for Fakes {
    async fn get_variants(&self, request: Request<GetVariantsRequest>) -> Result<Response<GetVariantsReply>, Status> {
        self.called(Peer::Catalog).await?;
        let GetVariantsRequest { skus, product_ids } = request.into_inner();
        let asked = |variant: &&Variant| skus.contains(&variant.sku) || product_ids.contains(&variant.product_id);
        let variants = self.0.lock().await.variants.values().filter(asked).cloned().collect();
        Ok(Response::new(GetVariantsReply { variants }))
    }
}

#[tonic::async_trait]
impl Inventory for Fakes {
    async fn reserve(&self, request: Request<ReserveRequest>) -> Result<Response<ReserveReply>, Status> {
        self.called(Peer::Inventory).await?;
        let ReserveRequest { order_id, lines } = request.into_inner();
        let mut state = self.0.lock().await;
        if let Some(known) = state.reservations.get(&order_id) {
            return Ok(Response::new(known.clone()));
        }
        let short = |line: &Line| {
            let available = state.stock.get(&line.sku).copied().unwrap_or_default();
            let shortage =
                Shortage { sku: line.sku.clone(), requested: line.quantity, available: i64::from(available) };
            (available < line.quantity).then_some(shortage)
        };
        let shortages: Vec<_> = lines.iter().filter_map(short).collect();
        let reserved = if shortages.is_empty() { ReservationState::Held } else { ReservationState::Refused };
        if shortages.is_empty() {
            for line in &lines {
                *state.stock.get_mut(&line.sku).unwrap() -= line.quantity;
            }
        }
        let reply = reservation(reserved, shortages);
        state.reservations.insert(order_id, reply.clone());
        Ok(Response::new(reply))
    }

    async fn commit(&self, _: Request<CommitRequest>) -> Result<Response<CommitReply>, Status> {
        panic!("inventory commits on payment.captured, nobody asks it to")
    }

    async fn release(&self, _: Request<ReleaseRequest>) -> Result<Response<ReleaseReply>, Status> {
        panic!("inventory releases on the order's events, nobody asks it to")
    }

    async fn set_on_hand(&self, _: Request<SetOnHandRequest>) -> Result<Response<SetOnHandReply>, Status> {
        panic!("orders never set what is on hand")
    }

    async fn get_available(&self, _: Request<GetAvailableRequest>) -> Result<Response<GetAvailableReply>, Status> {
        panic!("orders take stock, they do not look at it")
    }
}

fn reservation(state: ReservationState, shortages: Vec<Shortage>) -> ReserveReply {
    ReserveReply { state: state.into(), shortages }
}

#[tonic::async_trait]
impl Payment for Fakes {
    /// `tok_declined` is refused, of `tok_unknown` nobody knows yet, for `tok_3ds` the buyer must act, `tok_cancelled` was
    /// given back, everything else is held.
    async fn authorize(&self, request: Request<AuthorizeRequest>) -> Result<Response<AuthorizeReply>, Status> {
        self.called(Peer::Payment).await?;
        assert!(request.metadata().get("authorization").is_none(), "the buyer's token ends with the request");
        let AuthorizeRequest { order_id, attempt, amount, method, user_id } = request.into_inner();
        assert!(amount.is_some_and(|amount| amount.amount > 0 && amount.currency == "EUR"));
        let payment_id = format!("{order_id}:{attempt}");
        let (outcome, reason) = match method.as_str() {
            "tok_declined" => (PaymentState::Declined, "card_declined"),
            "tok_unknown" => (PaymentState::Created, ""),
            "tok_3ds" => (PaymentState::RequiresAction, ""),
            "tok_cancelled" => (PaymentState::Cancelled, ""),
            _ => (PaymentState::Authorized, ""),
        };
        let reply = AuthorizeReply {
            payment_id: payment_id.clone(),
            state: outcome.into(),
            reason: reason.to_owned(),
            next_action_url: if method == "tok_3ds" { BANK.to_owned() } else { String::new() },
        };
        let mut state = self.0.lock().await;
        state.asked.push(payment_id.clone());
        let payer = state.payers.entry(payment_id.clone()).or_insert_with(|| user_id.clone());
        assert_eq!(*payer, user_id, "an attempt has one payer");
        Ok(Response::new(state.payments.entry(payment_id).or_insert(reply).clone()))
    }

    async fn get_payment(&self, _: Request<GetPaymentRequest>) -> Result<Response<GetPaymentReply>, Status> {
        panic!("orders ask by authorising again")
    }
}
