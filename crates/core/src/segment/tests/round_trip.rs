//! What was pushed comes out again, in order.

use super::*;
use crate::segment::code::Numbers;
use crate::segment::row::{Place, pack};

fn assert_same(past: &Past, segment: &Segment) {
    assert_eq!(segment.verify(), Ok(()));
    let transfers = past.transfers();
    let blocks: Vec<BlockRow> = past.blocks.iter().map(|(block, _)| *block).collect();
    assert_eq!(segment.blocks().unwrap(), blocks);
    assert_eq!(segment.accounts().unwrap(), past.accounts);
    assert_eq!(segment.others().unwrap(), others(past));
    assert_eq!(rows(segment), transfers.iter().map(|(row, _)| *row).collect::<Vec<_>>());
    assert_eq!(segment.transfers() as usize, transfers.len());
    assert_eq!(segment.blocks_len() as usize, blocks.len());
    assert_eq!(segment.accounts_len() as usize, past.accounts.len());
    let firsts = (segment.first_transfer(), segment.first_block(), segment.first_account());
    assert_eq!(firsts, (FIRST_TRANSFER, FIRST_BLOCK, FIRST_ACCOUNT));
}

fn others(past: &Past) -> Vec<Other> {
    let mut found = Vec::new();
    let mut transfers_before = 0;
    for (block, (_, steps)) in (0..).zip(&past.blocks) {
        for step in steps {
            match step {
                Step::Transfer(..) => transfers_before += 1,
                Step::Other(action) => {
                    found.push(Other { block, transfers_before, action: *action });
                }
            }
        }
    }
    found
}

proptest! {
    #[test]
    fn any_past_comes_back(past in past()) {
        assert_same(&past, &past.open());
    }

    #[test]
    fn a_builder_serves_again(one in past(), other in past()) {
        let mut builder = SegmentBuilder::default();
        one.write_with(&mut builder);
        prop_assert_eq!(other.write_with(&mut builder), other.write());
    }

    #[test]
    fn a_row_comes_back_at_its_length(first in row(10), second in row(10), near in 0..5_u32) {
        let second = Row {
            log_index: if near == 0 { second.log_index } else { first.log_index.wrapping_add(near) },
            ..second
        };
        let mut numbers = Numbers::default();
        let mut before = numbers.room();
        before.put(u64::MAX, 3);
        let before = before.len;
        numbers.take(before);
        let control = pack(&first, NO_LOG_INDEX, &mut numbers);
        let next = pack(&second, first.log_index, &mut numbers);
        let mut var = numbers.bytes().to_vec();
        let end = var.len();
        var.extend([0xee; 8]);
        let mut place = Place::at_mark(3);
        let mut skipping = place;
        prop_assert_eq!(place.unpack((first.from, first.to), control, &var), first);
        skipping.skip(control, &var);
        prop_assert_eq!(place, skipping);
        prop_assert_eq!(place.unpack((second.from, second.to), next, &var), second);
        skipping.skip(next, &var);
        prop_assert_eq!(place, skipping);
        prop_assert_eq!(place.at, end);
    }

    #[test]
    fn any_bytes_unpack_and_skip_alike(
        control in any::<u16>(),
        bytes in vec(any::<u8>(), 0..60),
        at in 0..70_usize,
    ) {
        let mut place = Place::at_mark(at);
        let mut skipping = place;
        place.unpack((0, 0), control, &bytes);
        skipping.skip(control, &bytes);
        prop_assert_eq!(place, skipping);
    }
}

#[test]
fn an_empty_past_comes_back() {
    assert_same(&Past::default(), &Past::default().open());
}

#[test]
fn several_chunks_come_back() {
    for transfers in [CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 65] {
        let past = busy(transfers);
        assert_same(&past, &past.open());
    }
}

