//! How an assembler waits, orders and refuses; reorganisations have a file of
//! their own, and one where they are random; so have images.

mod image;
mod listener;
mod random;
mod reorg;

use flow_core::{Action, Address, Block, TxHash};

use super::*;
use crate::{ChainAction, LogIndex};

fn transfer(block: u64, tx: u8, index: LogIndex, from: u8, to: u8, amount: u64) -> ChainEvent {
    ChainEvent {
        chain: Chain::Tron,
        block,
        block_hash: None,
        timestamp_ms: Some(block * 3_000),
        tx: TxHash([tx; 32]),
        index: Some(index),
        action: ChainAction::Ledger(Action::Transfer {
            from: Address([from; 20]),
            to: Address([to; 20]),
            amount,
        }),
        removed: false,
        solid: None,
    }
}

fn in_tx(block: u64, tx: u8, index: u32) -> ChainEvent {
    transfer(block, tx, LogIndex::InTx(index), 1, 2, u64::from(tx) * 100 + u64::from(index))
}

/// Each block has a transaction of its own, or the events would be one.
fn in_block(block: u64, index: u32) -> ChainEvent {
    let tx = 100 + u8::try_from(block).expect("tests use few blocks");
    transfer(block, tx, LogIndex::InBlock(index), 1, 2, u64::from(index))
}

fn assembler(window_blocks: usize) -> Assembler {
    let config = AssemblerConfig { window_blocks, ..AssemblerConfig::default() };
    Assembler::new(Chain::Tron, config)
}

fn amounts(block: &Block) -> Vec<u64> {
    let amount = |event: &flow_core::LedgerEvent| match event.action {
        Action::Transfer { amount, .. }
        | Action::Issue { amount, .. }
        | Action::Redeem { amount, .. } => amount,
        _ => 0,
    };
    block.events.iter().map(amount).collect()
}

/// Blocks as `number: amounts`, gaps as `after..before`, reverts as `<number`.
/// What is final is left out.
fn shown(out: &[Assembled]) -> Vec<String> {
    let text = |assembled: &Assembled| match assembled {
        Assembled::Block(block) => format!("{}: {:?}", block.number, amounts(block)),
        Assembled::Gap(gap) => format!("{}..{}", gap.after, gap.before),
        Assembled::Reverted { number, .. } => format!("<{number}"),
        Assembled::Final { number, .. } => format!("final {number}"),
    };
    out.iter().filter(|item| !matches!(item, Assembled::Final { .. })).map(text).collect()
}

fn header(number: u64, transactions: Vec<TxHash>) -> BlockHeader {
    BlockHeader {
        chain: Chain::Tron,
        number,
        hash: None,
        timestamp_ms: number * 3_000,
        transactions,
        removed: false,
        solid: None,
    }
}

#[test]
fn late_records_within_the_window_are_put_in_place() {
    let mut assembler = assembler(2);
    let mut out = Vec::new();
    for event in [in_block(3, 7), in_block(1, 2), in_block(1, 1)] {
        assembler.push(event).unwrap();
        assembler.release(u64::MAX, &mut out);
    }
    assert_eq!(shown(&out), [""; 0], "two blocks are held, so both wait");
    for event in [in_block(2, 0), in_block(3, 4)] {
        assembler.push(event).unwrap();
        assembler.release(u64::MAX, &mut out);
    }
    assert_eq!(shown(&out), ["1: [1, 2]"], "three blocks are held, so the first goes");
    assert_eq!(assembler.held_blocks(), 2);
    assembler.flush(&mut out);
    assert_eq!(shown(&out), ["1: [1, 2]", "2: [0]", "3: [4, 7]"]);
}

#[test]
fn a_record_behind_the_window_is_handed_back() {
    let mut assembler = assembler(1);
    let mut out = Vec::new();
    assembler.push(in_block(1, 0)).unwrap();
    assembler.push(in_block(2, 0)).unwrap();
    assembler.release(u64::MAX, &mut out);
    let late = transfer(1, 8, LogIndex::InBlock(5), 1, 2, 5);
    assert_eq!(assembler.push(late), Err(Dropped::Late { block: 1, released: 1 }));
}

#[test]
fn repeats_are_known_before_and_after_release() {
    let mut assembler = assembler(1);
    let mut out = Vec::new();
    assembler.push(in_block(1, 0)).unwrap();
    assert_eq!(assembler.push(in_block(1, 0)), Err(Dropped::Duplicate));
    assembler.push(in_block(2, 1)).unwrap();
    assembler.release(u64::MAX, &mut out);
    assert_eq!(assembler.push(in_block(1, 0)), Err(Dropped::Duplicate));
    let mut other = in_block(2, 1);
    other.action = transfer(2, 9, LogIndex::InBlock(1), 1, 2, 77).action;
    assert_eq!(assembler.push(other), Err(Dropped::Conflict { block: 2 }));
}

