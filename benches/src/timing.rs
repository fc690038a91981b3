//! Times of several runs, and the memory that a process holds.

use std::fmt;
use std::time::Duration;

/// ns for one transfer, in some runs.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// Of all runs.
    pub median: f64,
    least: f64,
    most: f64,
}

impl Timing {
    /// Of at least one run.
    pub fn of(mut runs: Vec<f64>) -> Timing {
        runs.sort_unstable_by(f64::total_cmp);
        let (least, most) = (runs[0], runs[runs.len() - 1]);
        Timing { median: runs[runs.len() / 2], least, most }
    }
}

impl fmt::Display for Timing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Timing { median, least, most } = self;
        write!(f, "{median:.0} ({least:.0} to {most:.0})")
    }
}

/// ns for each of so many transfers.
pub fn each(took: Duration, transfers: impl TryInto<u32>) -> f64 {
    took.as_secs_f64() * 1e9 / float(transfers)
}

/// The count as a number to divide by.
pub fn float(count: impl TryInto<u32>) -> f64 {
    count.try_into().map_or(f64::INFINITY, f64::from)
}

/// Memory that the process holds now, in MB; 0 where the system does not tell.
pub fn resident_mb() -> u64 {
    status_mb("VmRSS:")
}

/// The most that it has ever held.
pub fn peak_mb() -> u64 {
    status_mb("VmHWM:")
}

fn status_mb(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) / 1024
}