/// Segments on disk stay readable, and the same past has the same bytes.
#[test]
fn the_bytes_of_a_past_never_change() {
    let told = |past: Past| {
        let bytes = past.write();
        (bytes.len(), crc32fast::hash(&bytes))
    };
    assert_eq!(told(Past::default()), (144, 1_696_784_233));
    assert_eq!(told(busy(40)), (103_244, 4_281_999_953));
    assert_eq!(told(busy(2 * CHUNK + 65)), (590_119, 616_347_170));
    assert_eq!(told(busy(40 * CHUNK + 1)), (9_769_553, 4_007_550_972));
}

#[test]
fn rows_are_found_in_any_order() {
    let past = busy(CHUNK);
    let transfers = past.transfers();
    let mut columns = Columns::default();
    past.open().chunk(0, &mut columns).unwrap();
    let mut cursor = columns.rows();
    for step in [1_usize, 3, 63, 64, 65, 200, 4_000, 4_095] {
        for ix in (0..transfers.len()).step_by(step) {
            assert_eq!(columns.row(ix), transfers[ix].0);
            assert_eq!(cursor.row_at(ix), transfers[ix].0);
            assert_eq!((columns.froms()[ix], columns.tos()[ix]), {
                let (row, _) = transfers[ix];
                (row.from, row.to)
            });
        }
    }
}

#[test]
fn round_sums_are_short() {
    let bytes_of = |amount| {
        let mut numbers = Numbers::default();
        let zero = Row {
            from: 0,
            to: 0,
            amount,
            rest: 0,
            to_before: 0,
            missing: 0,
            log_index: NO_LOG_INDEX,
            position: 0,
        };
        pack(&zero, NO_LOG_INDEX, &mut numbers);
        numbers.bytes().len()
    };
    let amounts = [0, 1, 5_000_000_000, 19_990_000, 1_234_567, u64::MAX];
    assert_eq!(amounts.map(bytes_of), [0, 1, 1, 2, 3, 8]);
}

#[test]
fn what_cannot_be_a_segment_is_refused_when_it_is_finished() {
    let row = Row {
        from: 0,
        to: 1,
        amount: 1,
        rest: 0,
        to_before: 0,
        missing: 0,
        log_index: 0,
        position: 0,
    };
    let block = busy(1).blocks[0].0;
    let mut outside = builder(0, 0, 2);
    outside.push_transfers(once((row, &TxHash([0; 32]))));
    assert_eq!(outside.finish(), Err(BuildError::OutsideBlock));

    let mut stranger = builder(0, 0, 1);
    stranger.begin_block(block);
    stranger.push_transfers(once((row, &TxHash([0; 32]))));
    assert_eq!(stranger.finish(), Err(BuildError::UnknownAccount(1)));

    let mut beyond = builder(u32::MAX, 0, 2);
    beyond.begin_block(block);
    beyond.push_transfers(once((row, &TxHash([0; 32]))));
    assert_eq!(beyond.finish(), Err(BuildError::Full(Section::Chunks)));
}

#[test]
fn a_segment_takes_so_many_transfers_and_no_more() {
    let Step::Transfer(row, _) = busy_step(1) else { panic!("a transfer") };
    let mut all = builder(0, 0, 5_300);
    all.begin_block(busy(1).blocks[0].0);
    let tx = |ix: u32| {
        let mut hash = [0; 32];
        hash[..4].copy_from_slice(&ix.wrapping_mul(0x9e37_79b9).to_le_bytes());
        TxHash(hash)
    };
    (0..TRANSFERS_MAX).for_each(|ix| all.push_transfers(once((row, &tx(ix)))));
    let mut more = builder(0, 0, 5_300);
    more.begin_block(busy(1).blocks[0].0);
    (0..=TRANSFERS_MAX).for_each(|ix| more.push_transfers(once((row, &tx(ix)))));
    assert_eq!(more.finish(), Err(BuildError::Full(Section::Chunks)));

    let segment = open(all.finish().unwrap().concat()).unwrap();
    assert_eq!(segment.chunks_of(row.from).unwrap(), (0..256).collect::<Vec<u32>>());
    assert_eq!(segment.find_tx(&tx(TRANSFERS_MAX - 1)).unwrap(), [TRANSFERS_MAX - 1]);
}
