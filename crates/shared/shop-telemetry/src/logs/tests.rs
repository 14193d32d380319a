//! What a log line says, and that the log filter leaves the traces alone.

use std::io::Write;
use std::sync::mpsc::{Receiver, Sender, channel};

use serde_json::Value;
use shop_config::TelemetryConfig;
use tracing::subscriber::DefaultGuard;
use tracing::{error, info, info_span, warn};

use super::*;
use crate::context;

struct Lines(Sender<Vec<u8>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.send(bytes.to_vec()).map_err(std::io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Logs of this thread go to the receiver.
fn logs_of(log: &str) -> (DefaultGuard, Receiver<Vec<u8>>) {
    global::set_text_map_propagator(TraceContextPropagator::new());
    let telemetry = TelemetryConfig { log: log.into(), otlp_endpoint: None, sampling_percent: 100 };
    let provider = provider(&telemetry, "order").unwrap();
    let (sender, receiver) = channel();
    let subscriber = subscriber(&telemetry, "order", &provider, move || Lines(sender.clone())).unwrap();
    (tracing::subscriber::set_default(subscriber), receiver)
}

fn line(logs: &Receiver<Vec<u8>>) -> Value {
    serde_json::from_slice(&logs.try_recv().unwrap()).unwrap()
}

#[tokio::test]
async fn a_line_names_service_request_and_trace_and_keeps_the_fields() {
    let (_guard, logs) = logs_of("info");
    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let span = info_span!("place_order");
    context::set_parent(&span, traceparent);
    let request = context::Context { request_id: "r-1".into(), deadline: None, authorization: None, guest_token: None };

    context::scope(request, async { span.in_scope(|| info!(order.lines = 2, "Placed \"an order\"")) }).await;

    let line = line(&logs);
    assert_eq!(line["message"], "Placed \"an order\"");
    assert_eq!((&line["level"], &line["service"]), (&"INFO".into(), &"order".into()));
    assert_eq!((&line["request_id"], &line["order.lines"]), (&"r-1".into(), &2.into()));
    assert_eq!(line["trace_id"], "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(line["span_id"].as_str().unwrap().len(), 16);
    assert!(line["timestamp"].as_str().unwrap().ends_with('Z'), "{line}");
}

#[tokio::test]
async fn a_quiet_log_still_has_its_traces() {
    let (_guard, logs) = logs_of("error");
    let span = info_span!("place_order");
    span.in_scope(|| {
        info!("not written");
        error!("written");
    });
    let line = line(&logs);
    assert_eq!(line["message"], "written");
    assert_ne!(line["trace_id"], Value::Null);
    assert!(logs.try_recv().is_err());
}

#[test]
fn an_error_is_written_with_all_its_causes() {
    let (_guard, logs) = logs_of("info");
    let cause = EnvFilter::try_new("order=shout").unwrap_err();
    let cause_text = cause.to_string();
    let error = Error::Filter(cause);
    warn!(error = &error as &dyn std::error::Error, "Refused");
    assert_eq!(line(&logs)["error"], format!("{error}: {cause_text}"));
}

#[test]
fn a_field_cannot_pose_as_another_service_or_trace() {
    let (_guard, logs) = logs_of("info");
    info!(service = "payment", trace_id = "1", "spoofed");
    let line = line(&logs);
    assert_eq!((&line["service"], &line["fields.service"]), (&"order".into(), &"payment".into()));
    assert_eq!((&line["trace_id"], &line["fields.trace_id"]), (&Value::Null, &"1".into()));
}

#[test]
fn a_parent_that_is_none_starts_a_new_trace() {
    let (_guard, logs) = logs_of("info");
    for text in ["", "nonsense", "00-00000000000000000000000000000000-b7ad6b7169203331-01"] {
        let span = info_span!("place_order");
        context::set_parent(&span, text);
        span.in_scope(|| info!("placed"));
        let line = line(&logs);
        assert_eq!(line["trace_id"].as_str().unwrap().len(), 32, "{line}");
    }
}

#[test]
fn a_parent_that_comes_too_late_is_noticed() {
    let (_guard, logs) = logs_of("info");
    let span = info_span!("place_order");
    span.in_scope(|| {});
    context::set_parent(&span, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    assert_eq!(line(&logs)["level"], "WARN");
}

#[test]
fn a_filter_that_does_not_parse_is_refused() {
    let telemetry = TelemetryConfig { log: "order=shout".into(), otlp_endpoint: None, sampling_percent: 0 };
    let provider = provider(&telemetry, "order").unwrap();
    assert!(matches!(subscriber(&telemetry, "order", &provider, std::io::sink), Err(Error::Filter(_))));
}

#[test]
fn the_first_service_of_a_trace_decides_whether_it_is_kept() {
    // Nobody takes the traces that start here.
    let (_guard, _logs) = logs_of("info");
    let own = info_span!("place_order").in_scope(|| context::traceparent().unwrap());
    assert!(own.ends_with("-00"), "{own}");
    for flag in ["-00", "-01"] {
        let span = info_span!("reserve");
        context::set_parent(&span, &format!("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331{flag}"));
        let called = span.in_scope(|| context::traceparent().unwrap());
        assert!(called.ends_with(flag), "{called}");
    }
}

#[tokio::test]
async fn traces_may_go_to_a_collector_by_tls() {
    for endpoint in ["http://collector:4317", "https://collector:4317", "https://collector.example/"] {
        let endpoint = Some(endpoint.to_owned());
        let telemetry = TelemetryConfig { log: "info".into(), otlp_endpoint: endpoint, sampling_percent: 10 };
        let made = provider(&telemetry, "order");
        assert!(made.is_ok(), "{:?}: {:?}", telemetry.otlp_endpoint, made.err());
    }
}
