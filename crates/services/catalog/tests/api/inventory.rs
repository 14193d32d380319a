//! A stand-in for the inventory service: it writes down what it is asked, can be away, and can have orders that hold pieces.

use std::sync::Arc;

use shop_proto::inventory::inventory_server::{Inventory, InventoryServer};
use shop_proto::inventory::{
    CommitReply, CommitRequest, GetAvailableReply, GetAvailableRequest, ReleaseReply, ReleaseRequest, ReserveReply,
    ReserveRequest, SetOnHandReply, SetOnHandRequest,
};
use shop_types::{ErrorKind, ServiceError};
use tokio::sync::Mutex;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

/// What it was asked, and whether it answers.
#[derive(Clone, Default)]
pub(crate) struct FakeInventory(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    away: bool,
    held: u32,
    calls: Vec<SetOnHandRequest>,
}

impl FakeInventory {
    /// Its server.
    pub(crate) fn routes(&self) -> Routes {
        Routes::new(InventoryServer::new(self.clone()))
    }

    /// Lets it go away or come back.
    pub(crate) async fn away(&self, away: bool) {
        self.0.lock().await.away = away;
    }

    /// Lets orders hold so many pieces of every SKU: fewer are refused.
    pub(crate) async fn hold(&self, pieces: u32) {
        self.0.lock().await.held = pieces;
    }

    /// What it was asked to set and has set: SKU, pieces, key.
    pub(crate) async fn calls(&self) -> Vec<(String, u32, String)> {
        let calls = &self.0.lock().await.calls;
        calls.iter().map(|call| (call.sku.clone(), call.quantity, call.key.clone())).collect()
    }
}

/// What inventory says to fewer pieces than orders hold.
#[derive(Debug, thiserror::Error)]
#[error("there are not so many free pieces")]
struct BelowZero;

impl ServiceError for BelowZero {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Conflict
    }

    fn code(&self) -> &'static str {
        "stock_below_zero"
    }
}

#[tonic::async_trait]
impl Inventory for FakeInventory {
    async fn reserve(&self, _: Request<ReserveRequest>) -> Result<Response<ReserveReply>, Status> {
        Err(Status::unimplemented("the catalog reserves nothing"))
    }

    async fn commit(&self, _: Request<CommitRequest>) -> Result<Response<CommitReply>, Status> {
        Err(Status::unimplemented("the catalog sells nothing"))
    }

    async fn release(&self, _: Request<ReleaseRequest>) -> Result<Response<ReleaseReply>, Status> {
        Err(Status::unimplemented("the catalog releases nothing"))
    }

    async fn get_available(&self, _: Request<GetAvailableRequest>) -> Result<Response<GetAvailableReply>, Status> {
        Err(Status::unimplemented("the catalog is told what is available"))
    }

    async fn set_on_hand(&self, request: Request<SetOnHandRequest>) -> Result<Response<SetOnHandReply>, Status> {
        let mut state = self.0.lock().await;
        if state.away {
            return Err(Status::unavailable("away"));
        }
        let call = request.into_inner();
        if call.quantity < state.held {
            return Err(shop_mesh::status(&BelowZero));
        }
        let available = i64::from(call.quantity) - i64::from(state.held);
        state.calls.push(call);
        Ok(Response::new(SetOnHandReply { available }))
    }
}
