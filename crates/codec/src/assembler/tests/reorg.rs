//! Blocks taken back: by events, by headers, in whatever order of arrival.

use super::listener::*;
use super::*;

fn event(number: u64, branch: u8, tx: u8) -> Told {
    Told::Event(told(number, branch, tx))
}

fn gone(number: u64, branch: u8, tx: u8) -> Told {
    Told::Event(removed(told(number, branch, tx)))
}

fn unhashed(event: ChainEvent) -> Told {
    Told::Event(ChainEvent { block_hash: None, ..event })
}

fn head(number: u64, branch: u8) -> Told {
    Told::Header(header_of(&Chained { number, branch, txs: Vec::new() }))
}

fn headless(number: u64, branch: u8) -> Told {
    Told::Header(removed_header(&header_of(&Chained { number, branch, txs: Vec::new() })))
}

/// Hears each record, and looks after each what can be put out.
fn heard(window_blocks: usize, records: impl IntoIterator<Item = Told>) -> Listener {
    let mut listener = Listener::new(window_blocks);
    hear(&mut listener, records);
    listener
}

fn hear(listener: &mut Listener, records: impl IntoIterator<Item = Told>) {
    for record in records {
        listener.hear(record);
        listener.release(u64::MAX);
    }
}

/// Branch and amounts of the blocks that stand from the first on, after all
/// that is held has been put out.
fn stands(listener: &mut Listener) -> Vec<(u64, u8, Vec<u64>)> {
    listener.flush();
    let branch = |hash: Option<BlockHash>| hash.map_or(0, |hash| hash.0[31]);
    listener
        .stands()
        .into_iter()
        .map(|(number, hash, amounts)| (number, branch(hash), amounts))
        .collect()
}

fn reverts(listener: &Listener) -> Vec<&str> {
    let is_revert = |line: &&str| line.starts_with('<');
    listener.log.iter().map(String::as_str).filter(is_revert).collect()
}

/// Blocks 1 to 5 of branch 1, each with one event; with a window of 1 the
/// first four are put out.
fn five() -> Vec<Told> {
    (1..=5).map(|number| event(number, 1, u8::try_from(number).unwrap())).collect()
}

fn five_and(records: impl IntoIterator<Item = Told>) -> Listener {
    heard(1, five().into_iter().chain(records))
}

#[test]
fn the_last_block_put_out_is_replaced() {
    let mut listener =
        five_and([gone(5, 1, 5), gone(4, 1, 4), event(4, 2, 40), event(5, 2, 50), event(6, 2, 60)]);
    assert_eq!(reverts(&listener), ["<4"]);
    assert_eq!(listener.log.last().unwrap(), "5: [50]", "block 6 waits");
    assert_eq!(stands(&mut listener)[3..], [(4, 2, vec![40]), (5, 2, vec![50]), (6, 2, vec![60])]);
}

#[test]
fn several_blocks_are_replaced_whichever_way_they_are_removed() {
    let new = || (2..=6).map(|number| event(number, 2, 10 + u8::try_from(number).unwrap()));
    let gone = |number: u64| gone(number, 1, u8::try_from(number).unwrap());
    let mut top_down = five_and((2..=5).rev().map(gone).chain(new()));
    let mut bottom_up = five_and((2..=5).map(gone).chain(new()));
    assert_eq!(reverts(&top_down), ["<4", "<3", "<2"]);
    assert_eq!(reverts(&bottom_up), ["<2"], "what is held again is not put out meanwhile");
    let expected: Vec<(u64, u8, Vec<u64>)> =
        std::iter::once((1, 1, vec![1])).chain((2..=6).map(|n| (n, 2, vec![10 + n]))).collect();
    assert_eq!(stands(&mut top_down), expected);
    assert_eq!(stands(&mut bottom_up), expected);
}

