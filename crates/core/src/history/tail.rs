//! The newest part of the past, in memory: blocks that are not sealed yet.
//!
//! What always holds: block and transfer ids rise without gaps; the newest
//! blocks can be taken off, the oldest sealed, and the rest keeps its ids.

use std::ops::Range;

use crate::movement::{BlockIx, BlockMeta, Mark, Movement, Transfer, TransferId};
use crate::paged::Paged;

/// A block of the tail, and where its movements begin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TailBlock {
    pub(crate) meta: BlockMeta,
    /// Transfers and other movements of the tail before this block.
    pub(crate) transfers_before: usize,
    pub(crate) others_before: usize,
}

/// A movement that is not a transfer, with the transfers of the tail before it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Other {
    pub(crate) transfers_before: usize,
    pub(crate) movement: Movement,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    pub(crate) first_transfer: u32,
    pub(crate) first_block: BlockIx,
    pub(crate) blocks: Paged<TailBlock>,
    pub(crate) transfers: Paged<(Transfer, Mark)>,
    pub(crate) others: Paged<Other>,
}

impl Tail {
    /// A tail that goes on after so many sealed transfers and blocks.
    pub(crate) fn after(first_transfer: u32, first_block: BlockIx) -> Tail {
        Tail { first_transfer, first_block, ..Tail::default() }
    }

    pub(crate) fn blocks(&self) -> &[TailBlock] {
        &self.blocks
    }

    pub(crate) fn transfers(&self) -> &[(Transfer, Mark)] {
        &self.transfers
    }

    /// The rank of the next block and the id of the next transfer; `None` when
    /// 32 bits cannot number it.
    pub(crate) fn next(&self) -> Option<(BlockIx, TransferId)> {
        let block = self.first_block.checked_add(u32::try_from(self.blocks.len()).ok()?)?;
        let transfer =
            self.first_transfer.checked_add(u32::try_from(self.transfers.len()).ok()?)?;
        (block < u32::MAX && transfer < u32::MAX).then_some((block, TransferId(transfer)))
    }

    /// Begins a block.
    pub(crate) fn begin_block(&mut self, meta: BlockMeta) -> Option<BlockIx> {
        let (ix, _) = self.next()?;
        let (transfers_before, others_before) = (self.transfers.len(), self.others.len());
        self.blocks.push(TailBlock { meta, transfers_before, others_before });
        Some(ix)
    }

    /// Appends a movement to the block begun last; `mark` names a transfer.
    pub(crate) fn push(&mut self, movement: Movement, mark: Mark) {
        match movement {
            Movement::Transfer(transfer) => self.transfers.push((transfer, mark)),
            movement => {
                self.others.push(Other { transfers_before: self.transfers.len(), movement });
            }
        }
    }

    /// A transfer of the tail, with its block.
    pub(crate) fn transfer(&self, id: TransferId) -> Option<(&Transfer, &Mark, &BlockMeta)> {
        let at = id.0.checked_sub(self.first_transfer)? as usize;
        let (transfer, mark) = self.transfers.get(at)?;
        Some((transfer, mark, &self.blocks[self.block_of(at)].meta))
    }

    /// The block of the transfer at that place. Blocks are about alike, so it is
    /// near where it would be if all were.
    fn block_of(&self, at: usize) -> usize {
        let blocks = &self.blocks[..];
        let starts_by = |block: usize| blocks[block].transfers_before <= at;
        let guess = at * blocks.len() / self.transfers.len();
        let (mut low, mut high, mut step) = (guess, guess + 1, 1);
        while low > 0 && !starts_by(low) {
            (low, high) = (low.saturating_sub(step), low);
            step *= 2;
        }
        while high < blocks.len() && starts_by(high) {
            (low, high) = (high, (high + step).min(blocks.len()));
            step *= 2;
        }
        low + blocks[low..high].partition_point(|block| block.transfers_before <= at) - 1
    }

    /// Where the transfers of a block lie, by its place in the tail, and its
    /// other movements.
    pub(crate) fn parts(&self, block: usize) -> (Range<usize>, &[Other]) {
        let here = &self.blocks[block];
        let next = self.blocks.get(block + 1);
        let transfers_end = next.map_or(self.transfers.len(), |next| next.transfers_before);
        let others_end = next.map_or(self.others.len(), |next| next.others_before);
        (here.transfers_before..transfers_end, &self.others[here.others_before..others_end])
    }

    /// The movements of a block by its place in the tail, in order.
    pub(crate) fn movements(
        &self,
        block: usize,
    ) -> impl Iterator<Item = (Movement, Option<&Mark>)> {
        let (transfers, others) = self.parts(block);
        let (mut at, end) = (transfers.start, transfers.end);
        let mut others = others.iter().peekable();
        std::iter::from_fn(move || {
            if let Some(other) = others.next_if(|other| other.transfers_before <= at) {
                return Some((other.movement, None));
            }
            let (transfer, mark) = self.transfers[..end].get(at)?;
            at += 1;
            Some((Movement::Transfer(*transfer), Some(mark)))
        })
    }

    /// Takes off the blocks from `ix` on.
    pub(crate) fn truncate(&mut self, ix: BlockIx) {
        let at = ix.saturating_sub(self.first_block) as usize;
        if let Some(block) = self.blocks.get(at) {
            self.transfers.truncate(block.transfers_before);
            self.others.truncate(block.others_before);
            self.blocks.truncate(at);
        }
    }

    /// Forgets the first `count` blocks, which are sealed now.
    pub(crate) fn forget(&mut self, count: usize) {
        let next = self.blocks.get(count);
        let transfers = next.map_or(self.transfers.len(), |next| next.transfers_before);
        let others = next.map_or(self.others.len(), |next| next.others_before);
        self.transfers.forget(transfers);
        self.others.forget(others);
        self.blocks.forget(count);
        for block in self.blocks.all_mut() {
            block.transfers_before -= transfers;
            block.others_before -= others;
        }
        for other in self.others.all_mut() {
            other.transfers_before -= transfers;
        }
        self.first_transfer += u32::try_from(transfers).expect("numbered by 32 bits");
        self.first_block += u32::try_from(count).expect("numbered by 32 bits");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transfer_lies_in_its_block() {
        let mut tail = Tail::default();
        let mut expected = Vec::new();
        for (number, transfers) in [0, 3, 0, 0, 1, 200, 0, 1, 1, 0].into_iter().enumerate() {
            let number = number as u64;
            let (chain, timestamp_ms) = (crate::Chain::Tron, 0);
            let meta = BlockMeta { chain, number, hash: None, timestamp_ms, has_events: true };
            tail.begin_block(meta).expect("room");
            for _ in 0..transfers {
                let id = tail.next().expect("room").1;
                let (from, to) = (crate::movement::AccountId(0), crate::movement::AccountId(1));
                let debit = crate::movement::Debit { before: 1, missing: 0 };
                let transfer = Transfer { id, from, to, amount: 1, debit, to_before: 0 };
                let mark = Mark { tx: crate::TxHash([0; 32]), log_index: 0, position: 0 };
                tail.push(Movement::Transfer(transfer), mark);
                expected.push(number);
            }
        }
        let found = (0..206).map(|id| tail.transfer(TransferId(id)).expect("there").2.number);
        assert_eq!(found.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn what_an_unsealed_transfer_costs() {
        assert_eq!(size_of::<(Transfer, Mark)>(), 88);
    }
}
