//! `usdt-flow bench`: how fast the service is over a Kafka of the user's own.

use std::io::Write;

use crate::bench::{latency, throughput};
use crate::cli::{BenchCommand, BenchOutput, GlobalArgs};

/// Measures, prints the result, and fails if an alert was lost or doubled.
pub fn execute(command: &BenchCommand, _: &GlobalArgs) -> anyhow::Result<()> {
    match command {
        BenchCommand::Throughput(args) => {
            let measured = throughput(args)?;
            let text = match args.common.output {
                BenchOutput::Table => measured.text(),
                BenchOutput::Json => json(&measured)?,
            };
            print(&text)?;
            measured.check()
        }
        BenchCommand::Latency(args) => {
            let measured = latency(args)?;
            let text = match args.common.output {
                BenchOutput::Table => measured.text(),
                BenchOutput::Json => json(&measured)?,
            };
            print(&text)?;
            measured.check()
        }
    }
}

fn json(measured: &impl serde::Serialize) -> anyhow::Result<String> {
    Ok(format!("{}\n", serde_json::to_string_pretty(measured)?))
}

fn print(text: &str) -> anyhow::Result<()> {
    Ok(std::io::stdout().lock().write_all(text.as_bytes())?)
}
