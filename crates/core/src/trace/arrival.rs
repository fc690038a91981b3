//! What becomes of the parcels of a transfer on arrival.

use super::lane::{Arrival, LaneIx, Node, ROOT};
use super::lanes::{Lanes, Terms};
use super::runs::Run;
use super::taints::{Book, Taint};
use super::transfer::{Outcome, Parcel, Transit, finding, runs_of};
use super::{Notes, Touch, Tracer};
use crate::movement::Transfer;
use crate::{Amount, Policy, Rule};

impl Tracer {
    /// The rules of a credit: the first that applies decides.
    pub(super) fn deliver(
        &mut self,
        transit: Transit<'_>,
        parcels: &mut [Parcel],
        book: &mut impl Book,
        notes: &mut Notes,
    ) {
        let Transfer { from, to, .. } = *transit.transfer;
        let label = transit.world.labels.get(&to).filter(|label| label.stop);
        let ends = Ends { sender: book.is_frozen(from), receiver: book.is_frozen(to) };
        let known = self.taints.of_mut(book, to);
        let mut at = 0;
        for parcel in parcels {
            at += lanes_before(&known[at..], parcel.lane);
            let taint = known.get_mut(at).filter(|taint| taint.lane == parcel.lane);
            let Terms { min_units, max_hops, .. } = *self.lanes.terms(parcel.lane);
            parcel.outcome = if taint.as_ref().is_some_and(|taint| taint.source) {
                Outcome::AtSource
            } else if label.is_some() {
                Outcome::Service
            } else if parcel.hops > max_hops {
                Outcome::Horizon
            } else if parcel.units < min_units {
                Outcome::Dust
            } else {
                Outcome::Held
            };
            if parcel.outcome == Outcome::Held {
                let fresh = &mut self.fresh;
                let new = taint.is_none();
                let taint = taint.unwrap_or_else(|| {
                    fresh.push(Taint::clean(parcel.lane));
                    fresh.last_mut().expect("just pushed")
                });
                let runs = runs_of(&self.stream, parcel);
                hold(parcel, (taint, new), runs, ends, transit, &mut self.lanes, notes);
                continue;
            }
            let units = u128::from(parcel.units);
            let totals = self.lanes.totals(parcel.lane);
            *totals.class(ends.sender) -= u128::from(parcel.taken);
            match (parcel.outcome, label) {
                (Outcome::Service, Some(label)) => {
                    *totals.services.entry(label.entity.clone()).or_default() += units;
                    arrive_at_service(parcel, transit, &mut self.lanes, notes);
                }
                (Outcome::Horizon, _) => totals.horizon += units,
                (Outcome::Dust, _) => totals.dust += units,
                _ => {}
            }
        }
        self.taints.merge(book, to, &mut self.fresh);
    }
}

/// Whether the accounts of a transfer are frozen.
#[derive(Clone, Copy)]
struct Ends {
    sender: bool,
    receiver: bool,
}

/// How many taints stand before that lane. Few as a rule: lanes are asked for in
/// rising order.
fn lanes_before(taints: &[Taint], lane: LaneIx) -> usize {
    const NEAR: usize = 8;
    let near = taints.iter().take(NEAR).take_while(|taint| taint.lane < lane).count();
    if near < NEAR {
        return near;
    }
    NEAR + taints[NEAR..].partition_point(|taint| taint.lane < lane)
}

/// Rule 5: the units are tainted at the receiver; `new`: the lane was never
/// there.
fn hold(
    parcel: &Parcel,
    (taint, new): (&mut Taint, bool),
    runs: &[Run],
    ends: Ends,
    transit: Transit<'_>,
    lanes: &mut Lanes,
    notes: &mut Notes,
) {
    let Transfer { to, amount, to_before, .. } = *transit.transfer;
    let config = transit.world.config;
    let policy = lanes.terms(parcel.lane).policy;
    if new {
        lanes.lane_mut(parcel.lane).members.push(to);
    }
    if new || (!taint.whole && taint.units == 0) || parcel.hops < taint.hops {
        taint.hops = parcel.hops;
        taint.node = lanes.lane_mut(parcel.lane).push_node(node(parcel, transit));
    }
    let mut arrived = 0;
    if !taint.whole {
        let poisoned = policy == Policy::Poison;
        arrived = if poisoned { to_before + amount } else { parcel.units };
        taint.units += arrived;
        taint.whole = poisoned;
        if policy.is_ordered() {
            lanes.lane_mut(parcel.lane).runs.entry(to).or_default().put(to_before, runs);
        }
    }
    if arrived != parcel.taken || ends.sender != ends.receiver {
        let totals = lanes.totals(parcel.lane);
        *totals.class(ends.receiver) += u128::from(arrived);
        *totals.class(ends.sender) -= u128::from(parcel.taken);
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

fn arrive_at_service(parcel: &Parcel, transit: Transit<'_>, lanes: &mut Lanes, notes: &mut Notes) {
    let Transfer { to, amount, to_before, .. } = *transit.transfer;
    let lane = lanes.lane_mut(parcel.lane);
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
    lanes.set_arrival(parcel.lane, to, Some(arrival));
    if parcel.units >= transit.world.config.alert_min_units {
        let state = (to_before + amount, 0);
        notes.findings.push(finding(Rule::CashOut, parcel, transit, state, None));
    }
    notes.touch(to, Touch::Arrived);
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
