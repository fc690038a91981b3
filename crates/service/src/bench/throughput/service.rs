//! One run of the service over the topic, watched from outside.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rdkafka::error::KafkaError;
use serde::Serialize;

use super::super::broker::{Broker, Scratch};
use super::super::child::{Service, Setup};
use super::super::drain::Drain;
use super::super::format::RecordFormat;
use super::super::stop::Stop;
use super::fill::Filled;
use crate::cli::ThroughputArgs;

/// The pause between two looks at whether it has ended.
const LOOK_PAUSE: Duration = Duration::from_millis(10);

/// How fast the service was.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Drained {
    /// The slope of its counter of records, from its first change to its last.
    pub(super) records_per_second: Option<f64>,
    /// From the start of the process to the first record.
    pub(super) startup_seconds: Option<f64>,
    pub(super) drain_seconds: Option<f64>,
    /// From the last record to the end of the process: the last commit, and
    /// leaving the group.
    pub(super) ending_seconds: Option<f64>,
    /// Of the whole life of the process.
    pub(super) cpu_seconds: Option<f64>,
    pub(super) peak_memory_bytes: Option<u64>,
    /// Committed records in the topic of alerts.
    pub(super) alerts: u64,
}

/// Lets the service work off the topic, once, exactly once.
///
/// # Errors
/// If the service fails or leaves records behind, or somebody interrupts.
pub(super) fn drain(
    args: &ThroughputArgs,
    format: RecordFormat,
    (topic, prefix): (&str, &str),
    filled: &Filled,
    (scratch, broker): (&Scratch<'_>, &Broker),
    stop: &Stop,
) -> anyhow::Result<Drained> {
    let setup = Setup {
        broker,
        format,
        input: topic,
        prefix,
        cases: &filled.planted.cases,
        labels: &filled.planted.labels,
        set: args.common.set.clone(),
    };
    let outputs = setup.outputs();
    scratch.create(&outputs)?;
    scratch.note_group(prefix.to_owned());
    let began = Instant::now();
    let mut service = Service::start(&setup, &["--until-end"])?;
    let mut drain = Drain::default();
    let scrape_pause = Duration::from_millis(args.scrape_ms);
    let mut scrape_due = Duration::ZERO;
    while !service.has_ended()? {
        stop.check()?;
        service.note_memory();
        if began.elapsed() >= scrape_due {
            scrape_due = began.elapsed() + scrape_pause;
            if let Some(count) = service.records_consumed() {
                drain.seen(began.elapsed(), count);
            }
        }
        std::thread::sleep(LOOK_PAUSE);
    }
    let ended = began.elapsed();
    let committed = broker.committed(prefix, topic)?;
    ensure!(
        committed == Some(filled.records),
        "the service ended with {committed:?} of {} records committed",
        filled.records
    );
    let alerts = count(broker, &setup.alerts()).context("the alerts cannot be read")?;
    let letters = count(broker, &setup.dead_letters()).context("dead letters cannot be read")?;
    ensure!(
        letters == filled.poisoned,
        "{letters} dead letters came of {} records that cannot be read",
        filled.poisoned
    );
    scratch.delete(&outputs);
    let used = service.used();
    let span = |from: Option<Duration>, to: Option<Duration>| {
        from.zip(to).map(|(from, to)| (to - from).as_secs_f64())
    };
    Ok(Drained {
        records_per_second: drain.rate(),
        startup_seconds: drain.began().map(|at| at.as_secs_f64()),
        drain_seconds: span(drain.began(), drain.ended()),
        ending_seconds: span(drain.ended(), Some(ended)),
        cpu_seconds: used.cpu.map(|cpu| cpu.as_secs_f64()),
        peak_memory_bytes: used.peak_memory_bytes,
        alerts,
    })
}

/// Committed records of a topic.
fn count(broker: &Broker, topic: &str) -> anyhow::Result<u64> {
    let consumer = broker.reader(topic)?;
    let mut count = 0;
    loop {
        match consumer.poll(Duration::from_secs(30)) {
            Some(Ok(_)) => count += 1,
            Some(Err(KafkaError::PartitionEOF(_))) => return Ok(count),
            Some(Err(error)) => return Err(error.into()),
            None => anyhow::bail!("the broker is silent"),
        }
    }
}
