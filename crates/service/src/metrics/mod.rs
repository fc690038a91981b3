//! What the service counts, in one place, for Prometheus.
//!
//! Labels are closed sets: each series of a set exists from the start, so a
//! query never finds a hole. An address, a transaction or a case is never a
//! label. Handles are resolved once; updating one is an atomic addition.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use desk::DeskMetrics;
use flow_codec::{DecodeError, Ignored};
use flow_core::{Action, Chain, FreezeStatus, MemoryStats, Rule};
use prometheus::{
    Counter, CounterVec, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, TextEncoder, core::Collector,
};

mod desk;

/// Reasons for a dead letter beside those of the decoders.
pub const DEAD_LETTER_REASONS: [&str; 10] = [
    "late",
    "conflict",
    "mixed_index",
    "other_branch",
    "reverted",
    "wrong_chain",
    "invalid_case",
    "invalid_label",
    "balance_overflow",
    "other",
];

/// Kinds of events, as `events_total` tells them apart.
pub(crate) const EVENT_KINDS: [&str; 7] =
    ["transfer", "issue", "redeem", "destroy", "blacklist_add", "blacklist_remove", "multisig"];

/// What a follower waits for, as `waiting_seconds_total` tells it apart.
const WAITS: [&str; 4] = ["input", "output", "checkpoint", "owner"];

/// What a follower waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// For records.
    Input = 0,
    /// For outputs to be committed.
    Output = 1,
    /// For the state to be copied.
    Checkpoint = 2,
    /// Standing by, for the one who publishes to come as far.
    Owner = 3,
}

/// Everything that is measured.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    chains: [ChainMetrics; Chain::ALL.len()],
    ignored: BTreeMap<&'static str, IntCounter>,
    dead_letters: BTreeMap<&'static str, IntCounter>,
    alerts: [IntCounter; Rule::ALL.len()],
    retracted: [IntCounter; Rule::ALL.len()],
    /// Alerts that were provisional and have become final.
    pub alerts_settled: IntCounter,
    reorg_depth_blocks: Histogram,
    freezes: [IntCounter; FreezeStatus::ALL.len()],
    desk: DeskMetrics,
    watermark_lag_seconds: IntGaugeVec,
    checkpoint_age_seconds: IntGaugeVec,
    resident_memory_bytes: IntGauge,
    /// Cases that are open.
    pub cases: IntGauge,
    /// Transactions committed to Kafka.
    pub commits: IntCounter,
    /// Transactions aborted.
    pub transaction_aborts: IntCounter,
    commit_seconds: Histogram,
    batch_records: Histogram,
    checkpoint_seconds: Histogram,
    checkpoint_pause_seconds: Histogram,
}

/// What the engine holds of the past.
#[derive(Debug)]
struct MemoryMetrics {
    tail_transfers: IntGauge,
    segments: IntGauge,
    graph_transfers: IntGauge,
    path_transfers: IntGauge,
    revertible_blocks: IntGauge,
}

/// What is measured of one chain.
#[derive(Debug)]
pub struct ChainMetrics {
    /// Records read from its topics.
    pub records_consumed: IntCounter,
    /// Events that came again and were dropped.
    pub duplicates: IntCounter,
    /// Records that came after their block was applied.
    pub late_records: IntCounter,
    /// Gaps found between block numbers.
    pub gaps: IntCounter,
    /// Reorganisations that took applied blocks back.
    pub reorgs: IntCounter,
    /// Reorganisations deeper than finality; each ends the process.
    pub deep_reorgs: IntCounter,
    /// Events of blocks that were never canonical, nor taken back.
    pub orphaned_events: IntCounter,
    /// Blocks applied.
    pub blocks: IntCounter,
    /// The last block seen.
    pub head_block: IntGauge,
    /// The last block known to be final.
    pub final_block: IntGauge,
    /// Blocks read and not yet applied.
    pub held_blocks: IntGauge,
    /// In the order of [`EVENT_KINDS`].
    pub(crate) events: [IntCounter; EVENT_KINDS.len()],
    /// Accounts that the ledger knows.
    pub accounts: IntGauge,
    /// Transfers applied.
    pub transfers: IntGauge,
    /// Cases that are being traced through the past.
    pub late_traces: IntGauge,
    /// 1 while this instance publishes for the chain.
    pub owner: IntGauge,
    /// How often it became the one who does.
    pub takeovers: IntCounter,
    /// What is told and not published, since another instance publishes.
    pub owed: IntGauge,
    /// Seconds in which the follower waited, in the order of [`WAITS`].
    waiting: [Counter; WAITS.len()],
    /// Checkpoints written.
    pub checkpoints: IntCounter,
    /// Checkpoints that could not be written.
    pub checkpoint_failures: IntCounter,
    /// Checkpoints that were found damaged.
    pub checkpoints_damaged: IntCounter,
    /// Bytes of the last checkpoint, without segments.
    pub checkpoint_bytes: IntGauge,
    memory: MemoryMetrics,
    /// Time of the last block applied; 0 before the first.
    applied_ms: AtomicU64,
    /// Unix milliseconds of the last checkpoint; 0 before the first.
    checkpoint_ms: AtomicU64,
}

