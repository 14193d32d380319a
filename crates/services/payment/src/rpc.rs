//! gRPC in: what order asks for. The contract stands in `payment.proto`.

use std::sync::Arc;

use shop_mesh::convert::{money_from_proto, money_to_proto};
use shop_proto::payment::payment_server::{Payment as PaymentRpc, PaymentServer};
use shop_proto::payment::{AuthorizeReply, AuthorizeRequest, GetPaymentReply, GetPaymentRequest, PaymentState};
use tonic::{Request, Response, Status};

use crate::app::{App, Error, Reader};
use crate::domain::batch::Opening;
use crate::domain::{self, Kind, Payment, PaymentId};

/// The server to mount.
pub(crate) fn server(app: &Arc<App>) -> PaymentServer<Rpc> {
    PaymentServer::new(Rpc { app: Arc::clone(app) })
}

/// Answers calls through the [`App`].
pub(crate) struct Rpc {
    app: Arc<App>,
}

#[tonic::async_trait]
impl PaymentRpc for Rpc {
    async fn authorize(&self, request: Request<AuthorizeRequest>) -> Result<Response<AuthorizeReply>, Status> {
        let authorize = async { self.app.authorize(opening(request.into_inner())?).await };
        let payment = authorize.await.map_err(|error| shop_mesh::status(&error))?;
        Ok(Response::new(AuthorizeReply {
            payment_id: payment.id.to_string(),
            state: state(payment.state.kind()).into(),
            reason: payment.state.reason().unwrap_or_default().to_owned(),
            next_action_url: payment.state.next_action().unwrap_or_default().to_owned(),
        }))
    }

    async fn get_payment(&self, request: Request<GetPaymentRequest>) -> Result<Response<GetPaymentReply>, Status> {
        let read = async {
            let id: PaymentId = request.get_ref().payment_id.parse().map_err(|_| Error::NotFound)?;
            self.app.payment(id, Reader::Staff).await
        };
        let payment = read.await.map_err(|error| shop_mesh::status(&error))?;
        Ok(Response::new(reply(&payment)))
    }
}

fn opening(request: AuthorizeRequest) -> Result<Opening, Error> {
    let AuthorizeRequest { order_id, attempt, amount, method, user_id } = request;
    let invalid = |field: &'static str, rule: &dyn std::fmt::Display| Error::Invalid { field, rule: rule.to_string() };
    let order = order_id.parse().map_err(|error| invalid("order_id", &error))?;
    let amount = amount.ok_or_else(|| invalid("amount", &"must be there"))?;
    let amount = money_from_proto(&amount).map_err(|error| invalid("amount", &error))?;
    let owner = (!user_id.is_empty()).then(|| user_id.parse()).transpose();
    Ok(Opening {
        id: PaymentId::new(order, attempt).map_err(|error| invalid("attempt", &error))?,
        owner: owner.map_err(|error| invalid("user_id", &error))?,
        amount: domain::payable(amount).map_err(|error| invalid("amount", &error))?,
        method: method.parse().map_err(|error| invalid("method", &error))?,
    })
}

fn reply(payment: &Payment) -> GetPaymentReply {
    GetPaymentReply {
        payment_id: payment.id.to_string(),
        order_id: payment.id.order.to_string(),
        state: state(payment.state.kind()).into(),
        amount: Some(money_to_proto(payment.amount)),
        reason: payment.state.reason().unwrap_or_default().to_owned(),
    }
}

/// The state as peers know it. Money on its way back is still with us: CAPTURED until it is REFUNDED.
const fn state(kind: Kind) -> PaymentState {
    match kind {
        Kind::Created => PaymentState::Created,
        Kind::RequiresAction => PaymentState::RequiresAction,
        Kind::Authorized => PaymentState::Authorized,
        Kind::Declined => PaymentState::Declined,
        Kind::Capturing => PaymentState::Capturing,
        Kind::Captured | Kind::Refunding => PaymentState::Captured,
        Kind::Failed => PaymentState::Failed,
        Kind::Voiding => PaymentState::Voiding,
        Kind::Voided => PaymentState::Voided,
        Kind::Cancelling => PaymentState::Cancelling,
        Kind::Cancelled => PaymentState::Cancelled,
        Kind::Refunded => PaymentState::Refunded,
    }
}
