//! Blocks that left the canonical chain.
//!
//! Blocks of both chains apply interleaved, so all that came after the first
//! reverted block is undone, newest first, and what the other chain had among
//! it is applied again. What always holds: the state is then that of a run
//! which never saw the reverted blocks.

use std::collections::BTreeMap;

use super::{ApplyError, Engine};
use crate::freeze::Known;
use crate::journal::Entry;
use crate::movement::{AccountId, BlockIx, BlockMeta, TransferId};
use crate::trace::LaneIx;
use crate::{AccountKey, Chain, Effect};

/// What the desk had told of accounts before a reorganisation.
type ToldBefore = BTreeMap<AccountKey, (AccountId, Known)>;

impl Engine {
    pub(super) fn revert(
        &mut self,
        chain: Chain,
        number: u64,
        effects: &mut Vec<Effect>,
    ) -> Result<(), ApplyError> {
        if self.head_number(chain).is_none_or(|head| head < number) {
            return Ok(());
        }
        let last_final = self.finals[chain.index()].unwrap_or(0);
        let first = self.journal.first_from(chain, number);
        let is_final = self.finals[chain.index()].is_some_and(|last| number <= last);
        let Some(cut) = first.filter(|_| !is_final) else {
            return Err(ApplyError::RevertedFinal { chain, block: number, last_final });
        };
        let heads = self.heads;
        let stale = self.close_younger(cut);
        let mut told_before = ToldBefore::new();
        let (mut again, mut kept) = (Vec::new(), Vec::new());
        let mut retracted = Vec::new();
        while let Some(mut entry) = self.journal.pop(cut) {
            self.undo(&mut entry, &mut told_before);
            if entry.block.chain == chain {
                retracted.push(entry.alerts);
            } else {
                again.push(entry.block);
                kept.append(&mut entry.alerts);
            }
        }
        self.retract(retracted.into_iter().rev().flatten().collect(), effects);
        let transfers = u32::try_from(self.history.transfers_len()).expect("numbered");
        self.graph.revert(TransferId(transfers));
        // What these tell was told when they applied first; but a label that came
        // since, whose cases are still being traced anew, can make an alert new.
        let mut told = Vec::new();
        for block in again.into_iter().rev() {
            self.commit(block, &mut told)?;
        }
        effects.extend(told.into_iter().filter(|effect| matches!(effect, Effect::Raise(_))));
        for id in stale {
            let reviewed = self.retrace_now(&id, effects)?;
            self.remember_told(reviewed.iter().copied(), &mut told_before);
            self.review(reviewed, &mut Vec::new())?;
        }
        self.retract_lost(kept, effects);
        self.retell(told_before, heads, effects)
    }

    /// Closes the lanes of cases that were traced through blocks from `cut` on:
    /// the journal does not know them. Returns the cases.
    fn close_younger(&mut self, cut: BlockIx) -> Vec<String> {
        let mut stale = Vec::new();
        for (id, case) in &mut self.cases {
            if case.traced_at > cut && !case.lanes.is_empty() {
                stale.push(id.clone());
                for lane in std::mem::take(&mut case.lanes) {
                    self.tracer.close(lane, &self.ledger);
                }
            }
        }
        stale
    }

    /// Puts back what was before a block.
    fn undo(&mut self, entry: &mut Entry, told_before: &mut ToldBefore) {
        for change in std::mem::take(&mut entry.desk).into_iter().rev() {
            self.remember_told(change.account(), told_before);
            self.desk.undo(change);
        }
        for (lane, account, before) in entry.arrivals.drain(..).rev() {
            if self.tracer.is_open(lane) {
                self.tracer.restore_arrival(lane, account, before);
            }
        }
        for was in entry.accounts.drain(..).rev() {
            self.ledger.set_holding(was.account, was.holding);
            self.restore_taints(was.account, was.taints, was.runs);
        }
        for was in entry.lanes.drain(..) {
            if self.tracer.is_open(was.lane) {
                let lane = self.tracer.lane_mut(was.lane);
                lane.totals = was.totals;
                lane.nodes.truncate(was.nodes);
                lane.members.truncate(was.members);
                lane.reached.truncate(was.reached);
                self.tracer.set_untold(was.lane, was.untold);
            }
        }
        self.restore_rest(entry);
    }

    fn restore_taints(
        &mut self,
        account: AccountId,
        mut taints: crate::trace::TaintList,
        runs: Vec<(LaneIx, crate::trace::Runs)>,
    ) {
        let tracer = &mut self.tracer;
        let now: Vec<LaneIx> =
            tracer.taints.of(&self.ledger, account).iter().map(|taint| taint.lane).collect();
        for lane in now {
            tracer.lane_mut(lane).runs.remove(&account);
        }
        for (lane, runs) in runs {
            if tracer.is_open(lane) {
                tracer.lane_mut(lane).runs.insert(account, runs);
            }
        }
        taints.retain(|taint| tracer.is_open(taint.lane));
        tracer.taints.restore(&mut self.ledger, account, taints);
    }

    fn restore_rest(&mut self, entry: &mut Entry) {
        let chain = entry.block.chain.index();
        let tracer = &mut self.tracer;
        if let Some(mut queue) = entry.pending.take() {
            queue.retain(|pending| tracer.is_open(pending.lane));
            tracer.pending[chain] = queue;
        }
        tracer.woken = std::mem::take(&mut entry.woken);
        self.stats = entry.stats;
        self.ledger.opening_units = entry.opening_units;
        self.heads[chain] = entry.head;
        self.history.tail.truncate(entry.ix);
    }

    /// Remembers what the desk had told of accounts, the first time they are
    /// named.
    fn remember_told(
        &self,
        accounts: impl IntoIterator<Item = AccountId>,
        told_before: &mut ToldBefore,
    ) {
        for account in accounts {
            let now = || (account, self.desk.known(account));
            told_before.entry(self.ledger.accounts.key(account)).or_insert_with(now);
        }
    }

    /// Tells each recommendation that is another one now. `heads`: those before
    /// the reorganisation, for a chain of which nothing is left.
    fn retell(
        &mut self,
        told_before: ToldBefore,
        heads: [Option<BlockMeta>; 2],
        effects: &mut Vec<Effect>,
    ) -> Result<(), ApplyError> {
        self.note_desk();
        for (key, (account, before)) in told_before {
            if self.desk.known(account) == before {
                continue;
            }
            let chain = key.chain.index();
            let Some(head) = self.heads[chain].or(heads[chain]) else { continue };
            let (mut sight, desk) = self.sight();
            if let Some(record) = desk.retell(account, &before, &head, &mut sight)? {
                effects.push(Effect::Recommend(Box::new(record)));
            }
        }
        Ok(())
    }
}
