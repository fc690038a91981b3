//! The open lanes, and apart from them what decides about units on their way:
//! of ten thousand lanes that stays near, where the lanes themselves do not.

use super::lane::{CaseTotals, Lane, LaneIx};
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

    /// Puts the lane into its slot.
    pub(super) fn install(&mut self, ix: LaneIx, lane: Box<Lane>) {
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
        self.open.get_mut(ix as usize)?.take()
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
