//! The engine: one event in, effects out.
//!
//! What always holds: blocks of a chain apply in rising order; after each block
//! every case it touched is conserved, or the engine stops before an alert
//! leaves; a case or label that comes late ends in the state of a run that
//! knew it from the first event.

mod late;
mod report;

use std::collections::BTreeSet;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::freeze::FreezeDesk;
use crate::graph::{AccountId, GraphFull, NO_LOG_INDEX, Transfer, TransferGraph};
use crate::history::{BlockIx, History, Movement};
use crate::ledger::LaneIx;
use crate::trace::{Notes, Touch, Tracer, World};
use crate::{
    AccountKey, Action, Address, Alert, Amount, Block, Chain, Effect, Event, Label, LedgerEvent,
    LedgerStats, Policy, Refusal, RefusedEvent, alert,
};

/// What the engine is set to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineConfig {
    /// How taint is attributed.
    pub policy: Policy,
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
}

impl Default for EngineConfig {
    fn default() -> Self {
        EngineConfig {
            policy: Policy::Haircut,
            alert_min_units: 0,
            thresholds: vec![10_000_000_000, 100_000_000_000, 1_000_000_000_000],
            freeze_min_units: 1_000_000_000,
            freeze_rest_ms: 300_000,
        }
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
    /// More accounts, transfers or blocks than 32-bit ids can name.
    #[error("the graph is full: it names at most 2^32 accounts, transfers and blocks")]
    GraphFull,
    /// Opening balances come before the first block, or their sum overflows.
    #[error("opening balance of {0} base units cannot be loaded: {1}")]
    Opening(Amount, &'static str),
}

impl From<GraphFull> for ApplyError {
    fn from(_: GraphFull) -> Self {
        ApplyError::GraphFull
    }
}

/// The state of all chains, cases and recommendations.
#[derive(Debug, Default)]
pub struct Engine {
    config: EngineConfig,
    graph: TransferGraph,
    history: History,
    labels: HashMap<AccountId, Label, FixedState>,
    tracer: Tracer,
    lanes: std::collections::BTreeMap<String, LaneIx>,
    desk: FreezeDesk,
    /// By chain: the last block applied.
    heads: [Option<BlockIx>; 2],
    stats: LedgerStats,
    notes: Notes,
}

impl Engine {
    /// An engine without accounts or cases.
    pub fn new(mut config: EngineConfig) -> Engine {
        config.thresholds.sort_unstable();
        config.thresholds.dedup();
        Engine { config, ..Engine::default() }
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
            if self.tracer.book.holding(id).balance.checked_add(*amount).is_none() {
                return Err(ApplyError::Opening(*amount, "the account's balance overflows"));
            }
            self.see(id);
            self.history.push_opening(id, *amount);
            self.tracer.open_balance(id, *amount);
        }
        Ok(())
    }

    /// Applies one event and appends the effects the shell must carry out.
    ///
    /// # Errors
    /// See [`ApplyError`]; after one the engine's state is no longer valid and
    /// must be dropped. No effect of the failing event is appended.
    pub fn apply(&mut self, event: Event, effects: &mut Vec<Effect>) -> Result<(), ApplyError> {
        match event {
            Event::BlockCommitted(block) => self.commit(&block, effects),
            Event::CaseOpened(case) => self.open_case(case, effects),
            Event::CaseClosed(id) => self.close_case(&id, effects),
            Event::LabelSet(label) => {
                let id = self.intern(label.account)?;
                let before = self.labels.insert(id, label);
                self.relabelled(id, before, effects)
            }
            Event::LabelRemoved(account) => {
                let id = self.intern(account)?;
                let before = self.labels.remove(&id);
                self.relabelled(id, before, effects)
            }
        }
    }

    fn commit(&mut self, block: &Block, effects: &mut Vec<Effect>) -> Result<(), ApplyError> {
        if let Some(head) = self.heads[block.chain.index()] {
            let head = self.history.block(head).number;
            if block.number <= head {
                let (chain, block) = (block.chain, block.number);
                return Err(ApplyError::OutOfOrder { chain, block, head });
            }
        }
        let has_events =
            block.events.iter().any(|event| !matches!(event.action, Action::Multisig(_)));
        let ix = self
            .history
            .begin_block(block, has_events, self.graph.transfer_count())
            .ok_or(ApplyError::GraphFull)?;
        self.heads[block.chain.index()] = Some(ix);
        if has_events {
            self.tracer.begin_block(block.chain, block.number);
        }
        let told_before = effects.len();
        let mut touched = BTreeSet::new();
        let woken = self.tracer.take_woken(block.chain, &self.graph);
        let mut touches: Vec<_> = woken.into_iter().map(|id| (id, Touch::Woken)).collect();
        for event in &block.events {
            match self.record(block.chain, ix, event)? {
                Outcome::Nothing => {}
                Outcome::Refused(reason) => {
                    effects.push(Effect::Refuse(RefusedEvent {
                        chain: block.chain,
                        block: block.number,
                        timestamp_ms: block.timestamp_ms,
                        event: *event,
                        reason,
                    }));
                }
                Outcome::Moved(movement) => {
                    self.trace(movement, ix, effects);
                    touches.append(&mut self.notes.touches);
                }
            }
        }
        for (account, _) in &touches {
            touched.extend(self.tracer.book.taints(*account).iter().map(|taint| taint.lane));
        }
        self.check(touched, ix).inspect_err(|_| effects.truncate(told_before))?;
        self.recommend(ix, &touches, effects);
        Ok(())
    }

    /// Traces a movement and tells what it showed.
    fn trace(&mut self, movement: Movement, block: BlockIx, effects: &mut Vec<Effect>) {
        let Engine { config, graph, history, labels, tracer, notes, .. } = self;
        let world = World { config, graph, history, labels };
        tracer.apply(movement, world, block, notes);
        raise(tracer, notes, world, effects);
    }

    /// Gives an event its dense ids and its place in the history.
    fn record(
        &mut self,
        chain: Chain,
        block: BlockIx,
        event: &LedgerEvent,
    ) -> Result<Outcome, ApplyError> {
        let mut id = |address: Address| -> Result<AccountId, ApplyError> {
            let id = self.intern(AccountKey { chain, address })?;
            self.see(id);
            Ok(id)
        };
        let movement = match event.action {
            Action::Multisig(_) => return Ok(Outcome::Nothing),
            Action::Transfer { from, to, amount } => {
                let (from, to) = (id(from)?, id(to)?);
                return self.record_transfer(block, event, from, to, amount);
            }
            Action::Issue { to, amount } => Movement::Issue { to: id(to)?, amount },
            Action::Redeem { from, amount } => Movement::Redeem { from: id(from)?, amount },
            Action::Destroy { account, amount } => {
                Movement::Destroy { account: id(account)?, amount }
            }
            Action::BlacklistAdd { account } => Movement::Freeze { account: id(account)? },
            Action::BlacklistRemove { account } => Movement::Release { account: id(account)? },
        };
        match movement {
            Movement::Issue { amount: 0, .. }
            | Movement::Redeem { amount: 0, .. }
            | Movement::Destroy { amount: 0, .. } => return Ok(Outcome::Nothing),
            Movement::Issue { to, amount } if self.overflows(to, amount) => {
                return Ok(Outcome::Refused(Refusal::BalanceOverflow));
            }
            _ => {}
        }
        self.history.push_other(self.graph.transfer_count(), movement);
        Ok(Outcome::Moved(movement))
    }

    fn record_transfer(
        &mut self,
        block: BlockIx,
        event: &LedgerEvent,
        from: AccountId,
        to: AccountId,
        amount: Amount,
    ) -> Result<Outcome, ApplyError> {
        if amount == 0 || from == to {
            self.stats.zero_transfers += u64::from(amount == 0);
            self.stats.self_transfers += u64::from(from == to);
            return Ok(Outcome::Nothing);
        }
        if self.overflows(to, amount) {
            return Ok(Outcome::Refused(Refusal::BalanceOverflow));
        }
        let log_index = event.log_index.unwrap_or(NO_LOG_INDEX);
        let transfer = Transfer { amount, block, position: event.position, log_index };
        let id = self.graph.add(from, to, event.tx, transfer)?;
        Ok(Outcome::Moved(Movement::Transfer { id, from, to, amount }))
    }

    fn overflows(&self, account: AccountId, amount: Amount) -> bool {
        self.tracer.book.holding(account).balance.checked_add(amount).is_none()
    }

    fn check(
        &self,
        lanes: impl IntoIterator<Item = LaneIx>,
        block: BlockIx,
    ) -> Result<(), ApplyError> {
        for ix in lanes {
            let lane = self.tracer.lane(ix);
            if !lane.totals.is_conserved() {
                let block = self.history.block(block);
                let (chain, block) = (block.chain, block.number);
                return Err(ApplyError::NotConserved { case: lane.case.id.clone(), chain, block });
            }
        }
        Ok(())
    }

    fn recommend(
        &mut self,
        block: BlockIx,
        touches: &[(AccountId, Touch)],
        effects: &mut Vec<Effect>,
    ) {
        let Engine { config, graph, history, labels, tracer, desk, .. } = self;
        let world = World { config, graph, history, labels };
        let mut records = Vec::new();
        desk.end_block(block, touches, tracer, world, &mut records);
        effects.extend(records.into_iter().map(|record| Effect::Recommend(Box::new(record))));
    }

    fn intern(&mut self, account: AccountKey) -> Result<AccountId, ApplyError> {
        let id = self.graph.intern(account)?;
        self.tracer.book.grow(self.graph.account_count());
        Ok(id)
    }

    fn see(&mut self, id: AccountId) {
        if !std::mem::replace(&mut self.tracer.book.holding_mut(id).seen, true) {
            self.stats.accounts += 1;
        }
    }
}

enum Outcome {
    Nothing,
    Refused(Refusal),
    Moved(Movement),
}

/// Tells the findings of one movement, in the order of case and rule, each
/// alert once.
fn raise(tracer: &mut Tracer, notes: &mut Notes, world: World<'_>, effects: &mut Vec<Effect>) {
    if notes.findings.is_empty() {
        return;
    }
    notes.findings.sort_by(|a, b| {
        let case = |lane| &tracer.lane(lane).case.id;
        (case(a.lane), a.rule).cmp(&(case(b.lane), b.rule))
    });
    for finding in notes.findings.drain(..) {
        let alert: Alert = alert::build(&finding, tracer, world);
        if tracer.lane_mut(finding.lane).raised.insert(alert.id) {
            effects.push(Effect::Raise(Box::new(alert)));
        }
    }
}
