//! Arguments of the commands that prepare and explain: `topics`, `checkpoint`,
//! `doctor`, `feed`, `config`, `metrics`, `schema`, `completions`, `man`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::ConfigArgs;
use crate::config::Flag;

/// `usdt-flow topics`.
#[derive(Debug, Subcommand)]
pub enum TopicsCommand {
    /// Create the topics that do not exist yet, with the settings they need
    #[command(after_help = "\
Examples:
  usdt-flow topics create --config usdt-flow.toml --dry-run
  usdt-flow topics create --bootstrap-servers 127.0.0.1:9092 --partitions 4 --replication 3")]
    Create(CreateTopicsArgs),
    /// Tell which topics exist and where their settings differ from what is needed
    Describe(DescribeTopicsArgs),
}

/// What both `topics` commands need.
#[derive(Debug, Args)]
pub struct TopicsArgs {
    /// The configuration.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// The brokers, HOST:PORT separated by commas
    #[arg(long, value_name = "HOST:PORT")]
    pub bootstrap_servers: Option<String>,
    /// Input topics too
    #[arg(long)]
    pub inputs: bool,
    /// How to print the result
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "table")]
    pub format: TableFormat,
    /// How long to wait for the brokers
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub timeout_seconds: u64,
}

impl TopicsArgs {
    /// What these flags say about the configuration.
    pub fn flags(&self) -> Vec<Flag> {
        self.config.flags_with_brokers(self.bootstrap_servers.as_deref())
    }
}

/// `usdt-flow topics create`.
#[derive(Debug, Args)]
pub struct CreateTopicsArgs {
    /// What both `topics` commands need.
    #[command(flatten)]
    pub common: TopicsArgs,
    /// Partitions of the output topics; inputs, cases and labels get one, which keeps their order
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(i32).range(1..=10_000))]
    pub partitions: i32,
    /// Replicas of each partition [default: the broker's]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..=100))]
    pub replication: Option<i32>,
    /// Only say what would be created
    #[arg(long)]
    pub dry_run: bool,
}

/// `usdt-flow topics describe`.
#[derive(Debug, Args)]
pub struct DescribeTopicsArgs {
    /// What both `topics` commands need.
    #[command(flatten)]
    pub common: TopicsArgs,
}

/// `usdt-flow checkpoint`.
#[derive(Debug, Subcommand)]
pub enum CheckpointCommand {
    /// List the checkpoints that lie there, by their names alone
    #[command(after_help = "\
Examples:
  usdt-flow checkpoint list --config usdt-flow.toml
  usdt-flow checkpoint list --url s3://bucket/usdt-flow --format json")]
    List(CheckpointArgs),
    /// Read every checkpoint and every segment it needs, whole, and tell which can be used
    #[command(after_help = "\
Exit status: 0 if all can be used, 1 if any cannot.

Examples:
  usdt-flow checkpoint verify --config usdt-flow.toml")]
    Verify(CheckpointArgs),
}

/// What both `checkpoint` commands need.
#[derive(Debug, Args)]
pub struct CheckpointArgs {
    /// The configuration.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Where the checkpoints lie: a folder or s3://BUCKET/PREFIX
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// How to print the result
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "table")]
    pub format: TableFormat,
}

impl CheckpointArgs {
    /// What these flags say about the configuration.
    pub fn flags(&self) -> Vec<Flag> {
        let mut flags = self.config.flags();
        flags.extend(self.url.as_deref().map(|url| Flag::new("checkpoint.url", url, "--url")));
        flags
    }
}

/// How a result is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TableFormat {
    /// In columns, for people.
    Table,
    /// As JSON, for programs.
    Json,
}

/// `usdt-flow doctor`.
#[derive(Debug, Args)]
#[command(after_help = "\
It changes nothing and may run beside the service. Exit status: 0 if nothing is in the way, 1 if a
check failed; warnings do not count.

Examples:
  usdt-flow doctor --config usdt-flow.toml
  usdt-flow doctor --config usdt-flow.toml --accounts 400000000 --format json")]
pub struct DoctorArgs {
    /// The configuration.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// The brokers, HOST:PORT separated by commas
    #[arg(long, value_name = "HOST:PORT")]
    pub bootstrap_servers: Option<String>,
    /// Accounts that are expected, to compare memory and disk with
    #[arg(long, value_name = "N", default_value_t = 5_000_000)]
    pub accounts: u64,
    /// How to print the result
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "table")]
    pub format: TableFormat,
    /// How long to wait for each answer
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub timeout_seconds: u64,
}

impl DoctorArgs {
    /// What these flags say about the configuration.
    pub fn flags(&self) -> Vec<Flag> {
        self.config.flags_with_brokers(self.bootstrap_servers.as_deref())
    }
}

/// `usdt-flow feed`.
#[derive(Debug, Args)]
#[command(after_help = "\
The transfers are real ones of 2023, the times are those of now: 991 blocks, then it ends.

Examples:
  usdt-flow feed --topic usdt-tron --bootstrap-servers 127.0.0.1:9092
  usdt-flow feed --topic usdt-tron --config usdt-flow.toml --pause-ms 3000")]
pub struct FeedArgs {
    /// The configuration.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// The brokers, HOST:PORT separated by commas
    #[arg(long, value_name = "HOST:PORT")]
    pub bootstrap_servers: Option<String>,
    /// The topic to write to
    #[arg(long, value_name = "TOPIC")]
    pub topic: String,
    /// The pause between two blocks
    #[arg(long, value_name = "MS", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(0..=60_000))]
    pub pause_ms: u64,
}

impl FeedArgs {
    /// What these flags say about the configuration.
    pub fn flags(&self) -> Vec<Flag> {
        self.config.flags_with_brokers(self.bootstrap_servers.as_deref())
    }
}

/// `usdt-flow config`.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Tell everything that is wrong with the configuration and the files it names
    Check(ConfigArgs),
    /// Print every effective value with its origin; secrets as ***
    Print(PrintConfigArgs),
}

/// `usdt-flow config print`.
#[derive(Debug, Args)]
pub struct PrintConfigArgs {
    /// The configuration.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// How to print it
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "table")]
    pub format: ConfigFormat,
}

/// How the configuration is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ConfigFormat {
    /// In columns, for people.
    Table,
    /// As a configuration file.
    Toml,
    /// As JSON, for programs.
    Json,
}

/// `usdt-flow schema`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  usdt-flow schema                 list the schemas
  usdt-flow schema alert           print one
  usdt-flow schema --out schemas/  write all of them")]
pub struct SchemaArgs {
    /// Which schema; without a name they are listed
    pub name: Option<String>,
    /// Write to this folder instead
    #[arg(short, long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// `usdt-flow completions`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  usdt-flow completions bash > /etc/bash_completion.d/usdt-flow
  usdt-flow completions zsh > ~/.zfunc/_usdt-flow")]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// `usdt-flow man`.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// Write a page for each command to this folder
    #[arg(short, long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}
