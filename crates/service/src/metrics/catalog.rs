//! Every metric there is: its name, its unit, what it means, and what a bad
//! value means. `docs/metrics.md` and the help texts of `/metrics` are made of
//! this table, so a metric that is missing here does not exist anywhere.

/// Where a metric stands in the documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    /// Whether the service keeps up, and where it waits.
    KeepingUp,
    /// What is published, and by whom.
    Publishing,
    /// What comes in.
    Input,
    /// Alerts and where tainted units are.
    Tracing,
    /// Recommendations.
    Freezing,
    /// What the engine holds, and checkpoints of it.
    State,
    /// The process.
    Process,
}

impl Group {
    /// Every group, in the order of the documentation.
    pub(crate) const ALL: [Group; 7] = [
        Group::KeepingUp,
        Group::Publishing,
        Group::Input,
        Group::Tracing,
        Group::Freezing,
        Group::State,
        Group::Process,
    ];

    pub(crate) const fn title(self) -> &'static str {
        match self {
            Group::KeepingUp => "Keeping up",
            Group::Publishing => "Publishing",
            Group::Input => "Input quality",
            Group::Tracing => "Tracing",
            Group::Freezing => "Freezing",
            Group::State => "State and checkpoints",
            Group::Process => "Process",
        }
    }
}

/// One metric.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spec {
    pub(crate) group: Group,
    /// Without the prefix.
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    /// What it means: the help text.
    pub(crate) help: &'static str,
    /// What a bad value means.
    pub(crate) bad: &'static str,
}

const fn spec(
    group: Group,
    name: &'static str,
    unit: &'static str,
    help: &'static str,
    bad: &'static str,
) -> Spec {
    Spec { group, name, unit, help, bad }
}

/// Declares each metric as a constant, in the order of the documentation.
macro_rules! catalog {
    ($($group:ident { $($id:ident: $name:literal, $unit:literal, $help:literal, $bad:literal;)* })*) => {
        $($(pub(super) const $id: Spec = spec(Group::$group, $name, $unit, $help, $bad);)*)*
    };
}

