//! The command line: what can be asked of `usdt-flow`, and its help.
//!
//! Flags that set something of the configuration become [`Flag`]s, the last
//! and strongest layer; nothing else reads them.

mod admin;
mod audit;
mod bench;
mod case;
mod case_change;
mod case_packet;
mod case_report;
mod trace;
mod work;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::config::{Flag, LogFormat};

pub use admin::{
    CheckpointArgs, CheckpointCommand, CompletionsArgs, ConfigCommand, ConfigFormat,
    CreateTopicsArgs, DescribeTopicsArgs, DoctorArgs, FeedArgs, ManArgs, PrintConfigArgs,
    SchemaArgs, TableFormat, TopicsArgs, TopicsCommand,
};
pub use audit::{AuditArgs, AuditCommand};
pub use bench::{BenchArgs, BenchCommand, BenchOutput, LatencyArgs, ThroughputArgs};
pub use case::{CaseArgs, CaseCommand, CaseOutput, ShowCaseArgs};
pub use case_change::{BookCaseArgs, CasesPlaceArgs, CloseCaseArgs, OpenCaseArgs};
pub use case_packet::{PacketArgs, Recipient};
pub use case_report::{DocumentFormat, ReportCaseArgs};
pub use trace::{
    AskArgs, BackwardArgs, ForwardArgs, GraphOutput, PastArgs, PathArgs, RowOutput, TraceCommand,
    VerifyArgs,
};
pub use work::{DemoArgs, EngineArgs, InputFormat, ReplayArgs, RunArgs};

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

const EXAMPLES: &str = "\
Examples:
  See it work, without Kafka and without data:
    usdt-flow demo

  Trace recorded transfers from files, offline:
    usdt-flow replay transfers.csv.gz --cases cases.json --labels labels.csv --out result/

  Ask where a wallet's units came from, or check an alert:
    usdt-flow trace backward TUVY… transfers.csv.gz --labels labels.csv
    usdt-flow verify result/alerts.jsonl --events transfers.csv.gz --cases cases.json

  Measure how fast it is over a Kafka of yours:
    usdt-flow bench throughput --brokers 127.0.0.1:9092

  Follow live topics:
    usdt-flow config check --config usdt-flow.toml
    usdt-flow topics create --config usdt-flow.toml
    usdt-flow run --config usdt-flow.toml

Settings: defaults < file < environment (USDT_FLOW_KAFKA_GROUP_ID) < flags.
Exit status: 0 done, 1 failed, 2 not understood. Data goes to standard output, all else to standard error.";

/// Follows USDT from flagged wallets through Kafka in real time.
#[derive(Debug, Parser)]
#[command(name = "usdt-flow", version, about, long_about = None, after_help = EXAMPLES)]
#[command(styles = STYLES, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    /// For every subcommand.
    #[command(flatten)]
    pub global: GlobalArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Flags of every subcommand.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Global options")]
pub struct GlobalArgs {
    /// How log lines are written [default: text]
    #[arg(long, global = true, value_enum, value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
    /// Which log lines are written: a level or directives like info,usdt_flow=debug [default: info]
    #[arg(long, global = true, value_name = "LEVEL", conflicts_with = "verbose")]
    pub log_level: Option<String>,
    /// More log lines: -v for debug, -vv for trace
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// When to use colors; NO_COLOR turns them off too
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value = "auto")]
    pub color: ColorWhen,
}

impl GlobalArgs {
    /// What these flags say about the configuration.
    pub fn flags(&self) -> Vec<Flag> {
        let mut flags = Vec::new();
        if let Some(format) = self.log_format {
            flags.push(Flag::new("log.format", format.name(), "--log-format"));
        }
        if let Some(level) = &self.log_level {
            flags.push(Flag::new("log.level", level, "--log-level"));
        }
        match self.verbose {
            0 => {}
            1 => flags.push(Flag::new("log.level", "debug", "-v")),
            _ => flags.push(Flag::new("log.level", "trace", "-vv")),
        }
        flags
    }
}

/// When to use colors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ColorWhen {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Everywhere.
    Always,
    /// Nowhere.
    Never,
}

