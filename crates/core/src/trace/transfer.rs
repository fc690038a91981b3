//! One transfer: what the debit moves, and what becomes of it on arrival.

use super::lane::{Lane, LaneIx, ROOT};
use super::lanes::Lanes;
use super::runs::{self, Run};
use super::taints::{Book, Taint};
use super::{CaseTotals, Finding, Notes, Touch, Tracer, World};
use crate::movement::{AccountId, BlockMeta, Debit, Transfer};
use crate::policy::Share;
use crate::{Amount, Attribution, Policy, Rule};

/// What becomes of tainted units on arrival: the rules of a credit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Rule 1: the receiver is an active source.
    AtSource,
    /// Rule 2: the receiver belongs to a service.
    Service,
    /// Rule 3: too far from the source.
    Horizon,
    /// Rule 4: too few.
    Dust,
    /// Rule 5.
    Held,
}

/// Tainted units of one case on their way.
#[derive(Clone, Debug)]
pub(crate) struct Parcel {
    pub(crate) lane: LaneIx,
    pub(crate) units: Amount,
    pub(crate) hops: u32,
    /// The end of the path that led to the sender.
    pub(crate) parent: u32,
    /// Tainted units that the sender held before the debit.
    pub(crate) sender_tainted: Amount,
    /// Whether the transfer itself is a source.
    pub(crate) marked: bool,
    pub(crate) outcome: Outcome,
    /// How many of its units the sender's taint lost: all but those of a marked
    /// parcel that were clean.
    pub(super) taken: Amount,
    /// Where its runs stand in the stream; for ordered policies.
    runs: (u32, u32),
}

pub(super) fn runs_of<'a>(stream: &'a [Run], parcel: &Parcel) -> &'a [Run] {
    &stream[parcel.runs.0 as usize..parcel.runs.1 as usize]
}

/// A place in the stream of one transfer's runs.
fn place(at: usize) -> u32 {
    u32::try_from(at).expect("fewer runs than 2^32 transfers can make")
}

/// A debit of an account, frozen or not.
#[derive(Clone, Copy)]
pub(super) struct Leaving {
    account: AccountId,
    frozen: bool,
    debit: Debit,
    share: Share,
}

impl Leaving {
    pub(super) fn of(account: AccountId, debit: Debit, amount: Amount, frozen: bool) -> Leaving {
        Leaving { account, frozen, debit, share: Share::of(amount, debit.before) }
    }
}

/// Takes the tainted part of a debit out of a taint, and returns it; the
/// sender's total has it still. Appends its runs to `stream` where the policy is
/// an ordered one.
#[inline]
pub(super) fn take(
    taint: &mut Taint,
    lanes: &mut Lanes,
    leaving: &Leaving,
    stream: &mut Vec<Run>,
) -> Amount {
    if taint.units == 0 && !taint.whole {
        return 0;
    }
    let Leaving { account, frozen, debit, ref share } = *leaving;
    let amount = share.amount;
    if taint.whole && debit.missing > 0 {
        credit_whole(taint, debit.missing, 0, frozen, lanes.totals(taint.lane));
    }
    let policy = lanes.terms(taint.lane).policy;
    let moved = if taint.whole {
        if policy.is_ordered() {
            stream.push(Run { start: 0, len: amount });
        }
        amount
    } else if policy.is_ordered() {
        take_runs(lanes.lane_mut(taint.lane), account, debit, amount, stream)
    } else {
        policy.moved(taint.units, share)
    };
    taint.units -= moved;
    moved
}

fn take_runs(
    lane: &mut Lane,
    account: AccountId,
    debit: Debit,
    amount: Amount,
    stream: &mut Vec<Run>,
) -> Amount {
    let from = stream.len();
    let held = lane.runs.get_mut(&account).expect("tainted units lie somewhere");
    if lane.policy == Policy::Fifo {
        held.take_oldest(debit, amount, stream);
    } else {
        held.take_newest(debit, amount, stream);
    }
    if held.is_empty() {
        lane.runs.remove(&account);
    }
    runs::units(&stream[from..])
}

