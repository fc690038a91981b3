//! The engine: one event in, effects out.
//!
//! What always holds: blocks of a chain apply in rising order; after each block
//! every case it touched is conserved, or the engine stops before an alert
//! leaves; a case or label that comes late ends in the state of a run that
//! knew it from the first event; a block that is reverted leaves no trace but
//! the alerts that take it back.

mod block;
mod books;
mod config;
mod image;
mod late;
mod locate;
mod reorg;
mod report;
mod sums;
mod tell;

use std::collections::BTreeMap;
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

pub use config::{ApplyError, EngineConfig};
use locate::Located;
pub use report::MemoryStats;
pub use sums::{DeskSum, Sums, UnitSums};

use crate::alert::Sight;
use crate::freeze::FreezeDesk;
use crate::graph::TransferGraph;
use crate::history::{Archive, History, MemoryArchive};
use crate::image::EngineImage;
use crate::journal::Journal;
use crate::late::LateTrace;
use crate::ledger::{Ledger, LedgerStats};
use crate::movement::{AccountId, BlockIx, BlockMeta};
use crate::trace::{Labels, Lane, LaneIx, Notes, Tracer, World};
use crate::{AccountKey, AlertId, Amount, Case, Chain, Effect, Event};

/// What subscribers know of an alert.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told {
    pub(crate) revision: u32,
    /// Not retracted.
    pub(crate) live: bool,
    pub(crate) retroactive: bool,
}

/// What was told of one case, also after it was closed: an alert is told once
/// whatever becomes of its case.
pub(crate) type ToldAlerts = HashMap<AlertId, Told, FixedState>;

/// An open case.
#[derive(Clone, Debug)]
pub(crate) struct OpenCase {
    pub(crate) case: Arc<Case>,
    /// Where its alerts stand in [`Engine::told`].
    pub(crate) slot: usize,
    /// In the order of the configured policies; none while it waits for its
    /// first trace through the past.
    pub(crate) lanes: Vec<LaneIx>,
    /// Blocks applied when its lanes were last traced through the past.
    pub(crate) traced_at: BlockIx,
    /// The heads when it was opened: alerts of blocks up to these are
    /// retroactive.
    pub(crate) heads: [Option<u64>; 2],
    /// The late trace that it waits for.
    pub(crate) waits_for: Option<Waiting>,
}

/// A late trace on its way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiting {
    /// Its number: later ones were begun later.
    pub(crate) number: u64,
    /// The first of its lanes.
    pub(crate) first_lane: LaneIx,
}

/// The state of all chains, cases and recommendations.
#[derive(Debug, Default)]
pub struct Engine {
    config: Arc<EngineConfig>,
    ledger: Ledger,
    history: History,
    graph: TransferGraph,
    labels: Arc<Labels>,
    tracer: Tracer,
    cases: BTreeMap<String, OpenCase>,
    told: Vec<ToldAlerts>,
    /// The place in `told` of every case that was ever open.
    slots: BTreeMap<String, usize>,
    next_lane: LaneIx,
    next_trace: u64,
    queued: Vec<LateTrace>,
    desk: FreezeDesk,
    journal: Journal,
    /// By chain: the last block applied.
    heads: [Option<BlockMeta>; 2],
    /// By chain: the last block that cannot be reverted.
    finals: [Option<u64>; 2],
    stats: LedgerStats,
    notes: Notes,
    /// The accounts of the block at hand.
    located: Located,
    /// An image that was begun and is not whole yet.
    imaging: Option<Box<EngineImage>>,
}

impl Engine {
    /// An engine without accounts or cases, which keeps its past in memory.
    pub fn new(config: EngineConfig) -> Engine {
        Engine::with_archive(config, Box::new(MemoryArchive))
    }

    /// An engine that keeps its sealed past in that archive.
    pub fn with_archive(config: EngineConfig, archive: Box<dyn Archive>) -> Engine {
        let config = config.normal();
        Engine {
            history: History::new(archive, config.segment_transfers),
            graph: TransferGraph::of(&config),
            config: Arc::new(config),
            ..Engine::default()
        }
    }

    /// Loads balances from before the first event; clean unless a case says
    /// otherwise. Must come before the first block.
    ///
    /// # Errors
    /// After the first block, or when an account's balance overflows.
    pub fn load_opening(&mut self, balances: &[(AccountKey, Amount)]) -> Result<(), ApplyError> {
        for (account, amount) in balances {
            if !self.history.is_empty() {
                return Err(ApplyError::Opening(*amount, "a block was applied already"));
            }
            let id = self.intern(*account)?;
            if self.ledger.overflows(id, *amount) {
                return Err(ApplyError::Opening(*amount, "the account's balance overflows"));
            }
            self.see(id);
            self.ledger.credit(id, *amount);
            self.ledger.opening_units += u128::from(*amount);
            self.tracer.credit_clean(id, *amount, 0, &self.ledger, &mut self.notes);
            self.notes.touches.clear();
        }
        Ok(())
    }

    /// Applies one event and appends the effects the shell must carry out.
    ///
    /// # Errors
    /// See [`ApplyError`]; after one the engine's state is no longer valid and
    /// must be dropped. No effect of the failing event is appended.
    pub fn apply(&mut self, event: Event, effects: &mut Vec<Effect>) -> Result<(), ApplyError> {
        let told_before = effects.len();
        let ready = self.catch_up(effects);
        let applied = ready.and_then(|()| self.apply_ready(event, effects));
        applied.inspect_err(|_| effects.truncate(told_before))
    }

    fn apply_ready(&mut self, event: Event, effects: &mut Vec<Effect>) -> Result<(), ApplyError> {
        match event {
            Event::BlockCommitted(block) => self.commit(block, effects),
            Event::BlockReverted { chain, number } => self.revert(chain, number, effects),
            Event::BlockFinalized { chain, number } => self.finalize(chain, number, effects),
            Event::CaseOpened(case) => self.open_case(case, effects),
            Event::CaseClosed(id) => self.close_case(&id, effects),
            Event::LabelSet(label) => self.set_label(label.account, Some(label), effects),
            Event::LabelRemoved(account) => self.set_label(account, None, effects),
        }
    }

    fn intern(&mut self, account: AccountKey) -> Result<AccountId, ApplyError> {
        self.ledger.accounts.intern(account).ok_or(ApplyError::Full)
    }

    #[inline]
    fn see(&mut self, id: AccountId) {
        self.stats.accounts += usize::from(self.ledger.see(id));
    }

    fn head_number(&self, chain: Chain) -> Option<u64> {
        self.heads[chain.index()].map(|head| head.number)
    }

    fn check(
        &self,
        lanes: impl IntoIterator<Item = LaneIx>,
        block: &BlockMeta,
    ) -> Result<(), ApplyError> {
        for ix in lanes {
            let lane = self.tracer.lane(ix);
            if !lane.is_conserved() {
                return Err(not_conserved(lane, block));
            }
        }
        Ok(())
    }

    /// All that is read to tell something.
    fn sight(&mut self) -> (Sight<'_>, &mut FreezeDesk) {
        let world = World { config: &self.config, labels: &self.labels };
        let sight = Sight {
            accounts: &self.ledger.accounts,
            ledger: &self.ledger,
            tracer: &self.tracer,
            world,
            graph: &mut self.graph,
            history: &mut self.history,
        };
        (sight, &mut self.desk)
    }
}

fn not_conserved(lane: &Lane, block: &BlockMeta) -> ApplyError {
    let (chain, block) = (block.chain, block.number);
    ApplyError::NotConserved { case: lane.case.id.clone(), chain, block }
}