impl ChainMetrics {
    /// The counter of events of that kind.
    pub fn events(&self, action: &Action) -> &IntCounter {
        let kind = match action {
            Action::Transfer { .. } => 0,
            Action::Issue { .. } => 1,
            Action::Redeem { .. } => 2,
            Action::Destroy { .. } => 3,
            Action::BlacklistAdd { .. } => 4,
            Action::BlacklistRemove { .. } => 5,
            Action::Multisig(_) => 6,
        };
        &self.events[kind]
    }

    /// What the engine holds of the past now.
    pub fn remembered(&self, memory: &MemoryStats) {
        let gauge = |value: usize| i64::try_from(value).unwrap_or(i64::MAX);
        self.memory.tail_transfers.set(gauge(memory.tail_transfers));
        self.memory.segments.set(gauge(memory.segments));
        self.memory.graph_transfers.set(gauge(memory.graph_transfers));
        self.memory.path_transfers.set(gauge(memory.path_transfers));
        self.memory.revertible_blocks.set(gauge(memory.revertible_blocks));
    }

    /// The follower has waited.
    pub fn waited(&self, wait: Wait, time: Duration) {
        self.waiting[wait as usize].inc_by(time.as_secs_f64());
    }

    /// A checkpoint of so many bytes was written at that time, in Unix
    /// milliseconds.
    pub fn checkpointed(&self, bytes: u64, at_ms: u64) {
        self.checkpoints.inc();
        self.checkpoint_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        self.checkpoint_ms.store(at_ms, Ordering::Relaxed);
    }

    /// A block of that time has been applied.
    pub fn applied(&self, timestamp_ms: u64) {
        self.blocks.inc();
        self.applied_ms.store(timestamp_ms, Ordering::Relaxed);
    }
}

impl Metrics {
    /// All of them at zero.
    pub fn new() -> Arc<Metrics> {
        let family = Family { registry: Registry::new() };
        family.build_info();
        let freezes = family.counters(
            "freeze_recommendations_total",
            "Freeze recommendations written, by status",
            &["status"],
        );
        let by_rule = |name: &str, help: &str| {
            let counters = family.counters(name, help, &["rule"]);
            Rule::ALL.map(|rule| counters.with_label_values(&[rule.name()]))
        };
        Arc::new(Metrics {
            chains: family.chains(),
            ignored: family.by_reason(
                "ignored_total",
                "Records read and of no concern, by reason",
                Ignored::ALL.into_iter().map(Ignored::name),
            ),
            dead_letters: family.by_reason(
                "dead_letters_total",
                "Records that could not be read or applied, by reason",
                DecodeError::REASONS.iter().copied().chain(DEAD_LETTER_REASONS),
            ),
            alerts: by_rule("alerts_total", "Alerts raised, by rule"),
            retracted: by_rule("alerts_retracted_total", "Alerts taken back, by rule"),
            alerts_settled: family.counter(
                "alerts_settled_total",
                "Alerts told as provisional that have become final",
            ),
            reorg_depth_blocks: family.histogram(
                "reorg_depth_blocks",
                "Blocks from the first that was taken back to the head",
                &[1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0, 100.0],
            ),
            desk: DeskMetrics::new(&family),
            freezes: FreezeStatus::ALL.map(|status| freezes.with_label_values(&[status.name()])),
            watermark_lag_seconds: family.gauges(
                "watermark_lag_seconds",
                "Seconds from the time of the last block applied to now",
                "chain",
            ),
            checkpoint_age_seconds: family.gauges(
                "checkpoint_age_seconds",
                "Seconds since the last checkpoint was written or read",
                "chain",
            ),
            resident_memory_bytes: family.process_memory(),
            cases: family.gauge("cases", "Cases that are open"),
            commits: family.counter("commits_total", "Transactions committed to Kafka"),
            transaction_aborts: family.counter("transaction_aborts_total", "Transactions aborted"),
            commit_seconds: family.commit_seconds(),
            batch_records: family.histogram(
                "batch_records",
                "Records in a transaction",
                &[1.0, 10.0, 100.0, 1_000.0, 5_000.0, 10_000.0, 20_000.0, 50_000.0],
            ),
            checkpoint_seconds: family.histogram(
                "checkpoint_seconds",
                "Seconds from a checkpoint's beginning until it was kept",
                &[0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0],
            ),
            checkpoint_pause_seconds: family.histogram(
                "checkpoint_pause_seconds",
                "Seconds in which the stream stood still for a checkpoint",
                &[0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5],
            ),
            registry: family.registry,
        })
    }

