//! Cases and labels that come, change or go while the engine runs.
//!
//! What always holds: the state afterwards is that of a run that knew them
//! from the first event. A case is traced through the past by a tracer of its
//! own, and only alerts that were not told before are told.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{ApplyError, Engine, OpenCase, Waiting};
use crate::late::{LateTrace, Walk};
use crate::movement::AccountId;
use crate::trace::{Lane, LaneIx, Tracer, World};
use crate::{AccountKey, Case, Chain, Effect, Label, Source};

impl Engine {
    pub(super) fn open_case(
        &mut self,
        case: Case,
        effects: &mut Vec<Effect>,
    ) -> Result<(), ApplyError> {
        let known = self.cases.get(&case.id);
        if known.is_some_and(|known| *known.case == case) {
            return Ok(());
        }
        let id = case.id.clone();
        let case = Arc::new(case);
        let heads = Chain::ALL.map(|chain| self.head_number(chain));
        match self.cases.get_mut(&id) {
            Some(open) => (open.case, open.heads) = (case, heads),
            None => {
                let next = self.told.len();
                let slot = *self.slots.entry(id.clone()).or_insert(next);
                if slot == next {
                    self.told.push(Default::default());
                }
                let lanes = Vec::new();
                let open = OpenCase { case, slot, lanes, traced_at: 0, heads, waits_for: None };
                self.cases.insert(id.clone(), open);
            }
        }
        if self.history.is_empty() {
            return self.open_first(&id);
        }
        let accounts = self.open_late(&id, effects)?;
        self.review(accounts, effects)
    }

    /// Opens a case before the first block.
    fn open_first(&mut self, id: &str) -> Result<(), ApplyError> {
        let old = self.cases.get_mut(id).map(|case| std::mem::take(&mut case.lanes));
        self.close_lanes(old.unwrap_or_default());
        let mut tracer = std::mem::take(&mut self.tracer);
        let lanes = self.next_lanes().and_then(|first| self.open_lanes(id, first, &mut tracer));
        self.tracer = tracer;
        if let Some(open) = self.cases.get_mut(id) {
            open.lanes = lanes?;
        }
        for chain in Chain::ALL {
            self.wake_sources(chain, 0);
        }
        Ok(())
    }

    /// Takes ranks for a lane of each policy; returns the first.
    fn next_lanes(&mut self) -> Result<LaneIx, ApplyError> {
        let first = self.next_lane;
        let count = u32::try_from(self.config.policies.len()).expect("few policies");
        self.next_lane = first.checked_add(count).ok_or(ApplyError::Full)?;
        Ok(first)
    }

    /// Opens a lane for each policy in that tracer, from `first` on.
    fn open_lanes(
        &mut self,
        id: &str,
        first: LaneIx,
        tracer: &mut Tracer,
    ) -> Result<Vec<LaneIx>, ApplyError> {
        let case = Arc::clone(&self.cases[id].case);
        let mut wallets = Vec::new();
        for source in &case.sources {
            if let Source::Wallet { account, .. } = source {
                wallets.push(self.intern(*account)?);
            }
        }
        let lanes: Arc<[LaneIx]> = (first..).zip(&self.config.policies).map(|(ix, _)| ix).collect();
        for (ix, policy) in lanes.iter().zip(&self.config.policies) {
            tracer.open(*ix, &case, *policy, &lanes, &wallets);
        }
        Ok(lanes.to_vec())
    }

    /// Has a case traced through the past: at once, or elsewhere. Returns the
    /// accounts that it touches, as far as they are known now.
    fn open_late(
        &mut self,
        id: &str,
        effects: &mut Vec<Effect>,
    ) -> Result<BTreeSet<AccountId>, ApplyError> {
        if self.config.defer_late && !self.history.segments().is_empty() {
            let trace = self.begin_late(id)?;
            self.queued.push(trace);
            return Ok(BTreeSet::new());
        }
        self.retrace_now(id, effects)
    }

