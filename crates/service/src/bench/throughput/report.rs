//! What was measured, for people and for programs.

use anyhow::ensure;
use serde::Serialize;

use super::super::machine::Machine;
use super::super::statistics::median;
use super::super::table::{Table, cell, whole};
use super::bare::Bare;
use super::fill::Filled;
use super::service::Drained;

/// The result of `bench throughput`.
#[derive(Debug, Serialize)]
pub(crate) struct Throughput {
    pub(super) machine: Machine,
    pub(super) compression: &'static str,
    pub(super) formats: Vec<OfFormat>,
}

/// The runs of one format.
#[derive(Debug, Serialize)]
pub(super) struct OfFormat {
    format: &'static str,
    records: u64,
    /// What they tell of.
    events: u64,
    /// Those of them that cannot be read.
    poisoned: u64,
    bytes: u64,
    runs: Vec<Run>,
    median: Median,
}

/// Both readers, one after the other.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Run {
    pub(super) bare: Bare,
    pub(super) service: Drained,
}

/// Of each figure the median over the runs.
#[derive(Clone, Copy, Debug, Serialize)]
struct Median {
    bare_records_per_second: Option<f64>,
    records_per_second: Option<f64>,
    /// Of each run's rate to that of the bare consumer in the same run.
    ratio: Option<f64>,
    bare_cpu_seconds: Option<f64>,
    cpu_seconds: Option<f64>,
    peak_memory_bytes: Option<f64>,
    startup_seconds: Option<f64>,
    bare_drain_seconds: Option<f64>,
    drain_seconds: Option<f64>,
    ending_seconds: Option<f64>,
}

/// The cells of one line.
struct Line {
    run: String,
    reader: &'static str,
    rate: Option<f64>,
    ratio: Option<f64>,
    cpu_seconds: Option<f64>,
    peak_bytes: Option<f64>,
    seconds: [Option<f64>; 3],
    alerts: Option<u64>,
}

impl Run {
    fn ratio(&self) -> Option<f64> {
        Some(self.service.records_per_second? / self.bare.records_per_second?)
    }
}

impl Median {
    fn of(runs: &[Run]) -> Median {
        let of = |figure: fn(&Run) -> Option<f64>| median(runs.iter().filter_map(figure));
        Median {
            bare_records_per_second: of(|run| run.bare.records_per_second),
            records_per_second: of(|run| run.service.records_per_second),
            ratio: of(Run::ratio),
            bare_cpu_seconds: of(|run| run.bare.cpu_seconds),
            cpu_seconds: of(|run| run.service.cpu_seconds),
            peak_memory_bytes: of(|run| run.service.peak_memory_bytes.map(exact)),
            startup_seconds: of(|run| run.service.startup_seconds),
            bare_drain_seconds: of(|run| Some(run.bare.drain_seconds)),
            drain_seconds: of(|run| run.service.drain_seconds),
            ending_seconds: of(|run| run.service.ending_seconds),
        }
    }
}

impl OfFormat {
    pub(super) fn new(format: &'static str, filled: &Filled, runs: Vec<Run>) -> OfFormat {
        let median = Median::of(&runs);
        let Filled { records, events, poisoned, bytes, .. } = *filled;
        OfFormat { format, records, events, poisoned, bytes, runs, median }
    }

    fn text(&self, compression: &str) -> String {
        let heading = [
            "run",
            "reader",
            "records/s",
            "of bare",
            "events/s",
            "CPU s",
            "CPU µs/event",
            "peak MB",
            "start s",
            "drain s",
            "end s",
            "alerts",
        ];
        let mut table = Table::new(2, heading);
        for line in self.lines() {
            table.row(line.cells(exact(self.records), exact(self.events)));
        }
        let poisoned = match self.poisoned {
            0 => String::new(),
            count => format!(" ({} of them cannot be read)", whole(exact(count))),
        };
        format!(
            "{}: {} events in {} records{poisoned} of {} bytes, {compression} compression, one \
             partition\n\n{}",
            self.format,
            whole(exact(self.events)),
            whole(exact(self.records)),
            whole(exact(self.bytes) / exact(self.records)),
            table.text(),
        )
    }

