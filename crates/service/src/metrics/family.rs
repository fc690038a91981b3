//! Makes and registers metrics from the catalog.

use std::cell::RefCell;
use std::collections::BTreeMap;

use flow_core::Chain;
use prometheus::core::Collector;
use prometheus::{
    CounterVec, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec,
    IntGauge, IntGaugeVec, Opts, Registry,
};

use super::catalog::Spec;

/// Before the name of every metric of ours.
pub(crate) const PREFIX: &str = "usdt_flow_";

/// A registered metric, for the documentation.
#[derive(Clone, Debug)]
pub(crate) struct Registered {
    pub(crate) spec: Spec,
    pub(crate) full_name: String,
    pub(crate) kind: &'static str,
}

/// A registry that remembers what it was given.
#[derive(Debug, Default)]
pub(super) struct Family {
    pub(super) registry: Registry,
    pub(super) registered: RefCell<Vec<Registered>>,
}

impl Family {
    fn register<C: Collector + Clone + 'static>(
        &self,
        spec: Spec,
        kind: &'static str,
        made: prometheus::Result<C>,
    ) -> C {
        let metric = made.expect("names and labels are well formed");
        self.registry.register(Box::new(metric.clone())).expect("each name is registered once");
        let full_name = full_name(spec);
        self.registered.borrow_mut().push(Registered { spec, full_name, kind });
        metric
    }

    pub(super) fn counter(&self, spec: Spec) -> IntCounter {
        self.register(spec, "counter", IntCounter::with_opts(options(spec)))
    }

    pub(super) fn counters(&self, spec: Spec, labels: &[&str]) -> IntCounterVec {
        self.register(spec, "counter", IntCounterVec::new(options(spec), labels))
    }

    pub(super) fn seconds(&self, spec: Spec, labels: &[&str]) -> CounterVec {
        self.register(spec, "counter", CounterVec::new(options(spec), labels))
    }

    pub(super) fn gauge(&self, spec: Spec) -> IntGauge {
        self.register(spec, "gauge", IntGauge::with_opts(options(spec)))
    }

    pub(super) fn float(&self, spec: Spec) -> Gauge {
        self.register(spec, "gauge", Gauge::with_opts(options(spec)))
    }

    pub(super) fn gauges(&self, spec: Spec, labels: &[&str]) -> IntGaugeVec {
        self.register(spec, "gauge", IntGaugeVec::new(options(spec), labels))
    }

    pub(super) fn floats(&self, spec: Spec, labels: &[&str]) -> GaugeVec {
        self.register(spec, "gauge", GaugeVec::new(options(spec), labels))
    }

    pub(super) fn histogram(&self, spec: Spec, buckets: &[f64]) -> Histogram {
        let options = HistogramOpts::from(options(spec)).buckets(buckets.to_vec());
        self.register(spec, "histogram", Histogram::with_opts(options))
    }

    pub(super) fn histograms(&self, spec: Spec, buckets: &[f64]) -> HistogramVec {
        let options = HistogramOpts::from(options(spec)).buckets(buckets.to_vec());
        self.register(spec, "histogram", HistogramVec::new(options, &["chain"]))
    }

    /// A counter for each value of a label.
    pub(super) fn by<const N: usize>(
        &self,
        spec: Spec,
        label: &str,
        values: [&'static str; N],
    ) -> [IntCounter; N] {
        let counters = self.counters(spec, &[label]);
        values.map(|value| counters.with_label_values(&[value]))
    }

    /// A counter for each reason.
    pub(super) fn by_reason(
        &self,
        spec: Spec,
        reasons: impl Iterator<Item = &'static str>,
    ) -> BTreeMap<&'static str, IntCounter> {
        let counters = self.counters(spec, &["reason"]);
        reasons.map(|reason| (reason, counters.with_label_values(&[reason]))).collect()
    }

    /// A counter for each chain.
    pub(super) fn count(&self, spec: Spec) -> impl Fn(Chain) -> IntCounter {
        let counters = self.counters(spec, &["chain"]);
        move |chain| counters.with_label_values(&[chain.name()])
    }

    /// A gauge for each chain.
    pub(super) fn level(&self, spec: Spec) -> impl Fn(Chain) -> IntGauge {
        let gauges = self.gauges(spec, &["chain"]);
        move |chain| gauges.with_label_values(&[chain.name()])
    }

    /// A histogram for each chain.
    pub(super) fn spread(&self, spec: Spec, buckets: &[f64]) -> impl Fn(Chain) -> Histogram {
        let histograms = self.histograms(spec, buckets);
        move |chain| histograms.with_label_values(&[chain.name()])
    }

    /// A gauge for each value of a label, by chain.
    pub(super) fn levels_by<const N: usize>(
        &self,
        spec: Spec,
        label: &str,
        values: [&'static str; N],
    ) -> impl Fn(Chain) -> [IntGauge; N] {
        let gauges = self.gauges(spec, &["chain", label]);
        move |chain| values.map(|value| gauges.with_label_values(&[chain.name(), value]))
    }

    /// A counter for each value of a label, by chain.
    pub(super) fn counts_by<const N: usize>(
        &self,
        spec: Spec,
        label: &str,
        values: [&'static str; N],
    ) -> impl Fn(Chain) -> [IntCounter; N] {
        let counters = self.counters(spec, &["chain", label]);
        move |chain| values.map(|value| counters.with_label_values(&[chain.name(), value]))
    }

    /// A gauge of units for each value of a label, by chain: sums of units can
    /// be larger than an integer gauge holds.
    pub(super) fn units_by<const N: usize>(
        &self,
        spec: Spec,
        label: &str,
        values: [&'static str; N],
    ) -> impl Fn(Chain) -> [Gauge; N] {
        let gauges = self.floats(spec, &["chain", label]);
        move |chain| values.map(|value| gauges.with_label_values(&[chain.name(), value]))
    }
}

/// The name with the prefix; those of every exporter have none.
fn full_name(spec: Spec) -> String {
    if spec.name.starts_with("process_") {
        spec.name.to_owned()
    } else {
        format!("{PREFIX}{}", spec.name)
    }
}

fn options(spec: Spec) -> Opts {
    Opts::new(full_name(spec), spec.help)
}
