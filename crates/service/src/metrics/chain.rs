//! What is measured of one chain.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use flow_codec::Format;
use flow_core::{Action, Chain, FreezeStatus, MemoryStats, Sums};
use prometheus::{Counter, Gauge, Histogram, IntCounter, IntGauge};

use super::family::Family;
use super::{EVENT_KINDS, catalog};
use crate::http::Stage;

/// What a follower waits for, as `waiting_seconds_total` tells it apart.
const WAITS: [&str; 4] = ["input", "output", "checkpoint", "owner"];

/// Where records wait, as `queue_records` tells it apart.
const QUEUES: [&str; 3] = ["prefetch", "intake", "outputs"];

/// Where tainted units are, as `tainted_units` tells it apart.
const UNIT_STATES: [&str; 8] =
    ["emitted", "held", "frozen", "service", "redeemed", "destroyed", "dust", "horizon"];

/// Seconds to an alert.
const LATENCY_BUCKETS: [f64; 15] =
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3_600.0];

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

/// What the engine holds of the past.
#[derive(Debug)]
struct MemoryMetrics {
    tail_transfers: IntGauge,
    segments: IntGauge,
    graph_transfers: IntGauge,
    path_transfers: IntGauge,
    revertible_blocks: IntGauge,
}

/// Sums over cases, tainted accounts and recommendations.
#[derive(Debug)]
struct SumMetrics {
    tainted_accounts: IntGauge,
    /// In the order of [`UNIT_STATES`].
    units: [Gauge; UNIT_STATES.len()],
    /// Accounts by the status of their recommendation.
    freezes: [IntGauge; FreezeStatus::ALL.len()],
    freeze_units: [Gauge; FreezeStatus::ALL.len()],
}

/// What the client of the input topics says of itself.
#[derive(Clone, Debug)]
pub struct ClientMetrics {
    /// Records in the topics that were not handed out yet.
    pub lag_records: IntGauge,
    /// Records fetched and not handed out.
    pub prefetch_records: IntGauge,
    /// Records decoded and not applied.
    pub intake_records: IntGauge,
    /// By rank in [`Format::ALL`]; the last one counts what has no format.
    pub formats: [IntCounter; Format::ALL.len() + 1],
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
    /// Blocks after which the books of a case did not balance; likewise.
    pub conservation_failures: IntCounter,
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
    sums: SumMetrics,
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
    /// Records told and not committed.
    pub outputs: IntGauge,
    /// Sessions that ended in an error.
    pub session_failures: IntCounter,
    /// Seconds in which the follower waited, in the order of [`WAITS`].
    waiting: [Counter; WAITS.len()],
    broker_to_alert: Histogram,
    block_to_alert: Histogram,
    /// Checkpoints written.
    pub checkpoints: IntCounter,
    /// Checkpoints that could not be written.
    pub checkpoint_failures: IntCounter,
    /// Checkpoints that were found damaged.
    pub checkpoints_damaged: IntCounter,
    /// Bytes of the last checkpoint, without segments.
    pub checkpoint_bytes: IntGauge,
    /// Of the client of the input topics.
    pub client: ClientMetrics,
    /// Brokers to which a connection stands.
    pub brokers_up: IntGauge,
    memory: MemoryMetrics,
    stages: [IntGauge; Stage::ALL.len()],
    followed: IntGauge,
    heartbeat_age: IntGauge,
    /// Time of the last block applied; 0 before the first.
    pub(super) applied_ms: AtomicU64,
    /// Unix milliseconds of the last checkpoint; 0 before the first.
    pub(super) checkpoint_ms: AtomicU64,
    /// When the oldest recommendation was raised that nobody has acted on; 0 if
    /// there is none.
    pub(super) freeze_waiting_ms: AtomicU64,
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
        self.memory.tail_transfers.set(whole(memory.tail_transfers));
        self.memory.segments.set(whole(memory.segments));
        self.memory.graph_transfers.set(whole(memory.graph_transfers));
        self.memory.path_transfers.set(whole(memory.path_transfers));
        self.memory.revertible_blocks.set(whole(memory.revertible_blocks));
    }

    /// What the sums over everything are now, of an engine that follows the
    /// chain alone.
    pub fn summed(&self, chain: Chain, sums: &Sums) {
        self.sums.tainted_accounts.set(whole(sums.tainted_accounts));
        let units = &sums.units;
        let states = [
            units.emitted,
            units.held,
            units.frozen,
            units.service,
            units.redeemed,
            units.destroyed,
            units.dust,
            units.horizon,
        ];
        for (gauge, units) in self.sums.units.iter().zip(states) {
            gauge.set(float(units));
        }
        for (rank, sum) in sums.recommendations.iter().enumerate() {
            self.sums.freezes[rank].set(whole(sum.accounts));
            self.sums.freeze_units[rank].set(float(sum.units));
        }
        let since = sums.waiting_since_ms[chain.index()].unwrap_or(0);
        self.freeze_waiting_ms.store(since, Ordering::Relaxed);
    }

    /// The follower has waited.
    pub fn waited(&self, wait: Wait, time: Duration) {
        self.waiting[wait as usize].inc_by(time.as_secs_f64());
    }

    /// An alert was committed so long after the broker had the first record of
    /// its block, if that is known, and so long after the time of its block.
    pub fn alerted(&self, since_broker: Option<Duration>, since_block: Duration) {
        if let Some(since) = since_broker {
            self.broker_to_alert.observe(since.as_secs_f64());
        }
        self.block_to_alert.observe(since_block.as_secs_f64());
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

    /// How the follower is; `None` if there is none.
    pub fn health(&self, follower: Option<(Stage, Duration)>) {
        self.followed.set(i64::from(follower.is_some()));
        for (rank, gauge) in self.stages.iter().enumerate() {
            gauge.set(i64::from(follower.is_some_and(|(stage, _)| Stage::ALL[rank] == stage)));
        }
        let silence = follower.map_or(0, |(_, silence)| silence.as_secs());
        self.heartbeat_age.set(i64::try_from(silence).unwrap_or(i64::MAX));
    }
}

