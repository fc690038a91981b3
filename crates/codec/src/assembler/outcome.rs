//! What comes out of an assembler: blocks, and why a record was not taken.

use flow_core::{Block, Chain};

/// What an assembler puts out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Assembled {
    /// The next block of the chain.
    Block(Block),
    /// Blocks are missing before the next one.
    Gap(Gap),
    /// Every block put out from `number` on left the canonical chain. What
    /// takes their place follows as blocks.
    Reverted {
        /// The chain.
        chain: Chain,
        /// The first block that left.
        number: u64,
    },
    /// The blocks put out up to `number` are final: none of them is reverted
    /// any more. Told when it rises, never beyond the last block put out.
    Final {
        /// The chain.
        chain: Chain,
        /// The last final block.
        number: u64,
    },
}

/// Missing blocks of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The chain.
    pub chain: Chain,
    /// The last block before the gap.
    pub after: u64,
    /// The first block behind it.
    pub before: u64,
}

/// Why an event or header was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Dropped {
    /// Known already, by its identity. Of no further concern.
    #[error("known already")]
    Duplicate,
    /// Its block was applied before it came.
    #[error(
        "late: block {block} came after {released} was applied; \
         a larger window_blocks waits longer"
    )]
    Late {
        /// The event's block.
        block: u64,
        /// The last block released.
        released: u64,
    },
    /// The same identity tells of something else.
    #[error("contradicts an event of the same transaction and index in block {block}")]
    Conflict {
        /// The event's block.
        block: u64,
    },
    /// Two feeds that number logs differently tell of one chain; taking both
    /// would count events twice.
    #[error(
        "block {block} is fed with log indices of the block and of the transaction; \
         feed one chain from sources that number logs alike"
    )]
    MixedIndex {
        /// The event's block.
        block: u64,
    },
    /// One more branch at a height of which too many are held, or a header
    /// that contradicts a final block.
    #[error("block {block} is known with other hashes")]
    OtherBranch {
        /// The event's block.
        block: u64,
    },
    /// A block that was put out as final is taken back: deeper than finality.
    #[error(
        "block {block} was reverted, deeper than finality: blocks up to {final_block} were final"
    )]
    RevertedFinal {
        /// The reverted block.
        block: u64,
        /// The last final block.
        final_block: u64,
    },
}

impl Dropped {
    /// The name used in metrics and dead letters.
    pub const fn reason(self) -> &'static str {
        match self {
            Dropped::Duplicate => "duplicate",
            Dropped::Late { .. } => "late",
            Dropped::Conflict { .. } => "conflict",
            Dropped::MixedIndex { .. } => "mixed_index",
            Dropped::OtherBranch { .. } => "other_branch",
            Dropped::RevertedFinal { .. } => "reverted",
        }
    }

    /// Every reason that leads to a dead letter.
    pub const REASONS: [&'static str; 5] =
        ["late", "conflict", "mixed_index", "other_branch", "reverted"];
}
