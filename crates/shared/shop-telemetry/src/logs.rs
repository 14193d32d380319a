//! Logs as JSON lines on standard output, and traces by OTLP when an endpoint is set.
//!
//! One call at the start of a process. What does not belong here: what is logged, and which spans there are.

mod json;

use opentelemetry::trace::TracerProvider;
use opentelemetry::{KeyValue, global};
use opentelemetry_otlp::tonic_types::transport::ClientTlsConfig;
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithTonicConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use shop_config::TelemetryConfig;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

/// Why logs or traces cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The log filter does not parse.
    #[error("the log filter is not one, such as info or info,order=debug")]
    Filter(#[source] tracing_subscriber::filter::ParseError),
    /// The OTLP endpoint cannot be used.
    #[error("the OTLP endpoint cannot be used")]
    Endpoint(#[source] opentelemetry_otlp::ExporterBuildError),
    /// The last spans could not be sent.
    #[error("the last traces could not be sent")]
    Flush(#[source] opentelemetry_sdk::error::OTelSdkError),
    /// The task that sends the last spans did not end by itself.
    #[error("sending the last traces was interrupted")]
    Interrupted(#[source] tokio::task::JoinError),
}

/// Keeps traces flowing; call [`Guard::shutdown`] at the end of the process.
#[derive(Debug)]
#[must_use = "spans that were not sent yet are lost unless `shutdown` is called"]
pub struct Guard(Option<SdkTracerProvider>);

impl Guard {
    /// Sends what was not sent yet. Waits 5 s at most when the collector is away.
    ///
    /// # Errors
    /// [`Error::Flush`] when the collector did not take it, [`Error::Interrupted`] when the runtime is going down already.
    pub async fn shutdown(self) -> Result<(), Error> {
        let Some(provider) = self.0 else { return Ok(()) };
        // Blocks its thread until the exporter, which needs this runtime, is done.
        tokio::task::spawn_blocking(move || provider.shutdown())
            .await
            .map_err(Error::Interrupted)?
            .map_err(Error::Flush)
    }
}

/// Sets up logs, traces and the W3C propagator for this process; call it on the tokio runtime.
///
/// Spans exist, and are passed on to peers, with and without an endpoint. When logs were set up before, nothing changes
/// and the guard does nothing: several services in one process share the first set-up.
///
/// # Errors
/// [`Error::Filter`] or [`Error::Endpoint`] when a setting does not fit; nothing was set up then.
pub fn init(telemetry: &TelemetryConfig, service: &str) -> Result<Guard, Error> {
    if tracing::dispatcher::has_been_set() {
        return Ok(Guard(None));
    }
    let provider = provider(telemetry, service)?;
    let subscriber = subscriber(telemetry, service, &provider, std::io::stdout)?;
    global::set_text_map_propagator(TraceContextPropagator::new());
    match subscriber.try_init() {
        Ok(()) => Ok(Guard(Some(provider))),
        // Another thread was first between the check above and here.
        Err(_) => Ok(Guard(None)),
    }
}

fn provider(telemetry: &TelemetryConfig, service: &str) -> Result<SdkTracerProvider, Error> {
    // Nobody takes what would be recorded without an endpoint; who calls with a sampled trace still has it passed on.
    let percent = if telemetry.otlp_endpoint.is_some() { telemetry.sampling_percent.min(100) } else { 0 };
    let ratio = f64::from(percent) / 100.0;
    let resource = Resource::builder()
        .with_service_name(service.to_owned())
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    let builder = SdkTracerProvider::builder()
        .with_resource(resource)
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(ratio))));
    let Some(endpoint) = &telemetry.otlp_endpoint else { return Ok(builder.build()) };
    let mut exporter = SpanExporter::builder().with_tonic().with_endpoint(endpoint.clone());
    if endpoint.starts_with("https://") {
        // The roots that browsers trust: an image has none of its own.
        exporter = exporter.with_tls_config(ClientTlsConfig::new().with_enabled_roots());
    }
    let exporter = exporter.build().map_err(Error::Endpoint)?;
    Ok(builder.with_batch_exporter(exporter).build())
}

fn subscriber<W>(
    telemetry: &TelemetryConfig,
    service: &str,
    provider: &SdkTracerProvider,
    writer: W,
) -> Result<impl tracing::Subscriber + Send + Sync + use<W>, Error>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = EnvFilter::try_new(&telemetry.log).map_err(Error::Filter)?;
    // A line tells of its span by the ids alone, so the fields of spans need not be written out for every request.
    let filter = filter.and(filter_fn(|metadata| !metadata.is_span()));
    let logs =
        tracing_subscriber::fmt::layer().event_format(json::Json::new(service)).with_writer(writer).with_filter(filter);
    // A filter of its own: a quiet log must not end the traces.
    let traces = tracing_opentelemetry::layer().with_tracer(provider.tracer("shopmesh")).with_filter(LevelFilter::INFO);
    Ok(Registry::default().with(traces).with(logs))
}

#[cfg(test)]
mod tests;
