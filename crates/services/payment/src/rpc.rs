//! gRPC in: what order asks for, and identity when somebody wants a copy of what is kept of them. The contracts stand in
//! `payment.proto` and `person.proto`.

use std::sync::Arc;

use futures::stream::{self, BoxStream, StreamExt as _};
use shop_mesh::convert::{money_from_proto, money_to_proto};
use shop_proto::payment::payment_server::{Payment as PaymentRpc, PaymentServer};
use shop_proto::payment::{AuthorizeReply, AuthorizeRequest, GetPaymentReply, GetPaymentRequest, PaymentState};
use shop_proto::person::payments_server::{Payments, PaymentsServer};
use shop_proto::person::{ExportPersonRequest, Record};
use tonic::service::Routes;
use tonic::{Request, Response, Status};

use crate::app::{App, Error, Reader};
use crate::domain::batch::Opening;
use crate::domain::{self, Kind, Payment, PaymentId};
use crate::routes::PaymentBody;

/// The servers to mount.
pub(crate) fn servers(app: &Arc<App>) -> Routes {
    let rpc = Rpc { app: Arc::clone(app) };
    Routes::new(PaymentServer::new(rpc.clone())).add_service(PaymentsServer::new(rpc))
}

/// Answers calls through the [`App`].
#[derive(Clone)]
struct Rpc {
    app: Arc<App>,
}

#[tonic::async_trait]
impl Payments for Rpc {
    type ExportPersonStream = BoxStream<'static, Result<Record, Status>>;

    async fn export_person(
        &self,
        request: Request<ExportPersonRequest>,
    ) -> Result<Response<Self::ExportPersonStream>, Status> {
        let ExportPersonRequest { user_id, received } = request.into_inner();
        let payments = async {
            let user = user_id.parse().map_err(|_| Error::NotFound)?;
            self.app.payments_of(user, received).await
        };
        let payments = payments.await.map_err(|error| shop_mesh::status(&error))?;
        Ok(Response::new(stream::iter(payments.into_iter().map(|payment| record(&payment))).boxed()))
    }
}

fn record(payment: &Payment) -> Result<Record, Status> {
    let json = serde_json::to_string(&PaymentBody::from(payment));
    let json = json.map_err(|_| Status::internal("a payment could not be written"))?;
    Ok(Record { kind: "payment".into(), json })
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
            self.app.payment(id, Reader::All).await
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
