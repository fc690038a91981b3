//! The service as its users run it: this binary, as a process of its own.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use flow_codec::{address, case_file};
use flow_core::{Case, Chain, Label};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use super::broker::Broker;
use super::format::RecordFormat;
use super::stop::Stop;
use super::usage::{children_cpu, memory_bytes, peak_memory_bytes};

/// How long the service may take to start or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long an answer over HTTP may take.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// So many of the last lines of its log are told when the service fails.
const LOG_LINES: usize = 12;

/// The topic of which each chain has a partition, behind its prefix.
pub(super) const OWNERS: &str = "owners.v1";

/// What a service is to follow.
pub(super) struct Setup<'a> {
    pub(super) broker: &'a Broker,
    pub(super) format: RecordFormat,
    pub(super) input: &'a str,
    /// Prefix of the output topics, and name of the group.
    pub(super) prefix: &'a str,
    pub(super) cases: &'a [Case],
    pub(super) labels: &'a [Label],
    /// Further settings: from this bench, then from the command line.
    pub(super) set: Vec<(String, String)>,
}

impl Setup<'_> {
    /// The output topics.
    pub(super) fn outputs(&self) -> Vec<String> {
        let names = [
            "alerts.v1",
            "freeze-recommendations.v1",
            "case-ledgers.v1",
            "deadletter.v1",
            "audit.v1",
            OWNERS,
        ];
        names.map(|name| format!("{}.{name}", self.prefix)).to_vec()
    }

    /// The topic of alerts.
    pub(super) fn alerts(&self) -> String {
        format!("{}.alerts.v1", self.prefix)
    }

    /// The topic of what cannot be read.
    pub(super) fn dead_letters(&self) -> String {
        format!("{}.deadletter.v1", self.prefix)
    }

    /// Writes configuration, cases and labels to a folder.
    fn write(&self, folder: &Path, listen: Listen) -> anyhow::Result<PathBuf> {
        let cases: Vec<String> = self.cases.iter().map(case_file::case_to_json).collect();
        std::fs::write(folder.join("cases.json"), format!("[{}]", cases.join(",")))?;
        std::fs::write(folder.join("labels.csv"), labels_csv(self.labels)?)?;
        let topic = json!({"name": self.input, "format": self.format.input_format()});
        let mut config = json!({
            "kafka": {"bootstrap_servers": self.broker.servers, "group_id": self.prefix},
            "input": {
                "cases_topic": "", "labels_topic": "",
                "case_files": ["cases.json"], "label_files": ["labels.csv"],
            },
            "output": {"topic_prefix": self.prefix},
            "checkpoint": {"url": folder.join("state")},
            "http": {
                "metrics_listen": listen.metrics.to_string(),
                "health_listen": listen.health.to_string(),
            },
        });
        config["input"][self.format.chain().name()] = json!({"topics": [topic]});
        let path = folder.join("usdt-flow.toml");
        std::fs::write(&path, toml::to_string(&config)?)?;
        Ok(path)
    }
}

fn labels_csv(labels: &[Label]) -> anyhow::Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["chain", "address", "entity", "kind", "stop"])?;
    for Label { account, entity, kind, stop } in labels {
        let address = address::format(account.chain, account.address);
        let stop = if *stop { "true" } else { "false" };
        writer.write_record([account.chain.name(), &address, entity, kind, stop])?;
    }
    Ok(writer.into_inner().map_err(|error| error.into_error())?)
}

/// What a service has used in its life.
#[derive(Clone, Copy, Debug)]
pub(super) struct Used {
    pub(super) cpu: Option<Duration>,
    pub(super) peak_memory_bytes: Option<u64>,
}

/// Where a service listens.
#[derive(Clone, Copy, Debug)]
struct Listen {
    metrics: SocketAddr,
    health: SocketAddr,
}

/// A service under way. Dropping it ends it at once.
pub(super) struct Service {
    child: Child,
    chain: Chain,
    listen: Listen,
    folder: tempfile::TempDir,
    cpu_before: Option<Duration>,
    peak_memory_bytes: Option<u64>,
}

