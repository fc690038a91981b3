//! What the engine is set to, and why it stops.

use crate::history::HistoryError;
use crate::{Amount, Chain, Policy};

/// What the engine is set to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineConfig {
    /// How taint is attributed; each case is traced under each of them. The
    /// first is the one on which recommendations rest. At least one.
    pub policies: Vec<Policy>,
    /// First receipts and cash-outs of fewer tainted units raise no alert.
    pub alert_min_units: Amount,
    /// Tainted holdings of a wallet that raise an alert when reached, in base
    /// units, rising. At most 255 count.
    pub thresholds: Vec<Amount>,
    /// Fewer tainted units at rest are not recommended for freezing.
    pub freeze_min_units: Amount,
    /// How long tainted units must neither come nor go to be at rest,
    /// in milliseconds of block time.
    pub freeze_rest_ms: u64,
    /// A recommended account of which the greatest claim changes by less than a
    /// tenth is told again after so many milliseconds of block time.
    pub freeze_update_ms: u64,
    /// Books of cases that changed are told once in so many milliseconds of block
    /// time, and once a day has ended.
    pub ledger_update_ms: u64,
    /// By chain: how long it usually takes until an account that is recommended
    /// is frozen, in milliseconds.
    pub freeze_lag_ms: [u64; 2],
    /// Whether blocks can be reverted until they are told to be final. Where
    /// not, each is final when it applies, and nothing is kept to undo it.
    pub revertible: bool,
    /// Whether a case that comes late is handed out to be traced elsewhere
    /// ([`Engine::take_late`](crate::Engine::take_late)) while blocks go on
    /// being applied. Where not, it is traced before the event returns.
    pub defer_late: bool,
    /// Final transfers that are sealed together, and so leave memory; at most
    /// 2^20. Memory holds the unsealed ones: between one and two of these, and
    /// those that can still be reverted.
    pub segment_transfers: usize,
    /// Newest tainted transfers that the graph holds; it may hold twice as many.
    pub graph_transfers: usize,
}

impl Default for EngineConfig {
    fn default() -> Self {
        EngineConfig {
            policies: vec![Policy::Haircut],
            alert_min_units: 0,
            thresholds: vec![10_000_000_000, 100_000_000_000, 1_000_000_000_000],
            freeze_min_units: 1_000_000_000,
            freeze_rest_ms: 300_000,
            freeze_update_ms: 60_000,
            ledger_update_ms: 3_600_000,
            // 5 hours on Ethereum, 2.6 on TRON: from submission to freeze.
            freeze_lag_ms: [18_000_000, 9_360_000],
            revertible: false,
            defer_late: false,
            segment_transfers: 1 << 20,
            graph_transfers: 1 << 16,
        }
    }
}

impl EngineConfig {
    /// The same in the form that the engine relies on.
    pub(super) fn normal(mut self) -> EngineConfig {
        self.thresholds.sort_unstable();
        self.thresholds.dedup();
        let mut known = Vec::new();
        self.policies.retain(|policy| {
            !known.contains(policy) && {
                known.push(*policy);
                true
            }
        });
        if self.policies.is_empty() {
            self.policies.push(Policy::default());
        }
        self
    }
}

/// Why the engine stopped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// A block does not rise above the one applied before it.
    #[error("{chain} block {block} comes after block {head} was applied")]
    OutOfOrder {
        /// Its chain.
        chain: Chain,
        /// The block.
        block: u64,
        /// The last block applied.
        head: u64,
    },
    /// A final block is said to have left the canonical chain.
    #[error(
        "{chain} block {block} was reverted, though blocks up to {last_final} were final; alerts \
         told as final may rest on it"
    )]
    RevertedFinal {
        /// Its chain.
        chain: Chain,
        /// The block.
        block: u64,
        /// The last final block.
        last_final: u64,
    },
    /// A case's units no longer add up. Nothing of the block was told.
    #[error(
        "case {case}: after {chain} block {block} the units emitted differ from the units \
         accounted for; stopping before a wrong alert leaves"
    )]
    NotConserved {
        /// The case.
        case: String,
        /// The chain of the block.
        chain: Chain,
        /// The block.
        block: u64,
    },
    /// More accounts, transfers or blocks than 32-bit ids can name, or more
    /// tainted accounts than 29 bits can.
    #[error(
        "the history is full: it names fewer than 2^32 accounts, transfers and blocks, and fewer \
         than 2^29 accounts that cases taint"
    )]
    Full,
    /// Opening balances come before the first block, or their sum overflows.
    #[error("opening balance of {0} base units cannot be loaded: {1}")]
    Opening(Amount, &'static str),
    /// The past cannot be kept or read.
    #[error(transparent)]
    History(#[from] HistoryError),
}
