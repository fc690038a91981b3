//! From values to a valid [`Config`].
//!
//! Each section is checked to its end, so that one run tells every problem.

mod kafka;
mod topics;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use flow_core::{EngineConfig, Policy};
use tracing_subscriber::EnvFilter;

use super::problem::Problem;
use super::raw::{Entry, Findings, RawConfig};
use super::value::Value;
use super::{CommitConfig, Config, HttpConfig, LogConfig, LogFormat};

/// The engine counts no more thresholds than this.
const THRESHOLDS_MAX: usize = 255;

/// The configuration, or what stands against it.
pub(super) fn convert(raw: &RawConfig, findings: &mut Findings) -> Result<Config, Vec<Problem>> {
    let mut checks = Checks { raw, problems: Vec::new() };
    let kafka = checks.kafka(&mut findings.warnings);
    let inputs = checks.inputs();
    let knowledge = checks.knowledge();
    let output = checks.output();
    checks.topics_apart(&inputs, &knowledge, &output);
    let engine = checks.engine();
    let commit = checks.commit();
    let http = checks.http();
    let log = checks.log();
    match (engine, http, log) {
        (Some(engine), Some(http), Some(log)) if checks.problems.is_empty() => {
            Ok(Config { kafka, inputs, knowledge, output, engine, commit, http, log })
        }
        _ => Err(checks.problems),
    }
}

struct Checks<'a> {
    raw: &'a RawConfig,
    problems: Vec<Problem>,
}

impl Checks<'_> {
    fn problem(&mut self, key: &str, message: impl Into<String>, hint: impl Into<String>) {
        let problem = Problem::of(key, message).hint(hint);
        let origin = self.raw.get(key).map(|entry| entry.origin.clone());
        self.problems.push(match origin {
            Some(origin) => problem.at(origin),
            None => problem,
        });
    }

    fn text(&self, key: &str) -> String {
        match self.raw.get(key) {
            Some(Entry { value: Value::Text(text), .. }) => text.clone(),
            _ => String::new(),
        }
    }

    fn number(&self, key: &str) -> u64 {
        match self.raw.get(key) {
            Some(Entry { value: Value::Number(number), .. }) => *number,
            _ => 0,
        }
    }

    fn numbers(&self, key: &str) -> Vec<u64> {
        match self.raw.get(key) {
            Some(Entry { value: Value::Numbers(numbers), .. }) => numbers.clone(),
            _ => Vec::new(),
        }
    }

    fn paths(&self, key: &str) -> Vec<PathBuf> {
        match self.raw.get(key) {
            Some(Entry { value: Value::Texts(paths), .. }) => {
                paths.iter().map(PathBuf::from).collect()
            }
            _ => Vec::new(),
        }
    }

    fn engine(&mut self) -> Option<EngineConfig> {
        let policy = self.policy();
        let thresholds = self.numbers("engine.thresholds_units");
        if thresholds.len() > THRESHOLDS_MAX {
            let message = format!("there are {} thresholds", thresholds.len());
            let hint = format!("name {THRESHOLDS_MAX} at most");
            self.problem("engine.thresholds_units", message, hint);
        }
        if thresholds.contains(&0) || !thresholds.is_sorted_by(|a, b| a < b) {
            let hint = "list base units from the least to the greatest, each once, none 0";
            self.problem("engine.thresholds_units", "the thresholds do not rise", hint);
        }
        Some(EngineConfig {
            policies: vec![policy?],
            alert_min_units: self.number("engine.alert_min_units"),
            thresholds,
            freeze_min_units: self.number("engine.freeze_min_units"),
            freeze_rest_ms: self.number("engine.freeze_rest_seconds").saturating_mul(1000),
            ..EngineConfig::default()
        })
    }

    fn policy(&mut self) -> Option<Policy> {
        let key = "engine.policy";
        let name = self.text(key);
        let policy = Policy::from_name(&name);
        if policy.is_none() {
            let names: Vec<&str> = Policy::ALL.into_iter().map(Policy::name).collect();
            let hint = format!("the policies of this build: {}", names.join(", "));
            self.problem(key, format!("{name:?} is not a policy"), hint);
        }
        policy
    }

    fn commit(&self) -> CommitConfig {
        let records = self.number("commit.max_records");
        CommitConfig {
            interval: Duration::from_millis(self.number("commit.interval_ms")),
            max_records: usize::try_from(records).expect("the setting's range fits"),
        }
    }

    fn http(&mut self) -> Option<HttpConfig> {
        let key = "http.listen";
        let text = self.text(key);
        let listen = text.parse::<SocketAddr>().ok();
        if listen.is_none() {
            let message = format!("{text:?} is not an IP address with a port");
            self.problem(key, message, "for example \"127.0.0.1:9464\" or \"[::1]:9464\"");
        }
        listen.map(|listen| HttpConfig { listen })
    }

    fn log(&mut self) -> Option<LogConfig> {
        let level = self.text("log.level");
        if let Err(error) = EnvFilter::builder().parse(&level) {
            let message = format!("{level:?} cannot be read: {error}");
            let hint = "a level (error, warn, info, debug, trace) or info,usdt_flow=debug";
            self.problem("log.level", message, hint);
        }
        let name = self.text("log.format");
        let format = [LogFormat::Text, LogFormat::Json].into_iter().find(|f| f.name() == name);
        if format.is_none() {
            let message = format!("{name:?} is not a log format");
            self.problem("log.format", message, "set it to \"text\" or \"json\"");
        }
        format.map(|format| LogConfig { format, level })
    }
}
