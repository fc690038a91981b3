//! Records that take something back, and the blocks that this reverts.

use flow_core::BlockHash;

use super::branch::Branch;
use super::height::{Height, Removal};
use super::identity::Identity;
use super::{Assembler, Dropped, Last};
use crate::{BlockHeader, ChainEvent};

impl Assembler {
    /// `removed: true` of an event: its block left the canonical chain.
    pub(super) fn take_back(&mut self, event: &ChainEvent) -> Result<(), Dropped> {
        let block = event.block;
        if let Some(final_block) = self.finalized.filter(|number| block <= *number) {
            let put_out = || Identity::of(event).and_then(|identity| self.recent.block(identity));
            // Of a block that never counted, a removal says nothing new.
            let counted = !self.is_other_final(block, event.block_hash)
                && (self.is_final_hash(block, event.block_hash) || put_out() == Some(block));
            return refuse_if(counted, block, final_block);
        }
        self.remove(block, |height| height.take_back(event));
        Ok(())
    }

    /// `removed: true` of a header.
    pub(super) fn take_back_header(&mut self, header: &BlockHeader) -> Result<(), Dropped> {
        let block = header.number;
        if let Some(final_block) = self.finalized.filter(|number| block <= *number) {
            let counted = !self.is_other_final(block, header.hash) && !self.was_passed_over(block);
            return refuse_if(counted, block, final_block);
        }
        self.remove(block, |height| height.take_back_header(header.hash));
        Ok(())
    }

    /// Whether that final block is known with another hash.
    pub(super) fn is_other_final(&self, block: u64, hash: Option<BlockHash>) -> bool {
        match (self.final_hashes.get(&block), hash) {
            (Some(Some(known)), Some(told)) => *known != told,
            _ => false,
        }
    }

    /// Takes every block from `number` on back: they are held again.
    pub(super) fn revert(&mut self, number: u64) {
        let mut reverted = false;
        for (number, height) in self.heights.range_mut(number..) {
            if height.applied.take().is_none() {
                continue;
            }
            reverted = true;
            for identity in height.branches.iter().flat_map(Branch::identities) {
                self.recent.forget(identity, *number);
            }
            self.held_events += height.len();
            if height.current.is_some() {
                self.ready.insert(*number);
            }
        }
        if !reverted {
            return;
        }
        let told = self.reverted.unwrap_or(number);
        self.reverted = Some(told.min(number));
        self.contest(number);
        self.last = self.last_applied();
    }

    /// The last block that is put out.
    pub(super) fn last_applied(&self) -> Option<Last> {
        let applied = |(number, height): (&u64, &Height)| {
            let timestamp_ms = height.applied?.timestamp_ms;
            Some(Last { number: *number, timestamp_ms })
        };
        self.heights.iter().rev().find_map(applied).or(self.floor)
    }

    /// Takes something of a height back. The current block may stay current and
    /// yet have lost an event.
    fn remove(&mut self, number: u64, take_back: impl FnOnce(&mut Height) -> Removal) {
        let arrival = self.tick();
        let mut removal = Removal::default();
        let mut was_applied = false;
        self.change(number, |height| {
            was_applied = height.applied.is_some();
            removal = take_back(height);
            height.reselect(arrival);
        });
        if removal.current && was_applied {
            self.revert(number);
        }
        if removal.news {
            self.contest(number);
        }
    }

    fn is_final_hash(&self, block: u64, hash: Option<BlockHash>) -> bool {
        hash.is_some() && self.final_hashes.get(&block) == Some(&hash)
    }

    /// Whether no block of that final number was put out, as far as is known.
    fn was_passed_over(&self, block: u64) -> bool {
        let oldest = self.final_hashes.first_key_value().map(|(number, _)| *number);
        oldest.is_some_and(|oldest| oldest <= block) && !self.final_hashes.contains_key(&block)
    }
}

fn refuse_if(counted: bool, block: u64, final_block: u64) -> Result<(), Dropped> {
    if counted { Err(Dropped::RevertedFinal { block, final_block }) } else { Ok(()) }
}
