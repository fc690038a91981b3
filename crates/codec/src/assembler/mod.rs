//! Events into blocks, blocks into ledger order.
//!
//! Records of a chain come from several topics and partitions, some twice,
//! some late. An [`Assembler`] holds the newest blocks of one chain open: what
//! belongs to them is put in place, whatever the order of arrival. A block is
//! released when `window_blocks` later ones are held. What always holds: blocks
//! are released in rising order; each event is released once; an event that
//! cannot be placed is handed back with the reason, never dropped in silence.

mod identity;
mod order;

use std::collections::BTreeMap;

use flow_core::{Action, Block, BlockHash, Chain};

use self::identity::{Identity, Recent};
use crate::{BlockHeader, ChainAction, ChainEvent, LogIndex};

/// A jump this large in a feed without block headers is reported as a gap:
/// on both chains nearly every block moves USDT.
const GAP_BLOCKS: u64 = 20;

/// Identities of released events that are remembered, to tell a repeat from a
/// late record.
const RECENT_EVENTS: usize = 1 << 18;

/// How an assembler waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AssemblerConfig {
    /// A block is released when this many later ones are held. At least 1.
    pub window_blocks: usize,
    /// At most so many events are held; above it the oldest block is released.
    pub events_max: usize,
}

impl Default for AssemblerConfig {
    fn default() -> Self {
        AssemblerConfig { window_blocks: 2, events_max: 1_000_000 }
    }
}

/// What an assembler puts out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Assembled {
    /// The next block of the chain.
    Block(Block),
    /// Blocks are missing before the next one.
    Gap(Gap),
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
    /// The event belongs to another branch than the block that is held.
    #[error("block {block} is held with another hash")]
    OtherBranch {
        /// The event's block.
        block: u64,
    },
    /// A block that was applied is taken back.
    #[error("block {block} was reverted after it was applied")]
    RevertedAfterApply {
        /// The reverted block.
        block: u64,
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
            Dropped::RevertedAfterApply { .. } => "reverted",
        }
    }

    /// Every reason that leads to a dead letter.
    pub const REASONS: [&'static str; 5] =
        ["late", "conflict", "mixed_index", "other_branch", "reverted"];
}

/// A block being assembled.
#[derive(Debug, Default)]
struct Held {
    hash: Option<BlockHash>,
    header_ms: Option<u64>,
    transactions: Vec<flow_core::TxHash>,
    /// In order of arrival.
    events: Vec<ChainEvent>,
}

/// Assembles the blocks of one chain.
#[derive(Debug)]
pub struct Assembler {
    chain: Chain,
    config: AssemblerConfig,
    held: BTreeMap<u64, Held>,
    held_events: usize,
    recent: Recent,
    released: Option<u64>,
    last_ms: u64,
    has_headers: bool,
    solid: Option<u64>,
}

impl Assembler {
    /// An assembler that has seen nothing.
    pub fn new(chain: Chain, config: AssemblerConfig) -> Assembler {
        let window_blocks = config.window_blocks.max(1);
        Assembler {
            chain,
            config: AssemblerConfig { window_blocks, ..config },
            held: BTreeMap::new(),
            held_events: 0,
            recent: Recent::new(RECENT_EVENTS),
            released: None,
            last_ms: 0,
            has_headers: false,
            solid: None,
        }
    }

    /// Blocks held open.
    pub fn held_blocks(&self) -> usize {
        self.held.len()
    }

    /// The last final block that a record told of.
    pub fn solid(&self) -> Option<u64> {
        self.solid
    }

    /// Notes that blocks up to `number` are final.
    pub fn note_solid(&mut self, number: u64) {
        self.solid = self.solid.max(Some(number));
    }

    /// Takes an event.
    ///
    /// # Errors
    /// [`Dropped`] says why it was not taken.
    pub fn push(&mut self, event: ChainEvent) -> Result<(), Dropped> {
        if let Some(solid) = event.solid {
            self.note_solid(solid);
        }
        let identity = Identity::of(&event);
        if event.removed {
            return self.take_back(&event, identity);
        }
        if let Some(identity) = identity
            && self.recent.contains(identity)
        {
            return self.repeat(&event, identity);
        }
        let block = event.block;
        if let Some(released) = self.released.filter(|released| block <= *released) {
            return Err(Dropped::Late { block, released });
        }
        let held = self.held.entry(block).or_default();
        if held.events.is_empty() && held.header_ms.is_none() {
            held.hash = event.block_hash;
        }
        held.accepts(&event)?;
        held.hash = held.hash.or(event.block_hash);
        held.events.push(event);
        self.held_events += 1;
        if let Some(identity) = identity {
            self.recent.insert(identity);
        }
        Ok(())
    }

