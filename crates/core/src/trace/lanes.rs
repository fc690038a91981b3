//! The open lanes, and apart from them what decides about units on their way:
//! of ten thousand lanes that stays near, where the lanes themselves do not.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::lane::{Arrival, CaseTotals, Lane, LaneIx, Turn};
use crate::movement::{AccountId, BlockMeta};
use crate::{Amount, Chain, Policy};

/// What decides about the units of a lane on their way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// Smaller parcels are dust.
    pub(super) min_units: Amount,
    /// Parcels that went further are beyond the horizon.
    pub(super) max_hops: u32,
    pub(super) policy: Policy,
    /// Whether recommendations rest on the lane: it is the first of its case.
    pub(super) leads: bool,
    /// Whether the totals changed since they were last checked.
    changed: bool,
}

impl Terms {
    fn of(ix: LaneIx, lane: &Lane) -> Terms {
        Terms {
            min_units: lane.case.min_units,
            max_hops: lane.case.max_hops.unwrap_or(u32::MAX),
            policy: lane.policy,
            leads: lane.siblings[0] == ix,
            changed: false,
        }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    open: Vec<Option<Box<Lane>>>,
    /// By lane; of closed ones as they were.
    terms: Vec<Terms>,
    /// Lanes whose totals changed since they were last asked for.
    changed: Vec<LaneIx>,
    /// By chain: lanes of which a block changed the totals that was not told yet,
    /// and some of which that is no longer so.
    untold: [Vec<LaneIx>; 2],
    /// By account of a service: the lanes of which units arrived there, rising.
    arrived: HashMap<AccountId, Vec<LaneIx>, FixedState>,
}

impl Lanes {
    pub(super) fn get(&self, ix: LaneIx) -> Option<&Lane> {
        self.open.get(ix as usize)?.as_deref()
    }

    pub(super) fn lane(&self, ix: LaneIx) -> &Lane {
        self.open[ix as usize].as_deref().expect("taints name open lanes only")
    }

    /// The lane, to be changed, but for its totals.
    pub(super) fn lane_mut(&mut self, ix: LaneIx) -> &mut Lane {
        self.open[ix as usize].as_deref_mut().expect("taints name open lanes only")
    }

    /// Its totals, which are about to change.
    pub(super) fn totals(&mut self, ix: LaneIx) -> &mut CaseTotals {
        let terms = &mut self.terms[ix as usize];
        if !std::mem::replace(&mut terms.changed, true) {
            self.changed.push(ix);
        }
        &mut self.lane_mut(ix).totals
    }

    pub(super) fn terms(&self, ix: LaneIx) -> &Terms {
        &self.terms[ix as usize]
    }

    /// The lanes of which units arrived at that account of a service, rising.
    pub(super) fn arrived(&self, account: AccountId) -> &[LaneIx] {
        self.arrived.get(&account).map_or(&[], Vec::as_slice)
    }

    /// What arrived of a lane at an account of a service.
    pub(super) fn set_arrival(&mut self, ix: LaneIx, account: AccountId, arrival: Option<Arrival>) {
        let arrivals = &mut self.lane_mut(ix).arrivals;
        let (before, is_there) = match arrival {
            Some(arrival) => (arrivals.insert(account, arrival), true),
            None => (arrivals.remove(&account), false),
        };
        if before.is_some() != is_there {
            self.note_arrived(ix, account, is_there);
        }
    }

    fn note_arrived(&mut self, ix: LaneIx, account: AccountId, is_there: bool) {
        let lanes = self.arrived.entry(account).or_default();
        match lanes.binary_search(&ix) {
            Err(at) if is_there => lanes.insert(at, ix),
            Ok(at) if !is_there => {
                lanes.remove(at);
                if lanes.is_empty() {
                    self.arrived.remove(&account);
                }
            }
            _ => {}
        }
    }

    /// Puts the lane into its slot.
    pub(super) fn install(&mut self, ix: LaneIx, lane: Box<Lane>) {
        for account in lane.arrivals.keys() {
            self.note_arrived(ix, *account, true);
        }
        if let Some(turn) = lane.untold {
            self.untold[turn.chain.index()].push(ix);
        }
        let terms = Terms::of(ix, &lane);
        let at = ix as usize;
        if self.open.len() <= at {
            self.open.resize_with(at + 1, || None);
            self.terms.resize(at + 1, terms);
        }
        self.terms[at] = terms;
        self.open[at] = Some(lane);
    }

    pub(super) fn take(&mut self, ix: LaneIx) -> Option<Box<Lane>> {
        let lane = self.open.get_mut(ix as usize)?.take()?;
        for account in lane.arrivals.keys() {
            self.note_arrived(ix, *account, false);
        }
        Some(lane)
    }

    /// Takes out all of them.
    pub(super) fn take_all(&mut self) -> impl Iterator<Item = (LaneIx, Box<Lane>)> + use<> {
        let open = std::mem::take(&mut self.open);
        (0..).zip(open).filter_map(|(ix, lane)| Some((ix, lane?)))
    }

    /// Open lanes in the order in which they were opened.
    pub(super) fn iter(&self) -> impl Iterator<Item = (LaneIx, &Lane)> {
        (0..).zip(&self.open).filter_map(|(ix, lane)| Some((ix, lane.as_deref()?)))
    }

    /// Ends a block: looks through the lanes of which it changed the totals, and
    /// notes that they are to be told. `Some`: one of which the books do not
    /// balance.
    pub(super) fn end_block(&mut self, block: &BlockMeta) -> Option<LaneIx> {
        let mut unbalanced = None;
        for ix in self.changed.drain(..) {
            let terms = &mut self.terms[ix as usize];
            terms.changed = false;
            let Some(lane) = self.open[ix as usize].as_deref_mut() else { continue };
            if !lane.is_conserved() {
                unbalanced = unbalanced.or(Some(ix));
            }
            let before = terms.leads.then(|| lane.untold.replace(block.into()));
            if before.is_some_and(|turn| turn.is_none_or(|turn| turn.chain != block.chain)) {
                self.untold[block.chain.index()].push(ix);
            }
        }
        unbalanced
    }

    /// Forgets which lanes changed since the last block ended.
    pub(super) fn forget_changes(&mut self) {
        for ix in self.changed.drain(..) {
            self.terms[ix as usize].changed = false;
        }
    }

    /// Sets what changed the totals of a lane and was not told.
    pub(super) fn set_untold(&mut self, ix: LaneIx, turn: Option<Turn>) {
        self.lane_mut(ix).untold = turn;
        if let Some(turn) = turn {
            self.untold[turn.chain.index()].push(ix);
        }
    }

    /// The lanes of which a block of that chain changed the totals last and was
    /// not told, rising. Whoever asks tells them.
    pub(super) fn take_untold(&mut self, chain: Chain) -> Vec<LaneIx> {
        let mut untold = std::mem::take(&mut self.untold[chain.index()]);
        untold.sort_unstable();
        untold.dedup();
        let is_due = |ix: &LaneIx| {
            let turn = self.get(*ix).and_then(|lane| lane.untold);
            turn.is_some_and(|turn| turn.chain == chain)
        };
        untold.retain(is_due);
        untold
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_terms_of_a_lane_cost() {
        assert_eq!(size_of::<Terms>(), 16);
    }
}
