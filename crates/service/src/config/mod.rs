//! The configuration: TOML, environment and flags in, one valid [`Config`] out.
//!
//! Precedence is defaults < file < environment < flags. What always holds: a
//! [`Config`] is valid as a whole, every problem found is told and not the
//! first alone, and a secret is neither read from the file nor ever shown.
//!
//! Deliberately absent: reloading while running. A change takes a restart, so
//! that everything written came from one configuration.

mod convert;
mod explain;
mod file;
mod files;
mod problem;
mod raw;
mod security;
mod settings;
mod value;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use flow_codec::Format;
use flow_core::{Chain, EngineConfig};

use crate::checkpoint::S3Options;

pub use files::{ReadFileError, check_files, read_file};
pub use problem::{Origin, Problem, Problems, nearest};
pub use raw::{Flag, Layers, RawConfig};
pub use security::{SASL_MECHANISMS, SecurityConfig, SecurityProtocol};

/// A valid configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// How Kafka is reached.
    pub kafka: KafkaConfig,
    /// The chains that are followed, in the order of their names; none if no
    /// topic is named (see [`Config::require_inputs`]).
    pub inputs: Vec<InputConfig>,
    /// Where cases, labels and opening balances come from.
    pub knowledge: KnowledgeConfig,
    /// Where records go.
    pub output: OutputConfig,
    /// The policies and thresholds of the engine, and how much it keeps at hand.
    pub engine: EngineConfig,
    /// Where the past is kept.
    pub history: HistoryConfig,
    /// Where checkpoints are kept; `None` if none are.
    pub checkpoint: Option<CheckpointConfig>,
    /// How much the process may take.
    pub limits: LimitsConfig,
    /// When a transaction is committed.
    pub commit: CommitConfig,
    /// The HTTP endpoint.
    pub http: HttpConfig,
    /// Case files and requests.
    pub casework: CaseworkConfig,
    /// The log.
    pub log: LogConfig,
}

/// `[kafka]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KafkaConfig {
    /// `host:port`, separated by commas.
    pub bootstrap_servers: String,
    /// The consumer group whose offsets are committed.
    pub group_id: String,
    /// The producer's transactional id.
    pub transactional_id: String,
    /// The name by which the group knows this instance when it comes back;
    /// `None` for a new one each time.
    pub instance_id: Option<String>,
    /// How the way to the brokers is protected.
    pub security: SecurityConfig,
    /// The password of SASL, where one is set.
    pub sasl_password: Option<Secret>,
    /// The password of the TLS key, where one is set.
    pub ssl_key_password: Option<Secret>,
    /// Further librdkafka properties of the consumer.
    pub consumer: BTreeMap<String, String>,
    /// Further librdkafka properties of the producer.
    pub producer: BTreeMap<String, String>,
}

/// `[input.<chain>]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputConfig {
    /// The chain.
    pub chain: Chain,
    /// Its topics, at least one.
    pub topics: Vec<InputTopic>,
    /// A block is applied when this many later ones have been seen …
    pub window_blocks: u64,
    /// A block this far below the newest is final even if nothing tells so.
    pub finality_blocks: u64,
    /// … and when every partition of the chain has come past it, for which it
    /// waits so long at most …
    pub align: Duration,
    /// … or when nothing has arrived for so long.
    pub idle_flush: Duration,
}

/// One topic of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputTopic {
    /// Its name.
    pub name: String,
    /// The format of its records; `None` recognises each record by itself.
    pub format: Option<Format>,
}

/// The rest of `[input]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnowledgeConfig {
    /// The topic that opens and closes cases.
    pub cases_topic: Option<String>,
    /// The topic that sets and withdraws labels.
    pub labels_topic: Option<String>,
    /// Case files, read at the start.
    pub case_files: Vec<PathBuf>,
    /// Label files, read at the start.
    pub label_files: Vec<PathBuf>,
    /// Opening balances, read at the start.
    pub opening_files: Vec<PathBuf>,
}

/// `[output]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputConfig {
    /// For all subscribers.
    pub alerts_topic: String,
    /// For the freeze desk alone.
    pub freezes_topic: String,
    /// For records that could not be read.
    pub deadletter_topic: String,
    /// Where the money of each case is, for investigators alone.
    pub ledgers_topic: String,
    /// The audit trail of cases, labels and recommendations.
    pub audit_topic: String,
    /// Holds nothing: owning its partition n means to publish for chain n.
    pub owners_topic: String,
}

/// `[history]`, but for the sizes, which the engine knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistoryConfig {
    /// The folder of sealed segments; `None` keeps them in memory.
    pub dir: Option<PathBuf>,
}

/// `[checkpoint]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointConfig {
    /// A folder, `file://` and a path, or `s3://BUCKET/PREFIX`.
    pub url: String,
    /// How long after one the next is taken.
    pub interval: Duration,
    /// How many generations are kept, two at least.
    pub keep: usize,
    /// How S3 is reached, where `url` names it.
    pub s3: S3Options,
}

/// `[limits]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LimitsConfig {
    /// The most memory to take, in bytes; `None` for as much as there is.
    pub memory_max_bytes: Option<u64>,
}

/// `[commit]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommitConfig {
    /// The longest that a record waits for its commit while live.
    pub interval: Duration,
    /// The most records in one transaction while catching up.
    pub max_records: usize,
}

/// Case files and requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseworkConfig {
    /// The key that requests are signed with.
    pub key_file: Option<PathBuf>,
}

/// `[http]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpConfig {
    /// Where `/metrics` is told.
    pub metrics_listen: SocketAddr,
    /// Where `/healthz` and `/readyz` are told.
    pub health_listen: SocketAddr,
    /// How long metrics are still told after a broken invariant has ended the
    /// followers, so that somebody is paged.
    pub linger: Duration,
}

/// `[log]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// How a line is written.
    pub format: LogFormat,
    /// Which lines are written: a level, or directives such as
    /// `info,usdt_flow=debug`.
    pub level: String,
}

/// How a log line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl LogFormat {
    /// The name used in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        }
    }
}

/// A password. Debug output shows `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The password itself, for the client that needs it and nobody else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What [`Config::load`] gives.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// The same with the origin of each value, to be shown.
    pub raw: RawConfig,
    /// What looks like a mistake and does no harm.
    pub warnings: Vec<Problem>,
}

impl Config {
    /// Reads the layers and checks everything but the files that they name.
    pub fn load(layers: &Layers) -> Result<Loaded, Problems> {
        let mut findings = raw::Findings::default();
        let raw = RawConfig::read(layers, &mut findings);
        let config = convert::convert(&raw, &mut findings);
        let raw::Findings { mut problems, warnings } = findings;
        match config {
            Ok(config) if problems.is_empty() => Ok(Loaded { config, raw, warnings }),
            Ok(_) => Err(Problems::of(problems)),
            Err(more) => {
                problems.extend(more);
                Err(Problems::of(problems))
            }
        }
    }

    /// What `run` needs besides: a topic to read.
    pub fn require_inputs(&self) -> Result<(), Problem> {
        if self.inputs.is_empty() {
            return Err(Problem::new("no input topic is named, so there is nothing to follow").hint(
                "set topics = [\"contractevent\"] under [input.tron], or topics under [input.ethereum]",
            ));
        }
        Ok(())
    }
}
