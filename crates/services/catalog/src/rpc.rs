//! gRPC in: what peers ask of the catalog.

use std::sync::Arc;

use shop_mesh::convert::money_to_proto;
use shop_proto::catalog::catalog_server::{Catalog, CatalogServer};
use shop_proto::catalog::{GetVariantsReply, GetVariantsRequest, Variant};
use shop_types::{ProductId, Sku};
use tonic::service::Routes;
use tonic::{Request, Response, Status};

use crate::app::App;
use crate::domain;

/// Most SKUs and ids of one request together.
const MOST: usize = 200;

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
        let products = self.app.sold_as(&skus, &ids).await.map_err(|error| shop_mesh::status(&error))?;
        let mut variants = Vec::with_capacity(skus.len() + ids.len());
        for product in &products {
            let named_by_id = ids.contains(&product.id);
            for (n, variant) in product.variants.iter().enumerate() {
                if skus.contains(&variant.sku) || (named_by_id && n == 0) {
                    variants.push(to_proto(product, variant, n == 0));
                }
            }
        }
        Ok(Response::new(GetVariantsReply { variants }))
    }
}

fn to_proto(product: &domain::Product, variant: &domain::Variant, default_variant: bool) -> Variant {
    Variant {
        sku: variant.sku.to_string(),
        product_id: product.id.to_string(),
        name: match &variant.name {
            Some(name) => format!("{}, {name}", product.name),
            None => product.name.clone(),
        },
        price: Some(money_to_proto(variant.price)),
        version: product.version,
        default_variant,
        archived: product.status == domain::Status::Archived,
    }
}
