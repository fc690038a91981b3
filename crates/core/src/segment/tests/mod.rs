//! Pasts to write and read back: what is pushed, and what must come out.

mod damage;
mod lookup;
mod round_trip;

use std::iter::once;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::movement::NO_LOG_INDEX;
use crate::{AccountKey, Address, BlockHash, Chain, TxHash};

const FIRST_TRANSFER: u32 = 1_000;
const FIRST_BLOCK: u32 = 50;
const FIRST_ACCOUNT: u32 = 300;

/// One thing that happens in a block.
#[derive(Clone, Copy, Debug)]
enum Step {
    Transfer(Row, TxHash),
    Other(OtherAction),
}

/// A stretch of the past.
/// Of a segment that begins with those ids.
fn builder(first_transfer: u32, first_block: u32, first_account: u32) -> SegmentBuilder {
    let mut builder = SegmentBuilder::default();
    builder.begin(first_transfer, first_block, first_account, 0);
    builder
}

#[derive(Clone, Debug, Default)]
struct Past {
    accounts: Vec<AccountKey>,
    blocks: Vec<(BlockRow, Vec<Step>)>,
}

impl Past {
    fn write(&self) -> Vec<u8> {
        self.write_with(&mut SegmentBuilder::default())
    }

    fn write_with(&self, builder: &mut SegmentBuilder) -> Vec<u8> {
        builder.begin(FIRST_TRANSFER, FIRST_BLOCK, FIRST_ACCOUNT, 0);
        self.accounts.iter().for_each(|account| builder.push_account(*account));
        for (block, steps) in &self.blocks {
            builder.begin_block(*block);
            for step in steps {
                match step {
                    Step::Transfer(row, tx) => builder.push_transfers(once((*row, tx))),
                    Step::Other(action) => builder.push_other(*action),
                }
            }
        }
        builder.finish().unwrap().concat()
    }

    fn open(&self) -> Segment {
        open(self.write()).unwrap()
    }

    fn transfers(&self) -> Vec<(Row, TxHash)> {
        let steps = self.blocks.iter().flat_map(|(_, steps)| steps);
        let transfer = |step: &Step| match step {
            Step::Transfer(row, tx) => Some((*row, *tx)),
            Step::Other(_) => None,
        };
        steps.filter_map(transfer).collect()
    }
}

fn open(bytes: Vec<u8>) -> Result<Segment, SegmentError> {
    Segment::open(Arc::new(bytes))
}

/// All rows of a segment, through its chunks.
fn rows(segment: &Segment) -> Vec<Row> {
    let mut columns = Columns::default();
    let mut found = Vec::new();
    for ix in 0..segment.chunk_count() {
        segment.chunk(ix, &mut columns).unwrap();
        assert_eq!(columns.transfer(0), segment.first_transfer() + ix * CHUNK);
        let mut cursor = columns.rows();
        found.extend((0..columns.len()).map(|row| cursor.row_at(row)));
    }
    found
}

/// Numbers of every length, round sums, and the ends of the range.
fn number() -> impl Strategy<Value = u64> {
    let shifted = (any::<u64>(), 0..64_u32).prop_map(|(bits, by)| bits >> by);
    let round = (any::<u64>(), 0..64_u32, prop_oneof![Just(10_000), Just(1_000_000_u64)])
        .prop_map(|(bits, by, unit)| (bits >> by) / unit * unit);
    prop_oneof![Just(0), Just(u64::MAX), shifted, round]
}

/// Stands for a shortfall of all that is sent.
const ALL: u64 = u64::MAX - 1;

fn rarely() -> impl Strategy<Value = u64> {
    prop_oneof![5 => Just(0), 1 => number()]
}

fn number32() -> impl Strategy<Value = u32> {
    prop_oneof![Just(0), Just(u32::MAX), 0..300_u32, any::<u32>()]
}

fn row(accounts: u32) -> impl Strategy<Value = Row> {
    let ids = 0..FIRST_ACCOUNT + accounts;
    let log_index = prop_oneof![Just(NO_LOG_INDEX), number32()];
    let position = prop_oneof![5 => Just(0), 1 => number32()];
    let numbers = (number(), number(), number(), prop_oneof![rarely(), Just(ALL)]);
    (ids.clone(), ids, numbers, log_index, position).prop_map(
        |(from, to, (amount, rest, to_before, missing), log_index, position)| {
            let missing = if missing == ALL { amount } else { missing };
            Row { from, to, amount, rest, to_before, missing, log_index, position }
        },
    )
}

