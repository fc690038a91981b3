//! Arguments of `usdt-flow audit`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{ConfigArgs, TableFormat};
use crate::audit::verify::Head;
use crate::config::Flag;

/// `usdt-flow audit`.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Check that no entry of the audit trail was changed, left out, moved or cut off
    #[command(after_help = "\
Without FILE the topics of the configuration are read: the audit trail, and the recommendations that
stand. Of both, the last entry of each chain is printed: keep it elsewhere and give it as --head the
next time, so that a trail that was cut off at its end is found too.

Exit status: 0 all is whole, 1 it is not, 2 it could not be verified.

Examples:
  usdt-flow audit verify result/audit.jsonl --recommendations result/freezes.jsonl
  usdt-flow audit verify --config usdt-flow.toml --head tron:1200:5f0c…
  usdt-flow audit verify --bootstrap-servers 127.0.0.1:9092 --format json")]
    Verify(AuditArgs),
}

/// `usdt-flow audit verify`.
#[derive(Debug, Args)]
pub struct AuditArgs {
    /// Entries, one a line, as audit.jsonl holds them; - is standard input
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// An entry that the trail must hold, as an earlier run printed it; one for each chain
    #[arg(long, value_name = "CHAIN:SEQUENCE:SHA256")]
    pub head: Vec<Head>,
    /// Recommendations to compare, one a line, as freezes.jsonl holds them
    #[arg(long, value_name = "FILE", requires = "files")]
    pub recommendations: Vec<PathBuf>,
    /// The configuration.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// The brokers, HOST:PORT separated by commas
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "files")]
    pub bootstrap_servers: Option<String>,
    /// How to print the result
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "table")]
    pub format: TableFormat,
}

impl AuditArgs {
    /// What these flags say about the configuration.
    pub fn flags(&self) -> Vec<Flag> {
        self.config.flags_with_brokers(self.bootstrap_servers.as_deref())
    }
}
