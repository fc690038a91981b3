//! A node that follows the chain: it adopts blocks, leaves them for another
//! branch, goes back to those that it left, and tells all of it.
//!
//! What always holds: a branch that is left is not deeper than finality, and
//! what takes its place is at least as long; what a node tells of different
//! moments it tells in that order.

use std::collections::{BTreeMap, BTreeSet};

use flow_core::{Block, BlockHash, Chain, LedgerEvent};
use flow_sim::Dice;

use super::record::{Sent, Style};
use super::town::Town;

/// The number of the first block.
pub(crate) const FIRST: u64 = 1_000;

/// Block time of the first block, in Unix milliseconds: half a minute before a day
/// ends.
const START_MS: u64 = 1_767_225_570_000;

const BLOCK_MS: u64 = 3_000;

/// Blocks of one height that a listener need remember.
const RIVALS_MAX: usize = 3;

/// Records that are sent at one moment, in any order.
pub(crate) struct Batch {
    /// Since the beginning.
    pub(crate) at_ms: u64,
    pub(crate) sent: Vec<Sent>,
    /// Whether it tells of one new block, which nothing takes back later.
    pub(crate) plain: bool,
}

/// When a node does what.
#[derive(Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) blocks: usize,
    /// From one block to the next.
    pub(crate) block_ms: u64,
    /// From one batch to the next of a reorganisation.
    pub(crate) step_ms: u64,
    /// One reorganisation in so many blocks; 0: none.
    pub(crate) reorg_one_in: u64,
    /// The deepest one.
    pub(crate) depth_max: usize,
    /// How far below the newest block those lie that can no longer be left.
    pub(crate) finality_blocks: u64,
    /// One silence in so many blocks; 0: none.
    pub(crate) silence_one_in: u64,
    pub(crate) silence_ms: u64,
}

/// See the module.
pub(crate) struct Node<'a> {
    dice: &'a mut Dice,
    town: &'a mut Town,
    style: Style,
    pace: Pace,
    chain: Vec<Block>,
    left: Vec<Block>,
    batches: Vec<Batch>,
    now_ms: u64,
    newest: u64,
    branches: u64,
    rivals: BTreeMap<u64, usize>,
    /// Heights at which blocks were left.
    contested: BTreeSet<u64>,
    pub(crate) reorgs: u64,
}

/// What a node told, and what is true in the end.
pub(crate) struct History {
    pub(crate) batches: Vec<Batch>,
    pub(crate) chain: Vec<Block>,
    /// Heights at which blocks were left.
    pub(crate) contested: BTreeSet<u64>,
    pub(crate) reorgs: u64,
    pub(crate) end_ms: u64,
}