    /// What is measured of that chain.
    pub fn chain(&self, chain: Chain) -> &ChainMetrics {
        &self.chains[chain.index()]
    }

    /// The counter of records ignored for that reason.
    pub fn ignored(&self, reason: Ignored) -> &IntCounter {
        &self.ignored[reason.name()]
    }

    /// The counter of dead letters for that reason; one outside the closed set
    /// counts as `other`.
    pub fn dead_letters(&self, reason: &str) -> &IntCounter {
        self.dead_letters.get(reason).unwrap_or_else(|| &self.dead_letters["other"])
    }

    /// The counter of alerts of that rule.
    pub fn alerts(&self, rule: Rule) -> &IntCounter {
        let position = Rule::ALL.iter().position(|known| *known == rule);
        &self.alerts[position.expect("ALL holds every rule")]
    }

    /// The counter of retracted alerts of that rule.
    pub fn alerts_retracted(&self, rule: Rule) -> &IntCounter {
        let position = Rule::ALL.iter().position(|known| *known == rule);
        &self.retracted[position.expect("ALL holds every rule")]
    }

    /// A reorganisation took so many blocks back.
    pub fn reorganized(&self, depth_blocks: u64) {
        // Exact as far as any chain will ever go.
        let depth = u32::try_from(depth_blocks).unwrap_or(u32::MAX);
        self.reorg_depth_blocks.observe(f64::from(depth));
    }

    /// The counter of recommendations of that status.
    pub fn freeze_recommendations(&self, status: FreezeStatus) -> &IntCounter {
        let position = FreezeStatus::ALL.iter().position(|known| *known == status);
        &self.freezes[position.expect("ALL holds every status")]
    }

    /// The freeze desk as it stands, and how long it took.
    pub fn desk(&self) -> &DeskMetrics {
        &self.desk
    }

    /// A transaction of so many records has been committed in that time.
    pub fn committed(&self, records: u32, took: Duration) {
        self.commits.inc();
        self.batch_records.observe(f64::from(records));
        self.commit_seconds.observe(took.as_secs_f64());
    }

    /// A checkpoint was kept so long after it was begun.
    pub fn checkpoint_took(&self, took: Duration) {
        self.checkpoint_seconds.observe(took.as_secs_f64());
    }

    /// The stream stood still so long for a checkpoint.
    pub fn checkpoint_paused(&self, pause: Duration) {
        self.checkpoint_pause_seconds.observe(pause.as_secs_f64());
    }

    /// All of them in the text format of Prometheus, as of now.
    pub fn encode(&self) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.measure_lag(now);
        if let Some(bytes) = resident_bytes() {
            self.resident_memory_bytes.set(bytes);
        }
        TextEncoder::new()
            .encode_to_string(&self.registry.gather())
            .expect("families of a registry are never empty")
    }

    /// A chain without a block applied has no lag to tell.
    fn measure_lag(&self, now: Duration) {
        for chain in Chain::ALL {
            let times = [
                (&self.chain(chain).applied_ms, &self.watermark_lag_seconds),
                (&self.chain(chain).checkpoint_ms, &self.checkpoint_age_seconds),
            ];
            for (at_ms, seconds) in times {
                let at_ms = at_ms.load(Ordering::Relaxed);
                if at_ms > 0 {
                    let since = now.saturating_sub(Duration::from_millis(at_ms)).as_secs();
                    let since = i64::try_from(since).unwrap_or(i64::MAX);
                    seconds.with_label_values(&[chain.name()]).set(since);
                }
            }
        }
    }
}

