//! `usdt-flow doctor`: looks at everything that the service will need, and says
//! what to do where it is not as it should be.
//!
//! It changes nothing: no offset is moved, no record is left in a topic, nobody
//! is fenced.

mod broker;
mod machine;
mod records;
mod rights;

use std::io::{self, Write as _};
use std::time::Duration;

use anyhow::bail;
use serde::Serialize;

use crate::cli::{DoctorArgs, GlobalArgs, TableFormat};
use crate::config::{Config, check_files};
use crate::{kafka, logging, report};

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    /// As it should be.
    Ok,
    /// It works, and may not for long.
    Warning,
    /// The service will not work.
    Failed,
    /// It cannot be told.
    Unknown,
}

impl State {
    const fn name(self) -> &'static str {
        match self {
            State::Ok => "ok",
            State::Warning => "warning",
            State::Failed => "FAILED",
            State::Unknown => "unknown",
        }
    }
}

/// One check.
#[derive(Debug, Serialize)]
struct Row {
    check: String,
    state: State,
    found: String,
    /// What to do.
    remedy: String,
}

/// The checks so far.
#[derive(Debug, Default)]
struct Findings {
    rows: Vec<Row>,
}

impl Findings {
    fn put(
        &mut self,
        check: impl Into<String>,
        state: State,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let (check, found, remedy) = (check.into(), found.into(), remedy.into());
        self.rows.push(Row { check, state, found, remedy });
    }

    fn ok(&mut self, check: impl Into<String>, found: impl Into<String>) {
        self.put(check, State::Ok, found, "");
    }

    /// An error with the hint that it carries.
    fn failed(&mut self, check: impl Into<String>, error: &anyhow::Error) {
        let remedy = report::hint(error).unwrap_or_default();
        self.put(check, State::Failed, format!("{error:#}"), remedy);
    }
}

/// Checks everything, prints what was found, and fails if something would keep
/// the service from working.
pub fn execute(args: &DoctorArgs, global: &GlobalArgs) -> anyhow::Result<()> {
    let config = super::load(&args.config, args.flags(), global)?.config;
    logging::start(&config.log, global.color)?;
    let mut findings = Findings::default();
    files(&config, &mut findings);
    let patience = Duration::from_secs(args.timeout_seconds);
    match kafka::reach(&config.kafka, patience) {
        Ok(metadata) => {
            let brokers = metadata.brokers().len();
            let protocol = config.kafka.security.protocol.name();
            let at = &config.kafka.bootstrap_servers;
            findings.ok("brokers", format!("{brokers} at {at}, {protocol}"));
            broker::check(&config, brokers, patience, &mut findings);
            records::check(&config, patience, &mut findings);
            rights::check(&config, patience, &mut findings);
        }
        Err(error) => {
            findings.failed("brokers", &error);
            let unseen = "the brokers were not reached";
            for check in ["topics", "formats", "rights"] {
                findings.put(check, State::Unknown, unseen, "see above");
            }
        }
    }
    machine::check(&config, args.accounts, &mut findings);
    print(&findings.rows, args.format)?;
    let failed = findings.rows.iter().filter(|row| row.state == State::Failed).count();
    if failed > 0 {
        bail!("{failed} of {} checks failed", findings.rows.len());
    }
    Ok(())
}

fn files(config: &Config, findings: &mut Findings) {
    let (problems, warnings) = check_files(config);
    for problem in &problems {
        findings.put("files", State::Failed, problem.to_string(), "mend the file, or its path");
    }
    for warning in &warnings {
        findings.put("files", State::Warning, warning.to_string(), "mend the file");
    }
    match config.require_inputs() {
        Ok(()) if problems.is_empty() => {
            let chains: Vec<&str> = config.inputs.iter().map(|input| input.chain.name()).collect();
            findings.ok("configuration", format!("follows {}", chains.join(", ")));
        }
        Ok(()) => {}
        Err(problem) => {
            let remedy = "name topics under [input.tron] or [input.ethereum]";
            findings.put("configuration", State::Failed, problem.to_string(), remedy);
        }
    }
}

fn print(rows: &[Row], format: TableFormat) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match format {
        TableFormat::Json => {
            serde_json::to_writer_pretty(&mut out, rows)?;
            writeln!(out)
        }
        TableFormat::Table => {
            let head = ["CHECK", "STATE", "FOUND"].map(str::to_owned);
            let cells =
                |row: &Row| [row.check.clone(), row.state.name().to_owned(), row.found.clone()];
            let lines: Vec<[String; 3]> =
                std::iter::once(head).chain(rows.iter().map(cells)).collect();
            let table = super::columns(&lines);
            let remedies = std::iter::once("").chain(rows.iter().map(|row| row.remedy.as_str()));
            for (line, remedy) in table.lines().zip(remedies) {
                writeln!(out, "{line}")?;
                if !remedy.is_empty() {
                    writeln!(out, "    → {remedy}")?;
                }
            }
            Ok(())
        }
    }
}
