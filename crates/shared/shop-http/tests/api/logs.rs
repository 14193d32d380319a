//! What a request leaves in logs and traces.

use std::io::Write;
use std::sync::mpsc::{Sender, channel};

use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use serde_json::Value;
use tracing_subscriber::Layer;
use tracing_subscriber::layer::SubscriberExt;

use crate::shop::{Shop, answer};

/// Sends every line that is written.
struct Lines(Sender<Vec<u8>>);

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        // The test may have ended before the others stop logging.
        drop(self.0.send(line.to_vec()));
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Sends the request that each event of the guard belongs to, as lines of a service name it.
struct Requests(Sender<(String, String)>);

impl<S: tracing::Subscriber> Layer<S> for Requests {
    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        let request =
            shop_telemetry::context::current().map_or_else(String::new, |context| context.request_id.to_string());
        let mut route = Route(String::new());
        event.record(&mut route);
        drop(self.0.send((request, route.0)));
    }
}

struct Route(String);

impl tracing::field::Visit for Route {
    fn record_debug(&mut self, _: &tracing::field::Field, _: &dyn std::fmt::Debug) {}

    fn record_str(&mut self, field: &tracing::field::Field, value: &str) {
        if field.name() == "http.route" {
            value.clone_into(&mut self.0);
        }
    }
}

#[tokio::test]
async fn failures_are_logged_once_with_their_causes_and_requests_join_the_trace_of_the_caller() {
    let (sender, lines) = channel();
    let (requests, named) = channel();
    let provider = SdkTracerProvider::builder().build();
    let logs = tracing_subscriber::fmt::layer().json().with_writer(move || Lines(sender.clone()));
    let traces = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    let filter = tracing_subscriber::filter::LevelFilter::INFO;
    opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
    tracing::subscriber::set_global_default(
        tracing_subscriber::registry().with(filter).with(traces).with(logs).with(Requests(requests)),
    )
    .unwrap();
    let shop = Shop::start().await;

    let paths = ["fail/internal", "panic", "fail/away", "stock/mug", "me"];
    for (number, path) in paths.iter().enumerate() {
        let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let request = shop.get(&format!("/api/v1/{path}")).header("X-Request-Id", format!("log-test-{number}"));
        let (_, body) = answer(request.header("traceparent", traceparent)).await;
        if *path == "me" {
            let inner = body["traceparent"].as_str().unwrap();
            assert!(
                inner.starts_with("00-0af7651916cd43dd8448eb211c80319c-") && !inner.contains("b7ad6b7169203331"),
                "{inner}"
            );
        }
    }

    let logged: Vec<Value> = lines.try_iter().filter_map(|line| serde_json::from_slice(&line).ok()).collect();
    let of = |number: usize| {
        let id = format!("log-test-{number}");
        let lines = logged.iter().filter(|line| line["span"]["request.id"] == id.as_str());
        lines
            .map(|line| (&line["level"], line["fields"]["error.chain"].as_str().unwrap_or_default()))
            .collect::<Vec<_>>()
    };
    let (error, warn) = (Value::from("ERROR"), Value::from("WARN"));
    let chain = "failed to read products from db-7.internal: socket 9 of db-7.internal broke";
    assert_eq!(of(0), [(&error, chain)]);
    assert_eq!(of(1), [(&error, "the handler panicked: the secret plan")]);
    assert_eq!(of(2), [(&warn, "db-7.internal is away")]);
    assert_eq!((of(3), of(4)), (vec![], vec![]));
    let named: Vec<_> = named.try_iter().filter(|(request, _)| request.starts_with("log-test-")).collect();
    let (fail, panic) = ("/api/v1/fail/{kind}", "/api/v1/panic");
    let expected = [("log-test-0", fail), ("log-test-1", panic), ("log-test-2", fail)];
    assert_eq!(named, expected.map(|(request, route)| (request.to_owned(), route.to_owned())));
}
