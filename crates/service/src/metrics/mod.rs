//! What the service counts, in one place, for Prometheus.
//!
//! Labels are closed sets: each series of a set exists from the start, so a
//! query never finds a hole. An address, a transaction or a case is never a
//! label. Handles are resolved once; updating one is an atomic addition.

mod catalog;
mod chain;
mod describe;
mod desk;
mod family;
mod process;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use flow_codec::{DecodeError, Ignored};
use flow_core::{Chain, FreezeStatus, RiskLevel, Rule};
use prometheus::{Gauge, GaugeVec, Histogram, IntCounter, IntGauge, Registry, TextEncoder};

pub use chain::{ChainMetrics, ClientMetrics, Wait};
use desk::DeskMetrics;
use family::{Family, Registered};
pub(crate) use process::{memory_at_hand, resident_bytes};

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

/// Everything that is measured.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    registered: Vec<Registered>,
    chains: [ChainMetrics; Chain::ALL.len()],
    ignored: BTreeMap<&'static str, IntCounter>,
    dead_letters: BTreeMap<&'static str, IntCounter>,
    alerts: [[IntCounter; RiskLevel::ALL.len()]; Rule::ALL.len()],
    retracted: [IntCounter; Rule::ALL.len()],
    /// Alerts that were provisional and have become final.
    pub alerts_settled: IntCounter,
    reorg_depth_blocks: Histogram,
    freezes: [IntCounter; FreezeStatus::ALL.len()],
    watermark_lag_seconds: GaugeVec,
    checkpoint_age_seconds: GaugeVec,
    freeze_waiting_seconds: GaugeVec,
    desk: DeskMetrics,
    resident_memory_bytes: IntGauge,
    memory_max_bytes: IntGauge,
    /// Cases that are open.
    pub cases: IntGauge,
    /// Ledgers of cases written.
    pub case_ledgers: IntCounter,
    /// Transactions committed to Kafka.
    pub commits: IntCounter,
    /// Transactions aborted.
    pub transaction_aborts: IntCounter,
    commit_seconds: Histogram,
    batch_records: Histogram,
    checkpoint_seconds: Histogram,
    checkpoint_pause_seconds: Histogram,
}

impl Metrics {
    /// All of them at zero.
    pub fn new() -> Arc<Metrics> {
        use catalog as c;
        let family = Family::default();
        let chain = &["chain"];
        let watermark_lag_seconds = family.floats(c::WATERMARK_LAG, chain);
        let chains = family.chains();
        let alerts = family.counters(c::ALERTS, &["rule", "risk_level"]);
        let rules = Rule::ALL.map(Rule::name);
        let metrics = Metrics {
            chains,
            ignored: family.by_reason(c::IGNORED, Ignored::ALL.into_iter().map(Ignored::name)),
            dead_letters: family.by_reason(
                c::DEAD_LETTERS,
                DecodeError::REASONS.iter().copied().chain(DEAD_LETTER_REASONS),
            ),
            alerts: rules.map(|rule| {
                RiskLevel::ALL.map(|risk| alerts.with_label_values(&[rule, risk.name()]))
            }),
            retracted: family.by(c::ALERTS_RETRACTED, "rule", rules),
            alerts_settled: family.counter(c::ALERTS_SETTLED),
            reorg_depth_blocks: family
                .histogram(c::REORG_DEPTH, &[1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0, 100.0]),
            freezes: family.by(c::FREEZES, "status", FreezeStatus::ALL.map(FreezeStatus::name)),
            watermark_lag_seconds,
            checkpoint_age_seconds: family.floats(c::CHECKPOINT_AGE, chain),
            freeze_waiting_seconds: family.floats(c::FREEZE_WAITING, chain),
            desk: DeskMetrics::new(&family),
            resident_memory_bytes: family.gauge(c::RESIDENT_MEMORY),
            memory_max_bytes: family.gauge(c::MEMORY_MAX),
            cases: family.gauge(c::CASES),
            case_ledgers: family.counter(c::CASE_LEDGERS),
            commits: family.counter(c::COMMITS),
            transaction_aborts: family.counter(c::ABORTS),
            commit_seconds: family.histogram(
                c::COMMIT_SECONDS,
                &[0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0],
            ),
            batch_records: family.histogram(
                c::BATCH_RECORDS,
                &[1.0, 10.0, 100.0, 1_000.0, 5_000.0, 10_000.0, 20_000.0, 50_000.0],
            ),
            checkpoint_seconds: family.histogram(
                c::CHECKPOINT_SECONDS,
                &[0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0],
            ),
            checkpoint_pause_seconds: family.histogram(
                c::CHECKPOINT_PAUSE,
                &[0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5],
            ),
            registered: Vec::new(),
            registry: family.registry.clone(),
        };
        let build = family.gauges(c::BUILD_INFO, &["version"]);
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let started: Gauge = family.float(c::START_TIME);
        started.set(since_epoch().as_secs_f64().floor());
        metrics.limit_memory(None);
        Arc::new(Metrics { registered: family.registered.take(), ..metrics })
    }

