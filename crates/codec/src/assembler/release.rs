//! What leaves the assembler: blocks that have waited, reverts, finality.

use flow_core::{Block, LedgerEvent};

use super::height::{Applied, Height};
use super::identity::Identity;
use super::{Assembled, Assembler, Gap, Last, order};

/// A jump this large in a feed without block headers is reported as a gap:
/// on both chains nearly every block moves USDT.
const GAP_BLOCKS: u64 = 20;

/// Hashes of final blocks that are remembered, to tell a removal that comes
/// late for a block that never counted from one that comes too deep.
const FINAL_HASHES: usize = 1 << 12;

impl Assembler {
    /// Puts out the blocks that have waited long enough, up to but not
    /// including block `below`: a partition of the input that has not come so
    /// far may still tell of it. Too many events held are put out regardless.
    pub fn release(&mut self, below: u64, out: &mut Vec<Assembled>) {
        self.tell_revert(out);
        self.settle(below);
        while let Some(first) = self.ready.first() {
            let waited = self.ready.len() > self.config.window_blocks && *first < below;
            let full = self.held_events > self.config.events_max && self.ready.len() > 1;
            if !(waited && self.settling.is_none() || full) {
                break;
            }
            self.release_first(out);
        }
        self.finalize(out);
    }

    /// Puts out every block that is held: nothing more is to come.
    pub fn flush(&mut self, out: &mut Vec<Assembled>) {
        self.tell_revert(out);
        self.settling = None;
        while !self.ready.is_empty() {
            self.release_first(out);
        }
        self.finalize(out);
    }

    fn tell_revert(&mut self, out: &mut Vec<Assembled>) {
        if let Some(number) = self.reverted.take() {
            out.push(Assembled::Reverted { chain: self.chain, number });
        }
    }

    /// Ends the wait after something was taken back, when the blocks behind it
    /// are `window_blocks` further and no partition has less to tell.
    fn settle(&mut self, below: u64) {
        let Some(known) = self.settling else { return };
        let window = u64::try_from(self.config.window_blocks).unwrap_or(u64::MAX);
        let further = self.newest.is_some_and(|newest| newest - known >= window);
        if further && known < below {
            self.settling = None;
        }
    }

    fn release_first(&mut self, out: &mut Vec<Assembled>) {
        let Some(number) = self.ready.pop_first() else { return };
        self.tell_gap(number, out);
        let Some(height) = self.heights.get_mut(&number) else { return };
        self.held_events -= height.len();
        let Some(branch) = height.current_branch() else { return };
        let told = branch.events().find_map(|event| event.timestamp_ms);
        let before_ms = self.last.map_or(0, |last| last.timestamp_ms);
        // A feed that tells no time (some JSON-RPC nodes) keeps the last known.
        let timestamp_ms = branch.header_ms.or(told).unwrap_or(before_ms);
        let mut events = Vec::with_capacity(branch.len());
        let mut repeated = 0;
        for event in branch.events() {
            match Identity::of(event) {
                Some(identity) if !self.recent.insert(identity, number) => repeated += 1,
                _ => events.push(event),
            }
        }
        let hash = branch.hash;
        let events: Vec<LedgerEvent> =
            order::ledger_events(self.chain, &branch.transactions, events);
        height.applied = Some(Applied { timestamp_ms, repeated });
        self.last = Some(Last { number, timestamp_ms });
        out.push(Assembled::Block(Block { chain: self.chain, number, hash, timestamp_ms, events }));
    }

    /// A gap is told once, also when the block behind it is put out again.
    fn tell_gap(&mut self, before: u64, out: &mut Vec<Assembled>) {
        let step = if self.has_headers { 1 } else { GAP_BLOCKS };
        let Some(after) = self.last.map(|last| last.number) else { return };
        if before - after > step && self.gaps.insert(after) {
            out.push(Assembled::Gap(Gap { chain: self.chain, after, before }));
        }
    }

    /// Tells how far blocks are final, and forgets them.
    fn finalize(&mut self, out: &mut Vec<Assembled>) {
        let Some(released) = self.last.map(|last| last.number) else { return };
        let Some(number) = self.final_by_now().map(|number| number.min(released)) else { return };
        if self.finalized.is_some_and(|finalized| number <= finalized) {
            return;
        }
        self.finalized = Some(number);
        out.push(Assembled::Final { chain: self.chain, number });
        while let Some(entry) = self.heights.first_entry()
            && *entry.key() <= number
        {
            let (number, height) = entry.remove_entry();
            self.forget(number, &height);
        }
        self.contested = self.contested.filter(|(_, to)| *to > number);
        while self.final_hashes.len() > FINAL_HASHES {
            self.final_hashes.pop_first();
        }
        if let Some(floor) = self.floor {
            self.gaps = self.gaps.split_off(&floor.number);
        }
    }

    fn forget(&mut self, number: u64, height: &Height) {
        let mut left_over = 0;
        for (at, branch) in height.branches.iter().enumerate() {
            if height.current != Some(at) {
                left_over += branch.left_over();
            }
        }
        if let (Some(applied), Some(branch)) = (height.applied, height.current_branch()) {
            left_over += applied.repeated;
            self.floor = Some(Last { number, timestamp_ms: applied.timestamp_ms });
            self.final_hashes.insert(number, branch.hash);
            self.recent.settle(number, applied.repeated, branch.events().filter_map(Identity::of));
        } else {
            self.held_events -= height.len();
        }
        self.orphaned_events += u64::try_from(left_over).unwrap_or(u64::MAX);
    }
}
