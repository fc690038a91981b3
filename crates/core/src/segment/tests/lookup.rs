//! The index and the locator agree with looking at everything.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

fn assert_chunks_of(past: &Past, segment: &Segment) {
    let mut places: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
    for (ix, (row, _)) in (0_u32..).zip(past.transfers()) {
        for account in [row.from, row.to] {
            places.entry(account).or_default().insert(ix / CHUNK);
        }
    }
    let end = segment.first_account() + segment.accounts_len();
    for account in (0..=end).chain([u32::MAX]) {
        let expected: Vec<u32> = places.get(&account).into_iter().flatten().copied().collect();
        assert_eq!(segment.chunks_of(account).unwrap(), expected, "account {account}");
    }
}

fn assert_txs(past: &Past, segment: &Segment) {
    let mut places: BTreeMap<TxHash, Vec<u32>> = BTreeMap::new();
    for (ix, (_, tx)) in (0..).zip(past.transfers()) {
        places.entry(tx).or_default().push(ix);
        assert_eq!(segment.tx(ix).unwrap(), tx);
    }
    for (tx, expected) in &places {
        assert_eq!(segment.find_tx(tx).as_ref(), Ok(expected));
        let mut stranger = *tx;
        stranger.0[31] ^= 1;
        let expected = places.get(&stranger).cloned().unwrap_or_default();
        assert_eq!(segment.find_tx(&stranger), Ok(expected));
    }
}

proptest! {
    #[test]
    fn lookups_agree_with_a_search(past in past()) {
        let segment = past.open();
        assert_chunks_of(&past, &segment);
        assert_txs(&past, &segment);
    }
}

#[test]
fn lookups_agree_with_a_search_in_several_chunks() {
    let past = busy(3 * CHUNK + 77);
    let segment = past.open();
    assert_chunks_of(&past, &segment);
    assert_txs(&past, &segment);
}

#[test]
fn what_is_not_there_is_told() {
    let past = busy(10);
    let segment = past.open();
    let absent = |section, ix, len| Err(SegmentError::Absent { section, ix, len });
    assert_eq!(segment.tx(10).map(drop), absent(Section::Hashes, 10, 10));
    assert_eq!(segment.chunk(1, &mut Columns::default()), absent(Section::Chunks, 1, 1));
    assert!(segment.chunk(u32::MAX, &mut Columns::default()).is_err());
    assert_eq!(Past::default().open().find_tx(&TxHash([0; 32])), Ok(vec![]));
}
