//! A block: its events move units, each case is traced, the desk looks.

use super::locate::{NOBODY, STEPS, group, steps};
use super::{ApplyError, Engine, not_conserved};
use crate::graph::Edge;
use crate::journal::{AccountWas, Entry, LaneWas};
use crate::ledger::Holding;
use crate::movement::{AccountId, BlockMeta, Mark, Movement, NO_LOG_INDEX, Transfer};
use crate::trace::{Book, LaneIx, Touch, World};
use crate::{
    AccountKey, Action, Amount, Block, Chain, Effect, FreezeRecommendation, LedgerEvent,
    MultisigAction, MultisigCall, Refusal, RefusedEvent, SubmittedCall, TxHash,
};

/// What the accounts of an event do to each other.
enum Outcome {
    Nothing,
    Refused(Refusal),
    Moved(Movement),
}

impl Engine {
    pub(super) fn commit(
        &mut self,
        block: Block,
        effects: &mut Vec<Effect>,
    ) -> Result<(), ApplyError> {
        let sources = self.tracer.pending[block.chain.index()].len();
        if !self.tracer.taints.has_room(block.events.len() + sources) {
            return Err(ApplyError::Full);
        }
        let (before, is_first) = (self.heads[block.chain.index()], self.heads == [None; 2]);
        let meta = self.begin(&block)?;
        if is_first {
            self.note_opening_books(&meta);
        }
        self.tell_books_if_due(before.as_ref(), &meta, effects);
        let mut touches = self.wake(&meta);
        self.begin_locating();
        for step in 0..steps(block.events.len()) {
            let group = |behind| group(block.events.len(), step, behind);
            self.guess();
            self.ask(block.chain, &block.events[group(0)]);
            self.identify(block.chain, &block.events[group(2)])?;
            self.ask_for_taints(group(3));
            for at in group(STEPS) {
                self.apply_event(at, &block.events[at], &meta, &mut touches, effects)?;
            }
        }
        if let Some(lane) = self.tracer.end_block(&meta) {
            return Err(not_conserved(lane, &meta));
        }
        debug_assert!(
            self.tracer.lanes().all(|(_, lane)| lane.is_conserved()),
            "each change is noted"
        );
        self.recommend(&meta, &touches, effects)?;
        self.end(block)
    }

    /// Applies the event at that place in its block.
    #[inline]
    fn apply_event(
        &mut self,
        at: usize,
        event: &LedgerEvent,
        block: &BlockMeta,
        touches: &mut Vec<(AccountId, Touch)>,
        effects: &mut Vec<Effect>,
    ) -> Result<(), ApplyError> {
        let mark = Mark {
            tx: event.tx,
            log_index: event.log_index.unwrap_or(NO_LOG_INDEX),
            position: event.position,
        };
        match self.record(&event.action, self.located.ids[at], mark)? {
            Outcome::Nothing => {
                if let Action::Multisig(step) = event.action {
                    self.submit(event.tx, step, block)?;
                }
            }
            Outcome::Refused(reason) => effects.push(refusal(block, event, reason)),
            Outcome::Moved(movement) if self.concerns_no_case(&movement, mark, block.chain) => {}
            Outcome::Moved(movement) => {
                self.trace(&movement, mark, block, effects)?;
                touches.append(&mut self.notes.touches);
                let (sight, desk) = self.sight();
                desk.follow(&movement, mark, block, &sight);
            }
        }
        Ok(())
    }

    /// Gives the block its place.
    fn begin(&mut self, block: &Block) -> Result<BlockMeta, ApplyError> {
        let Block { chain, number, hash, timestamp_ms, .. } = *block;
        if let Some(head) = self.head_number(chain).filter(|head| number <= *head) {
            return Err(ApplyError::OutOfOrder { chain, block: number, head });
        }
        let moves = |event: &LedgerEvent| !matches!(event.action, Action::Multisig(_));
        let has_events = block.events.iter().any(moves);
        let meta = BlockMeta { chain, number, hash, timestamp_ms, has_events };
        let ix = self.history.tail.begin_block(meta).ok_or(ApplyError::Full)?;
        let head = self.heads[chain.index()].replace(meta);
        let is_final = !self.config.revertible
            || self.finals[chain.index()].is_some_and(|last| number <= last);
        if !is_final || !self.journal.is_empty() {
            let shell = Block { chain, number, hash, timestamp_ms, events: Vec::new() };
            let sums = (self.stats, self.ledger.opening_units);
            let woken = self.tracer.woken.clone();
            self.journal.push(Entry::new(shell, ix, is_final, head, sums, woken));
        }
        Ok(meta)
    }

    /// Makes active the sources whose time has come; the desk looks at them.
    fn wake(&mut self, block: &BlockMeta) -> Vec<(AccountId, Touch)> {
        if block.has_events {
            self.note_pending(block);
            self.wake_sources(block.chain, block.number);
        }
        let accounts = &self.ledger.accounts;
        let here = |account: &mut AccountId| accounts.key(*account).chain == block.chain;
        self.tracer.woken.extract_if(.., here).map(|id| (id, Touch::Woken)).collect()
    }

