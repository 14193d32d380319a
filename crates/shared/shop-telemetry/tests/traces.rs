//! Traces end to end: two services, one collector. The set-up is global, so that this binary holds one test.

use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::trace::v1::Span;
use shop_config::TelemetryConfig;
use shop_telemetry::{context, logs};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;
use tracing::{Instrument, info_span};

struct Sink(mpsc::UnboundedSender<ExportTraceServiceRequest>);

#[tonic::async_trait]
impl TraceService for Sink {
    async fn export(
        &self,
        request: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, tonic::Status> {
        self.0.send(request.into_inner()).map_err(|_| tonic::Status::cancelled("the test is over"))?;
        Ok(tonic::Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spans_of_two_services_reach_the_collector_as_one_trace() {
    let (sender, mut received) = mpsc::unbounded_channel();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(
        Server::builder()
            .add_service(TraceServiceServer::new(Sink(sender)))
            .serve_with_incoming(TcpListenerStream::new(listener)),
    );
    // A quiet log must not end the traces.
    let telemetry = TelemetryConfig { log: "error".into(), otlp_endpoint: Some(endpoint), sampling_percent: 100 };
    let guard = logs::init(&telemetry, "order").unwrap();
    let second = logs::init(&telemetry, "payment").unwrap();

    let traceparent = async { context::traceparent().unwrap() }.instrument(info_span!("place_order")).await;
    let called = info_span!("reserve");
    context::set_parent(&called, &traceparent);
    context::spawn(async {}.instrument(info_span!(parent: &called, "store"))).await.unwrap();
    drop(called);
    second.shutdown().await.unwrap();
    guard.shutdown().await.unwrap();

    let mut exports = Vec::new();
    while let Ok(Some(export)) = tokio::time::timeout(Duration::from_secs(1), received.recv()).await {
        exports.extend(export.resource_spans);
    }
    let resource = exports[0].resource.clone().unwrap();
    let has = |key: &str, value: &str| {
        resource.attributes.iter().any(|pair| pair.key == key && format!("{:?}", pair.value).contains(value))
    };
    assert!(has("service.name", "order") && has("service.version", env!("CARGO_PKG_VERSION")), "{resource:?}");
    let spans: Vec<Span> =
        exports.into_iter().flat_map(|export| export.scope_spans).flat_map(|scope| scope.spans).collect();
    let span = |name: &str| spans.iter().find(|span| span.name == name).unwrap();
    assert_eq!(spans.len(), 3);
    assert_eq!(span("reserve").parent_span_id, span("place_order").span_id);
    assert_eq!(span("store").parent_span_id, span("reserve").span_id);
    assert!(spans.iter().all(|span| span.trace_id == spans[0].trace_id), "{spans:?}");
}