#[test]
fn removals_between_two_looks_are_one_revert() {
    let mut listener = five_and([]);
    for number in [5, 4, 3] {
        listener.hear(gone(number, 1, u8::try_from(number).unwrap()));
    }
    listener.release(u64::MAX);
    assert_eq!(reverts(&listener), ["<3"]);
}

#[test]
fn the_first_removal_takes_the_whole_block() {
    let mut listener = heard(1, [event(1, 1, 1), event(2, 1, 2), event(2, 1, 3), event(3, 1, 4)]);
    hear(&mut listener, [gone(2, 1, 2)]);
    assert_eq!(reverts(&listener), ["<2"]);
    hear(&mut listener, [gone(2, 1, 3), gone(2, 1, 2), gone(3, 1, 4)]);
    assert_eq!(reverts(&listener), ["<2"], "the others say nothing new");
    assert_eq!(stands(&mut listener), [(1, 1, vec![1])]);
}

#[test]
fn nothing_is_put_out_while_a_reorganisation_goes_on() {
    let mut listener = five_and([gone(5, 1, 5), gone(4, 1, 4), event(4, 2, 40), event(5, 2, 50)]);
    // The branch that came is left again before a block followed it.
    hear(&mut listener, [gone(5, 2, 50), gone(4, 2, 40), gone(3, 1, 3)]);
    hear(&mut listener, [event(3, 3, 33), event(4, 3, 34), event(5, 3, 35)]);
    assert_eq!(reverts(&listener), ["<4", "<3"], "block 4 of branch 2 was never put out");
    hear(&mut listener, [event(6, 3, 36)]);
    assert_eq!(listener.log.last().unwrap(), "5: [35]");
    let branches: Vec<u8> = stands(&mut listener).iter().map(|block| block.1).collect();
    assert_eq!(branches, [1, 1, 3, 3, 3, 3]);
}

#[test]
fn after_a_revert_every_partition_must_have_come_further() {
    let mut listener = five_and([gone(5, 1, 5), gone(4, 1, 4), event(4, 2, 40), event(5, 2, 50)]);
    listener.hear(event(6, 2, 60));
    listener.release(5);
    assert_eq!(listener.log.last().unwrap(), "+6 Some(2) tx 60: Ok(())");
    listener.release(6);
    assert_eq!(listener.log.last().unwrap(), "5: [50]");
}

#[test]
fn a_branch_that_comes_back_is_taken_again() {
    let mut listener = five_and([gone(5, 1, 5), gone(4, 1, 4), event(4, 2, 40), event(5, 2, 50)]);
    hear(&mut listener, [event(6, 2, 60), gone(6, 2, 60), gone(5, 2, 50), gone(4, 2, 40)]);
    hear(&mut listener, [event(4, 1, 4), event(5, 1, 5), event(6, 1, 6), event(7, 1, 7)]);
    let expected: Vec<(u64, u8, Vec<u64>)> = (1..=7).map(|n| (n, 1, vec![n])).collect();
    assert_eq!(stands(&mut listener), expected);
    assert_eq!(listener.assembler.push(told(5, 1, 5)), Err(Dropped::Duplicate));
}

#[test]
fn each_record_may_come_twice() {
    let there = [gone(5, 1, 5), gone(4, 1, 4), event(4, 2, 40), event(5, 2, 4), event(6, 2, 60)];
    let back = [gone(6, 2, 60), gone(5, 2, 4), gone(4, 2, 40), event(4, 1, 4), event(5, 1, 5)];
    let all = five().into_iter().chain(there).chain(back).chain([event(6, 1, 6), event(7, 1, 7)]);
    let mut listener = heard(1, all.flat_map(|record| [record.clone(), record]));
    let expected: Vec<(u64, u8, Vec<u64>)> = (1..=7).map(|n| (n, 1, vec![n])).collect();
    assert_eq!(stands(&mut listener), expected);
}