/// Credits an account of which everything is tainted; `arrived` of the units
/// are tainted already.
pub(super) fn credit_whole(
    taint: &mut Taint,
    amount: Amount,
    arrived: Amount,
    frozen: bool,
    totals: &mut CaseTotals,
) {
    taint.units += amount;
    *totals.class(frozen) += u128::from(amount);
    if taint.source {
        totals.emitted += u128::from(amount - arrived);
    }
}

/// A transfer and where it happens.
#[derive(Clone, Copy)]
pub(super) struct Transit<'a> {
    pub(super) transfer: &'a Transfer,
    pub(super) block: &'a BlockMeta,
    pub(super) world: World<'a>,
}

impl Tracer {
    /// Which of the units of a parcel of the last movement are tainted, by
    /// their place among the units that left; under ordered policies.
    pub(crate) fn runs_of(&self, parcel: &Parcel) -> &[Run] {
        runs_of(&self.stream, parcel)
    }

    pub(super) fn transfer(
        &mut self,
        transfer: &Transfer,
        block: &BlockMeta,
        marks: &[LaneIx],
        book: &mut impl Book,
        world: World<'_>,
        notes: &mut Notes,
    ) {
        if book.slot(transfer.from) == 0 && book.slot(transfer.to) == 0 && marks.is_empty() {
            return;
        }
        let transit = Transit { transfer, block, world };
        let told = notes.findings.len();
        let mut parcels = std::mem::take(&mut self.parcels);
        self.stream.clear();
        self.collect(transit, book, &mut parcels, notes);
        self.mark(transit, marks, book, &mut parcels);
        self.reach_whole(transit, &parcels, book, notes);
        if !parcels.is_empty() {
            self.deliver(transit, &mut parcels, book, notes);
        }
        self.parcels = parcels;
        if notes.findings.len() > told {
            self.attribute(told, book, notes);
        }
    }

    /// Debits each taint of the sender.
    fn collect(
        &mut self,
        transit: Transit<'_>,
        book: &impl Book,
        parcels: &mut Vec<Parcel>,
        notes: &mut Notes,
    ) {
        let Transfer { from, amount, debit, .. } = *transit.transfer;
        let taints = self.taints.of_mut(book, from);
        if taints.is_empty() {
            return;
        }
        let leaving = Leaving::of(from, debit, amount, book.is_frozen(from));
        let now_ms = transit.block.timestamp_ms;
        for taint in taints {
            let sender_tainted =
                if taint.whole { taint.units + debit.missing } else { taint.units };
            let runs = place(self.stream.len());
            let units = take(taint, &mut self.lanes, &leaving, &mut self.stream);
            if units == 0 {
                continue;
            }
            taint.moved_ms = now_ms;
            let parcel = Parcel {
                lane: taint.lane,
                units,
                hops: taint.hops.saturating_add(1),
                parent: taint.node,
                sender_tainted,
                marked: false,
                outcome: Outcome::Held,
                taken: units,
                runs: (runs, place(self.stream.len())),
            };
            if taint.source {
                let at_source = Parcel { hops: 0, parent: ROOT, ..parcel.clone() };
                let state = (debit.before - amount, taint.units);
                notes.findings.push(finding(Rule::SourceMoved, &at_source, transit, state, None));
            }
            parcels.push(parcel);
        }
        if !parcels.is_empty() {
            notes.touch(from, Touch::Left);
        }
    }

