//! Prometheus metrics of one service, and the text page of all services of a process.
//!
//! What belongs here: registries and rendering. Each crate registers the metrics that it measures, with names that end in
//! a unit and labels that have few values: never an id or a raw path.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use prometheus::core::Collector;
use prometheus::proto::MetricFamily;
use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder};

/// The metrics of one service; every one carries the label `service`. Clones share one registry.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    service: String,
    registry: Registry,
    /// What was registered, by name. Each slot is filled once, by whoever comes first.
    slots: ArcSwap<HashMap<String, Slot>>,
}

type Slot = Arc<OnceLock<Result<Registered, String>>>;

#[derive(Clone)]
enum Registered {
    Counter(IntCounterVec),
    Gauge(IntGaugeVec),
    Histogram(HistogramVec),
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").field("service", &self.0.service).finish_non_exhaustive()
    }
}

impl Metrics {
    /// An empty registry for a service.
    #[must_use]
    pub fn new(service: &str) -> Self {
        Self(Arc::new(Inner {
            service: service.to_owned(),
            registry: Registry::new(),
            slots: ArcSwap::from_pointee(HashMap::new()),
        }))
    }

    /// The registry, for collectors that are none of the three kinds below. Give them the label `service` yourself.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.0.registry
    }

    /// A counter by labels; the same name twice gives the first one.
    ///
    /// # Errors
    /// When the name or a label is not one, or when the name is taken by another kind or other labels.
    pub fn counter(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, prometheus::Error> {
        let registered = self.register(name, || {
            let counter = IntCounterVec::new(self.options(name, help), labels)?;
            self.0.registry.register(Box::new(counter.clone()))?;
            Ok(Registered::Counter(counter))
        })?;
        match registered {
            Registered::Counter(counter) if has_labels(&counter, labels) => Ok(counter),
            Registered::Counter(_) | Registered::Gauge(_) | Registered::Histogram(_) => Err(taken(name)),
        }
    }

    /// A gauge by labels; the same name twice gives the first one.
    ///
    /// # Errors
    /// As [`Self::counter`].
    pub fn gauge(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec, prometheus::Error> {
        let registered = self.register(name, || {
            let gauge = IntGaugeVec::new(self.options(name, help), labels)?;
            self.0.registry.register(Box::new(gauge.clone()))?;
            Ok(Registered::Gauge(gauge))
        })?;
        match registered {
            Registered::Gauge(gauge) if has_labels(&gauge, labels) => Ok(gauge),
            Registered::Counter(_) | Registered::Gauge(_) | Registered::Histogram(_) => Err(taken(name)),
        }
    }

    /// A histogram by labels with these upper bounds; the same name twice gives the first one.
    ///
    /// # Errors
    /// As [`Self::counter`].
    pub fn histogram(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        buckets: &[f64],
    ) -> Result<HistogramVec, prometheus::Error> {
        let registered = self.register(name, || {
            let options = HistogramOpts::from(self.options(name, help)).buckets(buckets.to_vec());
            let histogram = HistogramVec::new(options, labels)?;
            self.0.registry.register(Box::new(histogram.clone()))?;
            Ok(Registered::Histogram(histogram))
        })?;
        match registered {
            Registered::Histogram(histogram) if has_labels(&histogram, labels) => Ok(histogram),
            Registered::Counter(_) | Registered::Gauge(_) | Registered::Histogram(_) => Err(taken(name)),
        }
    }

    fn options(&self, name: &str, help: &str) -> Opts {
        Opts::new(name, help).const_label("service", &self.0.service)
    }

    fn register(
        &self,
        name: &str,
        create: impl FnOnce() -> Result<Registered, prometheus::Error>,
    ) -> Result<Registered, prometheus::Error> {
        let empty = Slot::default();
        self.0.slots.rcu(|slots| {
            let mut slots = HashMap::clone(slots);
            slots.entry(name.to_owned()).or_insert_with(|| Arc::clone(&empty));
            slots
        });
        let slot = self.0.slots.load().get(name).map_or(empty, Arc::clone);
        let registered = slot.get_or_init(|| create().map_err(|error| error.to_string()));
        registered.clone().map_err(prometheus::Error::Msg)
    }
}

fn has_labels(collector: &impl Collector, labels: &[&str]) -> bool {
    collector.desc().iter().all(|desc| desc.variable_labels == labels)
}

fn taken(name: &str) -> prometheus::Error {
    prometheus::Error::Msg(format!("the metric {name} exists with another kind or other labels"))
}

/// All metrics in Prometheus' text format, with those of the process itself. Families that several services share stand
/// under one `HELP` and `TYPE`.
#[must_use]
pub fn render(all: &[Metrics]) -> String {
    let mut families: BTreeMap<String, MetricFamily> = BTreeMap::new();
    let gathered = all.iter().flat_map(|metrics| metrics.registry().gather()).chain(prometheus::gather());
    for mut family in gathered {
        match families.get_mut(family.name()) {
            None => {
                families.insert(family.name().to_owned(), family);
            }
            Some(first) if first.get_field_type() == family.get_field_type() => {
                first.mut_metric().append(family.mut_metric());
            }
            Some(_) => {
                tracing::error!(metric = family.name(), "Left out a metric that two services register as two kinds");
            }
        }
    }
    let mut text = String::new();
    for (name, family) in families {
        if let Err(error) = TextEncoder::new().encode_utf8(std::slice::from_ref(&family), &mut text) {
            tracing::error!(metric = name, error = &error as &dyn std::error::Error, "Failed to print a metric");
        }
    }
    text
}

/// Bytes of memory that this process has in use, as the metric `process_resident_memory_bytes` says; `None` where the system
/// does not tell.
#[must_use]
pub fn resident_bytes() -> Option<u64> {
    let families = prometheus::gather();
    let family = families.iter().find(|family| family.name() == "process_resident_memory_bytes")?;
    let bytes = family.get_metric().first()?.get_gauge().get_value();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a whole number of pages, far below 2^53"
    )]
    (bytes > 0.0).then_some(bytes as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_name_twice_gives_the_same_metric() {
        let metrics = Metrics::new("order");
        let first = metrics.counter("calls_total", "Calls.", &["peer"]).unwrap();
        let second = metrics.clone().counter("calls_total", "Calls.", &["peer"]).unwrap();
        first.with_label_values(&["cart"]).inc();
        second.with_label_values(&["cart"]).inc();
        assert_eq!(first.with_label_values(&["cart"]).get(), 2);
    }

    #[test]
    fn a_name_has_one_kind_and_one_set_of_labels() {
        let metrics = Metrics::new("order");
        metrics.counter("calls_total", "Calls.", &["peer"]).unwrap();
        assert!(metrics.gauge("calls_total", "Calls.", &["peer"]).is_err());
        assert!(metrics.histogram("calls_total", "Calls.", &["peer"], &[1.0]).is_err());
        assert!(metrics.counter("calls_total", "Calls.", &["method"]).is_err());
        assert!(metrics.counter("no name", "Calls.", &[]).is_err());
    }

    #[test]
    fn threads_that_register_at_once_share_one_metric() {
        let metrics = Metrics::new("order");
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for n in 0..50 {
                        let counter = metrics.counter(&format!("calls_{n}_total"), "Calls.", &[]).unwrap();
                        counter.with_label_values::<&str>(&[]).inc();
                    }
                });
            }
        });
        for n in 0..50 {
            let counter = metrics.counter(&format!("calls_{n}_total"), "Calls.", &[]).unwrap();
            assert_eq!(counter.with_label_values::<&str>(&[]).get(), 8, "calls_{n}_total");
        }
    }

    #[test]
    fn families_of_several_services_stand_under_one_heading() {
        let all = [Metrics::new("cart"), Metrics::new("order")];
        for metrics in &all {
            metrics.counter("calls_total", "Calls.", &["peer"]).unwrap().with_label_values(&["catalog"]).inc();
            let seconds = metrics.histogram("call_duration_seconds", "Time.", &[], &[0.1, 1.0]).unwrap();
            seconds.with_label_values::<&str>(&[]).observe(0.5);
        }
        let text = render(&all);
        assert_eq!(text.matches("# TYPE calls_total counter").count(), 1, "{text}");
        assert!(text.contains(r#"calls_total{peer="catalog",service="cart"} 1"#), "{text}");
        assert!(text.contains(r#"calls_total{peer="catalog",service="order"} 1"#), "{text}");
        assert!(text.contains(r#"call_duration_seconds_bucket{service="cart",le="1"} 1"#), "{text}");
        assert_eq!(text.matches("# TYPE process_open_fds gauge").count(), 1, "{text}");
    }

    #[test]
    fn a_metric_of_two_kinds_does_not_spoil_the_page() {
        let all = [Metrics::new("cart"), Metrics::new("order")];
        all[0].counter("calls_total", "Calls.", &[]).unwrap().with_label_values::<&str>(&[]).inc();
        all[1].gauge("calls_total", "Calls.", &[]).unwrap().with_label_values::<&str>(&[]).set(7);
        let text = render(&all);
        assert!(text.contains(r#"calls_total{service="cart"} 1"#) && !text.contains("} 7"), "{text}");
    }
}
