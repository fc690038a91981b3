//! The open lanes, and apart from them what decides about units on their way:
//! of ten thousand lanes that stays near, where the lanes themselves do not.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::lane::{Arrival, CaseTotals, Lane, LaneIx};
use crate::movement::AccountId;
use crate::{Amount, Policy};

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

    /// Looks through the lanes whose totals changed since this was last asked;
    /// `Some`: one of which the books do not balance.
    pub(super) fn unbalanced(&mut self) -> Option<LaneIx> {
        let mut unbalanced = None;
        for ix in self.changed.drain(..) {
            self.terms[ix as usize].changed = false;
            let lane = self.open[ix as usize].as_deref();
            if lane.is_some_and(|lane| !lane.is_conserved()) {
                unbalanced = unbalanced.or(Some(ix));
            }
        }
        unbalanced
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