/// Resident memory as Linux tells it; nothing elsewhere.
pub(crate) fn resident_bytes() -> Option<i64> {
    // `statm` counts in pages, whose size differs between machines.
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: i64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// Makes and registers metrics under the prefix of usdt-flow.
struct Family {
    registry: Registry,
}

impl Family {
    fn register<C: Collector + Clone + 'static>(&self, made: prometheus::Result<C>) -> C {
        let metric = made.expect("names and labels are well formed");
        self.registry.register(Box::new(metric.clone())).expect("each name is registered once");
        metric
    }

    fn counter(&self, name: &str, help: &str) -> IntCounter {
        self.register(IntCounter::with_opts(options(name, help)))
    }

    fn counters(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        self.register(IntCounterVec::new(options(name, help), labels))
    }

    fn seconds(&self, name: &str, help: &str, labels: &[&str]) -> CounterVec {
        self.register(CounterVec::new(options(name, help), labels))
    }

    fn gauge(&self, name: &str, help: &str) -> IntGauge {
        self.register(IntGauge::with_opts(options(name, help)))
    }

    fn gauges(&self, name: &str, help: &str, label: &str) -> IntGaugeVec {
        self.register(IntGaugeVec::new(options(name, help), &[label]))
    }

    fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> Histogram {
        let options = HistogramOpts::from(options(name, help)).buckets(buckets.to_vec());
        self.register(Histogram::with_opts(options))
    }

    /// The one name without our prefix: every exporter calls it so.
    fn process_memory(&self) -> IntGauge {
        let help = "Resident memory size in bytes.";
        self.register(IntGauge::with_opts(Opts::new("process_resident_memory_bytes", help)))
    }

    fn by_reason(
        &self,
        name: &str,
        help: &str,
        reasons: impl Iterator<Item = &'static str>,
    ) -> BTreeMap<&'static str, IntCounter> {
        let counters = self.counters(name, help, &["reason"]);
        reasons.map(|reason| (reason, counters.with_label_values(&[reason]))).collect()
    }

    fn build_info(&self) {
        let build = self.gauges("build_info", "1, by version of usdt-flow", "version");
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
    }

    fn commit_seconds(&self) -> Histogram {
        self.histogram(
            "commit_seconds",
            "Seconds that a commit took",
            &[0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0],
        )
    }

    /// By chain and what was waited for.
    fn waiting(&self) -> CounterVec {
        let help = "Seconds in which the follower waited, by what for";
        self.seconds("waiting_seconds_total", help, &["chain", "stage"])
    }

    fn chains(&self) -> [ChainMetrics; Chain::ALL.len()] {
        let count = |name: &str, help: &str| self.counters(name, help, &["chain"]);
        let gauge = |name: &str, help: &str| self.gauges(name, help, "chain");
        let records = count("records_consumed_total", "Records read from input topics");
        let duplicates = count("duplicates_total", "Events that came again and were dropped");
        let late = count("late_records_total", "Records that came after their block was applied");
        let gaps = count("gaps_total", "Gaps found between block numbers");
        let reorgs = count("reorgs_total", "Reorganisations that took applied blocks back");
        let deep = count("deep_reorgs_total", "Reorganisations of final blocks; each is an end");
        let orphaned = count("orphaned_events_total", "Events taken that no canonical block holds");
        let blocks = count("blocks_total", "Blocks applied");
        let head = gauge("head_block", "Number of the last block seen");
        let last_final = gauge("final_block", "Number of the last block known to be final");
        let held = gauge("held_blocks", "Blocks read and not yet applied");
        let events = self.counters("events_total", "USDT events applied", &["chain", "kind"]);
        let accounts = gauge("accounts", "Accounts that the ledger knows");
        let transfers = gauge("transfers", "Transfers applied");
        let late_traces = gauge("late_traces", "Cases that are being traced through the past");
        let owner = gauge("owner", "1 while this instance publishes for the chain");
        let takeovers = count("takeovers_total", "Times this instance began to publish");
        let owed = gauge("owed", "Things told and not published, as another instance publishes");
        let waiting = self.waiting();
        let checkpoints = count("checkpoints_total", "Checkpoints written");
        let failures = count("checkpoint_failures_total", "Checkpoints that could not be written");
        let damaged = count("checkpoints_damaged_total", "Checkpoints that were found damaged");
        let bytes = gauge("checkpoint_bytes", "Bytes of the last checkpoint, without segments");
        let tail = gauge("tail_transfers", "Transfers not sealed in a segment yet");
        let segments = gauge("segments", "Segments of the past that were sealed");
        let graph = gauge("graph_transfers", "Newest transfers that the graph holds");
        let paths = gauge("path_transfers", "Transfers on paths that were told, kept at hand");
        let revertible = gauge("revertible_blocks", "Blocks kept to be taken back");
        Chain::ALL.map(|chain| {
            let label = &[chain.name()];
            ChainMetrics {
                records_consumed: records.with_label_values(label),
                duplicates: duplicates.with_label_values(label),
                late_records: late.with_label_values(label),
                gaps: gaps.with_label_values(label),
                reorgs: reorgs.with_label_values(label),
                deep_reorgs: deep.with_label_values(label),
                orphaned_events: orphaned.with_label_values(label),
                blocks: blocks.with_label_values(label),
                head_block: head.with_label_values(label),
                final_block: last_final.with_label_values(label),
                held_blocks: held.with_label_values(label),
                events: EVENT_KINDS.map(|kind| events.with_label_values(&[chain.name(), kind])),
                accounts: accounts.with_label_values(label),
                transfers: transfers.with_label_values(label),
                late_traces: late_traces.with_label_values(label),
                owner: owner.with_label_values(label),
                takeovers: takeovers.with_label_values(label),
                owed: owed.with_label_values(label),
                waiting: WAITS.map(|wait| waiting.with_label_values(&[chain.name(), wait])),
                checkpoints: checkpoints.with_label_values(label),
                checkpoint_failures: failures.with_label_values(label),
                checkpoints_damaged: damaged.with_label_values(label),
                checkpoint_bytes: bytes.with_label_values(label),
                memory: MemoryMetrics {
                    tail_transfers: tail.with_label_values(label),
                    segments: segments.with_label_values(label),
                    graph_transfers: graph.with_label_values(label),
                    path_transfers: paths.with_label_values(label),
                    revertible_blocks: revertible.with_label_values(label),
                },
                applied_ms: AtomicU64::new(0),
                checkpoint_ms: AtomicU64::new(0),
            }
        })
    }
}

