//! gRPC in: what order, catalog and cart ask for. The contract stands in `inventory.proto`.

use std::sync::Arc;

use serde_json::json;
use shop_mongo::idempotency::row_id;
use shop_proto::inventory::inventory_server::{Inventory, InventoryServer};
use shop_proto::inventory::{
    Available, CommitReply, CommitRequest, GetAvailableReply, GetAvailableRequest, ReleaseReply, ReleaseRequest,
    ReservationState, ReserveReply, ReserveRequest, SetOnHandReply, SetOnHandRequest, Shortage,
};
use shop_types::{Fingerprint, IdempotencyKey, OrderId, Quantity, Sku};
use tonic::{Request, Response, Status};

use crate::app::{App, Error};
use crate::domain::{Key, Line, Lines, Scope, State};

/// The server to mount.
#[must_use]
pub(crate) fn server(app: &Arc<App>) -> InventoryServer<Rpc> {
    InventoryServer::new(Rpc(Arc::clone(app)))
}

/// Answers calls through the [`App`].
#[derive(Debug)]
pub(crate) struct Rpc(Arc<App>);

#[tonic::async_trait]
impl Inventory for Rpc {
    async fn reserve(&self, request: Request<ReserveRequest>) -> Result<Response<ReserveReply>, Status> {
        let ReserveRequest { order_id, lines } = request.into_inner();
        let reserve = async {
            let lines = lines.iter().map(line).collect::<Result<_, _>>()?;
            self.0.reserve(order(&order_id)?, Lines::new(lines)?).await
        };
        let reservation = reserve.await.map_err(refusal)?;
        let reply = ReserveReply { state: state(&reservation.state).into(), shortages: shortages(&reservation.state) };
        Ok(Response::new(reply))
    }

    async fn commit(&self, request: Request<CommitRequest>) -> Result<Response<CommitReply>, Status> {
        let commit = async { self.0.commit(order(&request.get_ref().order_id)?).await };
        let reservation = commit.await.map_err(refusal)?;
        Ok(Response::new(CommitReply { state: state(&reservation.state).into() }))
    }

    async fn release(&self, request: Request<ReleaseRequest>) -> Result<Response<ReleaseReply>, Status> {
        let release = async { self.0.release(order(&request.get_ref().order_id)?, Scope::Hold).await };
        let reservation = release.await.map_err(refusal)?;
        Ok(Response::new(ReleaseReply { state: state(&reservation.state).into() }))
    }

    async fn set_on_hand(&self, request: Request<SetOnHandRequest>) -> Result<Response<SetOnHandReply>, Status> {
        let SetOnHandRequest { sku, quantity, key } = request.into_inner();
        let set = async {
            let sku: Sku = sku.parse().map_err(|error| unreadable("sku", error))?;
            let name = IdempotencyKey::parse(&key).map_err(|error| unreadable("key", error))?;
            let said = json!({ "sku": sku, "quantity": quantity });
            let key =
                Key { id: row_id("peer", SET_ON_HAND, &name), fingerprint: Fingerprint::of("RPC", SET_ON_HAND, &said) };
            self.0.set_on_hand(sku, quantity, key).await
        };
        let stock = set.await.map_err(refusal)?;
        Ok(Response::new(SetOnHandReply { available: stock.available }))
    }

    async fn get_available(
        &self,
        request: Request<GetAvailableRequest>,
    ) -> Result<Response<GetAvailableReply>, Status> {
        let look = async {
            let skus = request.get_ref().skus.iter().map(|sku| sku.parse().map_err(|error| unreadable("skus", error)));
            self.0.available(&skus.collect::<Result<Vec<Sku>, _>>()?).await
        };
        let found = look.await.map_err(refusal)?.into_iter();
        let skus = found.map(|(sku, available)| Available { sku: sku.to_string(), available }).collect();
        Ok(Response::new(GetAvailableReply { skus }))
    }
}

/// Names the operation in idempotency rows.
const SET_ON_HAND: &str = "set_on_hand";

#[expect(clippy::needless_pass_by_value, reason = "the end of an error: `map_err` hands it over")]
fn refusal(error: Error) -> Status {
    shop_mesh::status(&error)
}

fn unreadable(field: &'static str, error: impl std::fmt::Display) -> Error {
    Error::Request { field, message: error.to_string() }
}

fn order(text: &str) -> Result<OrderId, Error> {
    text.parse().map_err(|error| unreadable("order_id", error))
}

fn line(line: &shop_proto::inventory::Line) -> Result<Line, Error> {
    let sku = line.sku.parse().map_err(|error| unreadable("lines.sku", error))?;
    let quantity = Quantity::new(line.quantity).map_err(|error| unreadable("lines.quantity", error))?;
    Ok(Line { sku, quantity })
}

fn state(state: &State) -> ReservationState {
    match state {
        State::Held => ReservationState::Held,
        State::Refused { .. } => ReservationState::Refused,
        State::Committed => ReservationState::Committed,
        State::Released => ReservationState::Released,
        State::Restocked => ReservationState::Restocked,
    }
}

fn shortages(state: &State) -> Vec<Shortage> {
    match state {
        State::Refused { shortages } => shortages
            .iter()
            .map(|short| Shortage {
                sku: short.sku.to_string(),
                requested: short.requested.get(),
                available: short.available,
            })
            .collect(),
        State::Held | State::Committed | State::Released | State::Restocked => Vec::new(),
    }
}
