//! What a request causes can be followed: over HTTP, from service to service, and through events.

use std::collections::HashMap;

use opentelemetry_proto::tonic::trace::v1::Span;
use reqwest::StatusCode;
use serde_json::{Value, json};
use shop_config::TelemetryConfig;
use tests::calls::asks_again;
use tests::wait::until;

use crate::collector::Collector;
use crate::given::Shop;

const TRACE: u128 = 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c;
const CLIENT_SPAN: u64 = 0xb7ad_6b71_6920_3331;

const REQUEST: &str = "POST /api/v1/orders";
/// Each with the span that it must stand below, however deep.
const STEPS: [(&str, &str); 11] = [
    ("shopmesh.cart.v1.Cart/GetCart", REQUEST),
    ("shopmesh.inventory.v1.Inventory/Reserve", REQUEST),
    ("shopmesh.payment.v1.Payment/Authorize", REQUEST),
    // The server's span below the client's.
    ("shopmesh.payment.v1.Payment/Authorize", "shopmesh.payment.v1.Payment/Authorize"),
    ("order payment.authorized", "shopmesh.payment.v1.Payment/Authorize"),
    ("identity order.created", REQUEST),
    ("cart order.confirmed", REQUEST),
    ("payment order.confirmed", REQUEST),
    ("inventory payment.captured", "payment order.confirmed"),
    ("order payment.captured", "payment order.confirmed"),
    ("catalog stock.changed", "shopmesh.inventory.v1.Inventory/Reserve"),
];

/// The spans of a trace and how they hang together.
struct Tree(HashMap<Vec<u8>, Span>);

impl Tree {
    fn of(spans: Vec<Span>) -> Self {
        Self(spans.into_iter().map(|span| (span.span_id.clone(), span)).collect())
    }

    /// The names above a span, the nearest first. Fails when they do not lead to the client.
    fn above(&self, span: &Span) -> Vec<&str> {
        let mut names = Vec::new();
        let mut next = &span.parent_span_id;
        while *next != CLIENT_SPAN.to_be_bytes() {
            let parent = self.0.get(next).unwrap_or_else(|| panic!("{} hangs in the air: {names:?}", span.name));
            assert!(names.len() < self.0.len(), "{} is above itself", span.name);
            names.push(parent.name.as_str());
            next = &parent.parent_span_id;
        }
        names
    }

    fn stands_below(&self, name: &str, ancestor: &str) -> bool {
        self.0.values().any(|span| span.name == name && self.above(span).contains(&ancestor))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_one_trace_over_http_grpc_and_events() {
    let collector = Collector::start().await;
    let telemetry =
        TelemetryConfig { log: "off".into(), otlp_endpoint: Some(collector.url().into()), sampling_percent: 0 };
    // Of the other journeys in this process nothing is sampled: their requests bring no trace.
    let traces = shop_telemetry::logs::init(&telemetry, "all").unwrap();
    let shop = Shop::open().await;
    shop.on_sale("mug", 1290, 5).await;
    let ada = shop.customer();
    let cart = ada.cart("mug", 1).await;

    let order = json!({ "cartId": cart, "payment": { "method": "tok_visa" } });
    let place = || async {
        let request = shop.services.client().post(shop.services.url("/api/v1/orders")).bearer_auth(&ada.token);
        let request = request.header("traceparent", format!("00-{TRACE:032x}-{CLIENT_SPAN:016x}-01"));
        let placed = request.header("idempotency-key", "traced").json(&order).send().await.unwrap();
        (placed.status(), placed.json::<Value>().await.unwrap())
    };
    let is_final = |(status, body): &(StatusCode, Value)| !asks_again(status.as_u16(), body);
    let (status, placed) = until("the order is answered", place, is_final).await;
    assert_eq!(status, StatusCode::CREATED, "{placed}");
    ada.status(placed["id"].as_str().unwrap(), "paid").await;

    let missing = |spans: &[Span]| -> Vec<&str> {
        let has = |name: &str| spans.iter().any(|span| span.name == name);
        STEPS.into_iter().map(|(name, _)| name).chain([REQUEST]).filter(|name| !has(name)).collect()
    };
    let look = || async {
        let spans = collector.trace(TRACE).await;
        (missing(&spans), spans)
    };
    let (_, spans) = until("all steps are told", look, |(missing, _)| missing.is_empty()).await;
    let tree = Tree::of(spans);
    for (step, ancestor) in STEPS {
        assert!(tree.stands_below(step, ancestor), "{step} does not stand below {ancestor}");
    }
    drop(shop);
    traces.shutdown().await.unwrap();
}
