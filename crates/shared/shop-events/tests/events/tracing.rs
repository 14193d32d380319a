//! Traces: an event is handled in the trace of the request that caused it.

use std::sync::Arc;
use std::time::Duration;

use shop_config::TelemetryConfig;
use shop_telemetry::context;
use tokio::sync::mpsc;

use crate::shop::{each, with_shop};

#[tokio::test]
async fn a_handler_runs_in_the_trace_of_the_cause_with_a_deadline() {
    let telemetry = TelemetryConfig { log: "off".into(), otlp_endpoint: None, sampling_percent: 100 };
    let _guard = shop_telemetry::logs::init(&telemetry, "test").unwrap();
    with_shop("inventory", |shop| async move {
        let relay = shop.relay().await;
        let (seen, mut sees) = mpsc::unbounded_channel();
        let seen = Arc::new(seen);
        let handler = each(move |event| {
            let seen = Arc::clone(&seen);
            async move {
                let context = context::current().unwrap();
                seen.send((context::traceparent(), context.request_id.to_string(), context::remaining())).unwrap();
                drop(event);
                Ok(())
            }
        });
        let consumer = shop.consumer(handler).await;
        let mut event = shop.stock(0);
        event.traceparent = Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into());

        shop.tell(vec![event.clone()]).await;

        let (traceparent, request, remaining) =
            tokio::time::timeout(Duration::from_secs(10), sees.recv()).await.unwrap().unwrap();
        let traceparent = traceparent.unwrap();
        assert!(traceparent.starts_with("00-0af7651916cd43dd8448eb211c80319c-"), "{traceparent}");
        assert!(!traceparent.contains("b7ad6b7169203331"), "a span of its own: {traceparent}");
        assert_eq!(request, event.id.to_string());
        assert!(remaining.is_some_and(|left| left <= Duration::from_secs(10)));
        relay.stop().await;
        consumer.stop().await;
    })
    .await;
}
