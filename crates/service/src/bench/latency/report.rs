//! What was measured, for people and for programs.

use std::time::Duration;

use anyhow::ensure;
use serde::Serialize;

use super::super::child::Used;
use super::super::machine::Machine;
use super::super::statistics::Spread;
use super::super::table::{Table, cell, whole};
use super::matching::{Matched, Told, Wait, matched};
use super::memory::Memory;
use super::sender::Sent;
use crate::cli::LatencyArgs;

/// The result of `bench latency`.
#[derive(Debug, Serialize)]
pub(crate) struct Latency {
    machine: Machine,
    parameters: Parameters,
    /// From the moment at which an event was handed to its producer.
    sent_to_alert: Option<Spread>,
    /// From its acknowledgement by the broker.
    acknowledged_to_alert: Option<Spread>,
    /// From the first record of the block that completes its own.
    complete_to_alert: Option<Spread>,
    /// What the producer and the broker took to store the event.
    sent_to_acknowledged: Option<Spread>,
    /// How late the sender was.
    due_to_sent: Option<Spread>,
    events: usize,
    alerts_due: usize,
    alerts_lost: usize,
    alerts_doubled: usize,
    alerts_unexpected: usize,
    alerts_revised: usize,
    service_cpu_seconds: Option<f64>,
    service_peak_memory_bytes: Option<u64>,
    /// After the warm-up.
    service_memory: Option<Memory>,
}

/// What was asked for.
#[derive(Debug, Serialize)]
struct Parameters {
    format: &'static str,
    compression: &'static str,
    records_per_second: u64,
    seconds: u64,
    warmup_seconds: u64,
    block_records: u64,
    window_blocks: u64,
    alert_percent: u64,
    commit_interval_ms: u64,
    set: Vec<String>,
}

impl Latency {
    pub(super) fn new(
        args: &LatencyArgs,
        machine: Machine,
        (sent, told): (&[Sent], &[Told]),
        (used, memory): (Used, Option<Memory>),
    ) -> Latency {
        let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let warm_up = count(args.rate * args.warmup_seconds);
        let wait = Wait {
            block_records: count(args.block_records),
            window_blocks: count(args.window_blocks),
        };
        let Matched {
            sent: times,
            acknowledged,
            complete,
            due,
            lost,
            doubled,
            unexpected,
            revised,
        } = matched(sent, told, warm_up, wait);
        let timed = || sent.iter().skip(warm_up);
        let stored = timed().filter_map(|event| Some(event.acknowledged?.saturating_sub(event.at)));
        Latency {
            machine,
            parameters: Parameters::of(args),
            sent_to_alert: Spread::of(times),
            acknowledged_to_alert: Spread::of(acknowledged),
            complete_to_alert: Spread::of(complete),
            sent_to_acknowledged: Spread::of(stored.collect()),
            due_to_sent: Spread::of(
                timed().map(|event| event.at.saturating_sub(event.due)).collect(),
            ),
            events: sent.len(),
            alerts_due: due,
            alerts_lost: lost,
            alerts_doubled: doubled,
            alerts_unexpected: unexpected,
            alerts_revised: revised,
            service_cpu_seconds: used.cpu.as_ref().map(Duration::as_secs_f64),
            service_peak_memory_bytes: used.peak_memory_bytes,
            service_memory: memory,
        }
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        let p = &self.parameters;
        let set: String = p.set.iter().map(|set| format!(", {set}")).collect();
        format!(
            "{} records/s of {} ({} compression) for {} s after {} s of warm-up, blocks of {}\n\
             {} % of the records raise {} alerts each; window_blocks {}, commit.interval_ms {}{set}\n\n\
             {}\n{}\n{}",
            whole(number(p.records_per_second)),
            p.format,
            p.compression,
            p.seconds,
            p.warmup_seconds,
            p.block_records,
            p.alert_percent,
            super::ALERTS_PER_EVENT,
            p.window_blocks,
            p.commit_interval_ms,
            self.times(),
            self.counts(),
            self.machine.text(),
        )
    }

    fn times(&self) -> String {
        let mut table = Table::new(1, ["milliseconds", "median", "90 %", "99 %", "longest", "of"]);
        let rows = [
            ("event sent → alert read", self.sent_to_alert),
            ("event acknowledged → alert read", self.acknowledged_to_alert),
            ("block complete → alert read", self.complete_to_alert),
            ("event sent → event acknowledged", self.sent_to_acknowledged),
            ("event due → event sent", self.due_to_sent),
        ];
        for (name, spread) in rows {
            let figure =
                |of: fn(&Spread) -> f64| cell(spread.as_ref().map(of), |ms| format!("{ms:.1}"));
            table.row([
                name.to_owned(),
                figure(|spread| spread.median_ms),
                figure(|spread| spread.p90_ms),
                figure(|spread| spread.p99_ms),
                figure(|spread| spread.max_ms),
                cell(spread.map(|spread| spread.count), |count| whole(number(count as u64))),
            ]);
        }
        table.text()
    }

    fn counts(&self) -> String {
        let count = |count: usize| whole(number(count as u64));
        format!(
            "events    {} sent\nalerts    {} due, {} lost, {} doubled, {} unexpected; {} became final\n\
             service   {} s of CPU, {} MB of memory at its peak\n\
             memory    {} MB after the warm-up, {} MB at the end; slope {} MB an hour\n",
            count(self.events),
            count(self.alerts_due),
            count(self.alerts_lost),
            count(self.alerts_doubled),
            count(self.alerts_unexpected),
            count(self.alerts_revised),
            cell(self.service_cpu_seconds, |seconds| format!("{seconds:.2}")),
            cell(self.service_peak_memory_bytes, |bytes| whole(number(bytes) / 1e6)),
            cell(self.service_memory, |memory| whole(number(memory.first_bytes) / 1e6)),
            cell(self.service_memory, |memory| whole(number(memory.last_bytes) / 1e6)),
            cell(self.service_memory, |memory| format!("{:+.1}", memory.bytes_per_hour / 1e6)),
        )
    }

    /// Fails unless each alert came, and came once.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        let Latency { alerts_lost, alerts_doubled, alerts_unexpected, .. } = self;
        ensure!(
            alerts_lost + alerts_doubled + alerts_unexpected == 0,
            "of {} alerts {alerts_lost} were lost, {alerts_doubled} came twice, {alerts_unexpected} \
             came of nothing",
            self.alerts_due
        );
        Ok(())
    }
}

impl Parameters {
    fn of(args: &LatencyArgs) -> Parameters {
        let common = &args.common;
        Parameters {
            format: args.format.name(),
            compression: common.compression.name(),
            records_per_second: args.rate,
            seconds: args.seconds,
            warmup_seconds: args.warmup_seconds,
            block_records: args.block_records,
            window_blocks: args.window_blocks,
            alert_percent: args.alert_percent,
            commit_interval_ms: args.commit_interval_ms,
            set: common.set.iter().map(|(key, value)| format!("{key}={value}")).collect(),
        }
    }
}

/// Far below 2^52.
#[expect(clippy::cast_precision_loss, reason = "counts of records and bytes are far below 2^52")]
fn number(count: u64) -> f64 {
    count as f64
}