#[test]
fn a_new_branch_told_before_the_old_one_is_removed_is_parked() {
    let mut listener = five_and([event(4, 2, 40), event(5, 2, 50), event(6, 2, 60)]);
    assert_eq!(reverts(&listener), [""; 0]);
    hear(&mut listener, [gone(5, 1, 5), gone(4, 1, 4)]);
    let branches: Vec<u8> = stands(&mut listener).iter().map(|block| block.1).collect();
    assert_eq!(branches, [1, 1, 1, 2, 2, 2]);
}

#[test]
fn the_same_transaction_comes_in_another_block() {
    let mut after = five_and([gone(5, 1, 5), gone(4, 1, 4), event(4, 2, 5), event(5, 2, 4)]);
    let mut before = five_and([event(4, 2, 5), event(5, 2, 4), gone(5, 1, 5), gone(4, 1, 4)]);
    for listener in [&mut after, &mut before] {
        assert_eq!(stands(listener)[3..], [(4, 2, vec![5]), (5, 2, vec![4])]);
    }
}

#[test]
fn a_transaction_told_in_two_blocks_counts_once() {
    let mut listener = five_and([event(6, 1, 3), event(6, 1, 60)]);
    assert_eq!(stands(&mut listener)[5], (6, 1, vec![60]));
    hear(&mut listener, [gone(3, 1, 3), event(7, 1, 7)]);
    let blocks = stands(&mut listener);
    assert_eq!(blocks[4], (6, 1, vec![3, 60]), "once the earlier block has left");
}

#[test]
fn without_a_hash_only_the_event_itself_leaves() {
    let number = |n: u64| u8::try_from(n).unwrap();
    let blocks = (1..=4).map(|n| unhashed(told(n, 1, number(n))));
    let mut listener = heard(1, blocks.chain([unhashed(told(2, 1, 22))]).take(4));
    let late = listener.push(unhashed(told(2, 1, 22)));
    assert_eq!(late, Err(Dropped::Late { block: 2, released: 3 }));
    hear(&mut listener, [unhashed(removed(told(3, 1, 3)))]);
    assert_eq!(reverts(&listener), ["<3"]);
    hear(&mut listener, [unhashed(removed(told(3, 1, 3))), unhashed(told(3, 1, 33))]);
    hear(&mut listener, [unhashed(removed(told(4, 1, 4))), unhashed(told(4, 1, 3))]);
    assert_eq!(
        stands(&mut listener),
        [(1, 0, vec![1]), (2, 0, vec![2]), (3, 0, vec![33]), (4, 0, vec![3])]
    );
}

#[test]
fn a_removed_event_leaves_an_open_block() {
    let mut listener = heard(1, [unhashed(told(1, 1, 1)), unhashed(told(2, 1, 2))]);
    hear(&mut listener, [unhashed(removed(told(2, 1, 2))), unhashed(told(2, 1, 2))]);
    hear(&mut listener, [unhashed(removed(told(2, 1, 2)))]);
    assert_eq!(listener.assembler.held_blocks(), 0);
    assert_eq!(stands(&mut listener), [(1, 0, vec![1])], "a block of nothing is none");
}

#[test]
fn a_header_with_another_hash_tells_what_is_canonical() {
    let told_first = (1..=4).flat_map(|n| [head(n, 1), event(n, 1, u8::try_from(n).unwrap())]);
    let mut listener = heard(1, told_first);
    hear(&mut listener, [event(3, 2, 30)]);
    assert_eq!(reverts(&listener), [""; 0], "an event alone is parked");
    hear(&mut listener, [head(3, 2)]);
    assert_eq!(reverts(&listener), ["<3"]);
    hear(&mut listener, [head(4, 2), head(5, 2), event(4, 2, 40)]);
    assert_eq!(stands(&mut listener)[2..], [(3, 2, vec![30]), (4, 2, vec![40]), (5, 2, vec![])],);
    hear(&mut listener, [head(3, 1), head(4, 1), head(5, 1), head(6, 1)]);
    assert_eq!(
        stands(&mut listener)[2..],
        [(3, 1, vec![3]), (4, 1, vec![4]), (5, 1, vec![]), (6, 1, vec![])]
    );
}

