//! What became of the units of a case: every transfer that carried them, and
//! where they are at the end.
//!
//! What always holds: hops rise in the order in which they applied; each tells
//! what the sender held and how much of that was tainted, so that whoever reads
//! it can do the sum again.

use std::sync::Arc;

use super::Past;
use crate::history::HistoryError;
use crate::late::{Walk, Watch};
use crate::movement::{AccountId, BlockMeta, Movement, Transfer};
use crate::trace::{Outcome, Tracer, World};
use crate::{Amount, Case, CaseLedger, CaseTotals, Chain, EngineConfig, Policy, Source};

/// A transfer that carried tainted units, by ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hop {
    /// The transfer's id; see [`Past::transfer`].
    pub transfer: u32,
    /// The account debited.
    pub from: u32,
    /// The account credited.
    pub to: u32,
    /// Transfers between the source and the receiver.
    pub hops: u32,
    /// Units that it moved.
    pub amount: Amount,
    /// What the sender held before it, missing units included.
    pub before: Amount,
    /// Units that the sender lacked, since they came before the first event.
    pub missing: Amount,
    /// Tainted units among what the sender held.
    pub tainted_before: Amount,
    /// Tainted units that it moved.
    pub moved: Amount,
    /// Where its runs begin; see [`Trace::runs`].
    runs: u32,
    /// What became of them on arrival.
    pub outcome: Outcome,
    /// Whether the transfer itself is a source of the case.
    pub marked: bool,
}

/// An account that holds tainted units at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// The account.
    pub account: u32,
    /// Tainted units; under `poison` all that it holds as far as that is seen.
    pub tainted: Amount,
    /// Transfers between the source and the account.
    pub hops: u32,
    /// Whether the issuer has frozen it.
    pub frozen: bool,
    /// Block time of the last tainted units in or out, Unix milliseconds.
    pub moved_ms: u64,
}

/// The trace of a case under one policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// How taint was attributed.
    pub policy: Policy,
    /// Every transfer that carried tainted units, in the order of application.
    pub hops: Vec<Hop>,
    /// Under ordered policies, of each hop: the tainted runs.
    runs: Vec<(Amount, Amount)>,
    /// Where tainted units are, in the order of ids.
    pub held: Vec<Held>,
    /// The books of the case.
    pub totals: CaseTotals,
    /// Its books at the end of each day in which they changed, in the order of
    /// application; what a source held when it became active stands in them from
    /// its next movement on.
    pub days: Vec<CaseLedger>,
}

impl Trace {
    /// Under `fifo` and `lifo`: which of the units that moved are tainted, each
    /// run as its first unit, counted from 0 in the order of leaving, and its
    /// length. Empty under other policies.
    pub fn runs(&self, hop: usize) -> &[(Amount, Amount)] {
        let start = |hop: &Hop| (hop.runs as usize).min(self.runs.len());
        let Some(here) = self.hops.get(hop) else { return &[] };
        let end = self.hops.get(hop + 1).map_or(self.runs.len(), start);
        &self.runs[start(here)..end]
    }
}

impl Past {
    /// Traces the case through the whole past, as if it were the only one.
    /// `progress` is told the transfers passed and all that there are.
    ///
    /// # Errors
    /// If a segment cannot be read.
    pub fn follow(
        &self,
        case: &Case,
        policy: Policy,
        mut progress: impl FnMut(u64, u64),
    ) -> Result<Trace, HistoryError> {
        let (case, wallets) = self.known_part(case);
        let mut tracer = Tracer::default();
        tracer.open(0, &Arc::new(case), policy, &Arc::from([0]), &wallets);
        let mut walk = Walk::new(tracer, self.accounts.len());
        // Whoever reads hops needs no alerts.
        let (thresholds, alert_min_units) = (Vec::new(), Amount::MAX);
        let config = EngineConfig { thresholds, alert_min_units, ..EngineConfig::default() };
        let world = World { config: &config, labels: &self.labels };
        let mut recorder = Recorder::new(&walk.tracer.lane(0).case.id, policy);
        let all = self.history.transfers_len() as u64;
        for segment in self.history.segments() {
            walk.segment(segment, world, &mut recorder)?;
            walk.notes.findings.clear();
            progress(u64::from(segment.first_transfer() + segment.transfers()), all);
        }
        walk.tail(&self.history.tail, world, &mut recorder);
        walk.settle_sources(|account| self.balance_at(account.0, self.end()))?;
        recorder.end(&walk.tracer);
        self.conclude(&walk, recorder.trace)
    }