    /// Taints all that moves, for the lanes of which this transfer is a source.
    fn mark(
        &mut self,
        transit: Transit<'_>,
        marks: &[LaneIx],
        book: &impl Book,
        parcels: &mut Vec<Parcel>,
    ) {
        let Transfer { from, amount, .. } = *transit.transfer;
        for ix in marks {
            let runs = place(self.stream.len());
            self.stream.push(Run { start: 0, len: amount });
            let mut parcel = Parcel {
                lane: *ix,
                units: amount,
                hops: 1,
                parent: ROOT,
                sender_tainted: 0,
                marked: true,
                outcome: Outcome::Held,
                taken: 0,
                runs: (runs, runs + 1),
            };
            let clean = match parcels.binary_search_by_key(ix, |parcel| parcel.lane) {
                Ok(at) => {
                    parcel.sender_tainted = parcels[at].sender_tainted;
                    parcel.taken = parcels[at].taken;
                    amount - std::mem::replace(&mut parcels[at], parcel).units
                }
                Err(at) => {
                    // It may hold tainted units of which none would have moved.
                    let left = self.taints.get(book, from, *ix);
                    parcel.sender_tainted = left.map_or(0, |taint| taint.units);
                    parcels.insert(at, parcel);
                    amount
                }
            };
            self.lanes.totals(*ix).emitted += u128::from(clean);
        }
    }

    /// Credits the receiver where all that it holds is tainted (rule 1, and
    /// accounts touched under `poison`).
    fn reach_whole(
        &mut self,
        transit: Transit<'_>,
        parcels: &[Parcel],
        book: &impl Book,
        notes: &mut Notes,
    ) {
        let Transfer { to, amount, .. } = *transit.transfer;
        let frozen = book.is_frozen(to);
        for taint in self.taints.of_mut(book, to).iter_mut().filter(|taint| taint.whole) {
            let arrived = parcels
                .binary_search_by_key(&taint.lane, |parcel| parcel.lane)
                .map_or(0, |at| parcels[at].units);
            credit_whole(taint, amount, arrived, frozen, self.lanes.totals(taint.lane));
            taint.moved_ms = transit.block.timestamp_ms;
            notes.touch(to, Touch::Arrived);
        }
    }

    /// Brings the findings of one movement, from `told` on, into the order of
    /// case and rule; of several policies that find the same the first speaks,
    /// and says what each of them attributes.
    fn attribute(&self, told: usize, book: &impl Book, notes: &mut Notes) {
        let found = &mut notes.findings[told..];
        found.sort_by(|a, b| {
            let key = |finding: &Finding| {
                let lane = self.lane(finding.lane);
                let rank = lane.siblings.iter().position(|ix| *ix == finding.lane);
                (lane.case.id.as_str(), finding.rule, finding.threshold, rank)
            };
            key(a).cmp(&key(b))
        });
        let mut last: Option<(LaneIx, Rule, Option<Amount>)> = None;
        let mut at = told;
        while let Some(finding) = notes.findings.get_mut(at) {
            let siblings = &self.lane(finding.lane).siblings;
            if siblings.len() > 1 {
                let this = Some((siblings[0], finding.rule, finding.threshold));
                if last == this {
                    notes.findings.remove(at);
                    continue;
                }
                last = this;
                finding.attributions = self.attributions(siblings, finding.subject, book);
            }
            at += 1;
        }
    }

    fn attributions(
        &self,
        siblings: &[LaneIx],
        subject: AccountId,
        book: &impl Book,
    ) -> Vec<Attribution> {
        let attribution = |ix: &LaneIx| Attribution {
            policy: self.lane(*ix).policy,
            tainted: self
                .parcels
                .binary_search_by_key(ix, |parcel| parcel.lane)
                .map_or(0, |at| self.parcels[at].units),
            held: self.taints.get(book, subject, *ix).map_or(0, |taint| taint.units),
        };
        siblings.iter().map(attribution).collect()
    }
}

/// `state`: what the subject holds afterwards, and tainted units among that.
pub(super) fn finding(
    rule: Rule,
    parcel: &Parcel,
    transit: Transit<'_>,
    state: (Amount, Amount),
    threshold: Option<Amount>,
) -> Finding {
    let Transfer { id, from, to, amount, .. } = *transit.transfer;
    let (subject, counterparty) = if rule == Rule::SourceMoved { (from, to) } else { (to, from) };
    Finding {
        lane: parcel.lane,
        rule,
        subject,
        counterparty,
        transfer: id,
        block: *transit.block,
        amount,
        tainted: parcel.units,
        balance: state.0,
        held: state.1,
        hops: parcel.hops,
        parent: parcel.parent,
        threshold,
        attributions: Vec::new(),
    }
}
