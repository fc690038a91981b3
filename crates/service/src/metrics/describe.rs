//! The documentation of the metrics, made from what is registered.

use std::fmt::Write as _;

use prometheus::proto::MetricFamily;

use super::Metrics;
use super::catalog::Group;
use super::family::Registered;

const HEAD: &str = "\
# Metrics

What `/metrics` tells, in the text format of Prometheus, at `http.metrics_listen` (127.0.0.1:9464 unless set).
This page is made by `usdt-flow metrics` from what the service registers, and a test compares the two.

The number to page on is `usdt_flow_watermark_lag_seconds`: now less the time of the last block applied.
Every series of a closed set of labels exists from the start, so a query never finds a hole; only what is measured from a block or a checkpoint is absent before the first one.
No address, transaction or case is ever a label.
Counters begin at 0 with each process.
A base unit is a millionth of a USDT.
[operations.md](operations.md) says what to do about each alert, `deploy/prometheus/` holds the rules, `deploy/grafana/` the dashboards.
";

impl Metrics {
    /// The page `docs/metrics.md`.
    pub fn describe(&self) -> String {
        let families = self.registry.gather();
        let mut page = HEAD.to_owned();
        for group in Group::ALL {
            write!(page, "\n## {}\n\n", group.title()).expect("a string takes all");
            page.push_str("| metric | kind | unit | labels | meaning | a bad value |\n");
            page.push_str("|---|---|---|---|---|---|\n");
            for metric in self.registered.iter().filter(|metric| metric.spec.group == group) {
                let family = families.iter().find(|family| family.name() == metric.full_name);
                page.push_str(&row(metric, family));
            }
        }
        page.push_str(&label_values(&self.registered, &families));
        page
    }
}

fn row(metric: &Registered, family: Option<&MetricFamily>) -> String {
    let spec = metric.spec;
    let labels = family.map(labels).unwrap_or_default();
    let names: Vec<String> = labels.iter().map(|(name, _)| format!("`{name}`")).collect();
    // A family without a series yet says nothing of its labels.
    let names = if family.is_none() { "`chain`".to_owned() } else { names.join(", ") };
    format!(
        "| `{}` | {} | {} | {names} | {} | {} |\n",
        metric.full_name, metric.kind, spec.unit, spec.help, spec.bad
    )
}

/// The labels of a family with their values, in the order of their names.
fn labels(family: &MetricFamily) -> Vec<(String, Vec<String>)> {
    let mut labels: Vec<(String, Vec<String>)> = Vec::new();
    for pair in family.get_metric().iter().flat_map(|metric| metric.get_label()) {
        let at = labels.iter().position(|(name, _)| name == pair.name());
        let at = at.unwrap_or_else(|| {
            labels.push((pair.name().to_owned(), Vec::new()));
            labels.len() - 1
        });
        if !labels[at].1.iter().any(|value| value == pair.value()) {
            labels[at].1.push(pair.value().to_owned());
        }
    }
    labels
}

fn label_values(registered: &[Registered], families: &[MetricFamily]) -> String {
    let mut text = "\n## Labels\n\n| metric | label | values |\n|---|---|---|\n".to_owned();
    text.push_str("| all with `chain` | `chain` | `tron`, `ethereum` |\n");
    for metric in registered {
        let family = families.iter().find(|family| family.name() == metric.full_name);
        for (name, values) in family.map(labels).unwrap_or_default() {
            if name == "chain" || name == "version" {
                continue;
            }
            let values: Vec<String> = values.iter().map(|value| format!("`{value}`")).collect();
            let (metric, values) = (&metric.full_name, values.join(", "));
            writeln!(text, "| `{metric}` | `{name}` | {values} |").expect("a string takes all");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_the_one_that_is_published() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/metrics.md");
        let page = Metrics::new().describe();
        if std::env::var_os("UPDATE_METRICS").is_some() {
            std::fs::write(path, &page).unwrap();
        }
        let published = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            published == page,
            "docs/metrics.md differs from what is registered; \
             run the test again with UPDATE_METRICS=1 and commit the file"
        );
    }

    #[test]
    fn each_metric_says_what_it_means_and_none_stands_twice() {
        let metrics = Metrics::new();
        let mut names = std::collections::BTreeSet::new();
        for metric in &metrics.registered {
            assert!(names.insert(&metric.full_name), "{}", metric.full_name);
            let spec = metric.spec;
            for text in [spec.unit, spec.help, spec.bad] {
                assert!(!text.is_empty() && !text.contains('|'), "{}", metric.full_name);
            }
            let is_total = metric.full_name.ends_with("_total");
            assert_eq!(is_total, metric.kind == "counter", "{}", metric.full_name);
        }
    }

    #[test]
    fn labels_are_closed_sets_of_few_values() {
        let families = Metrics::new().registry.gather();
        for family in &families {
            assert!(family.get_metric().len() <= 64, "{}", family.name());
            for (name, _) in labels(family) {
                let known =
                    ["chain", "kind", "queue", "reason", "risk_level", "rule", "stage", "state"];
                let known = known.contains(&name.as_str());
                let others = ["format", "outcome", "status", "version", "worth"];
                let known = known || others.contains(&name.as_str());
                assert!(known, "{} has the label {name}", family.name());
            }
        }
    }
}
