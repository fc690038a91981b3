//! Arguments of `usdt-flow case`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use flow_core::Policy;

use super::trace::policy;
use super::{BookCaseArgs, CloseCaseArgs, OpenCaseArgs, PacketArgs, PastArgs, ReportCaseArgs};

/// `usdt-flow case`.
#[derive(Debug, Subcommand)]
pub enum CaseCommand {
    /// Tell of every case where its money is: one line each
    #[command(after_help = "\
Examples:
  usdt-flow case list --cases cases.json --history history/ --labels labels.csv
  usdt-flow case list --cases cases.json --events transfers.csv.gz --output json

Each line adds up: emitted is the sum of the columns behind it.")]
    List(CaseArgs),
    /// Show the ledger of one case: where its money is, and when it reached services
    #[command(after_help = "\
Examples:
  usdt-flow case show theft-1 --cases cases.json --history history/ --labels labels.csv
  usdt-flow case show theft-1 --cases cases.json --events transfers.csv.gz --output json

The ledger is shown as it stood at the end of each UTC day in which it changed. Arrivals at services
are counted by UTC day of the block too.")]
    Show(ShowCaseArgs),
    /// Open a case: write it to the topic of cases, or to a file
    Open(Box<OpenCaseArgs>),
    /// Close a case: withdraw it from the topic of cases, or from a file
    Close(Box<CloseCaseArgs>),
    /// Book by hand what was seized or recovered
    Book(Box<BookCaseArgs>),
    /// Write the case file for a prosecutor: ledger, wallets, trails, method
    Report(Box<ReportCaseArgs>),
    /// Write what an issuer or a service asks for before it freezes an account
    Packet(Box<PacketArgs>),
}

/// What all modes of `case` take.
#[derive(Debug, Args)]
pub struct CaseArgs {
    /// Cases (JSON); may be given several times
    #[arg(long, value_name = "FILE", required = true)]
    pub cases: Vec<PathBuf>,
    /// How taint is attributed: haircut, fifo, lifo, dirty-first, dirty-last or poison
    #[arg(long, value_name = "POLICY", default_value = "haircut", value_parser = policy)]
    pub policy: Policy,
    /// What was booked by hand (CSV); may be given several times
    #[arg(long, value_name = "FILE")]
    pub bookings: Vec<PathBuf>,
    /// How to print
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "table")]
    pub output: CaseOutput,
    /// Write to this file instead of standard output
    #[arg(short = 'o', long = "out", value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Where the past is.
    #[command(flatten)]
    pub past: PastArgs,
}

/// `usdt-flow case show`.
#[derive(Debug, Args)]
pub struct ShowCaseArgs {
    /// The id of the case
    #[arg(value_name = "CASE")]
    pub id: String,
    /// Print at most so many wallets [default: 100 in a table, else all]
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// What all modes take.
    #[command(flatten)]
    pub case: CaseArgs,
}

/// How cases are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CaseOutput {
    /// For people.
    Table,
    /// As JSON, for programs; amounts in base units.
    Json,
}
