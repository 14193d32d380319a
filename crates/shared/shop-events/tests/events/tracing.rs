//! Traces: an event is handled in the trace of the request that caused it.

use std::sync::Arc;
use std::time::Duration;

use shop_config::TelemetryConfig;
use shop_events::Handler;
use shop_telemetry::context;
use shop_types::Envelope;
use tokio::sync::mpsc;

use crate::shop::{Shop, each, with_shop};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const OTHER_TRACE: &str = "1bf7651916cd43dd8448eb211c80319c";
const CAUSE: &str = "b7ad6b7169203331";

/// What a handler sees of its surroundings.
#[derive(Debug)]
struct Seen {
    events: Vec<String>,
    traceparent: String,
    request: String,
    remaining: Option<Duration>,
}

impl Seen {
    fn here(events: &[&Envelope]) -> Self {
        let context = context::current().unwrap();
        Self {
            events: events.iter().map(|event| event.id.to_string()).collect(),
            traceparent: context::traceparent().unwrap(),
            request: context.request_id.to_string(),
            remaining: context::remaining(),
        }
    }
}

fn caused_in(shop: &Shop, trace: &str) -> Envelope {
    Envelope { traceparent: Some(format!("00-{trace}-{CAUSE}-01")), ..shop.stock(0) }
}

fn traced() {
    let telemetry = TelemetryConfig { log: "off".into(), otlp_endpoint: None, sampling_percent: 100 };
    // The first test of the process sets it up for all.
    drop(shop_telemetry::logs::init(&telemetry, "test").unwrap());
}

/// Has events handled that a consumer meets all at once.
async fn handled_together(shop: &Shop, events: Vec<Envelope>, handler: Handler) {
    let relay = shop.relay().await;
    shop.tell(events).await;
    crate::shop::eventually("they are in the stream", Duration::from_secs(10), async || shop.length() > 0).await;
    let consumer = shop.consumer(handler).await;
    crate::shop::eventually("they are handled", Duration::from_secs(20), async || shop.unconfirmed().await == 0).await;
    relay.stop().await;
    consumer.stop().await;
}

async fn next(sees: &mut mpsc::UnboundedReceiver<Seen>) -> Seen {
    tokio::time::timeout(Duration::from_secs(10), sees.recv()).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_handler_runs_in_the_trace_of_the_cause_with_a_deadline() {
    traced();
    with_shop("inventory", |shop| async move {
        let relay = shop.relay().await;
        let (seen, mut sees) = mpsc::unbounded_channel();
        let seen = Arc::new(seen);
        let consumer = shop
            .consumer(each(move |event| {
                let seen = Arc::clone(&seen);
                async move {
                    seen.send(Seen::here(&[&event])).unwrap();
                    Ok(())
                }
            }))
            .await;
        let event = caused_in(&shop, TRACE);

        shop.tell(vec![event.clone()]).await;

        let seen = next(&mut sees).await;
        assert!(seen.traceparent.starts_with(&format!("00-{TRACE}-")), "{seen:?}");
        assert!(!seen.traceparent.contains(CAUSE), "a span of its own: {seen:?}");
        assert_eq!(seen.request, event.id.to_string());
        assert!(seen.remaining.is_some_and(|left| left <= Duration::from_secs(10)));
        relay.stop().await;
        consumer.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_batch_of_one_trace_is_handled_in_it() {
    traced();
    with_shop("inventory", |shop| async move {
        let (seen, mut sees) = mpsc::unbounded_channel();
        let handler: Handler = Arc::new(move |events: Vec<Envelope>| {
            let seen = seen.clone();
            Box::pin(async move {
                seen.send(Seen::here(&events.iter().collect::<Vec<_>>())).unwrap();
                events.iter().map(|_| Ok(())).collect()
            })
        });

        handled_together(&shop, vec![caused_in(&shop, TRACE), caused_in(&shop, TRACE)], handler).await;

        let seen = next(&mut sees).await;
        assert_eq!(seen.events.len(), 2, "they came together: {seen:?}");
        assert!(seen.traceparent.starts_with(&format!("00-{TRACE}-")), "{seen:?}");
    })
    .await;
}

#[tokio::test]
async fn events_of_a_batch_are_handled_each_in_its_trace() {
    traced();
    with_shop("inventory", |shop| async move {
        let (seen, mut sees) = mpsc::unbounded_channel();
        let (batches, seen) = (seen.clone(), Arc::new(seen));
        let each = each(move |event| {
            let seen = Arc::clone(&seen);
            async move {
                // What a handler starts inside belongs to the same trace.
                let inside = context::spawn(async move { Seen::here(&[&event]) });
                seen.send(inside.await.unwrap()).unwrap();
                Ok(())
            }
        });
        let handler: Handler = Arc::new(move |events: Vec<Envelope>| {
            let (batches, each) = (batches.clone(), Arc::clone(&each));
            Box::pin(async move {
                batches.send(Seen::here(&events.iter().collect::<Vec<_>>())).unwrap();
                each(events).await
            })
        });
        let events = vec![caused_in(&shop, TRACE), caused_in(&shop, OTHER_TRACE)];

        handled_together(&shop, events.clone(), handler).await;

        assert_eq!(next(&mut sees).await.events.len(), 2, "they came together");
        let mut alone = [next(&mut sees).await, next(&mut sees).await];
        alone.sort_by_key(|seen| seen.events[0] != events[0].id.to_string());
        for ((seen, event), trace) in alone.iter().zip(&events).zip([TRACE, OTHER_TRACE]) {
            assert!(seen.traceparent.starts_with(&format!("00-{trace}-")), "{seen:?}");
            assert_eq!((&seen.request, &seen.events[0]), (&event.id.to_string(), &event.id.to_string()));
        }
    })
    .await;
}
