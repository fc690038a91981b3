//! Arguments of the commands that follow units: `run`, `replay`, `demo`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::ConfigArgs;
use crate::config::Flag;

/// `usdt-flow run`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  usdt-flow run --config usdt-flow.toml
  USDT_FLOW_KAFKA_BOOTSTRAP_SERVERS=kafka:9092 usdt-flow run --config usdt-flow.toml
  Work off what the topics hold, write the tables, stop:
    usdt-flow run --config usdt-flow.toml --until-end --out result/")]
pub struct RunArgs {
    /// The configuration.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// The brokers, HOST:PORT separated by commas
    #[arg(long, value_name = "HOST:PORT")]
    pub bootstrap_servers: Option<String>,
    /// Process what the topics hold now, then stop
    #[arg(long)]
    pub until_end: bool,
    /// With --until-end: write the tables of the final state to this folder
    #[arg(long, value_name = "DIR", requires = "until_end")]
    pub out: Option<PathBuf>,
}

impl RunArgs {
    /// What these flags say about the configuration.
    pub fn flags(&self) -> Vec<Flag> {
        self.config.flags_with_brokers(self.bootstrap_servers.as_deref())
    }
}

/// `usdt-flow replay`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  usdt-flow replay transfers.csv --cases cases.json --out result/
  zcat *.jsonl.gz | usdt-flow replay - --format java-tron --cases cases.json --out result/
  usdt-flow replay a.csv.zst b.csv.zst --cases cases.json --labels labels.csv \\
      --opening opening.csv --thresholds 1000000000,50000000000 --out result/
  usdt-flow replay transfers.csv --cases cases.json --policy fifo,haircut --out result/
  usdt-flow replay years.csv.zst --cases cases.json --history history/ --out result/

Names ending in .gz or .zst are read compressed. The folder then holds taint.csv, cases.csv,
services.csv, freeze_ranking.csv, alerts.jsonl, freezes.jsonl, refused.jsonl and summary.json. The tables are those of
the first policy; with several, each policy has a folder of its own with its three tables.")]
pub struct ReplayArgs {
    /// Files of events, in any of the formats; - is standard input
    #[arg(value_name = "EVENTS", required_unless_present = "events")]
    pub files: Vec<PathBuf>,
    /// A file of events, the same as naming it alone
    #[arg(long, value_name = "FILE")]
    pub events: Vec<PathBuf>,
    /// Cases to trace (JSON); may be given several times
    #[arg(long, value_name = "FILE")]
    pub cases: Vec<PathBuf>,
    /// Labels of known services (CSV); may be given several times
    #[arg(long, value_name = "FILE")]
    pub labels: Vec<PathBuf>,
    /// Balances before the first event (CSV); may be given several times
    #[arg(long, alias = "opening-balances", value_name = "FILE")]
    pub opening: Vec<PathBuf>,
    /// The folder to write to; it is made if need be
    #[arg(short, long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// The format of the events
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "auto")]
    pub format: InputFormat,
    /// Stop at the first record that cannot be read, with exit status 1
    #[arg(long)]
    pub strict: bool,
    /// How many later blocks may come before a block's own events
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub window_blocks: u64,
    /// Keep the past as files in this folder of its own, and less of it in memory; a history of
    /// an earlier run there is replaced
    #[arg(long, value_name = "DIR")]
    pub history: Option<PathBuf>,
    /// How many transfers are sealed together and leave memory, at most 1048576 [default: 1048576]
    #[arg(long, value_name = "N")]
    pub segment_transfers: Option<String>,
    /// Show no progress bar
    #[arg(long)]
    pub no_progress: bool,
    /// The policies and thresholds of the engine.
    #[command(flatten)]
    pub engine: EngineArgs,
    /// The configuration.
    #[command(flatten)]
    pub config: ConfigArgs,
}

impl ReplayArgs {
    /// Every file of events, in the order to read them.
    pub fn all_events(&self) -> impl Iterator<Item = &PathBuf> {
        self.files.iter().chain(&self.events)
    }

    /// What these flags say about the configuration.
    pub fn flags(&self) -> Vec<Flag> {
        let mut flags = self.config.flags();
        flags.extend(self.engine.flags());
        let transfers = self.segment_transfers.as_deref();
        let key = "history.segment_transfers";
        flags.extend(transfers.map(|n| Flag::new(key, n, "--segment-transfers")));
        flags
    }
}

