//! gRPC in: what order asks for. The contract stands in `cart.proto`.

use std::sync::Arc;

use shop_auth::Verifier;
use shop_proto::cart::cart_server::{Cart as CartService, CartServer};
use shop_proto::cart::{CartLine, GetCartReply, GetCartRequest};
use shop_types::Clock;
use tonic::{Request, Response, Status};

use crate::app::{App, Error};
use crate::domain::{self, Cart, Line};

/// The server to mount.
#[must_use]
pub(crate) fn server(app: &Arc<App>, verifier: &Arc<Verifier>, clock: Arc<dyn Clock>) -> CartServer<Rpc> {
    CartServer::new(Rpc { app: Arc::clone(app), verifier: Arc::clone(verifier), clock })
}

/// Answers calls through the [`App`]. Whoever forwarded the buyer's token, it is verified again here.
#[derive(Debug)]
pub(crate) struct Rpc {
    app: Arc<App>,
    verifier: Arc<Verifier>,
    clock: Arc<dyn Clock>,
}

#[tonic::async_trait]
impl CartService for Rpc {
    async fn get_cart(&self, request: Request<GetCartRequest>) -> Result<Response<GetCartReply>, Status> {
        let caller = shop_mesh::caller(&request, &self.verifier, self.clock.now())
            .map_err(|refusal| shop_mesh::status(&refusal))?;
        let shown = async {
            let GetCartRequest { cart_id, number } = request.get_ref();
            if let Some(number) = number {
                return self.app.own_cart_as_shown(&caller, *number).await;
            }
            // A malformed id names no cart, like an unknown one.
            let id = cart_id.parse().map_err(|_| Error::Rule(domain::Error::NoCart))?;
            self.app.cart_as_shown(&caller, id).await
        };
        let cart = shown.await.map_err(|error| shop_mesh::status(&error))?;
        Ok(Response::new(reply(&cart)))
    }
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
        version: cart.version,
        user_id: cart.owner.user().map(|id| id.to_string()).unwrap_or_default(),
        lines: cart.lines.iter().map(line).collect(),
    }
}