#[test]
fn a_removed_header_takes_its_block_and_no_other() {
    let blocks = (1..=4).flat_map(|n| [head(n, 1), event(n, 1, u8::try_from(n).unwrap())]);
    let mut listener = heard(1, blocks);
    hear(&mut listener, [headless(3, 9)]);
    assert_eq!(reverts(&listener), [""; 0]);
    hear(&mut listener, [headless(4, 1), headless(3, 1), headless(3, 1)]);
    assert_eq!(reverts(&listener), ["<3"]);
    hear(&mut listener, [gone(3, 1, 3), gone(4, 1, 4), head(3, 2), head(4, 2), head(5, 2)]);
    assert_eq!(stands(&mut listener)[2..], [(3, 2, vec![]), (4, 2, vec![]), (5, 2, vec![])]);
    hear(&mut listener, [head(3, 9)]);
    assert_eq!(stands(&mut listener)[2].1, 2, "it was taken back before it came");
}

/// As older java-tron nodes tell it: hashes in headers alone.
#[test]
fn events_without_a_hash_go_along_to_the_block_that_replaces_theirs() {
    let number = |n: u64| u8::try_from(n).unwrap();
    let old = |n: u64| [head(n, 1), unhashed(told(n, 1, number(n)))];
    let mut headers_first = heard(1, (1..=4).flat_map(old));
    let mut events_first = heard(1, (1..=4).flat_map(old));
    let headers = || [head(3, 2), head(4, 2), head(5, 2)];
    let events = || {
        let gone = [4, 3].map(|n| unhashed(removed(told(n, 1, number(n)))));
        gone.into_iter().chain([unhashed(told(3, 2, 4)), unhashed(told(4, 2, 40))])
    };
    hear(&mut headers_first, headers().into_iter().chain(events()));
    hear(&mut events_first, events().chain(headers()));
    for listener in [&mut headers_first, &mut events_first] {
        assert_eq!(stands(listener)[2..], [(3, 2, vec![4]), (4, 2, vec![40]), (5, 2, vec![])]);
    }
}

fn shallow(finality_blocks: u64) -> Listener {
    let mut listener =
        Listener::with(AssemblerConfig { window_blocks: 1, events_max: 100, finality_blocks });
    hear(&mut listener, five());
    listener
}

#[test]
fn a_final_block_is_never_reverted() {
    let mut listener = shallow(2);
    assert_eq!(listener.assembler.final_block(), Some(3));
    let refused = Err(Dropped::RevertedFinal { block: 3, final_block: 3 });
    assert_eq!(listener.push(gone(3, 1, 3)), refused);
    assert_eq!(listener.push(unhashed(removed(told(3, 1, 3)))), refused);
    assert_eq!(listener.push(headless(3, 1)), refused);
    // Of a block that never counted a removal says nothing.
    assert_eq!(listener.push(gone(3, 2, 3)), Ok(()));
    assert_eq!(listener.push(headless(3, 2)), Ok(()));
    assert_eq!(listener.push(unhashed(removed(told(3, 1, 77)))), Ok(()));
    assert_eq!(listener.push(head(3, 2)), Err(Dropped::OtherBranch { block: 3 }));
    assert_eq!(listener.push(head(3, 1)), Err(Dropped::Duplicate));
    assert_eq!(listener.push(event(3, 1, 3)), Err(Dropped::Duplicate));
    assert_eq!(listener.push(event(3, 2, 9)), Err(Dropped::Late { block: 3, released: 4 }));
    hear(&mut listener, [gone(4, 1, 4)]);
    assert_eq!(reverts(&listener), ["<4"]);
}