    /// Makes active the sources whose time has come; all they hold is tainted.
    pub(super) fn wake_sources(&mut self, chain: Chain, number: u64) {
        for account in self.tracer.wake(chain, number, &mut self.ledger) {
            let balance = self.ledger.holding(account).balance;
            self.tracer.settle(account, balance, &self.ledger);
        }
    }

    fn note_pending(&mut self, block: &BlockMeta) {
        if self.journal.is_empty() {
            return;
        }
        let queue = &self.tracer.pending[block.chain.index()];
        let due = queue.partition_point(|pending| pending.since_block > block.number);
        if due == queue.len() {
            return;
        }
        let waking: Vec<_> = queue[due..].to_vec();
        let queue = queue.clone();
        for pending in waking {
            self.note(pending.account);
            self.note_lane(pending.lane);
        }
        if let Some(entry) = self.journal.newest() {
            entry.pending = Some(queue);
        }
    }

    /// Remembers what the account is, before the block changes it.
    fn note(&mut self, account: AccountId) {
        let Some(entry) = self.journal.newest() else { return };
        if !entry.is_new(account) {
            return;
        }
        let taints = self.tracer.taints.of(&self.ledger, account);
        let runs = |taint: &crate::trace::Taint| {
            let runs = self.tracer.lane(taint.lane).runs.get(&account)?;
            Some((taint.lane, runs.clone()))
        };
        entry.accounts.push(AccountWas {
            account,
            holding: self.ledger.holding(account),
            taints: taints.into(),
            runs: taints.iter().filter_map(runs).collect(),
        });
        let lanes: Vec<LaneIx> = taints.iter().map(|taint| taint.lane).collect();
        for lane in lanes {
            self.note_lane(lane);
        }
    }

    pub(super) fn note_lane(&mut self, ix: LaneIx) {
        let Some(entry) = self.journal.newest() else { return };
        if !entry.is_new_lane(ix) {
            return;
        }
        let lane = self.tracer.lane(ix);
        entry.lanes.push(LaneWas {
            lane: ix,
            totals: lane.totals.clone(),
            untold: lane.untold,
            nodes: lane.nodes.len(),
            members: lane.members.len(),
            reached: lane.reached.len(),
        });
    }

    /// Moves the units of an event between its accounts, the sender first, and
    /// gives it its place in the history.
    #[inline]
    fn record(
        &mut self,
        action: &Action,
        [from, to]: [AccountId; 2],
        mark: Mark,
    ) -> Result<Outcome, ApplyError> {
        for id in [from, to].into_iter().filter(|id| *id != NOBODY) {
            if !self.journal.is_empty() {
                self.note(id);
            }
            self.see(id);
        }
        let outcome = match *action {
            Action::Multisig(_) => Outcome::Nothing,
            Action::Transfer { amount, .. } => self.record_transfer(from, to, amount)?,
            Action::Issue { amount: 0, .. } => Outcome::Nothing,
            Action::Issue { amount, .. } if self.ledger.overflows(to, amount) => {
                Outcome::Refused(Refusal::BalanceOverflow)
            }
            Action::Issue { amount, .. } => {
                let before = self.ledger.credit(to, amount);
                Outcome::Moved(Movement::Issue { to, amount, before })
            }
            Action::Redeem { amount, .. } => {
                self.burn(from, amount, |debit| Movement::Redeem { from, amount, debit })
            }
            Action::Destroy { amount, .. } => {
                let account = from;
                self.burn(from, amount, |debit| Movement::Destroy { account, amount, debit })
            }
            Action::BlacklistAdd { .. } => self.set_frozen(from, true),
            Action::BlacklistRemove { .. } => self.set_frozen(from, false),
        };
        if let Outcome::Moved(movement) = outcome {
            self.history.tail.push(movement, mark);
        }
        Ok(outcome)
    }

    #[inline]
    fn record_transfer(
        &mut self,
        from: AccountId,
        to: AccountId,
        amount: Amount,
    ) -> Result<Outcome, ApplyError> {
        if amount == 0 || from == to {
            self.stats.zero_transfers += u64::from(amount == 0);
            self.stats.self_transfers += u64::from(from == to);
            return Ok(Outcome::Nothing);
        }
        if self.ledger.overflows(to, amount) {
            return Ok(Outcome::Refused(Refusal::BalanceOverflow));
        }
        let Some((_, id)) = self.history.tail.next() else { return Err(ApplyError::Full) };
        let debit = self.ledger.debit(from, amount);
        let to_before = self.ledger.credit(to, amount);
        let transfer = Transfer { id, from, to, amount, debit, to_before };
        Ok(Outcome::Moved(Movement::Transfer(transfer)))
    }

