//! What a session tells the metrics beside counting, and the memory that it
//! may take.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use flow_core::Alert;

use super::session::{Session, State};
use super::{FollowError, Log};

/// The pause between two sums over everything; longer where they take long, so
/// that they never take more than a hundredth of the time.
const SUM_PAUSE: Duration = Duration::from_secs(1);

/// Memory is looked at so often.
const WEIGH_PAUSE: Duration = Duration::from_secs(5);

/// Blocks whose arrival is remembered.
const ARRIVALS_MAX: usize = 100_000;

/// How long after its block an alert is committed.
#[derive(Debug, Default)]
pub(super) struct Latency {
    /// By block: when the broker had its first record, in Unix milliseconds.
    arrivals: BTreeMap<u64, u64>,
    /// The block of the last record.
    last: Option<u64>,
    /// What is told and not committed: arrival and time of the block.
    told: Vec<(Option<u64>, u64)>,
}

impl Latency {
    /// A record told of that block.
    pub(super) fn arrived(&mut self, block: Option<u64>, broker_ms: Option<u64>) {
        if block == self.last {
            return;
        }
        self.last = block;
        if let (Some(block), Some(broker_ms)) = (block, broker_ms)
            && self.arrivals.len() < ARRIVALS_MAX
        {
            self.arrivals.entry(block).or_insert(broker_ms);
        }
    }

    /// An alert was raised. What a case that came late brings to light has
    /// waited for the case.
    pub(super) fn told(&mut self, alert: &Alert) {
        if !alert.retroactive {
            let arrival = self.arrivals.get(&alert.block).copied();
            self.told.push((arrival, alert.timestamp_ms));
        }
    }

    /// Blocks up to that one will raise no more.
    fn forget(&mut self, head: u64) {
        self.arrivals = self.arrivals.split_off(&(head + 1));
    }
}

impl<L: Log> Session<'_, '_, L> {
    /// Brings the gauges up to date.
    pub(super) fn measure(&mut self) {
        self.state.measure();
        let began = self.log.now();
        if began >= self.state.sum_due {
            self.state.pipeline.sum(self.state.chain());
            let took = self.log.now().saturating_duration_since(began);
            self.state.sum_due = began + SUM_PAUSE.max(took * 100);
        }
    }
}

impl State<'_> {
    fn measure(&mut self) {
        let chain = self.chain();
        self.pipeline.measure(chain);
        self.latency.forget(self.pipeline.head(chain));
        let (metrics, count) = (self.shared.metrics.chain(chain), self.outputs.outputs().len());
        metrics.outputs.set(i64::try_from(count).unwrap_or(i64::MAX));
        metrics.owed.set(i64::try_from(self.published.owed_len()).unwrap_or(i64::MAX));
    }

    /// What was told is committed now.
    pub(super) fn note_told(&mut self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let since = |at_ms| now.saturating_sub(Duration::from_millis(at_ms));
        let metrics = self.shared.metrics.chain(self.chain());
        for (arrival, block_ms) in self.latency.told.drain(..) {
            metrics.alerted(arrival.map(since), since(block_ms));
        }
    }

    /// Stops in order before the machine stops the process: everything is
    /// committed by now.
    pub(super) fn mind_memory(&mut self, now: Instant) -> Result<(), FollowError> {
        let Some(max) = self.shared.config.limits.memory_max_bytes else { return Ok(()) };
        if now.saturating_duration_since(self.weighed_at) < WEIGH_PAUSE {
            return Ok(());
        }
        self.weighed_at = now;
        let resident = crate::metrics::resident_bytes().and_then(|bytes| u64::try_from(bytes).ok());
        let (resident_mib, max_mib) = (resident.unwrap_or(0) >> 20, max >> 20);
        if resident_mib >= max_mib {
            return Err(FollowError::Fatal(anyhow::anyhow!(
                "{resident_mib} MiB of memory are in use, and limits.memory_max_mb allows \
                 {max_mib}; raise it, or set history.dir so that the past leaves memory"
            )));
        }
        if resident_mib >= max_mib - max_mib / 10 {
            tracing::warn!(resident_mib, max_mib, "memory is near its limit");
        }
        Ok(())
    }
}