    /// The case without wallets that the past never named, and the ids of the
    /// others in the order of the case.
    fn known_part(&self, case: &Case) -> (Case, Vec<AccountId>) {
        let mut wallets = Vec::new();
        let known = case.sources.iter().filter(|source| match source {
            Source::Wallet { account, .. } => {
                let id = self.accounts.find(*account);
                wallets.extend(id);
                id.is_some()
            }
            Source::Transfer { .. } => true,
        });
        let sources = known.copied().collect();
        (Case { sources, ..case.clone() }, wallets)
    }

    fn conclude(&self, walk: &Walk, mut trace: Trace) -> Result<Trace, HistoryError> {
        for (account, taint, frozen) in walk.members(0) {
            let poison = trace.policy == Policy::Poison;
            if taint.units > 0 || poison {
                let (tainted, hops, moved_ms) = (taint.units, taint.hops, taint.moved_ms);
                trace.held.push(Held { account: account.0, tainted, hops, frozen, moved_ms });
            }
        }
        trace.held.sort_unstable_by_key(|held| held.account);
        trace.totals = walk.tracer.lane(0).totals.clone();
        Ok(trace)
    }
}

/// Notes what a walk sees.
struct Recorder {
    trace: Trace,
    case: String,
    /// The block seen last.
    last: Option<BlockMeta>,
    /// Chain and day of the newest entry of the books.
    noted: Option<(Chain, u64)>,
}

impl Recorder {
    fn new(case: &str, policy: Policy) -> Recorder {
        let trace = Trace { policy, ..Trace::default() };
        Recorder { trace, case: case.to_owned(), last: None, noted: None }
    }

    /// Notes the books if they changed: one entry is left for each day.
    fn note(&mut self, totals: &CaseTotals, block: &BlockMeta) {
        let newest = self.trace.days.last_mut();
        let known = newest.as_ref().map(|day| &day.totals);
        if known.map_or(*totals == CaseTotals::default(), |known| known == totals) {
            return;
        }
        let BlockMeta { chain, number, timestamp_ms, .. } = *block;
        let day = Some((chain, block.day()));
        if let Some(newest) = newest.filter(|_| self.noted == day) {
            (newest.block, newest.timestamp_ms) = (number, timestamp_ms);
            newest.totals.clone_from(totals);
            return;
        }
        self.noted = day;
        self.trace.days.push(CaseLedger {
            case: self.case.clone(),
            chain,
            block: number,
            timestamp_ms,
            policy: self.trace.policy,
            totals: totals.clone(),
        });
    }

    /// Notes what was found after the last movement.
    fn end(&mut self, tracer: &Tracer) {
        if let Some(last) = self.last {
            self.note(&tracer.lane(0).totals, &last);
        }
    }
}

impl Watch for Recorder {
    fn saw(&mut self, tracer: &Tracer, movement: &Movement, block: &BlockMeta) {
        self.last = Some(*block);
        self.note(&tracer.lane(0).totals, block);
        let Movement::Transfer(Transfer { id, from, to, amount, debit, .. }) = *movement else {
            return;
        };
        for parcel in tracer.parcels() {
            // Beyond 2^32 runs the last ones cannot be told apart.
            let runs = u32::try_from(self.trace.runs.len()).unwrap_or(u32::MAX);
            if self.trace.policy.is_ordered() {
                self.trace
                    .runs
                    .extend(tracer.runs_of(parcel).iter().map(|run| (run.start, run.len)));
            }
            self.trace.hops.push(Hop {
                transfer: id.0,
                from: from.0,
                to: to.0,
                hops: parcel.hops,
                amount,
                before: debit.before,
                missing: debit.missing,
                tainted_before: parcel.sender_tainted,
                moved: parcel.units,
                runs,
                outcome: parcel.outcome,
                marked: parcel.marked,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_hop_costs() {
        assert_eq!(size_of::<Hop>(), 64);
    }
}
