//! What travels with a call.

use std::sync::Arc;
use std::time::Duration;

use shop_config::TelemetryConfig;
use shop_telemetry::context::{self, Context};
use shop_telemetry::logs;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::{Instrument, info_span};

use crate::peer::{Order, Peer};

fn a_context() -> Context {
    Context {
        request_id: "r-1".into(),
        deadline: Some(Instant::now() + Duration::from_secs(5)),
        authorization: Some("Bearer a.b.c".into()),
        guest_token: Some("g".repeat(43).into()),
    }
}

#[tokio::test]
async fn the_request_id_and_the_tokens_of_the_caller_arrive() {
    let (sender, mut contexts) = mpsc::unbounded_channel();
    let peer = Peer::start(move |_| {
        let sender = sender.clone();
        async move {
            sender.send(context::current().unwrap()).unwrap();
            Ok(())
        }
    })
    .await;
    let order = Order::calling(peer.address);

    context::scope(a_context(), order.variants(&[])).await.unwrap();
    let arrived = contexts.recv().await.unwrap();
    assert_eq!(arrived.request_id.as_ref(), "r-1");
    assert_eq!(arrived.authorization.as_deref(), Some("Bearer a.b.c"));
    assert_eq!(arrived.guest_token, Some(Arc::from("g".repeat(43))));

    order.variants(&[]).await.unwrap();
    let arrived = contexts.recv().await.unwrap();
    assert_eq!((arrived.request_id.len(), arrived.authorization, arrived.guest_token), (32, None, None));
}

#[tokio::test]
async fn a_context_that_no_header_can_carry_fails_the_call_and_is_not_dropped() {
    let peer = Peer::start(async |_| Ok(())).await;
    let bad = Context { authorization: Some("Bearer a\nb".into()), ..a_context() };
    let status = context::scope(bad, Order::calling(peer.address).variants(&[])).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::Internal);
    assert!(!status.message().contains("Bearer"), "{status}");
    assert_eq!(peer.calls(), 0);
}

#[tokio::test]
async fn the_peer_works_in_the_trace_of_its_caller() {
    let telemetry = TelemetryConfig { log: "off".into(), otlp_endpoint: None, sampling_percent: 100 };
    let guard = logs::init(&telemetry, "order").unwrap();
    let (sender, mut traces) = mpsc::unbounded_channel();
    let peer = Peer::start(move |call| {
        let sender = sender.clone();
        async move {
            let sent = call.metadata.get("traceparent").unwrap().to_str().unwrap().to_owned();
            sender.send((sent, context::traceparent().unwrap())).unwrap();
            Ok(())
        }
    })
    .await;
    let order = Order::calling(peer.address);

    let here = async {
        order.variants(&[]).await.unwrap();
        context::traceparent().unwrap()
    };
    let here = here.instrument(info_span!("place_order")).await;

    let (sent, there) = traces.recv().await.unwrap();
    let trace = |traceparent: &str| traceparent.split('-').nth(1).unwrap().to_owned();
    assert_eq!((trace(&sent), trace(&there)), (trace(&here), trace(&here)));
    assert!(here != sent && sent != there && there != here, "each side has a span of its own");
    guard.shutdown().await.unwrap();
}