impl Service {
    /// Starts `usdt-flow run`, with further flags.
    ///
    /// # Errors
    /// If its files cannot be written, or it does not start.
    pub(super) fn start(setup: &Setup<'_>, flags: &[&str]) -> anyhow::Result<Service> {
        let folder = tempfile::tempdir().context("cannot make a folder for the configuration")?;
        // Free now, and hardly taken by another within the milliseconds until it is used.
        let free = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr();
        let listen = Listen { metrics: free()?, health: free()? };
        let config = setup.write(folder.path(), listen).context("cannot write a configuration")?;
        let log = std::fs::File::create(folder.path().join("log"))?;
        let mut command = Command::new(std::env::current_exe()?);
        // What is measured must not depend on who measures.
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| name.starts_with("USDT_FLOW_")) {
                command.env_remove(name);
            }
        }
        command.env_remove("RUST_LOG").arg("run").arg("--config").arg(config).args(flags);
        for (key, value) in &setup.set {
            command.arg("--set").arg(format!("{key}={value}"));
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let cpu_before = children_cpu();
        let child = command.spawn().context("cannot start the service")?;
        let chain = setup.format.chain();
        Ok(Service { child, chain, listen, folder, cpu_before, peak_memory_bytes: None })
    }

    /// Waits until the service processes records as they come.
    ///
    /// # Errors
    /// If it ends instead, or takes too long.
    pub(super) fn wait_until_ready(&mut self, stop: &Stop) -> anyhow::Result<()> {
        let began = Instant::now();
        while !get(self.listen.health, "/readyz")
            .is_some_and(|answer| answer.starts_with("HTTP/1.1 200"))
        {
            stop.check()?;
            self.ensure_alive()?;
            ensure!(began.elapsed() < PATIENCE, "the service was not ready in {PATIENCE:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Records read so far; `None` while nothing answers.
    pub(super) fn records_consumed(&self) -> Option<u64> {
        let series =
            format!("usdt_flow_records_consumed_total{{chain=\"{}\"}} ", self.chain.name());
        get(self.listen.metrics, "/metrics")?
            .lines()
            .find_map(|line| line.strip_prefix(&series)?.parse().ok())
    }

    /// Looks at how much memory was resident at most: once it has ended, nothing
    /// tells.
    pub(super) fn note_memory(&mut self) {
        let peak = peak_memory_bytes(self.child.id());
        self.peak_memory_bytes = self.peak_memory_bytes.max(peak);
    }

    /// Resident memory now.
    pub(super) fn memory_bytes(&self) -> Option<u64> {
        memory_bytes(self.child.id())
    }

    /// Fails if the service has ended.
    pub(super) fn ensure_alive(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            Some(status) => Err(self.failed(status)),
            None => Ok(()),
        }
    }

    /// Whether the service has ended by itself, as it should.
    pub(super) fn has_ended(&mut self) -> anyhow::Result<bool> {
        match self.child.try_wait()? {
            Some(status) if !status.success() => Err(self.failed(status)),
            ended => Ok(ended.is_some()),
        }
    }

    /// Asks the service to end, and waits until it has.
    ///
    /// # Errors
    /// If it fails, or does not end in time.
    pub(super) fn terminate(&mut self) -> anyhow::Result<()> {
        self.ensure_alive()?;
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        let began = Instant::now();
        while !self.has_ended()? {
            ensure!(began.elapsed() < PATIENCE, "the service did not end in {PATIENCE:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// What a service that has ended used.
    pub(super) fn used(&self) -> Used {
        let cpu = children_cpu().zip(self.cpu_before).map(|(after, before)| after - before);
        Used { cpu, peak_memory_bytes: self.peak_memory_bytes }
    }

    fn failed(&self, status: ExitStatus) -> anyhow::Error {
        let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let last = &lines[lines.len().saturating_sub(LOG_LINES)..];
        anyhow::anyhow!("{}", last.join("\n")).context(format!("the service ended with {status}"))
    }
}

/// The whole answer to a request.
fn get(host: SocketAddr, path: &str) -> Option<String> {
    let ask = || -> anyhow::Result<String> {
        let mut stream = TcpStream::connect_timeout(&host, ANSWER_MAX)?;
        stream.set_read_timeout(Some(ANSWER_MAX))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        if answer.is_empty() {
            bail!("no answer");
        }
        Ok(answer)
    };
    ask().ok()
}

impl Drop for Service {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            // Nothing is left to be done for a service that is already gone.
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}
