//! gRPC in: what peers ask of the catalog.

use std::sync::Arc;

use shop_mesh::convert::money_to_proto;
use shop_proto::catalog::catalog_server::{Catalog, CatalogServer};
use shop_proto::catalog::{GetVariantsReply, GetVariantsRequest, Variant};
use shop_types::{ProductId, Sku};
use tonic::service::Routes;
use tonic::{Request, Response, Status};

use crate::app::App;
use crate::domain::Offer;
use crate::domain::offer::MOST;

/// The server that peers call.
pub(crate) fn server(app: &Arc<App>) -> Routes {
    Routes::new(CatalogServer::new(Rpc { app: Arc::clone(app) }))
}

struct Rpc {
    app: Arc<App>,
}

#[tonic::async_trait]
impl Catalog for Rpc {
    async fn get_variants(&self, request: Request<GetVariantsRequest>) -> Result<Response<GetVariantsReply>, Status> {
        let GetVariantsRequest { skus, product_ids } = request.into_inner();
        if skus.len() + product_ids.len() > MOST {
            return Err(Status::invalid_argument("at most 200 SKUs and ids in one request"));
        }
        // What is no SKU or id is sold by nobody: it is absent from the reply like any unknown one.
        let skus: Vec<Sku> = skus.iter().filter_map(|sku| sku.parse().ok()).collect();
        let ids: Vec<ProductId> = product_ids.iter().filter_map(|id| id.parse().ok()).collect();
        let offers = self.app.offers(&skus, &ids).await.map_err(|error| shop_mesh::status(&error))?;
        Ok(Response::new(GetVariantsReply { variants: offers.into_iter().map(to_proto).collect() }))
    }
}

fn to_proto(offer: Offer) -> Variant {
    let Offer { sku, product, name, price, version, default, archived } = offer;
    Variant {
        sku: sku.to_string(),
        product_id: product.to_string(),
        name,
        price: Some(money_to_proto(price)),
        version,
        default_variant: default,
        archived,
    }
}