impl ColorWhen {
    /// Whether to color a stream.
    pub fn colored(self, is_terminal: bool) -> bool {
        match self {
            ColorWhen::Always => true,
            ColorWhen::Never => false,
            ColorWhen::Auto => {
                is_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            }
        }
    }
}

impl From<ColorWhen> for clap::ColorChoice {
    fn from(when: ColorWhen) -> Self {
        match when {
            ColorWhen::Auto => clap::ColorChoice::Auto,
            ColorWhen::Always => clap::ColorChoice::Always,
            ColorWhen::Never => clap::ColorChoice::Never,
        }
    }
}

/// What `--color` says, read ahead of the parser, whose own messages obey it.
pub fn color_of(arguments: &[OsString]) -> ColorWhen {
    let texts = || arguments.iter().map(|argument| argument.to_str().unwrap_or_default());
    let joined = texts().find_map(|text| text.strip_prefix("--color="));
    let apart = texts().skip_while(|text| *text != "--color").nth(1);
    joined.or(apart).and_then(|text| ColorWhen::from_str(text, false).ok()).unwrap_or_default()
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Follow the configured topics, raise alerts, recommend freezes
    Run(RunArgs),
    /// Trace events from files and write the results to a folder
    Replay(Box<ReplayArgs>),
    /// Ask the past: follow units forward, backward, or along paths
    #[command(subcommand)]
    Trace(Box<TraceCommand>),
    /// Open and close cases, show where their money is, book what was seized, write case files
    #[command(subcommand)]
    Case(Box<CaseCommand>),
    /// Check the audit trail of cases, labels and recommendations
    #[command(subcommand)]
    Audit(Box<AuditCommand>),
    /// Work alerts out anew, independently, and tell where they differ
    Verify(Box<VerifyArgs>),
    /// Watch planted crimes being followed, with nothing to set up
    Demo(DemoArgs),
    /// Measure throughput and latency over a Kafka of yours
    #[command(subcommand)]
    Bench(Box<BenchCommand>),
    /// Create or describe the Kafka topics that are read and written
    #[command(subcommand)]
    Topics(TopicsCommand),
    /// List the checkpoints of the service's state, or verify them
    #[command(subcommand)]
    Checkpoint(CheckpointCommand),
    /// Look at brokers, topics, rights, formats, clock, disk and memory, and say what to do
    Doctor(DoctorArgs),
    /// Write recorded blocks of TRON to a topic, as a node would, to try a deployment
    Feed(FeedArgs),
    /// Check the configuration, or print it with the origin of each value
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print what `/metrics` tells: meaning, unit, labels, and what a bad value means
    Metrics,
    /// Print the JSON Schemas of the records
    Schema(SchemaArgs),
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
    /// Print the manual page, or write one for each command to a folder
    Man(ManArgs),
}

/// Where the configuration comes from.
#[derive(Clone, Debug, Default, Args)]
pub struct ConfigArgs {
    /// The configuration file; without one, defaults and environment hold
    #[arg(short, long, value_name = "FILE", env = "USDT_FLOW_CONFIG")]
    pub config: Option<PathBuf>,
    /// Set any key for this once, as in --set commit.interval_ms=20
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse_set)]
    pub set: Vec<(String, String)>,
}

impl ConfigArgs {
    /// What these flags say about the configuration.
    pub fn flags(&self) -> Vec<Flag> {
        self.set.iter().map(|(key, value)| Flag::new(key, value, "--set")).collect()
    }

    /// The same with `--bootstrap-servers`, where a command has it.
    fn flags_with_brokers(&self, servers: Option<&str>) -> Vec<Flag> {
        let brokers = servers
            .map(|servers| Flag::new("kafka.bootstrap_servers", servers, "--bootstrap-servers"));
        self.flags().into_iter().chain(brokers).collect()
    }
}

fn parse_set(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE")?;
    Ok((key.trim().to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn color_is_read_ahead() {
        let color = |text: &str| color_of(&text.split(' ').map(OsString::from).collect::<Vec<_>>());
        assert_eq!(color("usdt-flow demo --color=never"), ColorWhen::Never);
        assert_eq!(color("usdt-flow --color always demo"), ColorWhen::Always);
        assert_eq!(color("usdt-flow demo"), ColorWhen::Auto);
    }
}
