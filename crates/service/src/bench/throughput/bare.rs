//! The measure to compare with: a consumer that only counts.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rdkafka::error::KafkaError;
use serde::Serialize;

use super::super::broker::Broker;
use super::super::stop::Stop;
use super::super::usage::own_cpu;

/// How long the broker may be silent.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// How fast the bare consumer was.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Bare {
    /// From the first record to the last.
    pub(super) records_per_second: Option<f64>,
    pub(super) drain_seconds: f64,
    pub(super) cpu_seconds: Option<f64>,
}

/// Reads every record once.
///
/// # Errors
/// If the broker falls silent, or somebody interrupts.
pub(super) fn read(
    broker: &Broker,
    topic: &str,
    records: u64,
    stop: &Stop,
) -> anyhow::Result<Bare> {
    let before = own_cpu();
    let consumer = broker.reader(topic)?;
    let (mut read, mut began, mut heard) = (0, None, Instant::now());
    while read < records {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(_)) => {
                read += 1;
                if read == 1 {
                    began = Some(Instant::now());
                }
                // A look at the clock for each record would be part of the measure.
                if read % 1_024 == 0 {
                    heard = Instant::now();
                    stop.check()?;
                }
            }
            None | Some(Err(KafkaError::PartitionEOF(_))) => {
                stop.check()?;
                if heard.elapsed() > SILENCE_MAX {
                    bail!("the broker has been silent for {SILENCE_MAX:?} at record {read}");
                }
            }
            Some(Err(error)) => return Err(error).context("the input topic cannot be read"),
        }
    }
    let took = began.map_or(Duration::ZERO, |began| began.elapsed());
    let cpu = own_cpu().zip(before).map(|(after, before)| (after - before).as_secs_f64());
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52 records")]
    let rate = (records - 1) as f64 / took.as_secs_f64();
    Ok(Bare {
        records_per_second: rate.is_finite().then_some(rate),
        drain_seconds: took.as_secs_f64(),
        cpu_seconds: cpu,
    })
}
