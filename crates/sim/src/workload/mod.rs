//! Realistic traffic with planted crimes, for demos and benches.
//!
//! A [`Workload`] yields blocks of TRON every 3 seconds and of Ethereum every
//! 12, from 2026-01-01 on: people paying each other, exchanges taking deposits
//! and paying out, address poisoners, and the planted [`Crime`]s among them.
//! What always holds: with [`Workload::opening`] loaded no account ever sends
//! more than it has; and planted wallets deal with nobody but as planned, so
//! where their units end is known by construction.
//!
//! All names and addresses are invented; whoever is flagged here is nobody.

mod crime;
mod town;

use std::collections::VecDeque;

use flow_core::{
    AccountKey, Action, Amount, Block, BlockHash, Case, Chain, Label, LedgerEvent, TxHash,
};

use crate::dice::Dice;
use crate::ledger_gen::position;
use crime::Planned;
use town::Town;

pub use crime::{Crime, Rest, ServiceReached, Truth};

/// 2026-01-01T00:00:00Z.
const START_MS: u64 = 1_767_225_600_000;
const SLOT_MS: u64 = 3_000;
/// An Ethereum block comes with each fourth TRON block.
const SLOTS_PER_ETHEREUM_BLOCK: u64 = 4;
const TRON_START_BLOCK: u64 = 78_880_000;
const ETHEREUM_START_BLOCK: u64 = 24_137_000;

/// What traffic to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkloadConfig {
    /// The same seed gives the same traffic.
    pub seed: u64,
    /// Duration in slots of 3 seconds: one TRON block each, and one Ethereum
    /// block with each fourth, from the first on.
    pub blocks: u64,
    /// Private wallets on each chain, at least 64.
    pub accounts: usize,
    /// Ordinary transfers in each block.
    pub transfers_per_block: u32,
    /// The chains that have traffic. Crimes need the chain they happen on.
    pub chains: Vec<Chain>,
}

impl Default for WorkloadConfig {
    /// One hour of both chains.
    fn default() -> Self {
        WorkloadConfig {
            seed: 1,
            blocks: 1_200,
            accounts: 5_000,
            transfers_per_block: 30,
            chains: Chain::ALL.to_vec(),
        }
    }
}

/// What is hidden in the traffic, and what a tracer should find.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planted {
    /// One case for each crime.
    pub cases: Vec<Case>,
    /// The labels of services.
    pub labels: Vec<Label>,
    /// Where the planted units end.
    pub truth: Truth,
}

/// The traffic: yields the blocks of all chains in the order of time.
#[derive(Clone, Debug)]
pub struct Workload {
    config: WorkloadConfig,
    dice: Dice,
    towns: Vec<Town>,
    planned: VecDeque<Planned>,
    planted: Planted,
    opening: Vec<(AccountKey, Amount)>,
    slot: u64,
    /// Blocks of the current slot still to be yielded.
    ready: VecDeque<Block>,
}

impl Workload {
    /// Settles the towns and plans the crimes; no block is made yet.
    pub fn new(mut config: WorkloadConfig) -> Self {
        config.chains.sort_unstable();
        config.chains.dedup();
        let mut dice = Dice::new(config.seed);
        let mut towns: Vec<Town> = config
            .chains
            .iter()
            .map(|chain| Town::settle(*chain, config.accounts.max(64), &mut dice))
            .collect();
        let mut opening: Vec<_> = towns.iter().flat_map(Town::opening).collect();
        let plan = crime::plan(&mut towns, config.blocks, &mut dice);
        opening.extend(plan.opening);
        let labels = towns.iter().flat_map(Town::labels).collect();
        Workload {
            dice,
            towns,
            planned: plan.events.into(),
            planted: Planted { cases: plan.cases, labels, truth: plan.truth },
            opening,
            slot: 0,
            ready: VecDeque::new(),
            config,
        }
    }

    /// What is hidden in the traffic.
    pub fn planted(&self) -> Planted {
        self.planted.clone()
    }

    /// Balances before the first block. An account may occur twice; its
    /// balances add up.
    pub fn opening(&self) -> &[(AccountKey, Amount)] {
        &self.opening
    }

    fn make_slot(&mut self) {
        for index in 0..self.towns.len() {
            let chain = self.towns[index].chain();
            if chain == Chain::Tron || self.slot.is_multiple_of(SLOTS_PER_ETHEREUM_BLOCK) {
                let block = self.make_block(index);
                self.ready.push_back(block);
            }
        }
        self.slot += 1;
    }

    fn make_block(&mut self, town: usize) -> Block {
        let chain = self.towns[town].chain();
        let number = match chain {
            Chain::Tron => TRON_START_BLOCK + self.slot,
            Chain::Ethereum => ETHEREUM_START_BLOCK + self.slot / SLOTS_PER_ETHEREUM_BLOCK,
        };
        let mut draft = Draft { chain, next_index: 0, events: Vec::new() };
        for planned in self.take_planned(chain) {
            self.towns[town].receive(&planned);
            draft.push_tx(&mut self.dice, planned.tx, &planned.actions);
        }
        for _ in 0..self.config.transfers_per_block {
            let actions = self.towns[town].ordinary(&mut self.dice);
            let joins = self.dice.one_in(40);
            let tx = draft.events.last().filter(|_| joins).map(|event| event.tx);
            draft.push_tx(&mut self.dice, tx, &actions);
        }
        Block {
            chain,
            number,
            hash: Some(block_hash(chain, number, &mut self.dice)),
            timestamp_ms: START_MS + self.slot * SLOT_MS,
            events: draft.events,
        }
    }

    /// What is due on that chain by now. Planned events lead their block, so
    /// their log indices are known beforehand.
    fn take_planned(&mut self, chain: Chain) -> Vec<Planned> {
        let slot = self.slot;
        let due = |planned: &Planned| planned.slot <= slot && planned.chain == chain;
        let taken = self.planned.iter().filter(|planned| due(planned)).cloned().collect();
        if self.planned.front().is_some_and(|planned| planned.slot <= slot) {
            self.planned.retain(|planned| !due(planned));
        }
        taken
    }
}

impl Iterator for Workload {
    type Item = Block;

    fn next(&mut self) -> Option<Block> {
        while self.ready.is_empty() && self.slot < self.config.blocks && !self.towns.is_empty() {
            self.make_slot();
        }
        self.ready.pop_front()
    }
}

/// A block's events while they are put together.
struct Draft {
    chain: Chain,
    next_index: u32,
    events: Vec<LedgerEvent>,
}

impl Draft {
    fn push_tx(&mut self, dice: &mut Dice, tx: Option<TxHash>, actions: &[Action]) {
        let tx = tx.unwrap_or_else(|| TxHash(dice.bytes()));
        for action in actions {
            let event = LedgerEvent {
                tx,
                log_index: Some(self.next_index),
                position: position(&self.events, tx, action),
                action: *action,
            };
            self.events.push(event);
            // TRON tells of an issue by two logs; see `feed`.
            let two_logs = matches!(action, Action::Issue { .. } | Action::Redeem { .. });
            self.next_index += 1 + u32::from(two_logs && self.chain == Chain::Tron);
        }
    }
}

/// A TRON block's hash begins with its number.
fn block_hash(chain: Chain, number: u64, dice: &mut Dice) -> BlockHash {
    let mut hash: [u8; 32] = dice.bytes();
    if chain == Chain::Tron {
        hash[..8].copy_from_slice(&number.to_be_bytes());
    }
    BlockHash(hash)
}
