//! What Grafana and Prometheus would see: dashboards and rules over a
//! Prometheus that scrapes two running services, one on the recorded slice and
//! one on invented thefts.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use flow_core::Chain;
use flow_sim::feed;
use serde_json::Value;
use usdt_flow::demo::Story;

use crate::broker::{Broker, Feed};
use crate::prometheus::{DEPLOY, Running, programs};
use crate::service::{Folder, Service};
use crate::{CASES, contract_events, slice};

/// Long enough for Prometheus to look several times while counters rise.
const FEED_MS: u64 = 4_000;

#[test]
fn every_expression_of_dashboards_and_rules_has_values_over_a_real_run() {
    let (Some(broker), Some(programs)) = (Broker::get(), programs()) else { return };
    let recorded = Folder::new(CASES);
    let mut slice_service = Service::new(&broker, &recorded, "watched.slice");
    slice_service.tron(&["events"]).create_topics();
    let story = Story::invented(7, 1_200);
    let cases: Vec<String> =
        story.known.cases.iter().map(flow_codec::case_file::case_to_json).collect();
    let invented = Folder::new(&format!("[{}]", cases.join(",")));
    let mut theft_service = Service::new(&broker, &invented, "watched.theft");
    theft_service.tron(&["events"]).ethereum(&["logs"]).create_topics();
    let mut slice_running = slice_service.start();
    let mut theft_running = theft_service.start();
    slice_running.wait_until_ready();
    theft_running.wait_until_ready();
    let targets = [slice_running.address().to_owned(), theft_running.address().to_owned()];
    let rules = ["recording", "alerts", "standby"];
    let rules = rules.map(|name| format!("{DEPLOY}/prometheus/rules/usdt-flow-{name}.yml"));
    let prometheus = Running::prometheus(&programs, &targets, &rules, None, "watched");

    let of = |chain: Chain, records: fn(&flow_core::Block) -> Vec<String>| -> Vec<String> {
        let blocks = story.blocks.iter().filter(|block| block.chain == chain);
        blocks.flat_map(records).collect()
    };
    let (tron, ethereum) =
        (of(Chain::Tron, feed::java_tron), of(Chain::Ethereum, feed::ethereum_etl_log));
    let feeds = [
        Feed::start(&broker, &slice_service.topic("events"), &contract_events(&slice()), FEED_MS),
        Feed::start(&broker, &theft_service.topic("events"), &tron, FEED_MS),
        Feed::start(&broker, &theft_service.topic("logs"), &ethereum, FEED_MS),
    ];
    feeds.into_iter().for_each(Feed::finish);
    slice_running.wait_for_metric("usdt_flow_blocks_total{chain=\"tron\"} ", 991);
    theft_running.wait_for_metric("usdt_flow_blocks_total{chain=\"ethereum\"} ", 300);
    // Statistics of librdkafka and sums come after a while, and Prometheus looks each half second.
    let began = Instant::now();
    let caught = "sum(usdt_flow_freeze_recommendations{status=\"frozen\"}) > 0";
    while prometheus.values(caught).is_empty()
        || prometheus.values("usdt_flow_kafka_brokers_up > 0").len() < 3
    {
        assert!(began.elapsed() < Duration::from_secs(60), "nothing was caught");
        std::thread::sleep(Duration::from_millis(250));
    }

    dashboards(&prometheus);
    alerts_and_recordings(&prometheus);
    what_is_exposed(&programs, &theft_running.get("/metrics").1);
    slice_running.terminate();
    theft_running.terminate();
}

/// Each expression of each panel has at least one value that is a number.
fn dashboards(prometheus: &Running) {
    let mut count = 0;
    let mut empty = Vec::new();
    for name in ["service", "input-quality", "tracing-and-freezing"] {
        let path = format!("{DEPLOY}/grafana/dashboards/{name}.json");
        let dashboard: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        for panel in dashboard["panels"].as_array().unwrap() {
            for target in panel["targets"].as_array().into_iter().flatten() {
                let written = target["expr"].as_str().unwrap();
                let expression = with_values(written);
                count += 1;
                if !prometheus.values(&expression).iter().any(|value| value.is_finite()) {
                    empty.push(format!("{name}: {}: {written}", panel["title"]));
                }
            }
        }
        for variable in dashboard["templating"]["list"].as_array().unwrap() {
            let query = variable["query"].as_str().unwrap();
            let Some(inner) = query.strip_prefix("label_values(") else { continue };
            let (metric, _) = inner.split_once(',').unwrap();
            assert!(!prometheus.values(metric).is_empty(), "{name}: {query}");
        }
    }
    assert!(empty.is_empty(), "{} of {count} have no value:\n{}", empty.len(), empty.join("\n"));
    assert!(count > 80, "{count} expressions");
}

/// An expression as Grafana sends it.
fn with_values(expression: &str) -> String {
    let mut text = expression.to_owned();
    for (variable, value) in
        [("$__rate_interval", "1m"), ("$__range", "5m"), ("$chain", ".*"), ("$instance", ".*")]
    {
        text = text.replace(variable, value);
    }
    assert!(!text.contains('$'), "{text}");
    text
}

/// No rule fails, what is recorded has values, and what alerts
/// look at exists.
fn alerts_and_recordings(prometheus: &Running) {
    let groups = prometheus.api("/api/v1/rules")["groups"].clone();
    let mut alerts = 0;
    for rule in
        groups.as_array().unwrap().iter().flat_map(|group| group["rules"].as_array().unwrap())
    {
        // Unknown until its group is due for the first time.
        assert_ne!(rule["health"], "err", "{rule}");
        let query = rule["query"].as_str().unwrap();
        if rule["type"] == "recording" {
            // Recorded less often than this test takes, so it is asked for anew.
            let recorded = prometheus.values(query).iter().any(|value| value.is_finite());
            assert!(recorded, "{}: {query}", rule["name"]);
            continue;
        }
        alerts += 1;
        let separates = |c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':';
        let named = query.split(separates).filter(|word| {
            word.starts_with("usdt_flow") || word.starts_with("process_") || *word == "up"
        });
        // What is recorded was asked for above.
        for metric in named.filter(|word| !word.contains(':')) {
            assert!(
                !prometheus.values(metric).is_empty(),
                "{}: {metric} is not there",
                rule["name"]
            );
        }
    }
    assert!(alerts >= 20, "{alerts} alerts");
}

/// promtool finds nothing to say of the exposition, and no label names an
/// address, a transaction or a case.
fn what_is_exposed(programs: &std::path::Path, answer: &str) {
    let (_, text) = answer.split_once("\r\n\r\n").unwrap();
    let mut promtool = Command::new(programs.join("promtool"))
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The answer comes in chunks, whose sizes stand between them.
    let lines = text.lines().filter(|line| line.starts_with('#') || line.contains(' '));
    let lines: Vec<&str> = lines.collect();
    promtool.stdin.take().unwrap().write_all((lines.join("\n") + "\n").as_bytes()).unwrap();
    let checked = promtool.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success() && said.is_empty(), "{said}");
    let labels: BTreeSet<&str> = lines
        .iter()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('{')?.1.split_once('}').map(|(labels, _)| labels))
        .flat_map(|labels| labels.split("\","))
        .filter_map(|label| label.split_once('=').map(|(name, _)| name))
        .collect();
    let known = [
        "chain",
        "format",
        "kind",
        "le",
        "outcome",
        "queue",
        "reason",
        "risk_level",
        "rule",
        "stage",
        "state",
        "status",
        "version",
        "worth",
    ];
    assert_eq!(labels.into_iter().collect::<Vec<_>>(), known);
}