    fn burn(
        &mut self,
        account: AccountId,
        amount: Amount,
        movement: impl FnOnce(crate::movement::Debit) -> Movement,
    ) -> Outcome {
        if amount == 0 {
            return Outcome::Nothing;
        }
        Outcome::Moved(movement(self.ledger.debit(account, amount)))
    }

    fn set_frozen(&mut self, account: AccountId, frozen: bool) -> Outcome {
        let holding = self.ledger.holding(account);
        if holding.frozen == frozen {
            return Outcome::Nothing;
        }
        self.ledger.set_holding(account, Holding { frozen, ..holding });
        Outcome::Moved(if frozen {
            Movement::Freeze { account }
        } else {
            Movement::Release { account }
        })
    }

    /// Whether the movement is one of clean units between accounts that no case
    /// ever tainted, and no source, while the desk follows no units: most are.
    #[inline]
    fn concerns_no_case(&self, movement: &Movement, mark: Mark, chain: Chain) -> bool {
        let Movement::Transfer(transfer) = movement else { return false };
        let tainted = self.ledger.slot(transfer.from) | self.ledger.slot(transfer.to);
        tainted == 0
            && !self.desk.follows_units()
            && self.tracer.marked(chain, mark.tx, mark.log_index).is_empty()
    }

    /// Traces a movement and tells what it showed.
    fn trace(
        &mut self,
        movement: &Movement,
        mark: Mark,
        block: &BlockMeta,
        effects: &mut Vec<Effect>,
    ) -> Result<(), ApplyError> {
        let marks = self.tracer.marked(block.chain, mark.tx, mark.log_index).to_vec();
        for lane in &marks {
            self.note_lane(*lane);
        }
        let Engine { config, labels, tracer, ledger, notes, .. } = self;
        let world = World { config, labels };
        tracer.apply(movement, block, &marks, ledger, world, notes);
        match self.journal.newest() {
            Some(entry) => entry.arrivals.append(&mut self.notes.arrivals),
            None => self.notes.arrivals.clear(),
        }
        if let Movement::Transfer(Transfer { id, from, to, amount, .. }) = *movement
            && !self.tracer.parcels().is_empty()
        {
            self.graph.append(from, to, Edge { id, amount });
        }
        if self.notes.findings.is_empty() {
            return Ok(());
        }
        let findings = std::mem::take(&mut self.notes.findings);
        self.tell(findings, effects)
    }

    /// Tells the desk of a step of the issuer's multisig wallet. An account that
    /// a call names has not been seen by that.
    fn submit(
        &mut self,
        tx: TxHash,
        step: MultisigAction,
        block: &BlockMeta,
    ) -> Result<(), ApplyError> {
        let call = match step {
            MultisigAction::Submission { call: Some(call), .. } => match call {
                MultisigCall::AddBlackList(address) => Some((SubmittedCall::Freeze, address)),
                MultisigCall::RemoveBlackList(address) => Some((SubmittedCall::Release, address)),
                MultisigCall::DestroyBlackFunds(address) => Some((SubmittedCall::Destroy, address)),
                MultisigCall::Other(_) => None,
            },
            _ => None,
        };
        let call = match call {
            Some((call, address)) => {
                Some((call, self.intern(AccountKey { chain: block.chain, address })?))
            }
            None => None,
        };
        let (sight, desk) = self.sight();
        desk.step(tx, step, call, block, &sight);
        Ok(())
    }

    fn recommend(
        &mut self,
        block: &BlockMeta,
        touches: &[(AccountId, Touch)],
        effects: &mut Vec<Effect>,
    ) -> Result<(), ApplyError> {
        let mut records = Vec::new();
        let (mut sight, desk) = self.sight();
        desk.end_block(block, touches, &mut sight, &mut records)?;
        self.hand_over(records, effects);
        Ok(())
    }

    /// Tells what the desk recommends, and notes what it changed.
    pub(super) fn hand_over(
        &mut self,
        records: Vec<FreezeRecommendation>,
        effects: &mut Vec<Effect>,
    ) {
        effects.extend(records.into_iter().map(|record| Effect::Recommend(Box::new(record))));
        self.note_desk();
    }

    /// Hands the desk's changes to the journal, as part of the newest block.
    pub(super) fn note_desk(&mut self) {
        let mut changes = self.desk.take_changes();
        if let Some(entry) = self.journal.newest() {
            entry.desk.append(&mut changes);
        }
    }

    /// Closes the block's entry, and seals what is final and enough.
    fn end(&mut self, block: Block) -> Result<(), ApplyError> {
        if let Some(entry) = self.journal.newest() {
            entry.close();
            entry.block = block;
        }
        let end = self.journal.first().unwrap_or(self.history.blocks_len());
        Ok(self.history.seal_due(end, &self.ledger.accounts)?)
    }
}

fn refusal(block: &BlockMeta, event: &LedgerEvent, reason: Refusal) -> Effect {
    Effect::Refuse(RefusedEvent {
        chain: block.chain,
        block: block.number,
        timestamp_ms: block.timestamp_ms,
        event: *event,
        reason,
    })
}
