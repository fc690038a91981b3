//! Arguments of the commands that ask about the past: `trace`, `verify`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use flow_core::Policy;

use super::{ConfigArgs, InputFormat};

/// `usdt-flow trace`.
#[derive(Debug, Subcommand)]
pub enum TraceCommand {
    /// Follow units from a wallet, a transfer or a case, transfer by transfer
    #[command(after_help = "\
Examples:
  usdt-flow trace forward transfers.csv.gz --from tron:TBDs…
  usdt-flow trace forward --history history/ --from TBDs… --since-block 56804600 --policy fifo
  usdt-flow trace forward --history history/ --transfer tron:7f0a…:0 --labels labels.csv
  usdt-flow trace forward --history history/ --case theft-1 --cases cases.json --to TUVY…
  usdt-flow trace forward transfers.csv.gz --from TBDs… --output dot | dot -Tsvg > trace.svg

Each hop shows what its sender held, how much of that was tainted, and the sum that the policy
does. An address may stand without its chain where its spelling tells it.")]
    Forward(ForwardArgs),
    /// Tell where the units that a wallet holds came from
    #[command(after_help = "\
Examples:
  usdt-flow trace backward TUVY… --history history/ --labels labels.csv
  usdt-flow trace backward TUVY… transfers.csv.gz --until-block 56805000 --policy fifo
  usdt-flow trace backward TUVY… transfers.csv.gz --source TBDs… --source TS1W…

Tracing back ends at labelled services, at the wallets named with --source, at units held before
the first event, and at units issued. A share is what the wallet would hold if that origin alone
were traced forward.")]
    Backward(BackwardArgs),
    /// Show the strongest paths from one wallet to another
    #[command(after_help = "\
Examples:
  usdt-flow trace path transfers.csv.gz --from TBDs… --to TUVY…
  usdt-flow trace path --history history/ --from TBDs… --to TUVY… -k 20 --output graphml -o p.graphml

A path is as strong as the fewest tainted units that one of its transfers moved. Of equally
strong ones the shorter comes first, then the earlier.")]
    Path(PathArgs),
}

/// Where the past is.
#[derive(Debug, Args)]
#[command(next_help_heading = "The past")]
pub struct PastArgs {
    /// A folder that `replay --history` or the service wrote
    #[arg(long, value_name = "DIR")]
    pub history: Option<PathBuf>,
    /// Files of events, replayed in memory; - is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "history")]
    pub events: Vec<PathBuf>,
    /// The format of the events
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "auto")]
    pub format: InputFormat,
    /// Balances before the first event (CSV); a history knows them already
    #[arg(long, value_name = "FILE", conflicts_with = "history")]
    pub opening: Vec<PathBuf>,
    /// Labels of known services (CSV); may be given several times
    #[arg(long, value_name = "FILE")]
    pub labels: Vec<PathBuf>,
    /// Show no progress bar
    #[arg(long)]
    pub no_progress: bool,
    /// The configuration.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// What all modes of `trace` take.
#[derive(Debug, Args)]
pub struct AskArgs {
    /// How taint is attributed: haircut, fifo, lifo, dirty-first, dirty-last or poison
    #[arg(long, value_name = "POLICY", default_value = "haircut", value_parser = policy)]
    pub policy: Policy,
    /// Leave out fewer base units than this
    #[arg(long, value_name = "UNITS")]
    pub min_units: Option<u64>,
    /// Go no further than so many transfers
    #[arg(long, value_name = "N")]
    pub max_hops: Option<u32>,
    /// Print at most so many rows [default: 100 in a table, else all]
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Write to this file instead of standard output
    #[arg(short = 'o', long = "out", value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// `usdt-flow trace forward`.
#[derive(Debug, Args)]
pub struct ForwardArgs {
    /// Files of events, in any of the formats
    #[arg(value_name = "EVENTS")]
    pub files: Vec<PathBuf>,
    /// Follow everything that this wallet holds and receives; may be given several times
    #[arg(long, value_name = "ADDRESS", required_unless_present_any = ["transfer", "case"])]
    pub from: Vec<String>,
    /// With --from: from this block on
    #[arg(long, value_name = "N", default_value_t = 0, requires = "from")]
    pub since_block: u64,
    /// Follow what this transfer moved: CHAIN:TRANSACTION:LOG_INDEX
    #[arg(long, value_name = "TRANSFER")]
    pub transfer: Vec<String>,
    /// Follow this case of the file of cases
    #[arg(long, value_name = "ID", requires = "cases", conflicts_with_all = ["from", "transfer"])]
    pub case: Option<String>,
    /// Cases (JSON)
    #[arg(long, value_name = "FILE", requires = "case")]
    pub cases: Vec<PathBuf>,
    /// Show only what leads to this wallet; may be given several times
    #[arg(long, value_name = "ADDRESS")]
    pub to: Vec<String>,
    /// How to print the hops
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "table")]
    pub output: GraphOutput,
    /// What all modes take.
    #[command(flatten)]
    pub ask: AskArgs,
    /// Where the past is.
    #[command(flatten)]
    pub past: PastArgs,
}