#[test]
fn indices_within_the_transaction_keep_arrival_order_unless_a_header_tells_it() {
    let (first, second) = (TxHash([1; 32]), TxHash([2; 32]));
    let events = [in_tx(1, 2, 2), in_tx(1, 1, 1), in_tx(1, 2, 1)];
    let mut by_arrival = assembler(1);
    let mut by_header = assembler(1);
    by_header.push_header(header(1, vec![first, second])).unwrap();
    let (mut arrival, mut told) = (Vec::new(), Vec::new());
    for event in events {
        by_arrival.push(event).unwrap();
        by_header.push(event).unwrap();
    }
    by_arrival.flush(&mut arrival);
    by_header.flush(&mut told);
    assert_eq!(shown(&arrival), ["1: [201, 202, 101]"]);
    assert_eq!(shown(&told), ["1: [101, 201, 202]"]);
}

#[test]
fn events_without_an_index_stay_behind_the_one_they_came_after() {
    let mut assembler = assembler(1);
    let mut bare = in_block(1, 0);
    bare.index = None;
    bare.action = transfer(1, 9, LogIndex::InBlock(0), 1, 2, 55).action;
    for event in [in_block(1, 5), bare, in_block(1, 3)] {
        assembler.push(event).unwrap();
    }
    let mut out = Vec::new();
    assembler.flush(&mut out);
    assert_eq!(shown(&out), ["1: [3, 5, 55]"]);
}

#[test]
fn positions_do_not_depend_on_how_the_source_numbers_logs() {
    let positions = |index: fn(u32) -> LogIndex| {
        let mut assembler = assembler(1);
        for n in [4, 6, 9] {
            assembler.push(transfer(1, 7, index(n), 1, 2, 1)).unwrap();
        }
        let mut out = Vec::new();
        assembler.flush(&mut out);
        let [Assembled::Block(block)] = &out[..] else { panic!("one block") };
        block.events.iter().map(|event| event.position).collect::<Vec<_>>()
    };
    assert_eq!(positions(LogIndex::InBlock), [0, 1, 2]);
    assert_eq!(positions(LogIndex::InTx), [0, 1, 2]);
}

#[test]
fn a_mint_told_by_log_and_transfer_counts_once() {
    let mut assembler = assembler(1);
    let mint = transfer(1, 5, LogIndex::InTx(2), 0, 3, 1_000);
    let log =
        ChainEvent { index: Some(LogIndex::InTx(1)), action: ChainAction::IssueLog(1_000), ..mint };
    let alone = ChainEvent { tx: TxHash([6; 32]), action: ChainAction::RedeemLog(7), ..log };
    for event in [log, mint, alone] {
        assembler.push(event).unwrap();
    }
    let mut out = Vec::new();
    assembler.flush(&mut out);
    let [Assembled::Block(block)] = &out[..] else { panic!("one block") };
    let actions: Vec<Action> = block.events.iter().map(|event| event.action).collect();
    let owner = tether_owner();
    assert_eq!(
        actions,
        [
            Action::Issue { to: Address([3; 20]), amount: 1_000 },
            Action::Redeem { from: owner, amount: 7 },
        ]
    );
}

fn tether_owner() -> Address {
    crate::tether::multisig(Chain::Tron)
}

#[test]
fn gaps_are_exact_with_headers_and_suspected_without() {
    let mut with = assembler(1);
    let mut without = assembler(1);
    let (mut exact, mut suspected) = (Vec::new(), Vec::new());
    for number in [1, 2, 4, 30] {
        with.push_header(header(number, Vec::new())).unwrap();
        without.push(in_block(number, u32::try_from(number).unwrap())).unwrap();
    }
    with.flush(&mut exact);
    without.flush(&mut suspected);
    assert_eq!(shown(&exact), ["1: []", "2: []", "2..4", "4: []", "4..30", "30: []"]);
    assert_eq!(shown(&suspected), ["1: [1]", "2: [2]", "4: [4]", "4..30", "30: [30]"]);
}

#[test]
fn two_ways_of_numbering_logs_do_not_mix() {
    let mut assembler = assembler(1);
    assembler.push(in_block(1, 0)).unwrap();
    assert_eq!(assembler.push(in_tx(1, 3, 1)), Err(Dropped::MixedIndex { block: 1 }));
}

#[test]
fn a_block_waits_for_the_partition_that_lags() {
    let mut assembler = assembler(1);
    let mut out = Vec::new();
    for number in 1..=4 {
        assembler.push(in_block(number, u32::try_from(number).unwrap())).unwrap();
    }
    assembler.release(2, &mut out);
    assert_eq!(shown(&out), ["1: [1]"]);
    assert_eq!(assembler.newest(), Some(4));
    assembler.release(u64::MAX, &mut out);
    assert_eq!(shown(&out), ["1: [1]", "2: [2]", "3: [3]"]);
}

#[test]
fn at_most_so_many_events_are_held() {
    let config =
        AssemblerConfig { window_blocks: 1_000, events_max: 3, ..AssemblerConfig::default() };
    let mut assembler = Assembler::new(Chain::Tron, config);
    let mut out = Vec::new();
    for block in 1..=5 {
        let index = u32::try_from(block).unwrap();
        assembler.push(in_block(block, index)).unwrap();
        assembler.release(u64::MAX, &mut out);
    }
    assert_eq!(shown(&out), ["1: [1]", "2: [2]"]);
}
