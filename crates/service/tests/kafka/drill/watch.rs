//! Prometheus over the services of a drill, with the rules of `deploy` in which
//! minutes are made seconds, and the Alertmanager of `deploy` behind it.

use std::time::{Duration, Instant};

use super::table::{Expected, Table};
use crate::prometheus::{DEPLOY, Running as Program, get};
use crate::service::Folder;

const PATIENCE: Duration = Duration::from_secs(120);

/// What the thresholds of seconds become.
const THRESHOLDS: [(&str, &str); 3] = [
    ("owner > 120", "owner > 2"),
    ("checkpoint_age_seconds > 900", "checkpoint_age_seconds > 15"),
    ("> 4 * 3600", "> 4 * 60"),
];

/// Told of a follower that hangs on something. How long it may wait for the brokers
/// is counted in Kafka's seconds, which no drill makes shorter.
const UNHURRIED: &str = "UsdtFlowStalled";

/// The rules with seconds for minutes: written to the folder.
fn quick_rules(folder: &Folder, names: &[&str]) -> Vec<String> {
    let quick = |name: &&str| {
        let path = format!("{DEPLOY}/prometheus/rules/usdt-flow-{name}.yml");
        let mut text = std::fs::read_to_string(path).unwrap();
        if *name == "alerts" {
            for (slow, quick) in THRESHOLDS {
                assert!(text.contains(slow), "{slow}");
                text = text.replace(slow, quick);
            }
        }
        let mut quick = String::new();
        let mut hurried = true;
        for line in text.lines() {
            if let Some(alert) = line.trim_start().strip_prefix("- alert: ") {
                hurried = alert != UNHURRIED;
            }
            quick += &if hurried { quick_line(line) } else { line.to_owned() };
            quick.push('\n');
        }
        folder.file(&format!("{name}.yml"), &quick)
    };
    names.iter().map(quick).collect()
}

fn quick_line(line: &str) -> String {
    let trimmed = line.trim_start();
    if trimmed.starts_with("interval: ") {
        return line.replace("15s", "250ms");
    }
    if trimmed.starts_with("for: ") {
        return line.replace('m', "s");
    }
    line.replace("m])", "s])")
}

/// The Alertmanager of `deploy`, which tells that pager.
pub(super) fn alertmanager(programs: &std::path::Path, pager: &str) -> Program {
    let text = std::fs::read_to_string(format!("{DEPLOY}/alertmanager/alertmanager.yml")).unwrap();
    assert!(text.contains("127.0.0.1:9095/page") && text.contains("group_interval: 1m"));
    let quick =
        text.replace("127.0.0.1:9095", pager).replace("group_interval: 1m", "group_interval: 1s");
    Program::alertmanager(programs, &quick)
}

/// One scene: a Prometheus, and what Alertmanager makes of its alerts.
pub(super) struct Watch<'a> {
    name: &'static str,
    prometheus: Program,
    alertmanager: &'a str,
    table: &'a Table,
}

impl<'a> Watch<'a> {
    pub(super) fn start(
        programs: &std::path::Path,
        alertmanager: &'a str,
        table: &'a Table,
        folder: &Folder,
        name: &'static str,
        targets: &[String],
    ) -> Watch<'a> {
        let both = ["recording", "alerts", "standby"];
        let rules = quick_rules(folder, &both[..if targets.len() > 1 { 3 } else { 2 }]);
        let prometheus = Program::prometheus(programs, targets, &rules, Some(alertmanager), name);
        let watch = Watch { name, prometheus, alertmanager, table };
        watch.wait_for_value("usdt_flow:watermark_lag_seconds:owner < 2", "it keeps up");
        watch.wait_until_quiet();
        watch
    }

    pub(super) fn wait_for_value(&self, expression: &str, what: &str) {
        let began = Instant::now();
        while self.prometheus.values(expression).is_empty() {
            assert!(began.elapsed() < PATIENCE, "{}: never so that {what}", self.name);
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// What Alertmanager has of this scene now.
    fn now(&self) -> Expected {
        let filter = format!("/api/v2/alerts?inhibited=false&filter=scene%3D%22{}%22", self.name);
        let (status, body) = get(self.alertmanager, &filter);
        assert_eq!(status, 200, "{body}");
        let alerts: Vec<serde_json::Value> = serde_json::from_str(&body).unwrap();
        let mut now = Expected::nothing();
        for alert in alerts {
            let name = alert["labels"]["alertname"].as_str().unwrap();
            let pages = alert["labels"]["severity"] == "page";
            let names = if pages { &mut now.page } else { &mut now.ticket };
            names.insert(name.strip_prefix("UsdtFlow").unwrap().to_owned());
        }
        now
    }

    /// Whether that page is out.
    pub(super) fn fires(&self, alert: &str) -> bool {
        self.now().page.contains(alert)
    }

    /// Waits until what fires is what the runbook says of the fault, and
    /// nothing else, `minutes` of the rules after this at the earliest.
    pub(super) fn wait_for_fault(&self, fault: &str, minutes: u64) {
        let expected = self.table.expected(fault);
        let began = Instant::now();
        std::thread::sleep(Duration::from_secs(minutes));
        loop {
            let mut now = self.now();
            // Of a process that has ended nothing else is known any more.
            if now.page.contains("Down") {
                let ended = expected.page.iter().filter(|alert| self.has_fired(alert));
                now.page.extend(ended.cloned());
            }
            if now == expected {
                break;
            }
            assert!(began.elapsed() < PATIENCE, "{fault}: {now:?}, and not {expected:?}");
            std::thread::sleep(Duration::from_millis(100));
        }
        println!("{}: {fault}: {:.1} s", self.name, began.elapsed().as_secs_f64());
    }

    /// Waits until nothing fires.
    pub(super) fn wait_until_quiet(&self) {
        let began = Instant::now();
        let mut now = self.now();
        while now != Expected::nothing() {
            assert!(began.elapsed() < PATIENCE, "{}: still {now:?}", self.name);
            std::thread::sleep(Duration::from_millis(100));
            now = self.now();
        }
        println!("{}: quiet after {:.1} s", self.name, began.elapsed().as_secs_f64());
    }

    /// Whether that alert has fired at some time.
    fn has_fired(&self, alert: &str) -> bool {
        let ever = format!(
            "max_over_time(ALERTS{{alertname=\"UsdtFlow{alert}\",alertstate=\"firing\"}}[1h])"
        );
        !self.prometheus.values(&ever).is_empty()
    }
}