impl Family {
    /// Of each chain.
    pub(super) fn chains(&self) -> [ChainMetrics; Chain::ALL.len()] {
        use catalog as c;
        let (records, blocks) = (self.count(c::RECORDS_CONSUMED), self.count(c::BLOCKS));
        let (duplicates, late) = (self.count(c::DUPLICATES), self.count(c::LATE_RECORDS));
        let (gaps, reorgs) = (self.count(c::GAPS), self.count(c::REORGS));
        let (deep, orphaned) = (self.count(c::DEEP_REORGS), self.count(c::ORPHANED_EVENTS));
        let conservation = self.count(c::CONSERVATION_FAILURES);
        let (head, last_final) = (self.level(c::HEAD_BLOCK), self.level(c::FINAL_BLOCK));
        let (held, accounts) = (self.level(c::HELD_BLOCKS), self.level(c::ACCOUNTS));
        let events = self.counts_by(c::EVENTS, "kind", EVENT_KINDS);
        let sums = self.sums();
        let (transfers, late_traces) = (self.level(c::TRANSFERS), self.level(c::LATE_TRACES));
        let (owner, takeovers) = (self.level(c::OWNER), self.count(c::TAKEOVERS));
        let (owed, failures) = (self.level(c::OWED), self.count(c::SESSION_FAILURES));
        let queues = self.levels_by(c::QUEUE, "queue", QUEUES);
        let waiting = self.seconds(c::WAITING, &["chain", "stage"]);
        let to_alert = self.spread(c::BROKER_TO_ALERT, &LATENCY_BUCKETS);
        let block_to_alert = self.spread(c::BLOCK_TO_ALERT, &LATENCY_BUCKETS);
        let (kept, not_kept) = (self.count(c::CHECKPOINTS), self.count(c::CHECKPOINT_FAILURES));
        let damaged = self.count(c::CHECKPOINTS_DAMAGED);
        let bytes = self.level(c::CHECKPOINT_BYTES);
        let (client, memory) = (self.client(), self.memory());
        let brokers = self.level(catalog::BROKERS_UP);
        let stages = self.levels_by(c::STAGE, "stage", Stage::ALL.map(Stage::name));
        let (followed, heartbeat) = (self.level(c::FOLLOWED), self.level(c::HEARTBEAT_AGE));
        Chain::ALL.map(|chain| {
            let [prefetch_records, intake_records, outputs] = queues(chain);
            ChainMetrics {
                records_consumed: records(chain),
                duplicates: duplicates(chain),
                late_records: late(chain),
                gaps: gaps(chain),
                reorgs: reorgs(chain),
                deep_reorgs: deep(chain),
                conservation_failures: conservation(chain),
                orphaned_events: orphaned(chain),
                blocks: blocks(chain),
                head_block: head(chain),
                final_block: last_final(chain),
                held_blocks: held(chain),
                events: events(chain),
                accounts: accounts(chain),
                sums: sums(chain),
                transfers: transfers(chain),
                late_traces: late_traces(chain),
                owner: owner(chain),
                takeovers: takeovers(chain),
                owed: owed(chain),
                outputs,
                session_failures: failures(chain),
                waiting: WAITS.map(|wait| waiting.with_label_values(&[chain.name(), wait])),
                broker_to_alert: to_alert(chain),
                block_to_alert: block_to_alert(chain),
                checkpoints: kept(chain),
                checkpoint_failures: not_kept(chain),
                checkpoints_damaged: damaged(chain),
                checkpoint_bytes: bytes(chain),
                client: client(chain, prefetch_records, intake_records),
                brokers_up: brokers(chain),
                memory: memory(chain),
                stages: stages(chain),
                followed: followed(chain),
                heartbeat_age: heartbeat(chain),
                applied_ms: AtomicU64::new(0),
                checkpoint_ms: AtomicU64::new(0),
                freeze_waiting_ms: AtomicU64::new(0),
            }
        })
    }
}

