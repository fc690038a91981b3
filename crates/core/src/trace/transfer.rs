//! One transfer: what the debit moves, and what becomes of it on arrival.

use super::{Arrival, Finding, Node, Notes, Parcel, ROOT, Touch, Tracer, Transit, World};
use crate::ledger::{Holding, Taint};
use crate::{Amount, Policy, Rule};

/// Takes the tainted part of a debit of `amount` from a taint of an account
/// that holds `balance`; returns the tainted units moved.
pub(super) fn debit(
    taint: &mut Taint,
    balance: Amount,
    amount: Amount,
    now_ms: u64,
    policy: Policy,
) -> Amount {
    if taint.units == 0 {
        return 0;
    }
    let moved = policy.moved(taint.units, balance, amount);
    if moved > 0 {
        taint.units -= moved;
        taint.moved_ms = now_ms;
    }
    moved
}

impl Tracer {
    /// Applies a transfer of a positive amount between two accounts.
    pub(super) fn transfer(&mut self, transit: Transit, world: World<'_>, notes: &mut Notes) {
        let Transit { from, to, amount, .. } = transit;
        self.cover_shortfall(from, amount);
        let mut parcels = std::mem::take(&mut self.parcels);
        parcels.clear();
        self.collect(transit, &mut parcels, notes);
        if !self.source_transfers.is_empty() {
            self.mark_source_transfer(transit, world, &mut parcels);
        }
        self.book.holding_mut(from).balance -= amount;
        self.book.holding_mut(to).balance += amount;
        self.taint_sources(transit, &parcels);
        self.touch_source(to, transit.now_ms, notes);
        for parcel in &parcels {
            self.deliver(*parcel, transit, world, notes);
        }
        self.parcels = parcels;
    }

    /// Debits each taint of the sender.
    fn collect(&mut self, transit: Transit, parcels: &mut Vec<Parcel>, notes: &mut Notes) {
        let Transit { id, from, amount, now_ms, .. } = transit;
        let Holding { balance, frozen, .. } = *self.book.holding(from);
        for taint in self.book.taints_mut(from) {
            let lane = self.lanes[taint.lane as usize].as_mut().expect("an open lane");
            let units = debit(taint, balance, amount, now_ms, lane.policy);
            *lane.totals.class(frozen) -= u128::from(units);
            if units > 0 {
                let hops = taint.hops.saturating_add(1);
                parcels.push(Parcel { lane: taint.lane, units, hops, parent: taint.node });
            }
            if taint.source {
                notes.findings.push(Finding {
                    lane: taint.lane,
                    rule: Rule::SourceMoved,
                    subject: from,
                    transfer: id,
                    tainted: units,
                    hops: 0,
                    parent: ROOT,
                    threshold: None,
                });
            }
        }
        if !parcels.is_empty() {
            notes.touches.push((from, Touch::Left));
        }
    }

    /// Taints all that moves, for the lanes of which this transfer is a source.
    fn mark_source_transfer(
        &mut self,
        transit: Transit,
        world: World<'_>,
        parcels: &mut Vec<Parcel>,
    ) {
        let (_, _, transfer, tx) = world.graph.transfer(transit.id);
        let chain = world.graph.account(transit.from).chain;
        let Some(lanes) = self.source_transfers.get(&(chain, tx, transfer.log_index)) else {
            return;
        };
        for lane in lanes {
            let parcel = Parcel { lane: *lane, units: transit.amount, hops: 1, parent: ROOT };
            let clean = match parcels.binary_search_by_key(lane, |parcel| parcel.lane) {
                Ok(at) => transit.amount - std::mem::replace(&mut parcels[at], parcel).units,
                Err(at) => {
                    parcels.insert(at, parcel);
                    transit.amount
                }
            };
            let totals = &mut self.lanes[*lane as usize].as_mut().expect("an open lane").totals;
            totals.emitted += u128::from(clean);
        }
    }

