//! gRPC in: what identity asks for when somebody wants a copy of what is kept of them. The contract stands in `person.proto`.

use std::sync::Arc;

use futures::stream::{self, BoxStream, StreamExt as _};
use serde::Serialize;
use shop_proto::person::orders_server::{Orders, OrdersServer};
use shop_proto::person::{ExportPersonRequest, Record};
use tonic::{Request, Response, Status};

use crate::app::{App, Error, Kept};
use crate::routes::{OrderBody, ReturnBody};

/// The server to mount.
pub(crate) fn server(app: &Arc<App>) -> OrdersServer<Rpc> {
    OrdersServer::new(Rpc { app: Arc::clone(app) })
}

/// Answers calls through the [`App`].
pub(crate) struct Rpc {
    app: Arc<App>,
}

/// An order and what became of the wish to send it back.
#[derive(Serialize)]
struct KeptBody {
    #[serde(flatten)]
    order: OrderBody,
    returns: Vec<ReturnBody>,
}

#[tonic::async_trait]
impl Orders for Rpc {
    type ExportPersonStream = BoxStream<'static, Result<Record, Status>>;

    async fn export_person(
        &self,
        request: Request<ExportPersonRequest>,
    ) -> Result<Response<Self::ExportPersonStream>, Status> {
        let ExportPersonRequest { user_id, received } = request.into_inner();
        let kept = async {
            let user = user_id.parse().map_err(|_| Error::NoSuchOrder)?;
            self.app.kept_of(user, received).await
        };
        let kept = kept.await.map_err(|error| shop_mesh::status(&error))?;
        Ok(Response::new(stream::iter(kept.into_iter().map(record)).boxed()))
    }
}

fn record(kept: Kept) -> Result<Record, Status> {
    let Kept { order, returns } = kept;
    let body = KeptBody { order: order.into(), returns: returns.into_iter().map(ReturnBody::from).collect() };
    let json = serde_json::to_string(&body).map_err(|_| Status::internal("an order could not be written"))?;
    Ok(Record { kind: "order".into(), json })
}