fn options(name: &str, help: &str) -> Opts {
    Opts::new(format!("usdt_flow_{name}"), help)
}

#[cfg(test)]
mod tests {
    use flow_codec::Dropped;
    use flow_core::Refusal;

    use super::*;

    #[test]
    fn every_series_of_a_closed_set_exists_from_the_start() {
        let text = Metrics::new().encode();
        for rule in Rule::ALL {
            assert!(
                text.contains(&format!("usdt_flow_alerts_total{{rule=\"{}\"}} 0", rule.name()))
            );
        }
        assert!(text.contains("usdt_flow_events_total{chain=\"tron\",kind=\"blacklist_add\"} 0"));
        assert!(text.contains("usdt_flow_dead_letters_total{reason=\"late\"} 0"));
        assert!(text.contains("usdt_flow_build_info{version="));
    }

    #[test]
    fn lag_is_told_once_a_block_was_applied() {
        let metrics = Metrics::new();
        metrics.measure_lag(Duration::from_secs(100));
        assert!(!metrics.encode().contains("watermark_lag_seconds{"));
        metrics.chain(Chain::Tron).applied(90_000);
        metrics.measure_lag(Duration::from_secs(100));
        let lag = metrics.watermark_lag_seconds.with_label_values(&["tron"]).get();
        assert_eq!(lag, 10);
        assert_eq!(metrics.chain(Chain::Tron).blocks.get(), 1);
    }

    #[test]
    fn the_reasons_cover_those_of_assembler_and_engine() {
        for reason in Dropped::REASONS.into_iter().chain([Refusal::BalanceOverflow.name()]) {
            assert!(DEAD_LETTER_REASONS.contains(&reason), "{reason}");
        }
    }

    #[test]
    fn an_unknown_reason_counts_as_other() {
        let metrics = Metrics::new();
        metrics.dead_letters("no such reason").inc();
        assert_eq!(metrics.dead_letters("other").get(), 1);
        assert_eq!(metrics.dead_letters("late").get(), 0);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn memory_is_measured() {
        assert!(resident_bytes().unwrap() > 1024 * 1024);
    }

    #[test]
    fn a_commit_counts_once_everywhere() {
        let metrics = Metrics::new();
        metrics.committed(12, Duration::from_millis(7));
        let text = metrics.encode();
        assert!(text.contains("usdt_flow_commits_total 1"));
        assert!(text.contains("usdt_flow_batch_records_sum 12"));
        assert!(text.contains("usdt_flow_commit_seconds_bucket{le=\"0.01\"} 1"));
    }
}