    fn begin_late(&mut self, id: &str) -> Result<LateTrace, ApplyError> {
        self.next_trace += 1;
        let waiting = Waiting { number: self.next_trace, first_lane: self.next_lanes()? };
        if let Some(open) = self.cases.get_mut(id) {
            open.waits_for = Some(waiting);
        }
        self.queued.retain(|queued| queued.case != id);
        self.late_trace(id, waiting)
    }

    fn late_trace(&mut self, id: &str, waiting: Waiting) -> Result<LateTrace, ApplyError> {
        let mut tracer = Tracer::default();
        let Waiting { number, first_lane } = waiting;
        self.open_lanes(id, first_lane, &mut tracer)?;
        Ok(LateTrace {
            case: id.to_owned(),
            number,
            walk: Walk::new(tracer, self.ledger.accounts.len()),
            segments: self.history.segments().to_vec(),
            next: 0,
            config: Arc::clone(&self.config),
            labels: Arc::clone(&self.labels),
        })
    }

    /// Cases to be traced through the past elsewhere, on a thread of their own
    /// say ([`LateTrace::run`]), and handed back by [`Engine::join_late`].
    /// There are some only if the configuration defers them.
    pub fn take_late(&mut self) -> Vec<LateTrace> {
        std::mem::take(&mut self.queued)
    }

    /// Takes a traced case back, follows it through what came meanwhile, and
    /// tells what the past owed. A trace that is no longer wanted, as its case
    /// was closed or changed, is dropped.
    ///
    /// # Errors
    /// As [`Engine::apply`].
    pub fn join_late(
        &mut self,
        trace: LateTrace,
        effects: &mut Vec<Effect>,
    ) -> Result<(), ApplyError> {
        let told_before = effects.len();
        let joined = self.join_wanted(trace, effects);
        joined.inspect_err(|_| effects.truncate(told_before))
    }

    fn join_wanted(
        &mut self,
        trace: LateTrace,
        effects: &mut Vec<Effect>,
    ) -> Result<(), ApplyError> {
        let wanted = self.cases.get(&trace.case).and_then(|case| case.waits_for);
        if wanted.is_none_or(|waiting| waiting.number != trace.number) {
            return Ok(());
        }
        let accounts = self.join(trace, effects)?;
        self.review(accounts, effects)
    }

    /// Begins the traces anew that cases of a restored engine wait for.
    pub(super) fn resume_late(&mut self) -> Result<(), ApplyError> {
        let mut waiting: Vec<(String, Waiting)> = self
            .cases
            .iter()
            .filter_map(|(id, case)| Some((id.clone(), case.waits_for?)))
            .collect();
        waiting.sort_unstable_by_key(|(_, waiting)| waiting.number);
        for (id, waiting) in waiting {
            let trace = self.late_trace(&id, waiting)?;
            self.queued.push(trace);
        }
        Ok(())
    }

    /// Traces what a restored engine waits for, where nobody else does: an
    /// engine that does not defer has nothing queued at any other time.
    pub(super) fn catch_up(&mut self, effects: &mut Vec<Effect>) -> Result<(), ApplyError> {
        if self.config.defer_late || self.queued.is_empty() {
            return Ok(());
        }
        for trace in self.take_late() {
            self.join_wanted(trace, effects)?;
        }
        Ok(())
    }

    /// Whether a case waits to be traced through the past.
    pub fn has_late(&self) -> bool {
        self.cases.values().any(|case| case.waits_for.is_some())
    }

    /// Traces a case anew, at once. Returns the accounts that it touches.
    pub(super) fn retrace_now(
        &mut self,
        id: &str,
        effects: &mut Vec<Effect>,
    ) -> Result<BTreeSet<AccountId>, ApplyError> {
        let trace = self.begin_late(id)?;
        self.join(trace, effects)
    }

