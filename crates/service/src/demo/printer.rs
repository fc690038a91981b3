//! Prints alerts and recommendations as they come out of the output topics.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use flow_codec::wire::{AlertRecord, FreezeRecord};
use rdkafka::Message;

use crate::config::Config;
use crate::kafka::TopicReader;
use crate::summary::usdt;

/// See the module.
pub struct Printer {
    alerts: TopicReader,
    freezes: TopicReader,
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
            color,
            quiet,
            shown: 0,
        })
    }

    /// Prints until `done`, and then what is left. Returns how many records
    /// there were.
    ///
    /// # Errors
    /// If a record is not what its schema says, or nothing can be printed.
    pub fn print(mut self, done: &AtomicBool) -> anyhow::Result<u64> {
        loop {
            let last = done.load(Ordering::Relaxed);
            let mut found = false;
            while self.print_next()? {
                found = true;
            }
            if last && !found {
                // What was committed last may still be on its way to us.
                std::thread::sleep(Duration::from_millis(300));
                while self.print_next()? {}
                return Ok(self.shown);
            }
            if !found {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }

    fn print_next(&mut self) -> anyhow::Result<bool> {
        let alert = match self.alerts.try_next()? {
            Some(message) => {
                Some(alert_line(&serde_json::from_slice(message.payload().unwrap_or_default())?))
            }
            None => None,
        };
        let freeze = match self.freezes.try_next()? {
            Some(message) => {
                Some(freeze_line(&serde_json::from_slice(message.payload().unwrap_or_default())?))
            }
            None => None,
        };
        let found = alert.is_some() || freeze.is_some();
        for (line, color) in [(alert, "33"), (freeze, "1;31")] {
            let Some(line) = line else { continue };
            self.shown += 1;
            if self.quiet {
                continue;
            }
            let mut out = std::io::stdout().lock();
            if self.color {
                writeln!(out, "\x1b[{color}m{line}\x1b[0m")?;
            } else {
                writeln!(out, "{line}")?;
            }
        }
        Ok(found)
    }
}

fn alert_line(alert: &AlertRecord) -> String {
    let service = alert.service.as_ref().map(|s| format!(" at {}", s.entity)).unwrap_or_default();
    format!(
        "{} ALERT  {:<8} {:<13} {:<20} {:>20} USDT  hop {:<2} {}{service}",
        clock(&alert.time),
        alert.risk_level,
        alert.rule,
        alert.case,
        usdt(alert.tainted.0.into()),
        alert.hops,
        alert.address,
    )
}

fn freeze_line(freeze: &FreezeRecord) -> String {
    let cases: Vec<&str> = freeze.claims.iter().map(|claim| claim.case.as_str()).collect();
    let desk = freeze.act_by.entity.as_deref().unwrap_or("the issuer");
    format!(
        "{} FREEZE {:<8} {:<13} {:<20} {:>20} USDT  by {desk}: {}",
        clock(&freeze.time),
        "",
        freeze.status,
        cases.join(","),
        usdt(freeze.tainted.0.into()),
        freeze.address,
    )
}

/// The time of day of an RFC 3339 time.
fn clock(time: &str) -> &str {
    time.get(11..19).unwrap_or(time)
}
