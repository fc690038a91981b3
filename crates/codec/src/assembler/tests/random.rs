//! Random histories with random reorganisations, told as a node tells them and
//! read from two partitions: what was put out and not reverted is the chain.

use proptest::prelude::*;

use super::listener::{Chained, Listener, Told, hash, header_of, removed, removed_header, told};
use super::*;

/// A step in the life of a node.
#[derive(Clone, Debug)]
enum Step {
    /// A new block with so many events.
    Extend(u8),
    /// Another branch of at least the same length takes the place of so many
    /// blocks. It repeats their transactions, shifted by some places.
    Reorganise { depth: usize, longer: usize, shift: usize },
    /// The branch that was left last comes back and has grown longer.
    Return,
}

/// Which records a node sends.
#[derive(Clone, Copy, Debug)]
struct Style {
    /// Headers of new blocks, and blocks without events.
    headers: bool,
    /// Headers of blocks that are taken back.
    removed_headers: bool,
    /// Whether events tell the hash of their block. Where they do not, all lie
    /// in one partition.
    hashes: bool,
    /// Whether removals go from the newest block down.
    top_down: bool,
}

/// A node's view of the chain, and all it has sent.
struct Node {
    style: Style,
    chain: Vec<Chained>,
    left: Vec<Chained>,
    sent: Vec<Told>,
    blocks: u8,
    transactions: u8,
}

impl Node {
    /// A node that has gone these steps.
    fn after(style: Style, steps: &[Step]) -> Node {
        let (chain, left, sent) = (Vec::new(), Vec::new(), Vec::new());
        let mut node = Node { style, chain, left, sent, blocks: 0, transactions: 0 };
        steps.iter().for_each(|step| node.take(step));
        node
    }

    /// The blocks that must stand at the end, as [`Listener::stands`] tells
    /// them.
    fn canonical(&self) -> Vec<(u64, Option<BlockHash>, Vec<u64>)> {
        let tells_hash = self.style.headers || self.style.hashes;
        let block = |block: &Chained| {
            let mut amounts: Vec<u64> = block.txs.iter().map(|tx| u64::from(*tx)).collect();
            amounts.sort_unstable();
            let hash = hash(block.number, block.branch);
            (block.number, Some(hash).filter(|_| tells_hash), amounts)
        };
        self.chain.iter().map(block).collect()
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Extend(events) => {
                let number = self.chain.len() as u64 + 1;
                let least = u8::from(!self.style.headers);
                let fresh = (0..events.max(least)).map(|i| self.transactions.wrapping_add(i));
                let block = Chained { number, branch: self.blocks, txs: fresh.collect() };
                self.transactions = self.transactions.wrapping_add(events.max(least));
                self.adopt(block);
            }
            Step::Reorganise { depth, longer, shift } => {
                let depth = depth.min(self.chain.len());
                let left = self.leave(depth);
                let mut txs: Vec<u8> = left.iter().flat_map(|block| block.txs.clone()).collect();
                let middle = shift % txs.len().max(1);
                txs.rotate_left(middle);
                for at in 0..depth + longer {
                    let number = self.chain.len() as u64 + 1;
                    let rest = depth + longer - at;
                    let mut taken: Vec<u8> = txs.drain(..txs.len().div_ceil(rest)).collect();
                    if taken.is_empty() && !self.style.headers {
                        taken.push(self.transactions);
                        self.transactions = self.transactions.wrapping_add(1);
                    }
                    self.adopt(Chained { number, branch: self.blocks, txs: taken });
                }
                self.left = left;
            }
            Step::Return => {
                let Some(first) = self.left.first().map(|block| block.number) else { return };
                let depth = self.chain.len() + 1 - usize::try_from(first).unwrap();
                let back = std::mem::take(&mut self.left);
                let shorter = depth.saturating_sub(back.len());
                self.left = self.leave(depth);
                back.into_iter().for_each(|block| self.adopt(block));
                (0..=shorter).for_each(|_| self.take(&Step::Extend(1)));
            }
        }
    }

    fn adopt(&mut self, block: Chained) {
        if self.style.headers {
            self.sent.push(Told::Header(header_of(&block)));
        }
        self.send(&block, |event| event);
        self.blocks += 1;
        self.chain.push(block);
    }

    fn leave(&mut self, depth: usize) -> Vec<Chained> {
        let left = self.chain.split_off(self.chain.len() - depth);
        let mut order: Vec<&Chained> = left.iter().collect();
        if self.style.top_down {
            order.reverse();
        }
        for block in order {
            if self.style.removed_headers {
                self.sent.push(Told::Header(removed_header(&header_of(block))));
            }
            self.send(block, removed);
        }
        left
    }

    fn send(&mut self, block: &Chained, change: fn(ChainEvent) -> ChainEvent) {
        let hashes = self.style.hashes;
        let told = |event: ChainEvent| ChainEvent {
            block_hash: event.block_hash.filter(|_| hashes),
            ..change(event)
        };
        self.sent.extend(block.events().map(told).map(Told::Event));
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let extend = || prop::collection::vec((0..4_u8).prop_map(Step::Extend), 1..8);
    // At most four branches at a height.
    let reorganise = (1..6_usize, 0..3_usize, 0..9_usize)
        .prop_map(|(depth, longer, shift)| Step::Reorganise { depth, longer, shift });
    let change = prop_oneof![3 => reorganise, 2 => Just(Step::Return)];
    let rounds = prop::collection::vec((extend(), change), 1..4);
    (rounds, extend()).prop_map(|(rounds, last)| {
        let mut steps = Vec::new();
        for (extends, change) in rounds {
            steps.extend(extends);
            steps.push(change);
        }
        steps.extend(last);
        steps
    })
}