    /// Rule 1 of a credit: all that an active source receives is tainted.
    fn taint_sources(&mut self, transit: Transit, parcels: &[Parcel]) {
        let frozen = self.book.holding(transit.to).frozen;
        for taint in self.book.taints_mut(transit.to).iter_mut().filter(|taint| taint.source) {
            let arrived = parcels
                .binary_search_by_key(&taint.lane, |parcel| parcel.lane)
                .map_or(0, |at| parcels[at].units);
            taint.units += transit.amount;
            let totals =
                &mut self.lanes[taint.lane as usize].as_mut().expect("an open lane").totals;
            totals.emitted += u128::from(transit.amount - arrived);
            *totals.class(frozen) += u128::from(transit.amount);
        }
    }

    /// Rules 2 to 5 of a credit.
    fn deliver(&mut self, parcel: Parcel, transit: Transit, world: World<'_>, notes: &mut Notes) {
        let to = transit.to;
        if self.book.taint(to, parcel.lane).is_some_and(|taint| taint.source) {
            return;
        }
        let units = u128::from(parcel.units);
        let lane = self.lanes[parcel.lane as usize].as_mut().expect("an open lane");
        if let Some(label) = world.labels.get(&to).filter(|label| label.stop) {
            *lane.totals.services.entry(label.entity.clone()).or_default() += units;
            self.arrive_at_service(parcel, transit, world, notes);
        } else if lane.case.max_hops.is_some_and(|most| parcel.hops > most) {
            lane.totals.horizon += units;
        } else if parcel.units < lane.case.min_units {
            lane.totals.dust += units;
        } else {
            self.hold(parcel, transit, world, notes);
        }
    }

    fn arrive_at_service(
        &mut self,
        parcel: Parcel,
        transit: Transit,
        world: World<'_>,
        notes: &mut Notes,
    ) {
        let lane = self.lanes[parcel.lane as usize].as_mut().expect("an open lane");
        let arrival = lane.arrivals.entry(transit.to).or_insert_with(|| {
            lane.reached.push(transit.to);
            Arrival { units: 0, hops: u32::MAX, node: ROOT }
        });
        // A total above 2^64 units cannot be of genuine USDT; the bucket is exact.
        arrival.units = arrival.units.saturating_add(parcel.units);
        if parcel.hops < arrival.hops {
            arrival.hops = parcel.hops;
            arrival.node = push_node(&mut lane.nodes, parcel, transit);
        }
        if parcel.units >= world.config.alert_min_units {
            notes.findings.push(finding(Rule::CashOut, parcel, transit, None));
        }
        notes.touches.push((transit.to, Touch::Arrived));
    }

    /// Rule 5: the units are tainted at the receiver.
    fn hold(&mut self, parcel: Parcel, transit: Transit, world: World<'_>, notes: &mut Notes) {
        let frozen = self.book.holding(transit.to).frozen;
        let lane = self.lanes[parcel.lane as usize].as_mut().expect("an open lane");
        let (taint, new) = self.book.taint_entry(transit.to, parcel.lane);
        if new {
            lane.members.push(transit.to);
        }
        if taint.units == 0 || parcel.hops < taint.hops {
            taint.hops = parcel.hops;
            taint.node = push_node(&mut lane.nodes, parcel, transit);
        }
        taint.units += parcel.units;
        taint.moved_ms = transit.now_ms;
        *lane.totals.class(frozen) += u128::from(parcel.units);
        if !taint.told && parcel.units >= world.config.alert_min_units {
            taint.told = true;
            notes.findings.push(finding(Rule::FirstReceipt, parcel, transit, None));
        }
        if let Some(threshold) = reach_threshold(taint, &world.config.thresholds) {
            notes.findings.push(finding(Rule::Threshold, parcel, transit, Some(threshold)));
        }
        notes.touches.push((transit.to, Touch::Arrived));
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

fn push_node(nodes: &mut Vec<Node>, parcel: Parcel, transit: Transit) -> u32 {
    let ix = u32::try_from(nodes.len()).expect("fewer nodes than transfers");
    nodes.push(Node { transfer: transit.id, parent: parcel.parent, tainted: parcel.units });
    ix
}

fn finding(rule: Rule, parcel: Parcel, transit: Transit, threshold: Option<Amount>) -> Finding {
    let Parcel { lane, units, hops, parent } = parcel;
    Finding {
        lane,
        rule,
        subject: transit.to,
        transfer: transit.id,
        tainted: units,
        hops,
        parent,
        threshold,
    }
}
