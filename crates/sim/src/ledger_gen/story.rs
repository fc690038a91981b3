//! What happens to an engine over time, and what is true in the end.
//!
//! What always holds: a block is above the head and above finality and repeats
//! no transaction of its chain; a revert takes at least one block and none that
//! is final; finality rises and does not pass the head.

use std::collections::{BTreeMap, BTreeSet};

use flow_core::{AccountKey, Amount, Block, Case, Chain, Event, Label, TxHash};

/// One thing that happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A block extends its chain.
    Block(Block),
    /// The blocks of the chain from that number on leave it.
    Revert {
        /// The chain.
        chain: Chain,
        /// The lowest number that leaves; a block of it need not exist.
        number: u64,
    },
    /// No block of the chain up to that number can leave any more.
    Finalize {
        /// The chain.
        chain: Chain,
        /// The highest final number; a block of it need not exist.
        number: u64,
    },
    /// A case is opened, or the open one of that id replaced.
    Open(Case),
    /// The case of that id is closed.
    Close(String),
    /// An account is labelled, or its label replaced.
    Label(Label),
    /// The account's label is withdrawn.
    Unlabel(AccountKey),
}

impl From<Step> for Event {
    fn from(step: Step) -> Self {
        match step {
            Step::Block(block) => Event::BlockCommitted(block),
            Step::Revert { chain, number } => Event::BlockReverted { chain, number },
            Step::Finalize { chain, number } => Event::BlockFinalized { chain, number },
            Step::Open(case) => Event::CaseOpened(case),
            Step::Close(id) => Event::CaseClosed(id),
            Step::Label(label) => Event::LabelSet(label),
            Step::Unlabel(account) => Event::LabelRemoved(account),
        }
    }
}

/// A sequence of steps, and what is true after the last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Story {
    /// Balances before the first event.
    pub opening: Vec<(AccountKey, Amount)>,
    /// What happens, in order.
    pub steps: Vec<Step>,
    /// The blocks that are on their chains in the end, in the order in which
    /// they came there for good.
    pub final_blocks: Vec<Block>,
    /// The cases open in the end, in the order of their first opening.
    pub final_cases: Vec<Case>,
    /// The labels that hold in the end, in the order of accounts.
    pub final_labels: Vec<Label>,
}

impl Story {
    /// The story of those steps. A step that cannot be, given the ones before,
    /// is left out.
    pub fn new(opening: Vec<(AccountKey, Amount)>, steps: Vec<Step>) -> Self {
        let mut state = State::default();
        let steps = steps.into_iter().filter(|step| state.apply(step)).collect();
        Story {
            opening,
            steps,
            final_blocks: state.blocks,
            final_cases: state.cases,
            final_labels: state.labels.into_values().collect(),
        }
    }
}

/// What is true at a moment of a story.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    /// The blocks of both chains.
    pub(super) blocks: Vec<Block>,
    pub(super) cases: Vec<Case>,
    pub(super) labels: BTreeMap<AccountKey, Label>,
    finalized: [Option<u64>; 2],
}

impl State {
    /// Takes the step, or changes nothing and tells that it cannot be.
    pub(super) fn apply(&mut self, step: &Step) -> bool {
        let possible = self.admits(step);
        if possible {
            self.take(step);
        }
        possible
    }

    pub(super) fn head(&self, chain: Chain) -> Option<&Block> {
        self.chain(chain).last()
    }

    /// The lowest number that a block of the chain can still have, as far as
    /// finality goes.
    pub(super) fn open_from(&self, chain: Chain) -> u64 {
        self.finalized[chain.index()].map_or(0, |number| number + 1)
    }

    pub(super) fn chain(&self, chain: Chain) -> impl Iterator<Item = &Block> {
        self.blocks.iter().filter(move |block| block.chain == chain)
    }

    pub(super) fn transactions(&self, chain: Chain) -> BTreeSet<TxHash> {
        self.chain(chain).flat_map(|block| &block.events).map(|event| event.tx).collect()
    }

    fn admits(&self, step: &Step) -> bool {
        let reaches = |chain, number| self.head(chain).is_some_and(|head| head.number >= number);
        match step {
            Step::Block(block) => {
                let known = self.transactions(block.chain);
                !reaches(block.chain, block.number)
                    && block.number >= self.open_from(block.chain)
                    && block.events.iter().all(|event| !known.contains(&event.tx))
            }
            Step::Revert { chain, number } | Step::Finalize { chain, number } => {
                *number >= self.open_from(*chain) && reaches(*chain, *number)
            }
            Step::Open(_) | Step::Label(_) => true,
            Step::Close(id) => self.cases.iter().any(|case| case.id == *id),
            Step::Unlabel(account) => self.labels.contains_key(account),
        }
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Block(block) => self.blocks.push(block.clone()),
            Step::Revert { chain, number } => {
                self.blocks.retain(|block| block.chain != *chain || block.number < *number);
            }
            Step::Finalize { chain, number } => self.finalized[chain.index()] = Some(*number),
            Step::Open(case) => match self.cases.iter_mut().find(|open| open.id == case.id) {
                Some(open) => open.clone_from(case),
                None => self.cases.push(case.clone()),
            },
            Step::Close(id) => self.cases.retain(|case| case.id != *id),
            Step::Label(label) => {
                self.labels.insert(label.account, label.clone());
            }
            Step::Unlabel(account) => {
                self.labels.remove(account);
            }
        }
    }
}