fn style() -> impl Strategy<Value = Style> {
    let hashes = prop::bool::weighted(0.7);
    (any::<bool>(), any::<bool>(), hashes, any::<bool>()).prop_map(
        |(headers, removed, hashes, top_down)| Style {
            headers,
            removed_headers: headers && removed && hashes,
            hashes,
            top_down,
        },
    )
}

/// All records of one event lie in one partition, as do all headers; some
/// records are sent twice.
fn partitions(sent: &[Told], salt: u8, twice: &[bool]) -> [Vec<Told>; 2] {
    let mut partitions = [Vec::new(), Vec::new()];
    for (at, record) in sent.iter().enumerate() {
        let partition = match record {
            Told::Header(_) => 0,
            Told::Event(ChainEvent { block_hash: None, .. }) => 0,
            Told::Event(ChainEvent { block_hash: Some(hash), tx, .. }) => {
                usize::from((tx.0[0] ^ hash.0[31]).wrapping_mul(salt | 1) >> 3 & 1)
            }
        };
        let times = 1 + usize::from(twice[at % twice.len()]);
        partitions[partition].extend(std::iter::repeat_n(record.clone(), times));
    }
    partitions
}

/// In which order two partitions are read, neither more than `lag` records
/// ahead of its share.
#[derive(Clone, Debug)]
struct Reading {
    salt: u8,
    twice: Vec<bool>,
    turns: Vec<bool>,
    lag: usize,
}

fn reading() -> impl Strategy<Value = Reading> {
    let twice = prop::collection::vec(prop::bool::weighted(0.2), 1..40);
    let turns = prop::collection::vec(any::<bool>(), 1..60);
    (any::<u8>(), twice, turns, 0..30_usize).prop_map(|(salt, twice, turns, lag)| Reading {
        salt,
        twice,
        turns,
        lag,
    })
}