    /// What is measured of that chain.
    pub fn chain(&self, chain: Chain) -> &ChainMetrics {
        &self.chains[chain.index()]
    }

    /// What became of recommendations, and how long it took.
    pub fn desk(&self) -> &DeskMetrics {
        &self.desk
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

    /// The counter of alerts of that rule and risk level.
    pub fn alerts(&self, rule: Rule, risk: RiskLevel) -> &IntCounter {
        let level = RiskLevel::ALL.iter().position(|known| *known == risk);
        &self.alerts[rank(rule)][level.expect("ALL holds every level")]
    }

    /// Alerts of that rule, of any risk level.
    pub fn alerts_raised(&self, rule: Rule) -> u64 {
        self.alerts[rank(rule)].iter().map(IntCounter::get).sum()
    }

    /// The counter of retracted alerts of that rule.
    pub fn alerts_retracted(&self, rule: Rule) -> &IntCounter {
        &self.retracted[rank(rule)]
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

    /// The process may take so many bytes; `None`: what there is.
    pub fn limit_memory(&self, max_bytes: Option<u64>) {
        let max = max_bytes.or_else(memory_at_hand).unwrap_or(0);
        self.memory_max_bytes.set(i64::try_from(max).unwrap_or(i64::MAX));
    }

    /// All of them in the text format of Prometheus, as of now.
    pub fn encode(&self) -> String {
        self.measure_lag(since_epoch());
        if let Some(bytes) = resident_bytes() {
            self.resident_memory_bytes.set(bytes);
        }
        TextEncoder::new()
            .encode_to_string(&self.registry.gather())
            .expect("families of a registry are never empty")
    }

    /// A chain without a block applied has no lag to tell.
    fn measure_lag(&self, now: Duration) {
        let since = |at_ms: &AtomicU64| {
            let at_ms = at_ms.load(Ordering::Relaxed);
            (at_ms > 0).then(|| now.saturating_sub(Duration::from_millis(at_ms)).as_secs_f64())
        };
        for chain in Chain::ALL {
            let (of, label) = (self.chain(chain), &[chain.name()]);
            if let Some(seconds) = since(&of.applied_ms) {
                self.watermark_lag_seconds.with_label_values(label).set(seconds);
            }
            if let Some(seconds) = since(&of.checkpoint_ms) {
                self.checkpoint_age_seconds.with_label_values(label).set(seconds);
            }
            let waiting = since(&of.freeze_waiting_ms).unwrap_or(0.0);
            self.freeze_waiting_seconds.with_label_values(label).set(waiting);
        }
    }
}

fn rank(rule: Rule) -> usize {
    Rule::ALL.iter().position(|known| *known == rule).expect("ALL holds every rule")
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use flow_codec::Dropped;
    use flow_core::Refusal;

    use super::*;

    #[test]
    fn every_series_of_a_closed_set_exists_from_the_start() {
        let text = Metrics::new().encode();
        for rule in Rule::ALL.map(Rule::name) {
            let series = format!("usdt_flow_alerts_total{{risk_level=\"High\",rule=\"{rule}\"}} 0");
            assert!(text.contains(&series), "{series}");
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
        assert_eq!(lag.to_bits(), 10_f64.to_bits());
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