/// A format of events, as a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum InputFormat {
    /// Told by each record, or by the header of a CSV file.
    Auto,
    /// The plain CSV or JSON Lines of usdt-flow.
    Plain,
    /// java-tron event subscription.
    JavaTron,
    /// ethereum-etl stream.
    EthereumEtl,
    /// Log objects of the Ethereum JSON-RPC.
    JsonRpc,
    /// A CSV slice of TRC-20 transfers.
    Slice,
    /// Blocks as protobuf messages of usdt-flow.
    Compact,
}

impl InputFormat {
    /// The decoder's format; `None` lets it recognise each record.
    pub const fn format(self) -> Option<flow_codec::Format> {
        use flow_codec::Format;
        match self {
            InputFormat::Auto => None,
            InputFormat::Plain => Some(Format::Plain),
            InputFormat::JavaTron => Some(Format::JavaTron),
            InputFormat::EthereumEtl => Some(Format::EthereumEtl),
            InputFormat::JsonRpc => Some(Format::JsonRpc),
            InputFormat::Slice => Some(Format::Slice),
            InputFormat::Compact => Some(Format::Compact),
        }
    }
}

/// Overrides of `[engine]`.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Engine")]
pub struct EngineArgs {
    /// How taint is attributed: one policy, several separated by commas, or all [default: haircut]
    ///
    /// Which of the units that leave a wallet are the tainted ones:
    ///   haircut      in proportion to what the wallet holds
    ///   fifo         the oldest units leave first (Clayton's rule)
    ///   lifo         the newest units leave first
    ///   dirty-first  tainted units leave first
    ///   dirty-last   tainted units leave last
    ///   poison       any contact taints everything, for good
    /// Cases are traced under each of them; the first one leads: freezes and the tables rest on it.
    #[arg(long, value_name = "POLICY,…", verbatim_doc_comment)]
    pub policy: Option<String>,
    /// Raise no alert of first receipt or cash-out below this many base units [default: 0]
    #[arg(long, value_name = "UNITS")]
    pub alert_min_units: Option<String>,
    /// Tainted base units whose reaching raises an alert, rising, separated by commas
    #[arg(long, value_name = "UNITS,…")]
    pub thresholds: Option<String>,
    /// Recommend no freeze below this many tainted base units
    #[arg(long, value_name = "UNITS")]
    pub freeze_min_units: Option<String>,
    /// How long tainted units must rest before a freeze is recommended
    #[arg(long, value_name = "SECONDS")]
    pub freeze_rest_seconds: Option<String>,
    /// How long a change of less than a tenth waits until a recommendation tells it; 0: never
    #[arg(long, value_name = "SECONDS")]
    pub freeze_update_seconds: Option<String>,
}

impl EngineArgs {
    /// What these flags say about the configuration.
    pub fn flags(&self) -> Vec<Flag> {
        [
            ("engine.policy", &self.policy, "--policy"),
            ("engine.alert_min_units", &self.alert_min_units, "--alert-min-units"),
            ("engine.thresholds_units", &self.thresholds, "--thresholds"),
            ("engine.freeze_min_units", &self.freeze_min_units, "--freeze-min-units"),
            ("engine.freeze_rest_seconds", &self.freeze_rest_seconds, "--freeze-rest-seconds"),
            (
                "engine.freeze_update_seconds",
                &self.freeze_update_seconds,
                "--freeze-update-seconds",
            ),
        ]
        .into_iter()
        .filter_map(|(key, value, flag)| Some(Flag::new(key, value.as_deref()?, flag)))
        .collect()
    }
}

/// `usdt-flow demo`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  usdt-flow demo                               planted crimes, followed in memory
  usdt-flow demo --real                        1,000 recorded blocks of TRON
  usdt-flow demo --kafka 127.0.0.1:9092        through a real Kafka
  usdt-flow demo --seed 7 --blocks 2000        another run; the same seed tells the same story")]
pub struct DemoArgs {
    /// Use recorded transfers of TRON instead of planted crimes
    #[arg(long)]
    pub real: bool,
    /// Send everything through this Kafka
    #[arg(long, value_name = "HOST:PORT")]
    pub kafka: Option<String>,
    /// The seed of the traffic
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// How many blocks to make
    #[arg(long, value_name = "N")]
    pub blocks: Option<u64>,
    /// How many times faster than the chain; as fast as possible unless given
    #[arg(long, value_name = "TIMES")]
    pub speed: Option<u64>,
    /// Print the summary alone
    #[arg(short, long)]
    pub quiet: bool,
}