impl Reading {
    /// Each record, and below which block both partitions have told all.
    fn of(&self, sent: &[Told]) -> Vec<(Told, u64)> {
        let [left, right] = &partitions(sent, self.salt, &self.twice);
        let lag = self.lag;
        let (mut i, mut j) = (0, 0);
        let mut reached = [0, 0];
        let mut read = Vec::new();
        for turn in self.turns.iter().cycle() {
            let ahead = i * right.len() > (j + lag) * left.len().max(1);
            let behind = (i + lag) * right.len() < j * left.len().max(1);
            let first = j == right.len() || (i < left.len() && !ahead && (*turn || behind));
            let (record, side) = match (left.get(i), right.get(j)) {
                (None, None) => break,
                (Some(record), _) if first => (record, 0),
                (_, Some(record)) => (record, 1),
                (Some(record), None) => (record, 0),
            };
            if side == 0 {
                i += 1
            } else {
                j += 1
            }
            reached[side] = reached[side].max(record.number());
            let below = match (left.is_empty(), right.is_empty()) {
                (false, false) => reached[0].min(reached[1]),
                _ => u64::MAX,
            };
            read.push((record.clone(), below));
        }
        read
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn what_stands_at_the_end_is_the_canonical_chain(
        steps in steps(),
        style in style(),
        reading in reading(),
        window in 1..4_usize,
    ) {
        let node = Node::after(style, &steps);
        let mut listener = Listener::new(window);
        for (record, below) in reading.of(&node.sent) {
            listener.hear(record);
            listener.release(below);
        }
        listener.flush();
        prop_assert_eq!(listener.stands(), node.canonical(), "{:#?}", listener.log);
    }

    #[test]
    fn a_restored_assembler_goes_on_as_the_original_does(
        steps in steps(),
        style in style(),
        reading in reading(),
        restored in prop::collection::vec(prop::bool::weighted(0.2), 1..40),
        finality_blocks in 1..20_u64,
        window_blocks in 1..4_usize,
    ) {
        let node = Node::after(style, &steps);
        let config = AssemblerConfig { window_blocks, finality_blocks, events_max: 60 };
        let (mut original, mut copy) = (Listener::with(config), Listener::with(config));
        for ((record, below), restore) in
            reading.of(&node.sent).into_iter().zip(restored.into_iter().cycle())
        {
            for listener in [&mut original, &mut copy] {
                // Finality is too near for some reorganisations here.
                let told = listener.push(record.clone());
                listener.log.push(format!("{told:?}"));
            }
            if restore {
                copy.restore(config);
            }
            original.release(below);
            copy.release(below);
            prop_assert_eq!(&original.log, &copy.log);
        }
        prop_assert_eq!(original.image(), copy.image());
        original.flush();
        copy.flush();
        prop_assert_eq!(&original.log, &copy.log);
        prop_assert_eq!(original.stands(), copy.stands());
    }
}

/// The generator sends what it promises.
#[test]
fn a_node_repeats_the_transactions_of_the_branch_it_leaves() {
    let style = Style { headers: false, removed_headers: false, hashes: true, top_down: true };
    let reorganise = Step::Reorganise { depth: 1, longer: 1, shift: 0 };
    let node = Node::after(style, &[Step::Extend(1), Step::Extend(1), reorganise, Step::Return]);
    let last: Vec<(u64, u8, Vec<u8>)> =
        node.chain.iter().map(|block| (block.number, block.branch, block.txs.clone())).collect();
    assert_eq!(last, [(1, 0, vec![0]), (2, 1, vec![1]), (3, 5, vec![3]), (4, 6, vec![4])]);
    let sent = &node.sent[1..];
    let expected = [
        told(2, 1, 1),
        removed(told(2, 1, 1)),
        told(2, 2, 1),
        told(3, 3, 2),
        removed(told(3, 3, 2)),
        removed(told(2, 2, 1)),
        told(2, 1, 1),
        told(3, 5, 3),
        told(4, 6, 4),
    ];
    assert_eq!(sent, expected.map(Told::Event));
}
