//! Throughput: the service beside a bare consumer, turn by turn.
//!
//! A topic is filled once; each run reads it with a consumer that only counts,
//! then with the service, which writes to new topics under a new group. What
//! always holds: a run of the service counts only if it committed every record
//! and wrote as many alerts as the other runs.

mod bare;
mod fill;
mod report;
mod service;

use crate::cli::ThroughputArgs;

use super::broker::{Broker, Scratch};
use super::format::RecordFormat;
use super::machine::Machine;
use super::stop::Stop;

pub(crate) use report::Throughput;

use report::{OfFormat, Run};

/// Measures what the arguments say.
///
/// # Errors
/// If the broker cannot be reached or refuses, the service fails, or somebody
/// interrupts.
pub(crate) fn throughput(args: &ThroughputArgs) -> anyhow::Result<Throughput> {
    let machine = Machine::look();
    let stop = Stop::on_signal()?;
    let broker = Broker::connect(&args.common)?;
    let scratch = Scratch::new(&broker);
    let formats =
        args.format.iter().map(|format| of_format(args, *format, &scratch, &broker, &stop));
    let formats = formats.collect::<anyhow::Result<_>>()?;
    let compression = args.common.compression.name();
    Ok(Throughput { machine, compression, formats })
}

fn of_format(
    args: &ThroughputArgs,
    format: RecordFormat,
    scratch: &Scratch<'_>,
    broker: &Broker,
    stop: &Stop,
) -> anyhow::Result<OfFormat> {
    let topic = scratch.name(&format!("{}.input", format.name()));
    scratch.create(std::slice::from_ref(&topic))?;
    let filled = fill::fill(args, format, &topic, broker, stop)?;
    let mut runs = Vec::new();
    for number in 1..=args.runs {
        eprintln!("{}: run {number} of {}", format.name(), args.runs);
        let bare = bare::read(broker, &topic, filled.records, stop)?;
        let prefix = scratch.name(&format!("{}.{number}", format.name()));
        let service =
            service::drain(args, format, (&topic, &prefix), &filled, (scratch, broker), stop)?;
        runs.push(Run { bare, service });
    }
    scratch.delete(&[topic]);
    Ok(OfFormat::new(format.name(), &filled, runs))
}
