//! Prints alerts and recommendations as they come out of the output topics.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use flow_codec::wire::{AlertRecord, FreezeRecord};
use rdkafka::Message;

use crate::config::Config;
use crate::kafka::TopicReader;
use crate::summary::usdt;

/// What was committed last may take so long to reach us.
const PATIENCE: Duration = Duration::from_secs(5);

/// A record read and not yet printed.
struct Line {
    /// RFC 3339, so the order of texts is the order of time.
    time: String,
    text: String,
}

/// See the module.
pub struct Printer {
    alerts: TopicReader,
    freezes: TopicReader,
    waiting: [Option<Line>; 2],
    color: bool,
    quiet: bool,
    shown: u64,
}

impl Printer {
    /// Opens the output topics.
    ///
    /// # Errors
    /// If a topic cannot be read.
    pub fn open(config: &Config, color: bool, quiet: bool) -> anyhow::Result<Printer> {
        Ok(Printer {
            alerts: TopicReader::open(&config.kafka, &config.output.alerts_topic)?,
            freezes: TopicReader::open(&config.kafka, &config.output.freezes_topic)?,
            waiting: [None, None],
            color,
            quiet,
            shown: 0,
        })
    }

    /// Prints until `total` is known and printed. Returns how many records
    /// there were.
    ///
    /// # Errors
    /// If a record is not what its schema says, or nothing can be printed.
    pub fn print(mut self, total: &AtomicU64) -> anyhow::Result<u64> {
        let mut heard = Instant::now();
        loop {
            while self.print_next()? {
                heard = Instant::now();
            }
            let total = total.load(Ordering::Relaxed);
            if self.shown >= total || (total < u64::MAX && heard.elapsed() > PATIENCE) {
                return Ok(self.shown);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Prints the earlier of the next records of both topics.
    fn print_next(&mut self) -> anyhow::Result<bool> {
        if self.waiting[0].is_none()
            && let Some(message) = self.alerts.try_next()?
        {
            self.waiting[0] =
                Some(alert_line(&serde_json::from_slice(message.payload().unwrap_or_default())?));
        }
        if self.waiting[1].is_none()
            && let Some(message) = self.freezes.try_next()?
        {
            self.waiting[1] =
                Some(freeze_line(&serde_json::from_slice(message.payload().unwrap_or_default())?));
        }
        let freeze_first = match &self.waiting {
            [Some(alert), Some(freeze)] => freeze.time < alert.time,
            [alert, _] => alert.is_none(),
        };
        let Some(line) = self.waiting[usize::from(freeze_first)].take() else {
            return Ok(false);
        };
        self.shown += 1;
        if !self.quiet {
            let mut out = std::io::stdout().lock();
            let (begin, end) = match (self.color, freeze_first) {
                (false, _) => ("", ""),
                (true, false) => ("\x1b[33m", "\x1b[0m"),
                (true, true) => ("\x1b[1;31m", "\x1b[0m"),
            };
            writeln!(out, "{begin}{}{end}", line.text)?;
        }
        Ok(true)
    }
}

fn alert_line(alert: &AlertRecord) -> Line {
    let service = alert.service.as_ref().map(|s| format!(" at {}", s.entity)).unwrap_or_default();
    let text = format!(
        "{} ALERT  {:<8} {:<13} {:<20} {:>20} USDT  hop {:<2} {}{service}",
        clock(&alert.time),
        alert.risk_level,
        alert.rule,
        alert.case,
        usdt(alert.tainted.0.into()),
        alert.hops,
        alert.address,
    );
    Line { time: alert.time.clone(), text }
}

fn freeze_line(freeze: &FreezeRecord) -> Line {
    let cases: Vec<&str> = freeze.claims.iter().map(|claim| claim.case.as_str()).collect();
    let desk = freeze.act_by.entity.as_deref().unwrap_or("the issuer");
    let text = format!(
        "{} FREEZE {:<8} {:<13} {:<20} {:>20} USDT  by {desk}: {}",
        clock(&freeze.time),
        "",
        freeze.status,
        cases.join(","),
        usdt(freeze.tainted.0.into()),
        freeze.address,
    );
    Line { time: freeze.time.clone(), text }
}

/// The time of day of an RFC 3339 time.
fn clock(time: &str) -> &str {
    time.get(11..19).unwrap_or(time)
}
