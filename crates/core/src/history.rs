//! The past in the order in which it applied, so that a case opened late can
//! be traced through it.
//!
//! Transfers live in the graph, in order; everything else that moves or
//! freezes units lives here, each with the number of transfers before it.

use crate::graph::{AccountId, TransferGraph, TransferId};
use crate::{Amount, BlockHash, Chain};

/// Rank of a block among all blocks applied, of whatever chain.
pub(crate) type BlockIx = u32;

/// A block that was applied.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BlockMeta {
    pub(crate) chain: Chain,
    pub(crate) number: u64,
    pub(crate) hash: Option<BlockHash>,
    pub(crate) timestamp_ms: u64,
    /// Whether it held an event of the ledger, so that sources become active.
    pub(crate) has_events: bool,
    /// Transfers and other movements applied before this block.
    transfers_before: usize,
    others_before: usize,
}

/// One change of the ledger, by dense ids.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Movement {
    Transfer { id: TransferId, from: AccountId, to: AccountId, amount: Amount },
    Issue { to: AccountId, amount: Amount },
    Redeem { from: AccountId, amount: Amount },
    Destroy { account: AccountId, amount: Amount },
    Freeze { account: AccountId },
    Release { account: AccountId },
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct History {
    blocks: Vec<BlockMeta>,
    others: Vec<(usize, Movement)>,
    opening: Vec<(AccountId, Amount)>,
}

impl History {
    pub(crate) fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    pub(crate) fn block(&self, ix: BlockIx) -> &BlockMeta {
        &self.blocks[ix as usize]
    }

    pub(crate) fn blocks(&self) -> &[BlockMeta] {
        &self.blocks
    }

    pub(crate) fn opening(&self) -> &[(AccountId, Amount)] {
        &self.opening
    }

    pub(crate) fn push_opening(&mut self, account: AccountId, amount: Amount) {
        self.opening.push((account, amount));
    }

    /// Begins a block; `None` when 32 bits cannot number it.
    pub(crate) fn begin_block(
        &mut self,
        block: &crate::Block,
        has_events: bool,
        transfers_before: usize,
    ) -> Option<BlockIx> {
        let ix = u32::try_from(self.blocks.len()).ok()?;
        self.blocks.push(BlockMeta {
            chain: block.chain,
            number: block.number,
            hash: block.hash,
            timestamp_ms: block.timestamp_ms,
            has_events,
            transfers_before,
            others_before: self.others.len(),
        });
        Some(ix)
    }

    /// Appends a movement that is not a transfer.
    pub(crate) fn push_other(&mut self, transfers_before: usize, movement: Movement) {
        self.others.push((transfers_before, movement));
    }

    /// The movements of a block, in order.
    pub(crate) fn movements<'a>(
        &'a self,
        ix: BlockIx,
        graph: &'a TransferGraph,
    ) -> impl Iterator<Item = Movement> + 'a {
        let here = &self.blocks[ix as usize];
        let next = self.blocks.get(ix as usize + 1);
        let transfers_end = next.map_or(graph.transfer_count(), |b| b.transfers_before);
        let others_end = next.map_or(self.others.len(), |b| b.others_before);
        let mut transfers = here.transfers_before..transfers_end;
        let mut others = self.others[here.others_before..others_end].iter().peekable();
        std::iter::from_fn(move || {
            if let Some((_, movement)) = others.next_if(|(before, _)| *before <= transfers.start) {
                return Some(*movement);
            }
            let id = TransferId(u32::try_from(transfers.next()?).expect("ids have 32 bits"));
            let (from, to, transfer, _) = graph.transfer(id);
            Some(Movement::Transfer { id, from, to, amount: transfer.amount })
        })
    }
}