impl<'a> Node<'a> {
    pub(crate) fn new(
        dice: &'a mut Dice,
        town: &'a mut Town,
        style: Style,
        pace: Pace,
    ) -> Node<'a> {
        Node {
            dice,
            town,
            style,
            pace,
            chain: Vec::new(),
            left: Vec::new(),
            batches: Vec::new(),
            now_ms: 0,
            newest: 0,
            branches: 0,
            rivals: BTreeMap::new(),
            contested: BTreeSet::new(),
            reorgs: 0,
        }
    }

    pub(crate) fn run(mut self) -> History {
        while self.chain.len() < self.pace.blocks {
            let (reorg, silence) = (self.pace.reorg_one_in, self.pace.silence_one_in);
            if reorg > 0 && self.dice.one_in(reorg) {
                self.reorganise();
            } else if silence > 0 && self.dice.one_in(silence) {
                self.now_ms += self.pace.silence_ms;
            }
            self.now_ms += self.pace.block_ms;
            let events = self.new_events();
            self.adopt(events, self.pace.step_ms);
        }
        let contested = self.contested;
        let mut batches = self.batches;
        for batch in &mut batches {
            batch.plain &= batch.sent.iter().all(|sent| !contested.contains(&sent.height));
        }
        let (chain, reorgs, end_ms) = (self.chain, self.reorgs, self.now_ms);
        History { batches, chain, contested, reorgs, end_ms }
    }

    fn new_events(&mut self) -> Vec<LedgerEvent> {
        let least = usize::from(!self.style.headers);
        let transactions = self.dice.index(4).max(least);
        (0..transactions).flat_map(|_| self.town.transaction(self.dice)).collect()
    }

    /// Leaves some blocks for others; now and then more than once.
    fn reorganise(&mut self) {
        loop {
            if !self.left.is_empty() && self.dice.one_in(3) {
                self.go_back();
            } else {
                self.branch_off();
            }
            if !self.dice.one_in(3) {
                return;
            }
        }
    }

    /// The most blocks that can be left now.
    fn depth_max(&self) -> usize {
        let leavable = |block: &&Block| {
            let rivals = self.rivals.get(&block.number).copied().unwrap_or(0);
            block.number + self.pace.finality_blocks > self.newest && rivals < RIVALS_MAX
        };
        let leavable = self.chain.iter().rev().take_while(leavable).count();
        leavable.min(self.pace.depth_max).min(self.chain.len().saturating_sub(1))
    }

    /// Another branch, with most of the transactions in other places.
    fn branch_off(&mut self) {
        let most = self.depth_max();
        if most == 0 {
            return;
        }
        let depth = 1 + self.dice.index(most);
        let left = self.leave(depth);
        let mut transactions: Vec<Vec<LedgerEvent>> = left.iter().flat_map(transactions).collect();
        let dice = &mut *self.dice;
        transactions.retain(|_| !dice.one_in(5));
        for at in (1..transactions.len()).rev() {
            transactions.swap(at, dice.index(at + 1));
        }
        let blocks = depth + dice.index(3);
        for rest in (1..=blocks).rev() {
            let share = transactions.len().div_ceil(rest);
            let mut events: Vec<LedgerEvent> = transactions.drain(..share).flatten().collect();
            if events.is_empty() && !self.style.headers {
                events = self.town.transaction(self.dice);
            }
            self.adopt(events, self.pace.step_ms);
        }
        self.left = left;
        self.reorgs += 1;
    }

    /// Back to the branch that was left last, which has grown meanwhile.
    fn go_back(&mut self) {
        let Some(first) = self.left.first().map(|block| block.number) else { return };
        let kept = self.chain.iter().take_while(|block| block.number < first).count();
        let depth = self.chain.len() - kept;
        if depth > self.depth_max() {
            return;
        }
        let back = std::mem::take(&mut self.left);
        let longer = depth.saturating_sub(back.len()) + 1;
        self.left = self.leave(depth);
        for block in back {
            self.tell(block, self.pace.step_ms);
        }
        for _ in 0..longer {
            let events = self.new_events();
            self.adopt(events, self.pace.step_ms);
        }
        self.reorgs += 1;
    }

    /// A new block with these events.
    fn adopt(&mut self, events: Vec<LedgerEvent>, step_ms: u64) {
        let number = self.chain.last().map_or(FIRST, |block| block.number + 1);
        let mut hash = [0; 32];
        // As TRON's hashes begin; no other chain minds.
        let begins = if self.town.chain == Chain::Tron { number } else { 0 };
        hash[..8].copy_from_slice(&begins.to_be_bytes());
        hash[8..16].copy_from_slice(&number.to_be_bytes());
        hash[16..24].copy_from_slice(&self.branches.to_be_bytes());
        self.branches += 1;
        *self.rivals.entry(number).or_default() += 1;
        let block = Block {
            chain: self.town.chain,
            number,
            hash: Some(BlockHash(hash)),
            timestamp_ms: START_MS + (number - FIRST) * BLOCK_MS,
            events: numbered(self.town.chain, events),
        };
        self.tell(block, step_ms);
    }

    fn tell(&mut self, block: Block, step_ms: u64) {
        self.now_ms += step_ms;
        let sent = self.style.told(&block);
        self.batches.push(Batch { at_ms: self.now_ms, sent, plain: true });
        self.newest = self.newest.max(block.number);
        self.chain.push(block);
    }

    fn leave(&mut self, depth: usize) -> Vec<Block> {
        let left = self.chain.split_off(self.chain.len() - depth);
        let mut order: Vec<&Block> = left.iter().collect();
        if self.style.top_down {
            order.reverse();
        }
        for block in order {
            self.now_ms += self.pace.step_ms;
            let sent = self.style.taken_back(block);
            self.batches.push(Batch { at_ms: self.now_ms, sent, plain: false });
            self.contested.insert(block.number);
        }
        left
    }
}

fn transactions(block: &Block) -> impl Iterator<Item = Vec<LedgerEvent>> {
    block.events.chunk_by(|one, next| one.tx == next.tx).map(<[LedgerEvent]>::to_vec)
}

/// As sources number logs: in the block, or from 1 in the transaction.
fn numbered(chain: Chain, mut events: Vec<LedgerEvent>) -> Vec<LedgerEvent> {
    for (rank, event) in (0_u32..).zip(&mut events) {
        event.log_index = Some(match chain {
            Chain::Ethereum => rank,
            Chain::Tron => event.position + 1,
        });
    }
    events
}
