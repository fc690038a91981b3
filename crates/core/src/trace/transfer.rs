//! One transfer: what the debit moves, and what becomes of it on arrival.

use std::ops::Range;

use super::lane::{Arrival, Lane, LaneIx, Node, ROOT};
use super::runs::{self, Run};
use super::taints::{Book, Taint};
use super::{CaseTotals, Finding, Notes, Touch, Tracer, World};
use crate::movement::{AccountId, BlockMeta, Debit, Transfer};
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
    /// Where its runs stand in the stream; for ordered policies.
    runs: Range<usize>,
}

/// Takes the tainted part of a debit of `amount` units out of a taint. Appends
/// its runs to `stream` where the policy is an ordered one, and returns the
/// tainted units moved.
pub(super) fn take(
    taint: &mut Taint,
    lane: &mut Lane,
    account: AccountId,
    (debit, amount): (Debit, Amount),
    frozen: bool,
    now_ms: u64,
    stream: &mut Vec<Run>,
) -> Amount {
    if taint.whole && debit.missing > 0 {
        credit_whole(taint, debit.missing, 0, frozen, &mut lane.totals);
    }
    let moved = if taint.whole {
        if lane.policy.is_ordered() {
            stream.push(Run { start: 0, len: amount });
        }
        amount
    } else if taint.units == 0 {
        0
    } else if lane.policy.is_ordered() {
        take_runs(lane, account, debit, amount, stream)
    } else {
        lane.policy.moved(taint.units, debit.before, amount)
    };
    if moved > 0 {
        taint.units -= moved;
        taint.moved_ms = now_ms;
        *lane.totals.class(frozen) -= u128::from(moved);
    }
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
struct Transit<'a> {
    transfer: &'a Transfer,
    block: &'a BlockMeta,
    world: World<'a>,
}