#[test]
fn finality_never_runs_ahead_of_what_is_put_out() {
    let mut listener = five_and([]);
    let mut out = Vec::new();
    listener.assembler.note_solid(100);
    listener.assembler.release(u64::MAX, &mut out);
    let last = |number| Assembled::Final { chain: Chain::Tron, number };
    assert_eq!(out, [last(4)]);
    listener.assembler.flush(&mut out);
    listener.assembler.flush(&mut out);
    let [_, Assembled::Block(_), fifth] = &out[..] else { panic!("{out:?}") };
    assert_eq!(*fifth, last(5));
}

#[test]
fn an_event_removed_before_it_came_is_not_taken() {
    let mut listener = five_and([gone(6, 1, 60), gone(6, 1, 60), event(6, 1, 60)]);
    hear(&mut listener, [unhashed(removed(told(7, 1, 70))), unhashed(told(7, 1, 70))]);
    assert_eq!(stands(&mut listener).len(), 5);
    hear(&mut listener, [event(6, 1, 60), unhashed(told(7, 1, 70))]);
    assert_eq!(
        stands(&mut listener)[5..],
        [(6, 1, vec![60]), (7, 0, vec![70])],
        "the second time they came anew"
    );
}

#[test]
fn parked_blocks_are_counted_when_their_height_is_final() {
    let mut listener = five_and([event(4, 2, 40), event(4, 2, 41), event(4, 3, 50)]);
    hear(&mut listener, [gone(4, 3, 50), event(4, 4, 60), event(6, 1, 5)]);
    assert_eq!(listener.assembler.orphaned_events(), 0);
    listener.assembler.note_solid(6);
    listener.flush();
    let parked = 3;
    let told_in_an_earlier_block = 1;
    assert_eq!(listener.assembler.orphaned_events(), parked + told_in_an_earlier_block);
}

#[test]
fn at_most_four_blocks_of_a_height_are_remembered() {
    let mut listener = five_and((2..=4).map(|branch| event(4, branch, 40 + branch)));
    assert_eq!(listener.push(event(4, 5, 45)), Err(Dropped::OtherBranch { block: 4 }));
    hear(&mut listener, [gone(4, 3, 43), event(4, 5, 45)]);
    assert_eq!(listener.push(event(4, 6, 46)), Err(Dropped::OtherBranch { block: 4 }));
}

#[test]
fn late_records_are_refused_unless_a_reorganisation_goes_on() {
    let mut listener = five_and([]);
    let late = listener.push(event(4, 1, 44));
    assert_eq!(late, Err(Dropped::Late { block: 4, released: 4 }));
    hear(&mut listener, [gone(5, 1, 5), gone(4, 1, 4), event(4, 2, 40), event(5, 2, 50)]);
    hear(&mut listener, [event(6, 2, 60), event(4, 2, 41)]);
    let late = listener.push(event(3, 1, 33));
    assert_eq!(late, Err(Dropped::Late { block: 3, released: 3 }));
    assert_eq!(stands(&mut listener)[3], (4, 2, vec![40, 41]));
}

#[test]
fn a_gap_is_told_once_and_none_where_blocks_return() {
    let mut listener = heard(1, [head(1, 1), head(2, 1), head(4, 1), head(5, 1)]);
    hear(&mut listener, [headless(5, 1), headless(4, 1)]);
    hear(&mut listener, [head(4, 2), head(5, 2), head(6, 2), head(7, 2)]);
    listener.flush();
    let gaps: Vec<&String> = listener.log.iter().filter(|line| line.contains("..")).collect();
    assert_eq!(gaps, ["2..4"]);
}

#[test]
fn time_is_that_of_the_last_block_that_stands() {
    let timeless = |event: ChainEvent| ChainEvent { timestamp_ms: None, ..event };
    let mut assembler = assembler(1);
    let mut out = Vec::new();
    for event in [told(1, 1, 1), told(2, 1, 2), removed(told(2, 1, 2)), timeless(told(2, 2, 3))] {
        assembler.push(event).unwrap();
        assembler.flush(&mut out);
    }
    let Some(Assembled::Block(block)) = out.last() else { panic!("{out:?}") };
    assert_eq!((block.number, block.timestamp_ms), (2, 3_000));
}
