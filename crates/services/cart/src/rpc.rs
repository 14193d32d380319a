//! gRPC in: what order asks for, and identity when somebody wants a copy of what is kept of them. The contracts stand in
//! `cart.proto` and `person.proto`.

use std::sync::Arc;

use futures::stream::{self, BoxStream, StreamExt as _};
use shop_auth::Verifier;
use shop_proto::cart::cart_server::{Cart as CartService, CartServer};
use shop_proto::cart::{CartLine, GetCartReply, GetCartRequest, RefreshPricesReply, RefreshPricesRequest};
use shop_proto::person::carts_server::{Carts, CartsServer};
use shop_proto::person::{ExportPersonRequest, Record};
use shop_types::{Caller, CartId, Clock};
use tonic::service::Routes;
use tonic::{Request, Response, Status};

use crate::app::{App, Error};
use crate::domain::{self, Cart, Line};
use crate::routes::CartReply;

/// The servers to mount.
#[must_use]
pub(crate) fn servers(app: &Arc<App>, verifier: &Arc<Verifier>, clock: Arc<dyn Clock>) -> Routes {
    let rpc = Rpc { app: Arc::clone(app), verifier: Arc::clone(verifier), clock };
    Routes::new(CartServer::new(rpc.clone())).add_service(CartsServer::new(rpc))
}

/// Answers calls through the [`App`]. Whoever forwarded the buyer's token, it is verified again here.
#[derive(Debug, Clone)]
struct Rpc {
    app: Arc<App>,
    verifier: Arc<Verifier>,
    clock: Arc<dyn Clock>,
}

impl Rpc {
    fn caller<T>(&self, request: &Request<T>) -> Result<Caller, Status> {
        shop_mesh::caller(request, &self.verifier, self.clock.now()).map_err(|refusal| shop_mesh::status(&refusal))
    }
}

/// A malformed id names no cart, like an unknown one.
fn cart_named(id: &str) -> Result<CartId, Error> {
    id.parse().map_err(|_| Error::Rule(domain::Error::NoCart))
}

#[tonic::async_trait]
impl CartService for Rpc {
    async fn get_cart(&self, request: Request<GetCartRequest>) -> Result<Response<GetCartReply>, Status> {
        let caller = self.caller(&request)?;
        let shown = async {
            let GetCartRequest { cart_id, number } = request.get_ref();
            if let Some(number) = number {
                return self.app.own_cart_as_shown(&caller, *number).await;
            }
            self.app.cart_as_shown(&caller, cart_named(cart_id)?).await
        };
        let cart = shown.await.map_err(|error| shop_mesh::status(&error))?;
        Ok(Response::new(reply(&cart)))
    }

    async fn refresh_prices(
        &self,
        request: Request<RefreshPricesRequest>,
    ) -> Result<Response<RefreshPricesReply>, Status> {
        let caller = self.caller(&request)?;
        let refreshed = async { self.app.refresh_prices(&caller, cart_named(&request.get_ref().cart_id)?).await };
        refreshed.await.map_err(|error| shop_mesh::status(&error))?;
        Ok(Response::new(RefreshPricesReply {}))
    }
}

#[tonic::async_trait]
impl Carts for Rpc {
    type ExportPersonStream = BoxStream<'static, Result<Record, Status>>;

    async fn export_person(
        &self,
        request: Request<ExportPersonRequest>,
    ) -> Result<Response<Self::ExportPersonStream>, Status> {
        let ExportPersonRequest { user_id, received } = request.into_inner();
        let kept = async {
            let user = user_id.parse().map_err(|_| Error::Rule(domain::Error::NoCart))?;
            // Nobody has more than one.
            let cart = if received == 0 { self.app.kept_of(user).await? } else { None };
            Ok(cart.as_ref().map(CartReply::new).transpose()?)
        };
        let kept = kept.await.map_err(|error: Error| shop_mesh::status(&error))?;
        Ok(Response::new(stream::iter(kept.map(|cart| record(&cart))).boxed()))
    }
}

fn record(cart: &CartReply) -> Result<Record, Status> {
    let json = serde_json::to_string(cart).map_err(|_| Status::internal("a cart could not be written"))?;
    Ok(Record { kind: "cart".into(), json })
}

fn reply(cart: &Cart) -> GetCartReply {
    let line = |line: &Line| CartLine {
        sku: line.sku.to_string(),
        quantity: line.quantity.get(),
        shown_price: line.unit_price.amount,
        currency: line.unit_price.currency.to_string(),
    };
    GetCartReply {
        cart_id: cart.id.to_string(),
        version: cart.since,
        user_id: cart.owner.user().map(|id| id.to_string()).unwrap_or_default(),
        lines: cart.lines.iter().map(line).collect(),
    }
}
