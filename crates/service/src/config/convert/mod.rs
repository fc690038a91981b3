//! From values to a valid [`Config`].
//!
//! Each section is checked to its end, so that one run tells every problem.

mod checkpoint;
mod engine;
mod kafka;
mod security;
mod topics;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tracing_subscriber::EnvFilter;

use super::problem::Problem;
use super::raw::{Entry, Findings, RawConfig};
use super::value::Value;
use super::{
    CaseworkConfig, CommitConfig, Config, HistoryConfig, HttpConfig, LimitsConfig, LogConfig,
    LogFormat,
};

/// The configuration, or what stands against it.
pub(super) fn convert(raw: &RawConfig, findings: &mut Findings) -> Result<Config, Vec<Problem>> {
    let mut checks = Checks { raw, problems: Vec::new() };
    let kafka = checks.kafka(&mut findings.warnings);
    let inputs = checks.inputs();
    let knowledge = checks.knowledge();
    let output = checks.output();
    checks.topics_apart(&inputs, &knowledge, &output);
    let engine = checks.engine();
    let history = checks.history();
    let checkpoint = checks.checkpoint();
    let limits = checks.limits();
    let commit = checks.commit();
    let http = checks.http();
    let casework = checks.casework();
    let log = checks.log();
    match (engine, http, log) {
        (Some(engine), Some(http), Some(log)) if checks.problems.is_empty() => Ok(Config {
            kafka,
            inputs,
            knowledge,
            output,
            engine,
            history,
            checkpoint,
            limits,
            commit,
            http,
            casework,
            log,
        }),
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

    fn truth(&self, key: &str) -> bool {
        matches!(self.raw.get(key), Some(Entry { value: Value::Truth(true), .. }))
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

    fn history(&self) -> HistoryConfig {
        let dir = self.text("history.dir");
        HistoryConfig { dir: (!dir.is_empty()).then(|| PathBuf::from(dir)) }
    }

    fn casework(&self) -> CaseworkConfig {
        let file = self.text("casework.key_file");
        CaseworkConfig { key_file: (!file.is_empty()).then(|| PathBuf::from(file)) }
    }

    fn limits(&self) -> LimitsConfig {
        let megabytes = self.number("limits.memory_max_mb");
        LimitsConfig { memory_max_bytes: (megabytes > 0).then_some(megabytes << 20) }
    }

    fn commit(&self) -> CommitConfig {
        let records = self.number("commit.max_records");
        CommitConfig {
            interval: Duration::from_millis(self.number("commit.interval_ms")),
            max_records: usize::try_from(records).expect("the setting's range fits"),
        }
    }

    fn http(&mut self) -> Option<HttpConfig> {
        let linger = Duration::from_secs(self.number("http.linger_seconds"));
        let metrics_listen = self.address("http.metrics_listen");
        let health_listen = self.address("http.health_listen");
        if metrics_listen == health_listen
            && let Some(address) = metrics_listen.filter(|address| address.port() != 0)
        {
            let message = format!("{address} is that of http.metrics_listen too");
            self.problem("http.health_listen", message, "give each a port of its own");
        }
        let (metrics_listen, health_listen) = (metrics_listen?, health_listen?);
        Some(HttpConfig { metrics_listen, health_listen, linger })
    }

    fn address(&mut self, key: &str) -> Option<SocketAddr> {
        let text = self.text(key);
        let address = text.parse::<SocketAddr>().ok();
        if address.is_none() {
            let message = format!("{text:?} is not an IP address with a port");
            self.problem(key, message, "for example \"127.0.0.1:9464\" or \"[::1]:9464\"");
        }
        address
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