catalog! {
KeepingUp {
    WATERMARK_LAG: "watermark_lag_seconds", "seconds",
        "Seconds from the time of the last block applied to now",
        "The number to page on: above a minute, alerts come late, whatever the cause";
    CONSUMER_LAG: "consumer_lag_records", "records",
        "Records in the input topics that were not handed to the service yet, as librdkafka tells",
        "Growing: more comes in than is worked off. Falling: catching up";
    RECORDS_CONSUMED: "records_consumed_total", "records",
        "Records read from input topics",
        "Flat while the chain goes on: nothing arrives in Kafka, or nothing is read";
    BLOCKS: "blocks_total", "blocks",
        "Blocks applied",
        "Flat while records are read: blocks wait for a partition that tells nothing";
    EVENTS: "events_total", "events",
        "USDT events applied, by kind",
        "No transfers while blocks are applied: the source filters too much";
    HEAD_BLOCK: "head_block", "block number",
        "Number of the last block seen",
        "Behind an explorer of the chain: the source is behind";
    FINAL_BLOCK: "final_block", "block number",
        "Number of the last block known to be final",
        "Far behind `head_block` for long: nothing tells of finality, or a partition lags";
    HELD_BLOCKS: "held_blocks", "blocks",
        "Blocks read and not yet applied",
        "Well above `window_blocks` while live: a partition is behind the others";
    BROKER_TO_ALERT: "broker_to_alert_seconds", "seconds",
        "Seconds from the broker's timestamp of the first record of an alert's block to the commit of the alert; alerts of cases that came late are left out",
        "Above a few seconds while live: see where it waits. While catching up it is the age of the records";
    BLOCK_TO_ALERT: "block_to_alert_seconds", "seconds",
        "Seconds from the block's time to the commit of the alert; alerts of cases that came late are left out",
        "Far above `broker_to_alert_seconds`: the source is slow, not this service";
    WAITING: "waiting_seconds_total", "seconds",
        "Seconds in which the follower waited, by what for",
        "`output` near 1 s a second: Kafka takes long to commit. `checkpoint`: the store is slow. `input` is rest";
    QUEUE: "queue_records", "records",
        "Records that wait: fetched and not decoded, decoded and not applied, told and not committed",
        "`prefetch` and `intake` full: applying is what limits. `outputs` full: committing is";
    HEARTBEAT_AGE: "heartbeat_age_seconds", "seconds",
        "Seconds since the follower last gave a sign of life",
        "Above 30: `/healthz` fails; the follower hangs";
    STAGE: "stage", "0 or 1",
        "1 for the stage at which the follower is",
        "Not `ready` or `standby` for long: it does not come to the head";
    FOLLOWED: "followed", "0 or 1",
        "1 if the chain is configured at all",
        "0 where it should be 1: no topic of the chain is named";
    LATE_TRACES: "late_traces", "cases",
        "Cases that are being traced through the past",
        "Above 0 for hours: a case that came late has a long past; its alerts are still to come";
}
Publishing {
    OWNER: "owner", "0 or 1",
        "1 while this instance publishes for the chain",
        "The sum over all instances should be 1: at 0 nobody publishes";
    TAKEOVERS: "takeovers_total", "times",
        "Times this instance began to publish",
        "Rising: instances take the chain from each other, or sessions fail";
    OWED: "owed", "records",
        "Alerts, recommendations and dead letters told and not published, as another instance publishes",
        "Growing on a standby: the one who publishes is far behind";
    COMMITS: "commits_total", "transactions",
        "Transactions committed to Kafka",
        "Flat while records are read by the owner: nothing is published";
    ABORTS: "transaction_aborts_total", "transactions",
        "Transactions aborted; each was tried again, or its session ended",
        "Rising: the brokers are overloaded, or somebody shares the transactional id";
    COMMIT_SECONDS: "commit_seconds", "seconds",
        "Seconds that a commit took",
        "Above 0.1 while live: the brokers are slow, or far away";
    BATCH_RECORDS: "batch_records", "records",
        "Input records in a transaction",
        "At `commit.max_records` while live: it is behind";
    SESSION_FAILURES: "session_failures_total", "sessions",
        "Sessions that ended in an error and were followed by another one",
        "Rising: Kafka or the store fails; the log has each reason";
    BROKERS_UP: "kafka_brokers_up", "connections",
        "Brokers to which a connection stands, as the client of the group tells",
        "0: Kafka cannot be reached";
}
Input {
    DUPLICATES: "duplicates_total", "events",
        "Events that came again and were dropped",
        "A jump: a source sent again, which does no harm";
    LATE_RECORDS: "late_records_total", "records",
        "Records that came after their block was applied",
        "Above 0: partitions are out of step; raise `window_blocks` or `align_ms`. Those events are in no figure";
    GAPS: "gaps_total", "gaps",
        "Gaps found between block numbers",
        "Above 0: blocks are missing, and figures may be wrong from there on";
    DEAD_LETTERS: "dead_letters_total", "records",
        "Records that could not be read or applied, by reason; their bytes are in the dead-letter topic",
        "Rising: a source changed its format, or sends what it should not";
    IGNORED: "ignored_total", "records",
        "Records read and of no concern, by reason; `foreign_contract` counts events of other tokens, fake USDT among them",
        "`foreign_contract` rising alone: the source filters by another contract";
    FORMAT_RECORDS: "format_records_total", "records",
        "Records read, by the format that they were recognised as",
        "A format that should not be there: two sources write to one topic. `none`: see the dead letters";
    ORPHANED_EVENTS: "orphaned_events_total", "events",
        "Events taken that no canonical block holds",
        "Rising without reorganisations: a source tells of branches it does not take back";
    REORGS: "reorgs_total", "reorganisations",
        "Reorganisations that took applied blocks back",
        "More than a few an hour: the node is ill connected";
    REORG_DEPTH: "reorg_depth_blocks", "blocks",
        "Blocks from the first that was taken back to the head",
        "Near `finality_blocks`: what was told as final may soon be taken back";
    DEEP_REORGS: "deep_reorgs_total", "reorganisations",
        "Reorganisations of final blocks; each ends the process",
        "Above 0: alerts told as final may be wrong; a person must look";
}
Tracing {
    ALERTS: "alerts_total", "alerts",
        "Alerts raised, by rule and risk level",
        "A jump: units of a case move, or a case was opened that is too wide";
    ALERTS_SETTLED: "alerts_settled_total", "alerts",
        "Alerts told as provisional that have become final",
        "Flat while alerts are raised: nothing becomes final";
    ALERTS_RETRACTED: "alerts_retracted_total", "alerts",
        "Alerts taken back, by rule",
        "Rising without reorganisations: cases or labels are taken back";
    CASES: "cases", "cases",
        "Cases that are open",
        "0 where there should be some: files or topic of cases are not read";
    CASE_LEDGERS: "case_ledgers_total", "records",
        "Ledgers of cases written",
        "Still while cases are open and their money moves: no block of another hour is final";
    TAINTED_ACCOUNTS: "tainted_accounts", "accounts",
        "Accounts that hold tainted units now",
        "Growing quickly: a case spreads through a service without a label";
    TAINTED_UNITS: "tainted_units", "base units",
        "Tainted units of all cases under the leading policy, by where they are; `emitted` is the sum of all others; a unit that two cases claim counts twice",
        "`held` is what can still be caught; `service` and `redeemed` are out of the issuer's reach";
    CONSERVATION_FAILURES: "conservation_failures_total", "blocks",
        "Blocks after which a case's units did not add up; each ends the process before an alert leaves",
        "Above 0: a fault of the program; keep the checkpoints and report it";
}
Freezing {
    FREEZES: "freeze_recommendations_total", "records",
        "Freeze recommendations written, by status",
        "`escaped` rising: funds leave before they are frozen";
    FREEZES_NOW: "freeze_recommendations", "accounts",
        "Accounts by the status of their recommendation now",
        "`raised` and `updated` growing: nobody acts";
    FREEZE_UNITS: "freeze_recommended_units", "base units",
        "Units that cases claimed of these accounts when they were last told of",
        "`frozen` and `destroyed` are caught; `raised` and `updated` can still leave";
    FREEZE_WAITING: "freeze_waiting_seconds", "seconds",
        "Seconds since the oldest recommendation to the issuer was raised that nobody has acted on; 0 if there is none",
        "Above the desk's usual time: a request was forgotten";
    FREEZE_OUTCOMES: "freeze_units", "base units",
        "Tainted units that were recommended, caught by a freeze, or left before",
        "`escaped` rising faster than `caught`: freezes come too late";
    FREEZE_WORTH: "freeze_worth_units", "base units",
        "What the recommendations that can still be acted on are worth: units claimed, units expected to be there after the usual lag, and clean units that would be frozen with them",
        "`expected` far below `claimed`: it will be too late for much of it. `clean` far above `claimed`: most of what would be frozen is others'";
    FREEZE_SET: "freeze_set_accounts", "accounts",
        "The fewest accounts whose freeze is expected to catch nine tenths of all that is",
        "Growing while `claimed` stays: the units are spread, which buys them time";
    FREEZE_RECOMMENDED: "freeze_recommended_seconds", "seconds",
        "Block time from the first tainted arrival to the recommendation",
        "Far above `freeze_rest_seconds`: funds rest late, or cases come late";
    FREEZE_SUBMITTED: "freeze_submitted_seconds", "seconds",
        "Block time from the first tainted arrival to the submission of a freeze",
        "Far above `freeze_recommended_seconds`: recommendations wait for somebody to act";
    FREEZE_FROZEN: "freeze_frozen_seconds", "seconds",
        "Block time from the first tainted arrival to the freeze",
        "Far above `freeze_submitted_seconds`: the issuer's owners confirm slowly";
}
State {
    ACCOUNTS: "accounts", "accounts",
        "Accounts that the ledger knows",
        "Memory grows with it: some 50 bytes each, and more if tainted";
    TRANSFERS: "transfers", "transfers",
        "Transfers applied since the state began",
        "Less than before a restart: the state began anew";
    TAIL_TRANSFERS: "tail_transfers", "transfers",
        "Transfers not sealed in a segment yet",
        "Above two segments: blocks do not become final";
    SEGMENTS: "segments", "segments",
        "Segments of the past that were sealed",
        "Flat while transfers come: as above";
    GRAPH_TRANSFERS: "graph_transfers", "transfers",
        "Newest tainted transfers that the graph holds",
        "Bounded by the settings";
    PATH_TRANSFERS: "path_transfers", "transfers",
        "Transfers on paths that were told, kept at hand",
        "Bounded by the settings";
    REVERTIBLE_BLOCKS: "revertible_blocks", "blocks",
        "Blocks kept to be taken back",
        "Far above `finality_blocks`: blocks do not become final";
    CHECKPOINTS: "checkpoints_total", "checkpoints",
        "Checkpoints written",
        "Flat: see failures; a restart will take long";
    CHECKPOINT_FAILURES: "checkpoint_failures_total", "checkpoints",
        "Checkpoints that could not be written",
        "Rising: the disk is full, or the store does not answer";
    CHECKPOINTS_DAMAGED: "checkpoints_damaged_total", "checkpoints",
        "Checkpoints that were found damaged when a session began",
        "Above 0: the store loses or changes bytes; the one before was used";
    CHECKPOINT_BYTES: "checkpoint_bytes", "bytes",
        "Bytes of the last checkpoint, without segments",
        "Mind the room of the store: `checkpoint.keep` of them lie there";
    CHECKPOINT_AGE: "checkpoint_age_seconds", "seconds",
        "Seconds since the last checkpoint was written or read",
        "Far above `checkpoint.interval_seconds`: as above; input must be kept for longer than this";
    CHECKPOINT_SECONDS: "checkpoint_seconds", "seconds",
        "Seconds from a checkpoint's beginning until it was kept",
        "Above the interval: the store is slow";
    CHECKPOINT_PAUSE: "checkpoint_pause_seconds", "seconds",
        "Seconds in which the stream stood still for a checkpoint",
        "Above 0.1: alerts wait for it";
}
Process {
    MEMORY_MAX: "memory_max_bytes", "bytes",
        "The most memory that the process may take: `limits.memory_max_mb`, else what its control group or the machine has",
        "`process_resident_memory_bytes` near it: the service will stop, or be stopped";
    BUILD_INFO: "build_info", "1",
        "1, by version of usdt-flow",
        "Two versions for long: an upgrade stopped half-way";
}
}

/// Metrics under the names that every exporter uses.
pub(super) const RESIDENT_MEMORY: Spec = spec(
    Group::Process,
    "process_resident_memory_bytes",
    "bytes",
    "Resident memory size in bytes.",
    "Near `usdt_flow_memory_max_bytes`: raise the limit, or set `history.dir`",
);

/// As above.
pub(super) const START_TIME: Spec = spec(
    Group::Process,
    "process_start_time_seconds",
    "seconds since 1970",
    "Start time of the process since unix epoch in seconds.",
    "Changing: the process is started again and again; its log says why",
);
