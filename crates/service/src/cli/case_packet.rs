//! Arguments of `usdt-flow case packet`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use flow_core::Policy;

use super::PastArgs;
use super::trace::policy;
use crate::config::Flag;

/// `usdt-flow case packet`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  usdt-flow case packet theft-1 TVGk… --cases cases.json --history history/ --labels labels.csv \\
      --reference AB-1/2026 --agency 'Police of …' --contact 'J. Doe <doe@police.example>'
  usdt-flow case packet theft-1 TVGk… … --key key.pem
  usdt-flow verify packet-theft-1-TVGk…/request.dsse.json --public-key public.pem \\
      --history history/ --labels labels.csv

It writes request.json (for a program), request.md and request.html (for people), and with a key
request.dsse.json, which is the signed one. A private wallet is for the issuer; an account that a
label gives to a service is for that service's compliance desk.
openssl genpkey -algorithm ed25519 makes a key.")]
pub struct PacketArgs {
    /// The id of the case
    #[arg(value_name = "CASE")]
    pub id: String,
    /// The account to freeze
    #[arg(value_name = "ADDRESS")]
    pub address: String,
    /// The file number of the police or the prosecutor
    #[arg(long, value_name = "TEXT", required = true, value_parser = filled)]
    pub reference: String,
    /// The authority that asks
    #[arg(long, value_name = "TEXT", required = true, value_parser = filled)]
    pub agency: String,
    /// Who answers questions, and how to reach them
    #[arg(long, value_name = "TEXT", required = true, value_parser = filled)]
    pub contact: String,
    /// The date of the request, as it is to be written
    #[arg(long, value_name = "TEXT")]
    pub date: Option<String>,
    /// What else there is to say
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
    /// Who is asked [default: as the label of the account says]
    #[arg(long, value_enum, value_name = "WHO")]
    pub to: Option<Recipient>,
    /// Cases (JSON); may be given several times
    #[arg(long, value_name = "FILE", required = true)]
    pub cases: Vec<PathBuf>,
    /// How taint is attributed: haircut, fifo, lifo, dirty-first, dirty-last or poison
    #[arg(long, value_name = "POLICY", default_value = "haircut", value_parser = policy)]
    pub policy: Policy,
    /// How many trails from the crime
    #[arg(short, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub k: u32,
    /// The folder to write [default: packet-CASE-ADDRESS]
    #[arg(long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Sign with this Ed25519 key (PEM, PKCS#8) [default: casework.key_file of the configuration]
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// Where the past is.
    #[command(flatten)]
    pub past: PastArgs,
}

impl PacketArgs {
    /// What these flags say about the configuration.
    pub fn flags(&self) -> Vec<Flag> {
        let key = self.key.as_ref().map(|path| path.display().to_string());
        let key = key.map(|path| Flag::new("casework.key_file", &path, "--key"));
        self.past.config.flags().into_iter().chain(key).collect()
    }
}

/// Who is asked to freeze.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Recipient {
    /// Tether; refused for an account of a service.
    Issuer,
    /// The service that a label gives the account to.
    Service,
}

/// A text that says something.
fn filled(text: &str) -> Result<String, String> {
    if text.trim().is_empty() { Err("it is empty".to_owned()) } else { Ok(text.to_owned()) }
}
