//! Stories by chance over a random ledger.
//!
//! The blocks of the ledger are what is planned. Blocks that leave a chain come
//! back as they were, or their transactions come back in other blocks and
//! another order, or not at all; and what comes back can leave again.

use std::collections::VecDeque;

use flow_core::{AccountKey, Amount, Block, BlockHash, Case, Chain, Label, LedgerEvent, Source};

use super::generator::{Generator, case};
use super::story::{State, Step, Story};
use crate::dice::Dice;

const BLOCK_MS: u64 = 3_000;
const CASES_MAX: u64 = 4;

/// The story of that seed, over [`super::random_ledger`] of the same.
pub fn random_story(seed: u64) -> Story {
    let mut dice = Dice::new(seed);
    let mut generator = Generator::new(&mut dice);
    let opening = generator.opening(&mut dice);
    let blocks = generator.blocks(&mut dice);
    let pool = generator.source_pool(&mut dice, &blocks);
    Teller::new(dice, generator, blocks, pool).tell(opening)
}

struct Teller {
    dice: Dice,
    generator: Generator,
    pool: Vec<Source>,
    /// What is to come on each chain, unless chance has it otherwise.
    planned: [VecDeque<Block>; 2],
    /// Every block that has left each chain.
    left: [Vec<Block>; 2],
    state: State,
    steps: Vec<Step>,
}

impl Teller {
    fn new(dice: Dice, generator: Generator, blocks: Vec<Block>, pool: Vec<Source>) -> Self {
        let of = |chain| blocks.iter().filter(|block| block.chain == chain).cloned().collect();
        Teller {
            dice,
            generator,
            pool,
            planned: Chain::ALL.map(of),
            left: [Vec::new(), Vec::new()],
            state: State::default(),
            steps: Vec::new(),
        }
    }

    fn tell(mut self, opening: Vec<(AccountKey, Amount)>) -> Story {
        for _ in 0..self.dice.below(3) {
            let case = self.case();
            self.happens(Step::Open(case));
        }
        for _ in 0..self.dice.between(4, 48) {
            let chain = self.dice.pick(&Chain::ALL);
            let step = self.step(chain).unwrap_or_else(|| Step::Block(self.next_block(chain)));
            self.happens(step);
        }
        Story::new(opening, self.steps)
    }

    fn happens(&mut self, step: Step) {
        assert!(self.state.apply(&step), "cannot be: {step:?}");
        self.steps.push(step);
    }

    /// Something that can be now, if chance finds it so.
    fn step(&mut self, chain: Chain) -> Option<Step> {
        match self.dice.below(24) {
            0..12 => Some(Step::Block(self.next_block(chain))),
            12..16 => self.revert(chain),
            16 => self.finalize(chain),
            17..20 => Some(Step::Open(self.case())),
            20 => {
                let ids: Vec<&String> = self.state.cases.iter().map(|case| &case.id).collect();
                (!ids.is_empty()).then(|| Step::Close(self.dice.pick(&ids).clone()))
            }
            21 | 22 => self.label().map(Step::Label),
            _ => {
                let labelled: Vec<AccountKey> = self.state.labels.keys().copied().collect();
                (!labelled.is_empty()).then(|| Step::Unlabel(self.dice.pick(&labelled)))
            }
        }
    }

    /// A new case, another one of an id in use, or an open one with one more
    /// source.
    fn case(&mut self) -> Case {
        if !self.state.cases.is_empty() && !self.pool.is_empty() && self.dice.one_in(3) {
            let open = self.dice.index(self.state.cases.len());
            let mut case = self.state.cases[open].clone();
            case.sources.push(self.dice.pick(&self.pool));
            return case;
        }
        let number = self.dice.below(CASES_MAX);
        case(&mut self.dice, &self.pool, number)
    }

    fn label(&mut self) -> Option<Label> {
        self.generator.labels(&mut self.dice).pop()
    }

    fn finalize(&mut self, chain: Chain) -> Option<Step> {
        let open_from = self.state.open_from(chain);
        let head = self.state.head(chain)?.number;
        (open_from <= head)
            .then(|| Step::Finalize { chain, number: self.dice.between(open_from, head) })
    }

