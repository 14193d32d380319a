//! gRPC in: what peers ask about accounts. The contract stands in `identity.proto`.

use std::sync::Arc;

use shop_proto::identity::find_user_request::User as Key;
use shop_proto::identity::identity_server::{Identity, IdentityServer};
use shop_proto::identity::{FindUserReply, FindUserRequest};
use tonic::service::Routes;
use tonic::{Request, Response, Status};

use crate::app::{App, Error};

/// The server that peers call.
pub(crate) fn server(app: &Arc<App>) -> Routes {
    Routes::new(IdentityServer::new(Rpc { app: Arc::clone(app) }))
}

struct Rpc {
    app: Arc<App>,
}

#[tonic::async_trait]
impl Identity for Rpc {
    async fn find_user(&self, request: Request<FindUserRequest>) -> Result<Response<FindUserReply>, Status> {
        let found = async {
            match request.into_inner().user {
                // A malformed id names nobody, like an unknown one.
                Some(Key::Id(id)) => self.app.user(id.parse().map_err(|_| Error::NoSuchUser)?).await,
                Some(Key::Number(number)) => self.app.user_of_number(number).await,
                None => Err(Error::NoSuchUser),
            }
        };
        let user = found.await.map_err(|error| shop_mesh::status(&error))?;
        Ok(Response::new(FindUserReply { user_id: user.id.to_string(), number: user.number }))
    }
}