/// `usdt-flow trace backward`.
#[derive(Debug, Args)]
pub struct BackwardArgs {
    /// The wallet
    #[arg(value_name = "ADDRESS")]
    pub address: String,
    /// Files of events, in any of the formats
    #[arg(value_name = "EVENTS")]
    pub files: Vec<PathBuf>,
    /// What it held after this block [default: at the end]
    #[arg(long, value_name = "N")]
    pub until_block: Option<u64>,
    /// End tracing at this wallet; may be given several times
    #[arg(long, value_name = "ADDRESS")]
    pub source: Vec<String>,
    /// How to print the shares
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "table")]
    pub output: RowOutput,
    /// What all modes take.
    #[command(flatten)]
    pub ask: AskArgs,
    /// Where the past is.
    #[command(flatten)]
    pub past: PastArgs,
}

/// `usdt-flow trace path`.
#[derive(Debug, Args)]
pub struct PathArgs {
    /// Files of events, in any of the formats
    #[arg(value_name = "EVENTS")]
    pub files: Vec<PathBuf>,
    /// Where the units come from
    #[arg(long, value_name = "ADDRESS")]
    pub from: String,
    /// From this block on
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub since_block: u64,
    /// Where they went
    #[arg(long, value_name = "ADDRESS")]
    pub to: String,
    /// How many paths
    #[arg(short, value_name = "N", default_value_t = 5)]
    pub k: usize,
    /// How to print the paths
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "table")]
    pub output: GraphOutput,
    /// What all modes take.
    #[command(flatten)]
    pub ask: AskArgs,
    /// Where the past is.
    #[command(flatten)]
    pub past: PastArgs,
}

/// `usdt-flow verify`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  usdt-flow verify result/alerts.jsonl --events transfers.csv.gz --cases cases.json
  usdt-flow verify alert.json --history history/ --cases cases.json --labels labels.csv
  kcat -C -e -t usdt.alerts | usdt-flow verify - --history history/ --cases cases.json --quiet
  usdt-flow verify request.dsse.json --public-key public.pem --history history/ --labels labels.csv

A request to freeze brings its case with it, so --cases may be left out; if it is given, the case
must stand there as the request tells it. With --public-key the signature is checked first.

Each record is worked out anew by a second implementation, written from the definition of taint
and nothing else. Exit status: 0 all are right, 1 one differs, 2 they could not be verified.")]
pub struct VerifyArgs {
    /// Files of alert records, one a line or one in all, or of freeze requests as `case packet`
    /// writes them; - is standard input
    #[arg(value_name = "RECORD", required = true)]
    pub records: Vec<PathBuf>,
    /// Cases (JSON), needed for alerts; may be given several times
    #[arg(long, value_name = "FILE")]
    pub cases: Vec<PathBuf>,
    /// Take only freeze requests that are signed with this Ed25519 key (PEM)
    #[arg(long, value_name = "FILE")]
    pub public_key: Option<PathBuf>,
    /// Print the alerts that differ and the sum alone
    #[arg(short, long, conflicts_with = "json")]
    pub quiet: bool,
    /// Print one JSON object for each alert
    #[arg(long)]
    pub json: bool,
    /// Where the past is.
    #[command(flatten)]
    pub past: PastArgs,
}

/// How hops are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum GraphOutput {
    /// For people.
    Table,
    /// As JSON, for programs; amounts in base units.
    Json,
    /// As CSV; amounts in base units.
    Csv,
    /// As a graph for Graphviz.
    Dot,
    /// As a graph for Gephi, yEd, Maltego and others.
    Graphml,
}

/// How rows are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RowOutput {
    /// For people.
    Table,
    /// As JSON, for programs; amounts in base units.
    Json,
    /// As CSV; amounts in base units.
    Csv,
}

pub(super) fn policy(name: &str) -> Result<Policy, String> {
    let names = || Policy::ALL.map(Policy::name).join(", ");
    Policy::from_name(name).ok_or_else(|| format!("expected one of {}", names()))
}
