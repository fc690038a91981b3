//! Cases and labels that come, change or go while the engine runs.
//!
//! What always holds: the state afterwards is that of a run that knew them
//! from the first event. A case is traced through the past by a tracer of its
//! own, and only alerts that it had not raised before are told.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Engine, raise};
use crate::graph::AccountId;
use crate::history::BlockIx;
use crate::ledger::LaneIx;
use crate::trace::{Lane, Notes, Tracer, World};
use crate::{ApplyError, Case, Effect, Label, Source};

impl Engine {
    pub(super) fn open_case(
        &mut self,
        case: Case,
        effects: &mut Vec<Effect>,
    ) -> Result<(), ApplyError> {
        let known = self.lanes.get(&case.id).copied();
        if known.is_some_and(|ix| *self.tracer.lane(ix).case == case) {
            return Ok(());
        }
        let before = known.and_then(|ix| self.tracer.close(ix));
        let ix = known.unwrap_or_else(|| self.tracer.free_slot());
        self.lanes.insert(case.id.clone(), ix);
        let wallets = self.wallets(&case)?;
        if self.history.is_empty() {
            self.tracer.open(ix, Arc::new(case), self.config.policy, &wallets);
            return Ok(());
        }
        let accounts = self.retrace(ix, Arc::new(case), &wallets, before, effects)?;
        self.review(accounts, effects);
        Ok(())
    }

    fn wallets(&mut self, case: &Case) -> Result<Vec<AccountId>, ApplyError> {
        let mut ids = Vec::new();
        for source in &case.sources {
            if let Source::Wallet { account, .. } = source {
                ids.push(self.intern(*account)?);
            }
        }
        Ok(ids)
    }

    pub(super) fn close_case(
        &mut self,
        id: &str,
        effects: &mut Vec<Effect>,
    ) -> Result<(), ApplyError> {
        let Some(ix) = self.lanes.remove(id) else {
            return Ok(());
        };
        if let Some(lane) = self.tracer.close(ix) {
            let accounts = lane.members.iter().chain(&lane.reached).copied().collect();
            self.review(accounts, effects);
        }
        Ok(())
    }

    /// A label that changes where tracing stops changes every case's past; any
    /// other may change who can act on a freeze.
    pub(super) fn relabelled(
        &mut self,
        account: AccountId,
        before: Option<Label>,
        effects: &mut Vec<Effect>,
    ) -> Result<(), ApplyError> {
        let now = self.labels.get(&account).filter(|label| label.stop).map(|label| &label.entity);
        let before = before.as_ref().filter(|label| label.stop).map(|label| &label.entity);
        if self.history.is_empty() {
            return Ok(());
        }
        let mut accounts = BTreeSet::from([account]);
        if now == before {
            self.review(accounts, effects);
            return Ok(());
        }
        let lanes: Vec<LaneIx> = self.lanes.values().copied().collect();
        for ix in lanes {
            let Some(lane) = self.tracer.close(ix) else {
                continue;
            };
            let case = Arc::clone(&lane.case);
            let wallets = self.wallets(&case)?;
            accounts.append(&mut self.retrace(ix, case, &wallets, Some(lane), effects)?);
        }
        // Once all cases agree on the label, so that no account is told twice.
        self.review(accounts, effects);
        Ok(())
    }

    /// Traces a case through the whole past, by a tracer of its own. Returns the
    /// accounts that it touches or touched before.
    fn retrace(
        &mut self,
        ix: LaneIx,
        case: Arc<Case>,
        wallets: &[AccountId],
        before: Option<Lane>,
        effects: &mut Vec<Effect>,
    ) -> Result<BTreeSet<AccountId>, ApplyError> {
        let Engine { config, graph, history, labels, .. } = &*self;
        let world = World { config, graph, history, labels };
        let mut past = Tracer::default();
        past.book.grow(graph.account_count());
        for (account, amount) in history.opening() {
            past.open_balance(*account, *amount);
        }
        past.open(ix, case, config.policy, wallets);
        let mut accounts = BTreeSet::new();
        if let Some(before) = before {
            past.lane_mut(ix).raised = before.raised;
            accounts.extend(before.members.iter().chain(&before.reached).copied());
        }
        let mut told = Vec::new();
        let mut notes = Notes::default();
        for (block, meta) in (0..).zip(history.blocks()) {
            if meta.has_events {
                past.begin_block(meta.chain, meta.number);
            }
            for movement in history.movements(block, graph) {
                past.apply(movement, world, block, &mut notes);
                raise(&mut past, &mut notes, world, &mut told);
            }
            notes.touches.clear();
        }
        let lane = past.lane(ix);
        accounts.extend(lane.members.iter().chain(&lane.reached).copied());
        self.tracer.absorb(past, ix);
        let head = BlockIx::try_from(self.history.blocks().len() - 1).expect("numbered");
        self.check([ix], head)?;
        for effect in &mut told {
            if let Effect::Raise(alert) = effect {
                alert.retroactive = true;
            }
        }
        effects.append(&mut told);
        Ok(accounts)
    }

    fn review(&mut self, accounts: BTreeSet<AccountId>, effects: &mut Vec<Effect>) {
        let Engine { config, graph, history, labels, tracer, desk, heads, .. } = self;
        let world = World { config, graph, history, labels };
        let mut records = Vec::new();
        for account in accounts {
            if let Some(head) = heads[graph.account(account).chain.index()] {
                desk.review(account, head, tracer, world, &mut records);
            }
        }
        effects.extend(records.into_iter().map(|record| Effect::Recommend(Box::new(record))));
    }
}