    /// Any depth, from the head to all that is not final.
    fn revert(&mut self, chain: Chain) -> Option<Step> {
        let open_from = self.state.open_from(chain);
        let open: Vec<&Block> =
            self.state.chain(chain).filter(|block| block.number >= open_from).collect();
        if open.is_empty() {
            return None;
        }
        let first = self.dice.index(open.len());
        // The number named may lie in the gap below the first that leaves.
        let lowest = if first == 0 { open_from } else { open[first - 1].number + 1 };
        let exact = !self.dice.one_in(4);
        let highest = open[first].number;
        let number = if exact { highest } else { self.dice.between(lowest, highest) };
        let gone: Vec<Block> = open[first..].iter().map(|block| (*block).clone()).collect();
        self.plan_after(chain, &gone);
        self.left[chain.index()].extend(gone);
        Some(Step::Revert { chain, number })
    }

    /// Decides what comes in place of the blocks that are leaving.
    fn plan_after(&mut self, chain: Chain, gone: &[Block]) {
        let next = match self.dice.below(8) {
            0..3 => gone.to_vec(),
            3..6 => self.rearranged(chain, gone),
            6 => self.left[chain.index()].clone(),
            _ => Vec::new(),
        };
        for block in next.into_iter().rev() {
            self.planned[chain.index()].push_front(block);
        }
    }

    /// Most of the transactions of the blocks in others, perhaps in another
    /// order and among new ones.
    fn rearranged(&mut self, chain: Chain, gone: &[Block]) -> Vec<Block> {
        let dice = &mut self.dice;
        let mut txs: Vec<Vec<LedgerEvent>> = gone.iter().flat_map(transactions).collect();
        txs.retain(|_| !dice.one_in(5));
        if dice.one_in(3) {
            let events = self.generator.events(dice, chain);
            txs.extend(transactions(&Block { events, ..gone[0].clone() }));
        }
        if dice.one_in(2) {
            for at in (1..txs.len()).rev() {
                txs.swap(at, dice.index(at + 1));
            }
        }
        let first = gone[0].number;
        let mut blocks = Vec::new();
        while !txs.is_empty() {
            let rest = txs.split_off(dice.between(1, 4).min(count(&txs)).try_into().expect("few"));
            let events = self.generator.renumbered(std::mem::replace(&mut txs, rest).concat());
            let rank = count(&blocks);
            blocks.push(Block {
                chain,
                number: first + rank,
                hash: gone[0].hash.map(|_| BlockHash(dice.bytes())),
                timestamp_ms: gone[0].timestamp_ms + rank * BLOCK_MS,
                events,
            });
        }
        blocks
    }

    /// The next planned block, made to fit the head.
    fn next_block(&mut self, chain: Chain) -> Block {
        let planned = self.planned[chain.index()].pop_front();
        let mut block = planned.unwrap_or_else(|| Block {
            chain,
            number: 0,
            hash: self.dice.one_in(2).then_some(BlockHash([0; 32])),
            timestamp_ms: 0,
            events: self.generator.events(&mut self.dice, chain),
        });
        let known = self.state.transactions(chain);
        let events = block.events.len();
        block.events.retain(|event| !known.contains(&event.tx));
        let head = self.state.head(chain);
        let number = head.map_or(0, |head| head.number + 1).max(self.state.open_from(chain));
        let timestamp_ms = head.map_or(super::generator::START_MS, |head| head.timestamp_ms + 1);
        let fits = block.number >= number && block.timestamp_ms >= timestamp_ms;
        if !fits || block.events.len() < events {
            block.number = number + self.dice.below(2);
            block.timestamp_ms = timestamp_ms + BLOCK_MS - 1;
            block.hash = block.hash.map(|_| BlockHash(self.dice.bytes()));
        }
        block
    }
}

fn transactions(block: &Block) -> impl Iterator<Item = Vec<LedgerEvent>> {
    block.events.chunk_by(|one, next| one.tx == next.tx).map(<[LedgerEvent]>::to_vec)
}

fn count<T>(items: &[T]) -> u64 {
    u64::try_from(items.len()).expect("lengths fit in 64 bits")
}
