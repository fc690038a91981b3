//! Arguments of `usdt-flow case report`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use flow_core::Policy;

use super::PastArgs;
use super::trace::policy;

/// `usdt-flow case report`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  usdt-flow case report theft-1 --cases cases.json --history history/ --labels labels.csv --output file/
  usdt-flow case report theft-1 --cases cases.json --events transfers.csv.gz --as html > theft-1.html

The HTML page needs nothing else and prints on A4: open it in a browser and print it to PDF. The
same inputs give the same bytes; no date is in the file unless --date names one.")]
pub struct ReportCaseArgs {
    /// The id of the case
    #[arg(value_name = "CASE")]
    pub id: String,
    /// Cases (JSON); may be given several times
    #[arg(long, value_name = "FILE", required = true)]
    pub cases: Vec<PathBuf>,
    /// What was booked by hand (CSV); may be given several times
    #[arg(long, value_name = "FILE")]
    pub bookings: Vec<PathBuf>,
    /// How taint is attributed: haircut, fifo, lifo, dirty-first, dirty-last or poison
    #[arg(long, value_name = "POLICY", default_value = "haircut", value_parser = policy)]
    pub policy: Policy,
    /// Write case-CASE.md and case-CASE.html to this folder
    #[arg(long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Write this alone [default: both to a folder, md to standard output]
    #[arg(long = "as", value_enum, value_name = "FORMAT")]
    pub document: Option<DocumentFormat>,
    /// List at most so many wallets one by one
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub wallets: usize,
    /// Show the trail from the crime to so many wallets, and to so many accounts of services
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub trails: usize,
    /// How many trails to each
    #[arg(short, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub k: u32,
    /// Write amounts in base units instead of USDT
    #[arg(long)]
    pub base_units: bool,
    /// The file number of the police or the prosecutor
    #[arg(long, value_name = "TEXT")]
    pub reference: Option<String>,
    /// Who prepared the file
    #[arg(long, value_name = "TEXT")]
    pub author: Option<String>,
    /// The date on the file, as it is to be written
    #[arg(long, value_name = "TEXT")]
    pub date: Option<String>,
    /// Where the past is.
    #[command(flatten)]
    pub past: PastArgs,
}

/// How a document is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DocumentFormat {
    /// Markdown.
    Md,
    /// One page of HTML, ready to print.
    Html,
}