    /// Finishes a late trace. Returns the accounts that the case touches or
    /// touched before.
    fn join(
        &mut self,
        mut trace: LateTrace,
        effects: &mut Vec<Effect>,
    ) -> Result<BTreeSet<AccountId>, ApplyError> {
        trace.segments = self.history.segments().to_vec();
        trace.run()?;
        let mut walk = trace.walk;
        walk.grow(self.ledger.accounts.len());
        let world = World { config: &self.config, labels: &self.labels };
        walk.tail(&self.history.tail, world, &mut ());
        walk.settle_sources(|id| Ok::<_, ApplyError>(self.ledger.holding(id).balance))?;
        let old = self.cases.get_mut(&trace.case).map(|case| std::mem::take(&mut case.lanes));
        let mut accounts = self.close_lanes(old.unwrap_or_default());
        let findings = std::mem::take(&mut walk.notes.findings);
        if !self.tracer.taints.has_room(walk.touched()) {
            return Err(ApplyError::Full);
        }
        let lanes = walk.absorb_into(&mut self.tracer, &mut self.ledger);
        for lane in &lanes {
            accounts.extend(touched(self.tracer.lane(*lane)));
        }
        if let Some(head) = self.heads.iter().flatten().max_by_key(|head| head.timestamp_ms) {
            self.check(lanes.iter().copied(), head)?;
        }
        self.note_books(&lanes);
        if let Some(open) = self.cases.get_mut(&trace.case) {
            open.lanes = lanes;
            open.waits_for = None;
            open.traced_at = self.history.blocks_len();
        }
        let before = self.journal.take_alerts(&trace.case);
        self.tell(findings, effects)?;
        self.retract_lost(before, effects);
        Ok(accounts)
    }

    pub(super) fn close_case(
        &mut self,
        id: &str,
        effects: &mut Vec<Effect>,
    ) -> Result<(), ApplyError> {
        let Some(case) = self.cases.remove(id) else {
            return Ok(());
        };
        self.queued.retain(|queued| queued.case != id);
        self.journal.drop_ledgers(id);
        let accounts = self.close_lanes(case.lanes);
        self.review(accounts, effects)
    }

    /// Stops tracing these lanes. Returns the accounts that they touched.
    fn close_lanes(&mut self, lanes: Vec<LaneIx>) -> BTreeSet<AccountId> {
        let mut accounts = BTreeSet::new();
        for lane in lanes {
            if let Some(lane) = self.tracer.close(lane, &self.ledger) {
                accounts.extend(touched(&lane));
            }
        }
        accounts
    }

    /// A label that changes where tracing stops changes every case's past; any
    /// other may change who can act on a freeze.
    pub(super) fn set_label(
        &mut self,
        account: AccountKey,
        label: Option<Label>,
        effects: &mut Vec<Effect>,
    ) -> Result<(), ApplyError> {
        let id = self.intern(account)?;
        let labels = Arc::make_mut(&mut self.labels);
        let stop = |label: Option<&Label>| {
            label.filter(|label| label.stop).map(|label| label.entity.clone())
        };
        let now = stop(label.as_ref());
        let before = match label {
            Some(label) => labels.insert(id, label),
            None => labels.remove(&id),
        };
        if self.history.is_empty() {
            return Ok(());
        }
        let mut accounts = BTreeSet::from([id]);
        if now != stop(before.as_ref()) {
            let cases: Vec<String> = self.cases.keys().cloned().collect();
            let heads = Chain::ALL.map(|chain| self.head_number(chain));
            for case in cases {
                if let Some(open) = self.cases.get_mut(&case) {
                    open.heads = heads;
                }
                accounts.append(&mut self.open_late(&case, effects)?);
            }
        }
        // Once all cases agree on the label, so that no account is told twice.
        self.review(accounts, effects)
    }

    pub(super) fn review(
        &mut self,
        accounts: BTreeSet<AccountId>,
        effects: &mut Vec<Effect>,
    ) -> Result<(), ApplyError> {
        let mut accounts: Vec<(AccountKey, AccountId)> =
            accounts.into_iter().map(|id| (self.ledger.accounts.key(id), id)).collect();
        accounts.sort_unstable();
        let mut records = Vec::new();
        for (key, account) in accounts {
            if let Some(head) = self.heads[key.chain.index()] {
                let (mut sight, desk) = self.sight();
                desk.review(account, &head, &mut sight, &mut records)?;
            }
        }
        self.hand_over(records, effects);
        Ok(())
    }
}

fn touched(lane: &Lane) -> impl Iterator<Item = AccountId> + '_ {
    lane.members.iter().chain(&lane.reached).copied()
}