    /// Takes a block header.
    ///
    /// # Errors
    /// [`Dropped`] says why it was not taken.
    pub fn push_header(&mut self, header: BlockHeader) -> Result<(), Dropped> {
        if let Some(solid) = header.solid {
            self.note_solid(solid);
        }
        self.has_headers = true;
        let block = header.number;
        if self.released.is_some_and(|released| block <= released) {
            // The header of a block that its events already closed is no loss.
            return Err(if header.removed {
                Dropped::RevertedAfterApply { block }
            } else {
                Dropped::Duplicate
            });
        }
        if header.removed {
            if let Some(held) = self.held.get_mut(&block) {
                held.header_ms = None;
                held.transactions.clear();
            }
            return Ok(());
        }
        let held = self.held.entry(block).or_default();
        if held.events.is_empty() {
            held.hash = header.hash;
        }
        held.hash = held.hash.or(header.hash);
        held.header_ms = Some(header.timestamp_ms);
        held.transactions = header.transactions;
        Ok(())
    }

    /// Puts out the blocks that have waited long enough, up to but not
    /// including block `below`: a partition of the input that has not come so
    /// far may still tell of it. Too many events held are put out regardless.
    pub fn release(&mut self, below: u64, out: &mut Vec<Assembled>) {
        while let Some((first, _)) = self.held.first_key_value() {
            let waited = self.held.len() > self.config.window_blocks && *first < below;
            let full = self.held_events > self.config.events_max && self.held.len() > 1;
            if !waited && !full {
                break;
            }
            self.release_first(out);
        }
    }

    /// The newest block held or released.
    pub fn newest(&self) -> Option<u64> {
        self.held.last_key_value().map(|(number, _)| *number).max(self.released)
    }

    /// Puts out every block that is held: nothing more is to come.
    pub fn flush(&mut self, out: &mut Vec<Assembled>) {
        while !self.held.is_empty() {
            self.release_first(out);
        }
    }

    fn release_first(&mut self, out: &mut Vec<Assembled>) {
        let Some((number, held)) = self.held.pop_first() else { return };
        self.held_events -= held.events.len();
        let step = if self.has_headers { 1 } else { GAP_BLOCKS };
        if let Some(after) = self.released.filter(|after| number - after > step) {
            out.push(Assembled::Gap(Gap { chain: self.chain, after, before: number }));
        }
        let told = held.events.iter().find_map(|event| event.timestamp_ms);
        // A feed that tells no time (some JSON-RPC nodes) keeps the last known.
        let timestamp_ms = held.header_ms.or(told).unwrap_or(self.last_ms);
        self.last_ms = timestamp_ms;
        self.released = Some(number);
        out.push(Assembled::Block(Block {
            chain: self.chain,
            number,
            hash: held.hash,
            timestamp_ms,
            events: order::ledger_events(self.chain, &held.transactions, held.events),
        }));
    }

    /// The identity is known: a repeat, or a contradiction.
    fn repeat(&self, event: &ChainEvent, identity: Identity) -> Result<(), Dropped> {
        let same = |known: &&ChainEvent| Identity::of(known) == Some(identity);
        let known = self.held.get(&event.block).and_then(|held| held.events.iter().find(same));
        match known {
            Some(known) if known.action != event.action => {
                Err(Dropped::Conflict { block: event.block })
            }
            _ => Err(Dropped::Duplicate),
        }
    }

    /// `removed: true`: the block of the event left the canonical chain.
    fn take_back(&mut self, event: &ChainEvent, identity: Option<Identity>) -> Result<(), Dropped> {
        let Some(identity) = identity else { return Ok(()) };
        if let Some(held) = self.held.get_mut(&event.block) {
            let before = held.events.len();
            held.events.retain(|known| Identity::of(known) != Some(identity));
            self.held_events -= before - held.events.len();
            self.recent.remove(identity);
            return Ok(());
        }
        let applied = self.released.is_some_and(|released| event.block <= released);
        if applied && self.recent.contains(identity) {
            return Err(Dropped::RevertedAfterApply { block: event.block });
        }
        Ok(())
    }
}

impl Held {
    fn accepts(&self, event: &ChainEvent) -> Result<(), Dropped> {
        let block = event.block;
        if let (Some(held), Some(told)) = (self.hash, event.block_hash)
            && held != told
        {
            return Err(Dropped::OtherBranch { block });
        }
        let in_block = |index: LogIndex| matches!(index, LogIndex::InBlock(_));
        let numbered = self.events.iter().find_map(|known| known.index);
        if let (Some(known), Some(new)) = (numbered, event.index)
            && in_block(known) != in_block(new)
        {
            return Err(Dropped::MixedIndex { block });
        }
        // A multisig call carries no log index: the same transaction told twice
        // is the same call.
        let is_call = matches!(event.action, ChainAction::Ledger(Action::Multisig(_)));
        let same = |known: &ChainEvent| known.tx == event.tx && known.action == event.action;
        if is_call && event.index.is_none() && self.events.iter().any(same) {
            return Err(Dropped::Duplicate);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