impl Tracer {
    /// Which of the units of a parcel of the last movement are tainted, by
    /// their place among the units that left; under ordered policies.
    pub(crate) fn runs_of(&self, parcel: &Parcel) -> &[Run] {
        &self.stream[parcel.runs.clone()]
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
        for parcel in &mut parcels {
            self.deliver(parcel, transit, book, notes);
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
        let frozen = book.is_frozen(from);
        let now_ms = transit.block.timestamp_ms;
        for taint in self.taints.of_mut(book, from) {
            let lane = self.lanes[taint.lane as usize].as_mut().expect("an open lane");
            let sender_tainted =
                if taint.whole { taint.units + debit.missing } else { taint.units };
            let runs = self.stream.len();
            let units = take(taint, lane, from, (debit, amount), frozen, now_ms, &mut self.stream);
            if units == 0 {
                continue;
            }
            lane.change(taint.lane, &mut self.changed);
            let parcel = Parcel {
                lane: taint.lane,
                units,
                hops: taint.hops.saturating_add(1),
                parent: taint.node,
                sender_tainted,
                marked: false,
                outcome: Outcome::Held,
                runs: runs..self.stream.len(),
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
            let runs = self.stream.len();
            self.stream.push(Run { start: 0, len: amount });
            let mut parcel = Parcel {
                lane: *ix,
                units: amount,
                hops: 1,
                parent: ROOT,
                sender_tainted: 0,
                marked: true,
                outcome: Outcome::Held,
                runs: runs..runs + 1,
            };
            let clean = match parcels.binary_search_by_key(ix, |parcel| parcel.lane) {
                Ok(at) => {
                    parcel.sender_tainted = parcels[at].sender_tainted;
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
            let lane = self.lanes[*ix as usize].as_mut().expect("an open lane");
            lane.change(*ix, &mut self.changed);
            lane.totals.emitted += u128::from(clean);
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
            let lane = self.lanes[taint.lane as usize].as_mut().expect("an open lane");
            lane.change(taint.lane, &mut self.changed);
            credit_whole(taint, amount, arrived, frozen, &mut lane.totals);
            taint.moved_ms = transit.block.timestamp_ms;
            notes.touch(to, Touch::Arrived);
        }
    }

    /// The rules of a credit: the first that applies decides.
    fn deliver(
        &mut self,
        parcel: &mut Parcel,
        transit: Transit<'_>,
        book: &mut impl Book,
        notes: &mut Notes,
    ) {
        let to = transit.transfer.to;
        if self.taints.get(book, to, parcel.lane).is_some_and(|taint| taint.source) {
            parcel.outcome = Outcome::AtSource;
            return;
        }
        let units = u128::from(parcel.units);
        let lane = self.lanes[parcel.lane as usize].as_mut().expect("an open lane");
        if let Some(label) = transit.world.labels.get(&to).filter(|label| label.stop) {
            parcel.outcome = Outcome::Service;
            *lane.totals.services.entry(label.entity.clone()).or_default() += units;
            self.arrive_at_service(parcel, transit, notes);
        } else if lane.case.max_hops.is_some_and(|most| parcel.hops > most) {
            parcel.outcome = Outcome::Horizon;
            lane.totals.horizon += units;
        } else if parcel.units < lane.case.min_units {
            parcel.outcome = Outcome::Dust;
            lane.totals.dust += units;
        } else {
            self.hold(parcel, transit, book, notes);
        }
    }

    fn arrive_at_service(&mut self, parcel: &Parcel, transit: Transit<'_>, notes: &mut Notes) {
        let Transfer { to, amount, to_before, .. } = *transit.transfer;
        let lane = self.lanes[parcel.lane as usize].as_mut().expect("an open lane");
        let before = lane.arrivals.get(&to).copied();
        notes.arrivals.push((parcel.lane, to, before));
        let mut arrival = before.unwrap_or_else(|| {
            lane.reached.push(to);
            Arrival { units: 0, hops: u32::MAX, node: ROOT }
        });
        // A total above 2^64 units cannot be of genuine USDT; the bucket is exact.
        arrival.units = arrival.units.saturating_add(parcel.units);
        if parcel.hops < arrival.hops {
            arrival.hops = parcel.hops;
            arrival.node = lane.push_node(node(parcel, transit));
        }
        lane.arrivals.insert(to, arrival);
        if parcel.units >= transit.world.config.alert_min_units {
            let state = (to_before + amount, 0);
            notes.findings.push(finding(Rule::CashOut, parcel, transit, state, None));
        }
        notes.touch(to, Touch::Arrived);
    }

    /// Rule 5: the units are tainted at the receiver.
    fn hold(
        &mut self,
        parcel: &Parcel,
        transit: Transit<'_>,
        book: &mut impl Book,
        notes: &mut Notes,
    ) {
        let Transfer { to, amount, to_before, .. } = *transit.transfer;
        let config = transit.world.config;
        let lane = self.lanes[parcel.lane as usize].as_mut().expect("an open lane");
        let (taint, new) = self.taints.entry(book, to, parcel.lane);
        if new {
            lane.members.push(to);
        }
        if new || (!taint.whole && taint.units == 0) || parcel.hops < taint.hops {
            taint.hops = parcel.hops;
            taint.node = lane.push_node(node(parcel, transit));
        }
        if !taint.whole {
            let poisoned = lane.policy == Policy::Poison;
            let arrived = if poisoned { to_before + amount } else { parcel.units };
            taint.units += arrived;
            taint.whole = poisoned;
            *lane.totals.class(book.is_frozen(to)) += u128::from(arrived);
            if lane.policy.is_ordered() {
                let runs = &self.stream[parcel.runs.clone()];
                lane.runs.entry(to).or_default().put(to_before, runs);
            }
        }
        taint.moved_ms = transit.block.timestamp_ms;
        let state = (to_before + amount, taint.units);
        if !taint.told && parcel.units >= config.alert_min_units {
            taint.told = true;
            notes.findings.push(finding(Rule::FirstReceipt, parcel, transit, state, None));
        }
        if let Some(threshold) = reach_threshold(taint, &config.thresholds) {
            notes.findings.push(finding(Rule::Threshold, parcel, transit, state, Some(threshold)));
        }
        notes.touch(to, Touch::Arrived);
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

/// The highest threshold that the taint reached just now, if any.
fn reach_threshold(taint: &mut Taint, thresholds: &[Amount]) -> Option<Amount> {
    let reached = thresholds.partition_point(|threshold| *threshold <= taint.units);
    if reached <= usize::from(taint.thresholds) {
        return None;
    }
    taint.thresholds = u8::try_from(reached).unwrap_or(u8::MAX);
    Some(thresholds[reached - 1])
}

fn node(parcel: &Parcel, transit: Transit<'_>) -> Node {
    Node { transfer: transit.transfer.id, parent: parcel.parent, tainted: parcel.units }
}

/// `state`: what the subject holds afterwards, and tainted units among that.
fn finding(
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
