//! A catalog whose prices a test sets, the accounts that it knows, and how much there is.

use std::collections::BTreeMap;
use std::sync::Arc;

use shop_proto::catalog::catalog_server::{Catalog, CatalogServer};
use shop_proto::catalog::{GetVariantsReply, GetVariantsRequest, Variant};
use shop_proto::identity::find_user_request::User;
use shop_proto::identity::identity_server::{Identity, IdentityServer};
use shop_proto::identity::{FindUserReply, FindUserRequest};
use shop_proto::inventory::inventory_server::{Inventory, InventoryServer};
use shop_proto::inventory::{
    Available, CommitReply, CommitRequest, GetAvailableReply, GetAvailableRequest, ReleaseReply, ReleaseRequest,
    ReserveReply, ReserveRequest, SetOnHandReply, SetOnHandRequest,
};
use shop_proto::money::Money;
use tokio::sync::Mutex;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

/// The product of everything that is sold here.
pub(crate) const PRODUCT: &str = "0190b3c0-0000-7000-8000-000000000001";

/// What is sold now. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct FakeCatalog(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    variants: BTreeMap<String, Variant>,
    /// Ids of users by their numbers.
    users: BTreeMap<i64, String>,
    away: bool,
    calls: u32,
    /// Pieces by SKU; there is plenty of what is not in it.
    stock: BTreeMap<String, i64>,
    inventory_away: bool,
    looks: u32,
}

impl FakeCatalog {
    /// Sells a SKU at a price in cents of EUR.
    pub(crate) async fn sell(&self, sku: &str, cents: i64) {
        let variant = Variant {
            sku: sku.to_owned(),
            product_id: PRODUCT.to_owned(),
            name: sku.to_uppercase(),
            price: Some(Money { amount: cents, currency: "EUR".to_owned() }),
            version: 1,
            default_variant: sku == "mug",
            archived: false,
        };
        self.0.lock().await.variants.insert(sku.to_owned(), variant);
    }

    /// Changes what is known about a SKU.
    pub(crate) async fn change(&self, sku: &str, change: impl FnOnce(&mut Variant)) {
        change(self.0.lock().await.variants.get_mut(sku).unwrap());
    }

    /// Gives somebody an account with a number.
    pub(crate) async fn know(&self, user: &str, number: i64) {
        self.0.lock().await.users.insert(number, user.to_owned());
    }

    /// Forgets a SKU.
    pub(crate) async fn forget(&self, sku: &str) {
        self.0.lock().await.variants.remove(sku);
    }

    /// Goes away, or comes back.
    pub(crate) async fn set_away(&self, away: bool) {
        self.0.lock().await.away = away;
    }

    /// Has so many pieces of a SKU; below zero, none ever came in.
    pub(crate) async fn stock(&self, sku: &str, available: i64) {
        self.0.lock().await.stock.insert(sku.to_owned(), available);
    }

    /// Lets inventory go away, or come back.
    pub(crate) async fn set_inventory_away(&self, away: bool) {
        self.0.lock().await.inventory_away = away;
    }

    /// How often somebody looked what there is.
    pub(crate) async fn looks(&self) -> u32 {
        self.0.lock().await.looks
    }

    /// How often it was asked.
    pub(crate) async fn calls(&self) -> u32 {
        self.0.lock().await.calls
    }

    /// The server to mount.
    pub(crate) fn routes(&self) -> Routes {
        Routes::new(CatalogServer::new(self.clone()))
            .add_service(IdentityServer::new(self.clone()))
            .add_service(InventoryServer::new(self.clone()))
    }
}

#[tonic::async_trait]
impl Catalog for FakeCatalog {
    async fn get_variants(&self, request: Request<GetVariantsRequest>) -> Result<Response<GetVariantsReply>, Status> {
        let GetVariantsRequest { skus, product_ids } = request.into_inner();
        let mut state = self.0.lock().await;
        state.calls += 1;
        if state.away {
            return Err(Status::unavailable("away"));
        }
        let asked = |variant: &&Variant| skus.contains(&variant.sku) || product_ids.contains(&variant.product_id);
        let variants = state.variants.values().filter(asked).cloned().collect();
        Ok(Response::new(GetVariantsReply { variants }))
    }
}

#[tonic::async_trait]
impl Identity for FakeCatalog {
    async fn find_user(&self, request: Request<FindUserRequest>) -> Result<Response<FindUserReply>, Status> {
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
impl Inventory for FakeCatalog {
    async fn get_available(
        &self,
        request: Request<GetAvailableRequest>,
    ) -> Result<Response<GetAvailableReply>, Status> {
        let mut state = self.0.lock().await;
        state.looks += 1;
        if state.inventory_away {
            return Err(Status::unavailable("away"));
        }
        let look = |sku: String| {
            let available = state.stock.get(&sku).copied().unwrap_or(i64::MAX);
            (available >= 0).then_some(Available { sku, available })
        };
        Ok(Response::new(GetAvailableReply { skus: request.into_inner().skus.into_iter().filter_map(look).collect() }))
    }

    async fn reserve(&self, _: Request<ReserveRequest>) -> Result<Response<ReserveReply>, Status> {
        Err(Status::unimplemented("carts hold nothing"))
    }

    async fn commit(&self, _: Request<CommitRequest>) -> Result<Response<CommitReply>, Status> {
        Err(Status::unimplemented("carts sell nothing"))
    }

    async fn release(&self, _: Request<ReleaseRequest>) -> Result<Response<ReleaseReply>, Status> {
        Err(Status::unimplemented("carts release nothing"))
    }

    async fn set_on_hand(&self, _: Request<SetOnHandRequest>) -> Result<Response<SetOnHandReply>, Status> {
        Err(Status::unimplemented("carts count nothing"))
    }
}
