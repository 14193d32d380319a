//! A peer that answers as the test says, and a mesh that leads to it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::BoxFuture;
use shop_config::Config;
use shop_mesh::{Mesh, server};
use shop_proto::catalog::catalog_client::CatalogClient;
use shop_proto::catalog::catalog_server::{Catalog, CatalogServer};
use shop_proto::catalog::{GetVariantsReply, GetVariantsRequest, Variant};
use shop_proto::payment::payment_client::PaymentClient;
use shop_proto::payment::payment_server::{Payment, PaymentServer};
use shop_proto::payment::{AuthorizeReply, AuthorizeRequest, GetPaymentReply, GetPaymentRequest};
use shop_telemetry::metrics::{Metrics, render};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::metadata::MetadataMap;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

/// A call as it arrived.
pub(crate) struct Call {
    /// Counted from 1.
    pub(crate) number: usize,
    pub(crate) metadata: MetadataMap,
}

type Answer = dyn Fn(Call) -> BoxFuture<'static, Result<(), Status>> + Send + Sync;

#[derive(Clone)]
struct Fake {
    calls: Arc<AtomicUsize>,
    answer: Arc<Answer>,
}

impl Fake {
    async fn answer<T>(&self, request: Request<T>) -> Result<T, Status> {
        let number = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        let (metadata, _, message) = request.into_parts();
        (self.answer)(Call { number, metadata }).await?;
        Ok(message)
    }
}

#[tonic::async_trait]
impl Catalog for Fake {
    /// One variant for each SKU.
    async fn get_variants(&self, request: Request<GetVariantsRequest>) -> Result<Response<GetVariantsReply>, Status> {
        let GetVariantsRequest { skus, product_ids: _ } = self.answer(request).await?;
        let variants = skus.into_iter().map(|sku| Variant { sku, ..Variant::default() }).collect();
        Ok(Response::new(GetVariantsReply { variants }))
    }
}

#[tonic::async_trait]
impl Payment for Fake {
    async fn authorize(&self, request: Request<AuthorizeRequest>) -> Result<Response<AuthorizeReply>, Status> {
        let AuthorizeRequest { order_id, .. } = self.answer(request).await?;
        Ok(Response::new(AuthorizeReply { payment_id: order_id, ..AuthorizeReply::default() }))
    }

    async fn get_payment(&self, request: Request<GetPaymentRequest>) -> Result<Response<GetPaymentReply>, Status> {
        let GetPaymentRequest { payment_id } = self.answer(request).await?;
        Ok(Response::new(GetPaymentReply { payment_id, ..GetPaymentReply::default() }))
    }
}

/// A running peer.
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    pub(crate) stop: CancellationToken,
    pub(crate) served: JoinHandle<Result<(), shop_mesh::Error>>,
    calls: Arc<AtomicUsize>,
}

impl Peer {
    pub(crate) async fn start<F, R>(answer: F) -> Self
    where
        F: Fn(Call) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), Status>> + Send + 'static,
    {
        Self::start_on(TcpListener::bind("127.0.0.1:0").await.unwrap(), answer)
    }

    pub(crate) fn start_on<F, R>(listener: TcpListener, answer: F) -> Self
    where
        F: Fn(Call) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), Status>> + Send + 'static,
    {
        let calls = Arc::new(AtomicUsize::new(0));
        let fake = Fake { calls: Arc::clone(&calls), answer: Arc::new(move |call| Box::pin(answer(call))) };
        let routes = Routes::new(CatalogServer::new(fake.clone())).add_service(PaymentServer::new(fake));
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let served = tokio::spawn(server::serve(listener, routes, stop.clone()));
        Self { address, stop, served, calls }
    }

    /// How many tries have arrived.
    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

/// The order service, whose every peer is at one address.
#[derive(Clone)]
pub(crate) struct Order {
    pub(crate) mesh: Mesh,
    metrics: Metrics,
}

impl Order {
    pub(crate) fn calling(address: SocketAddr) -> Self {
        let mut config = Config::from_lookup(&|_| None).unwrap();
        config.peer_url = format!("http://{address}");
        let metrics = Metrics::new("order");
        Self { mesh: Mesh::new("order", &config, &metrics).unwrap(), metrics }
    }

    /// An idempotent call.
    pub(crate) async fn variants(&self, skus: &[&str]) -> Result<Vec<Variant>, Status> {
        let skus = skus.iter().map(|sku| (*sku).to_owned()).collect();
        let request = GetVariantsRequest { skus, product_ids: Vec::new() };
        let reply = CatalogClient::new(self.mesh.channel("catalog")).get_variants(request).await?;
        Ok(reply.into_inner().variants)
    }

    /// A call that must not be made twice.
    pub(crate) async fn authorize(&self) -> Result<AuthorizeReply, Status> {
        let request = AuthorizeRequest { order_id: "o-1".into(), ..AuthorizeRequest::default() };
        let reply = PaymentClient::new(self.mesh.channel("payment")).authorize(request).await?;
        Ok(reply.into_inner())
    }

    /// The metrics page.
    pub(crate) fn page(&self) -> String {
        render(std::slice::from_ref(&self.metrics))
    }
}

/// An address where nobody listens.
pub(crate) async fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}
