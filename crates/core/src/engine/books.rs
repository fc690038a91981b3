//! What is told of the books of cases: where the money of each was at the end of
//! each day in which that changed, and now.
//!
//! A day is cut into stretches of `ledger_update_ms` of block time. With the
//! first block behind a stretch each case is told of which it changed the books,
//! as of the block that did so last; where that block can be reverted, once it
//! is final. What always holds: books are told of final blocks alone, and of a
//! day those told last are the books at its end.

use super::Engine;
use crate::movement::{BlockMeta, DAY_MS};
use crate::trace::{Lane, LaneIx};
use crate::{CaseLedger, CaseTotals, Chain, Effect};

impl Engine {
    /// Tells the books that changed before that block, if it lies in another
    /// stretch of time than the one before it.
    pub(super) fn tell_books_if_due(
        &mut self,
        before: Option<&BlockMeta>,
        block: &BlockMeta,
        effects: &mut Vec<Effect>,
    ) {
        let stretch = |block: &BlockMeta| {
            let time = block.timestamp_ms % DAY_MS;
            (block.day(), time / self.config.ledger_update_ms.max(1))
        };
        if before.is_some_and(|before| stretch(before) != stretch(block)) {
            self.tell_books(block.chain, effects);
        }
    }

    /// Tells the books that a block of the chain changed last and that were not
    /// told, by case.
    fn tell_books(&mut self, chain: Chain, effects: &mut Vec<Effect>) {
        let mut ledgers = Vec::new();
        for ix in self.tracer.take_untold(chain) {
            self.note_lane(ix);
            let lane = self.tracer.lane_mut(ix);
            let Some(turn) = lane.untold.take() else { continue };
            ledgers.push(CaseLedger {
                case: lane.case.id.clone(),
                chain,
                block: turn.block,
                timestamp_ms: turn.timestamp_ms,
                policy: lane.policy,
                totals: lane.totals.clone(),
            });
        }
        ledgers.sort_unstable_by(|a, b| a.case.cmp(&b.case));
        match self.journal.newest().filter(|entry| !entry.is_final) {
            Some(entry) => entry.ledgers.append(&mut ledgers),
            None => {
                effects.extend(ledgers.into_iter().map(|told| Effect::Ledger(Box::new(told))));
            }
        }
    }

    /// Tells all that is not told yet, where no more blocks will come.
    pub fn close_books(&mut self, effects: &mut Vec<Effect>) {
        for chain in Chain::ALL {
            self.tell_books(chain, effects);
        }
    }

    /// Has the books told that opening balances made, as of the first block.
    pub(super) fn note_opening_books(&mut self, block: &BlockMeta) {
        self.tracer.forget_changes();
        let is_due = |(ix, lane): &(LaneIx, &Lane)| {
            lane.siblings[0] == *ix && lane.totals != CaseTotals::default()
        };
        let due: Vec<LaneIx> = self.tracer.lanes().filter(is_due).map(|(ix, _)| ix).collect();
        for ix in due {
            self.note_lane(ix);
            self.tracer.set_untold(ix, Some(block.into()));
        }
    }

    /// Has the books of a case that was traced through the past told, as of now.
    pub(super) fn note_books(&mut self, lanes: &[LaneIx]) {
        let head = self.heads.iter().flatten().max_by_key(|head| head.timestamp_ms);
        let (Some(head), Some(first)) = (head, lanes.first()) else { return };
        if self.tracer.lane(*first).totals != CaseTotals::default() {
            self.tracer.set_untold(*first, Some(head.into()));
        }
    }
}
