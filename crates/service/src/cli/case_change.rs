//! Arguments of `usdt-flow case open`, `close` and `book`.

use std::path::PathBuf;

use clap::Args;
use flow_core::Chain;

use super::ConfigArgs;
use crate::config::Flag;

/// Where the case is written: a file, or the topic of cases.
#[derive(Debug, Args)]
#[command(next_help_heading = "Where")]
pub struct CasesPlaceArgs {
    /// A file of cases (JSON) instead of the topic of cases; made if there is none
    #[arg(long, value_name = "FILE")]
    pub cases: Option<PathBuf>,
    /// The configuration.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// The brokers, HOST:PORT separated by commas
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "cases")]
    pub bootstrap_servers: Option<String>,
}

impl CasesPlaceArgs {
    /// What these flags say about the configuration.
    pub fn flags(&self) -> Vec<Flag> {
        self.config.flags_with_brokers(self.bootstrap_servers.as_deref())
    }
}

/// `usdt-flow case open`.
#[derive(Debug, Args)]
#[command(after_help = "\
A source is a wallet, all units of which are tainted from a block on (without one: always), or a
transfer, by its transaction and log index as the input numbers logs. Without --cases the record is
written to the topic of cases (input.cases_topic); services that follow it trace the case from the
past on, without a restart. A case that is open already is left alone unless --replace is given.

Examples:
  usdt-flow case open theft-1 --title 'Exchange hack' --source tron:TUVY…@70000000 --config usdt-flow.toml
  usdt-flow case open theft-2 --source ethereum:0x5f0c…:3 --min-units 10000 --cases cases.json")]
pub struct OpenCaseArgs {
    /// The id of the case
    #[arg(value_name = "CASE")]
    pub id: String,
    /// CHAIN:ADDRESS[@SINCE_BLOCK] or CHAIN:TX:LOG_INDEX; may be given several times
    #[arg(long = "source", value_name = "SOURCE", required = true)]
    pub sources: Vec<String>,
    /// What people call it
    #[arg(long, value_name = "TEXT")]
    pub title: Option<String>,
    /// The kind of crime
    #[arg(long, value_name = "TEXT")]
    pub category: Option<String>,
    /// Arrivals of fewer tainted base units are dust
    #[arg(long, value_name = "UNITS", default_value_t = 0)]
    pub min_units: u64,
    /// Units further from a source than this are no longer followed [default: no limit]
    #[arg(long, value_name = "N")]
    pub max_hops: Option<u32>,
    /// Write it also where a case of that id is open
    #[arg(long)]
    pub replace: bool,
    /// Where it is written.
    #[command(flatten)]
    pub place: CasesPlaceArgs,
}

/// `usdt-flow case close`.
#[derive(Debug, Args)]
#[command(after_help = "\
A closed case is traced no more; what was told of it stands, and its newest ledger is told once more
as closed.

Examples:
  usdt-flow case close theft-1 --config usdt-flow.toml
  usdt-flow case close theft-1 --cases cases.json")]
pub struct CloseCaseArgs {
    /// The id of the case
    #[arg(value_name = "CASE")]
    pub id: String,
    /// Where it is written.
    #[command(flatten)]
    pub place: CasesPlaceArgs,
}

/// `usdt-flow case book`.
#[derive(Debug, Args)]
#[command(after_help = "\
A booking is a statement of yours: it stands beside the traced ledger and never changes it. Bookings
are lines of a CSV file: case,chain,kind,amount,date,reference,note. case list, show and report tell
them with --bookings.

Examples:
  usdt-flow case book theft-1 --seized 1000.50 --date 2026-03-01 --reference '12 Js 345/26'
  usdt-flow case book theft-1 --recovered 250 --date 2026-04-12 --reference 'receipt 7' --note 'to the victim'")]
#[command(group = clap::ArgGroup::new("amount").required(true))]
pub struct BookCaseArgs {
    /// The id of the case
    #[arg(value_name = "CASE")]
    pub id: String,
    /// USDT that an authority has in hand, with up to six decimals
    #[arg(long, value_name = "USDT", group = "amount")]
    pub seized: Option<String>,
    /// USDT that the victims have back
    #[arg(long, value_name = "USDT", group = "amount")]
    pub recovered: Option<String>,
    /// The day on which that was, YYYY-MM-DD
    #[arg(long, value_name = "DAY")]
    pub date: String,
    /// The number of the document that says so
    #[arg(long, value_name = "TEXT")]
    pub reference: String,
    /// Whatever else is to be said
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub note: String,
    /// The chain on which the money was
    #[arg(long, value_name = "CHAIN", default_value = "tron", value_parser = chain)]
    pub chain: Chain,
    /// The file of bookings
    #[arg(long, value_name = "FILE", default_value = "bookings.csv")]
    pub bookings: PathBuf,
}

fn chain(text: &str) -> Result<Chain, String> {
    Chain::from_name(text)
        .ok_or_else(|| format!("name {}", Chain::ALL.map(Chain::name).join(" or ")))
}
