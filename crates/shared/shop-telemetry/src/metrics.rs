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