impl Family {
    fn sums(&self) -> impl Fn(Chain) -> SumMetrics {
        let statuses = FreezeStatus::ALL.map(FreezeStatus::name);
        let tainted_accounts = self.level(catalog::TAINTED_ACCOUNTS);
        let units = self.units_by(catalog::TAINTED_UNITS, "state", UNIT_STATES);
        let freezes = self.levels_by(catalog::FREEZES_NOW, "status", statuses);
        let freeze_units = self.units_by(catalog::FREEZE_UNITS, "status", statuses);
        move |chain| SumMetrics {
            tainted_accounts: tainted_accounts(chain),
            units: units(chain),
            freezes: freezes(chain),
            freeze_units: freeze_units(chain),
        }
    }

    fn client(&self) -> impl Fn(Chain, IntGauge, IntGauge) -> ClientMetrics {
        let formats: [&'static str; Format::ALL.len() + 1] =
            std::array::from_fn(|rank| Format::ALL.get(rank).map_or("none", |f| f.name()));
        let formats = self.counts_by(catalog::FORMAT_RECORDS, "format", formats);
        let lag = self.level(catalog::CONSUMER_LAG);
        move |chain, prefetch_records, intake_records| ClientMetrics {
            lag_records: lag(chain),
            prefetch_records,
            intake_records,
            formats: formats(chain),
        }
    }

    fn memory(&self) -> impl Fn(Chain) -> MemoryMetrics {
        let tail = self.level(catalog::TAIL_TRANSFERS);
        let segments = self.level(catalog::SEGMENTS);
        let graph = self.level(catalog::GRAPH_TRANSFERS);
        let paths = self.level(catalog::PATH_TRANSFERS);
        let revertible = self.level(catalog::REVERTIBLE_BLOCKS);
        move |chain| MemoryMetrics {
            tail_transfers: tail(chain),
            segments: segments(chain),
            graph_transfers: graph(chain),
            path_transfers: paths(chain),
            revertible_blocks: revertible(chain),
        }
    }
}

/// A count as a gauge takes it.
pub(super) fn whole(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Units as a gauge takes them: to be looked at, so the last digits may go.
#[expect(clippy::cast_precision_loss, reason = "a figure on a dashboard")]
pub(super) fn float(units: u128) -> f64 {
    units as f64
}