/// Few enough that some transactions have several transfers.
fn tx() -> impl Strategy<Value = TxHash> {
    prop_oneof![(0..4_u8).prop_map(|byte| TxHash([byte; 32])), any::<[u8; 32]>().prop_map(TxHash)]
}

fn other(accounts: u32) -> impl Strategy<Value = OtherAction> {
    (0..5, 0..FIRST_ACCOUNT + accounts, number(), number(), number()).prop_map(
        |(kind, account, amount, rest, missing)| match kind {
            0 => OtherAction::Issue { to: account, amount, before: rest },
            1 => OtherAction::Redeem { from: account, amount, rest, missing },
            2 => OtherAction::Destroy { account, amount, rest, missing },
            3 => OtherAction::Freeze { account },
            _ => OtherAction::Release { account },
        },
    )
}

fn step(accounts: u32) -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (row(accounts), tx()).prop_map(|(row, tx)| Step::Transfer(row, tx)),
        1 => other(accounts).prop_map(Step::Other),
    ]
}

fn chain() -> impl Strategy<Value = Chain> {
    prop_oneof![Just(Chain::Ethereum), Just(Chain::Tron)]
}

fn block(accounts: u32) -> impl Strategy<Value = (BlockRow, Vec<Step>)> {
    let steps = prop_oneof![1 => Just(Vec::new()), 3 => vec(step(accounts), 0..20)];
    let hash = prop::option::of(any::<[u8; 32]>().prop_map(BlockHash));
    (chain(), number(), hash, number(), any::<bool>(), steps).prop_map(
        |(chain, number, hash, timestamp_ms, has_events, steps)| {
            let count = steps.iter().filter(|step| matches!(step, Step::Transfer(..))).count();
            let transfers = u32::try_from(count).unwrap();
            let mut block = BlockRow { chain, number, hash, timestamp_ms, has_events, transfers };
            number_hash(&mut block);
            (block, steps)
        },
    )
}

/// Lets hashes of TRON begin with the block's number, when it is even.
fn number_hash(block: &mut BlockRow) {
    if let (Chain::Tron, true, Some(hash)) =
        (block.chain, block.number.is_multiple_of(2), &mut block.hash)
    {
        hash.0[..8].copy_from_slice(&block.number.to_be_bytes());
    }
}

fn account() -> impl Strategy<Value = AccountKey> {
    (chain(), any::<[u8; 20]>())
        .prop_map(|(chain, bytes)| AccountKey { chain, address: Address(bytes) })
}

/// Small pasts of both chains; some without blocks, some without anything.
fn past() -> impl Strategy<Value = Past> {
    vec(account(), 0..12).prop_flat_map(|accounts| {
        let count = u32::try_from(accounts.len()).unwrap();
        vec(block(count), 0..8).prop_map(move |blocks| Past { accounts: accounts.clone(), blocks })
    })
}

/// A past of several chunks in which a few accounts do most of the paying.
fn busy(transfers: u32) -> Past {
    let chain = Chain::Tron;
    let account = |ix: u32| {
        let mut bytes = [7; 20];
        bytes[..4].copy_from_slice(&ix.to_le_bytes());
        AccountKey { chain, address: Address(bytes) }
    };
    let mut past = Past { accounts: (0..5_000).map(account).collect(), blocks: Vec::new() };
    for (number, first) in (70..).zip((0..transfers).step_by(30)) {
        let steps: Vec<Step> = (first..transfers.min(first + 30)).map(busy_step).collect();
        let block = BlockRow {
            chain,
            number,
            hash: Some(BlockHash([number.to_le_bytes()[0]; 32])),
            timestamp_ms: number * 3_000,
            has_events: true,
            transfers: u32::try_from(steps.len()).unwrap(),
        };
        past.blocks.push((block, steps));
    }
    past
}

fn busy_step(ix: u32) -> Step {
    let bits = u64::from(ix + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let pick =
        |at: u32| (bits >> at & 0xffff) as u32 % if ix.is_multiple_of(3) { 7 } else { 5_300 };
    let row = Row {
        from: pick(8),
        to: pick(24),
        amount: bits >> (bits % 60),
        rest: bits % 3 * (bits >> 30),
        to_before: u64::from(ix) * 10_000,
        missing: u64::from(ix.is_multiple_of(11)) * bits,
        log_index: ix % 200 * (1 + ix % 2),
        position: u32::from(ix.is_multiple_of(50)),
    };
    let mut tx = [0; 32];
    tx[..8].copy_from_slice(&(bits | 1).to_be_bytes());
    if ix % 40 == 1 {
        tx = [9; 32];
    }
    Step::Transfer(row, TxHash(tx))
}