    fn lines(&self) -> Vec<Line> {
        let mut lines = Vec::new();
        for (at, run) in self.runs.iter().enumerate() {
            let number = (at + 1).to_string();
            let Run { bare, service } = run;
            let bare = (bare.records_per_second, bare.cpu_seconds, Some(bare.drain_seconds));
            lines.push(Line::bare(number.clone(), bare));
            lines.push(Line {
                run: number,
                reader: "usdt-flow",
                rate: service.records_per_second,
                ratio: run.ratio(),
                cpu_seconds: service.cpu_seconds,
                peak_bytes: service.peak_memory_bytes.map(exact),
                seconds: [service.startup_seconds, service.drain_seconds, service.ending_seconds],
                alerts: Some(service.alerts),
            });
        }
        let m = &self.median;
        let bare = (m.bare_records_per_second, m.bare_cpu_seconds, m.bare_drain_seconds);
        lines.push(Line::bare("median".to_owned(), bare));
        lines.push(Line {
            run: "median".to_owned(),
            reader: "usdt-flow",
            rate: m.records_per_second,
            ratio: m.ratio,
            cpu_seconds: m.cpu_seconds,
            peak_bytes: m.peak_memory_bytes,
            seconds: [m.startup_seconds, m.drain_seconds, m.ending_seconds],
            alerts: None,
        });
        lines
    }
}

impl Line {
    fn bare(
        run: String,
        (rate, cpu_seconds, drain): (Option<f64>, Option<f64>, Option<f64>),
    ) -> Line {
        let (reader, seconds) = ("bare", [None, drain, None]);
        Line {
            run,
            reader,
            rate,
            ratio: None,
            cpu_seconds,
            peak_bytes: None,
            seconds,
            alerts: None,
        }
    }

    fn cells(self, records: f64, events: f64) -> [String; 12] {
        let seconds = self.seconds.map(|seconds| cell(seconds, |seconds| format!("{seconds:.2}")));
        let [start, drain, end] = seconds;
        [
            self.run,
            self.reader.to_owned(),
            cell(self.rate, whole),
            cell(self.ratio, |ratio| format!("{:.0} %", ratio * 100.0)),
            cell(self.rate.map(|rate| rate * events / records), whole),
            cell(self.cpu_seconds, |seconds| format!("{seconds:.2}")),
            cell(self.cpu_seconds, |seconds| format!("{:.2}", seconds * 1e6 / events)),
            cell(self.peak_bytes, |bytes| whole(bytes / 1e6)),
            start,
            drain,
            end,
            cell(self.alerts, |alerts| whole(exact(alerts))),
        ]
    }
}

impl Throughput {
    /// The tables, then where they were measured.
    pub(crate) fn text(&self) -> String {
        let tables: Vec<String> =
            self.formats.iter().map(|format| format.text(self.compression)).collect();
        format!(
            "{}\nstart: to the first record; drain: from the first record to the last; end: to the \
             exit.\nCPU and memory are those of the whole process, start and end included.\n\n{}",
            tables.join("\n"),
            self.machine.text()
        )
    }

    /// Fails unless all runs of a format wrote as many alerts.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        for OfFormat { format, runs, .. } in &self.formats {
            let alerts: Vec<u64> = runs.iter().map(|run| run.service.alerts).collect();
            let equal = alerts.windows(2).all(|pair| pair[0] == pair[1]);
            ensure!(equal, "the runs over {format} wrote different numbers of alerts: {alerts:?}");
        }
        Ok(())
    }
}

/// Far below 2^52.
#[expect(clippy::cast_precision_loss, reason = "counts of records and bytes are far below 2^52")]
fn exact(count: u64) -> f64 {
    count as f64
}
