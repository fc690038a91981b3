//! The store over a disk that goes wrong in every way.

use std::sync::Arc;

use flow_core::{Chain, Image};

use super::*;
use crate::checkpoint::container::{Damage, Parts};
use crate::checkpoint::faulty::{self, FaultyDisk};
use crate::checkpoint::manifest::{Manifest, Position};

type Segments = Vec<(SegmentName, Arc<dyn Image>)>;

fn open(disk: &Arc<FaultyDisk>, keep: usize) -> CheckpointStore {
    CheckpointStore::open(Arc::clone(disk) as Arc<dyn Disk>, "g", Chain::Tron, keep)
}

fn segments(fills: &[u8]) -> Segments {
    let named = fills.iter().enumerate().map(|(number, fill)| faulty::segment(number, *fill));
    named.map(|(name, bytes)| (name, Arc::new(bytes) as Arc<dyn Image>)).collect()
}

/// The state after so many records, with so many segments.
fn state(offset: i64, segments: &Segments) -> Parts {
    let position = Position { topic: "t".to_owned(), partition: 0, offset, newest_block: None };
    let manifest = Manifest {
        positions: vec![position],
        segments: segments.iter().map(|(name, _)| *name).collect(),
        ..Manifest::default()
    };
    Parts { manifest, engine: offset.to_le_bytes().to_vec(), ..Parts::default() }
}

fn save(store: &CheckpointStore, offset: i64) -> Generation {
    store.save(state(offset, &Vec::new()), &[]).unwrap().generation
}

/// The records of the generation that is found, and those that are passed over.
fn found(store: &CheckpointStore) -> (Option<u64>, Vec<u64>) {
    let search = store.load_newest(|_| Ok(())).unwrap();
    let passed = search.damaged.iter().map(|damaged| damaged.generation.records).collect();
    (search.loaded.map(|loaded| loaded.generation.records), passed)
}

fn records(store: &CheckpointStore) -> Vec<u64> {
    store.generations().unwrap().iter().map(|generation| generation.records).collect()
}

#[test]
fn what_is_saved_is_loaded() {
    let disk = Arc::default();
    let store = open(&disk, 3);
    assert_eq!(found(&store), (None, vec![]));
    let past = segments(&[1, 2]);
    let saved = store.save(state(7, &past), &past).unwrap();
    assert_eq!(saved.new_segments, 2);
    let loaded = store.load_newest(|_| Ok(())).unwrap().loaded.unwrap();
    assert_eq!(loaded.generation, saved.generation);
    let Manifest { chain, group_id, records, written_ms, .. } = &loaded.parts.manifest;
    assert_eq!((chain.as_str(), group_id.as_str(), *records), ("tron", "g", 7));
    assert!(*written_ms > 1_700_000_000_000);
    assert_eq!(loaded.parts.engine, 7_i64.to_le_bytes());
    assert_eq!(store.segment(&past[1].0).unwrap(), faulty::segment(1, 2).1);
}

#[test]
fn segments_come_before_the_checkpoint_and_deletions_after() {
    let disk = Arc::default();
    let store = open(&disk, 2);
    let past = segments(&[1, 2]);
    for offset in [1, 2] {
        save(&store, offset);
    }
    disk.take_log();
    store.save(state(3, &past), &past).unwrap();
    let expected =
        ["put segment-000000", "put segment-000001", "put checkpoint-000", "delete checkpoint-000"];
    assert_eq!(disk.take_log(), expected.map(|line| line[..line.len().min(21)].to_owned()));
    // Those that are there are not sent again, nor need they be handed over.
    assert_eq!(store.save(state(4, &past), &[]).unwrap().new_segments, 0);
}

#[test]
fn so_many_generations_are_kept_as_are_asked_for() {
    let disk = Arc::default();
    let store = open(&disk, 3);
    (1..=9).for_each(|offset| drop(save(&store, offset)));
    assert_eq!(records(&store), [9, 8, 7]);
    assert_eq!(open(&disk, 0).keep, 2, "one alone would be no fallback");
}

#[test]
fn the_newest_that_is_whole_is_found_whatever_befell_the_others() {
    let disk = Arc::default();
    let store = open(&disk, 9);
    let saved: Vec<Generation> = (1..=5).map(|offset| save(&store, offset)).collect();
    disk.rot(&saved[4].name, 150, 0x10);
    let torn = disk.lose(&saved[3].name);
    disk.plant(&saved[3].name, torn[..torn.len() / 2].to_vec());
    disk.plant(&saved[2].name, Vec::new());
    let search = store.load_newest(|_| Ok(())).unwrap();
    assert_eq!(search.loaded.unwrap().generation, saved[1]);
    let faults: Vec<String> = search.damaged.iter().map(|d| d.fault.to_string()).collect();
    let told = ["the checksum of its section", "it ends after", "it ends after 0"];
    assert!(faults.iter().zip(told).all(|(fault, told)| fault.starts_with(told)), "{faults:?}");
    disk.rot(&saved[1].name, 0, 1);
    disk.lose(&saved[0].name);
    assert_eq!(found(&store), (None, vec![5, 4, 3, 2]));
}

#[test]
fn files_that_were_swapped_are_noticed() {
    let disk = Arc::default();
    let store = open(&disk, 3);
    let (one, two) = (save(&store, 1), save(&store, 2));
    let (first, second) = (disk.lose(&one.name), disk.lose(&two.name));
    disk.plant(&one.name, second);
    disk.plant(&two.name, first);
    let search = store.load_newest(|_| Ok(())).unwrap();
    assert!(search.loaded.is_none());
    assert!(search.damaged.iter().all(|damaged| damaged.fault == Fault::Misnamed));
}

#[test]
fn a_checkpoint_of_another_chain_is_noticed() {
    let disk = Arc::<FaultyDisk>::default();
    let other = CheckpointStore::open(Arc::clone(&disk) as _, "g", Chain::Ethereum, 3);
    let foreign = save(&other, 5);
    let name = foreign.name.replace("ethereum", "tron");
    disk.plant(&name, disk.get(&foreign.name).unwrap());
    let search = open(&disk, 3).load_newest(|_| Ok(())).unwrap();
    let fault = &search.damaged[0].fault;
    assert!(matches!(fault, Fault::Foreign { chain, .. } if chain == "ethereum"), "{fault}");
}

#[test]
fn a_checkpoint_without_its_segments_is_passed_over() {
    let disk = Arc::default();
    let store = open(&disk, 3);
    save(&store, 1);
    let past = segments(&[1, 2]);
    store.save(state(2, &past), &past).unwrap();
    let name = disk.names("segment-000001").remove(0);
    let bytes = disk.lose(&name);
    assert_eq!(found(&store), (Some(1), vec![2]));
    disk.plant(&name, bytes[1..].to_vec());
    let search = store.load_newest(|_| Ok(())).unwrap();
    let found_bytes = bytes.len() as u64 - 1;
    assert_eq!(
        search.damaged[0].fault,
        Fault::TornSegment { name: name.clone(), found: found_bytes }
    );
    // Another segment's bytes, as long, are noticed when it is read.
    disk.plant(&name, faulty::segment(1, 9).1);
    assert_eq!(found(&store), (Some(2), vec![]));
    let error = store.segment(&past[1].0).unwrap_err();
    assert!(error.to_string().contains("its header's checksum"), "{error}");
    // The next save that is handed the segment puts a torn one right.
    disk.plant(&name, bytes[1..].to_vec());
    assert_eq!(store.save(state(3, &past), &past).unwrap().new_segments, 1);
    assert_eq!(found(&store), (Some(3), vec![]));
}

#[test]
fn a_full_disk_fails_the_save_and_nothing_else() {
    let disk = Arc::default();
    let store = open(&disk, 2);
    (1..=2).for_each(|offset| drop(save(&store, offset)));
    let past = segments(&[1]);
    for part in ["segment", "checkpoint"] {
        disk.break_puts(part, faulty::Fault::Full);
        let error = store.save(state(3, &past), &past).unwrap_err();
        assert!(error.to_string().contains("no space left"), "{error}");
        assert_eq!(found(&store), (Some(2), vec![]));
        assert_eq!(records(&store), [2, 1]);
    }
    disk.mend();
    store.save(state(3, &past), &past).unwrap();
    assert_eq!(found(&store), (Some(3), vec![]));
}

#[test]
fn a_torn_object_is_passed_over_and_a_lying_disk_found_out() {
    let disk = Arc::default();
    let store = open(&disk, 2);
    (1..=2).for_each(|offset| drop(save(&store, offset)));
    for (offset, fault) in [(3, faulty::Fault::Torn(99)), (4, faulty::Fault::Lying(99))] {
        disk.break_puts("checkpoint", fault);
        let error = store.save(state(offset, &Vec::new()), &[]).unwrap_err();
        let is_right = match fault {
            faulty::Fault::Lying(_) => matches!(error, StoreError::Torn { found: 99, .. }),
            _ => matches!(error, StoreError::Disk(_)),
        };
        assert!(is_right, "{error}");
    }
    assert_eq!(found(&store), (Some(2), vec![4, 3]));
    disk.mend();
    save(&store, 5);
    assert_eq!(records(&store), [5, 2], "the damaged ones count for nothing");
}

#[test]
fn a_store_that_is_away_says_nothing_about_checkpoints() {
    let disk = Arc::default();
    let store = open(&disk, 2);
    save(&store, 1);
    disk.set_away(true);
    assert!(matches!(store.load_newest(|_| Ok(())), Err(StoreError::Disk(_))));
    assert!(matches!(store.save(state(2, &Vec::new()), &[]), Err(StoreError::Disk(_))));
    disk.set_away(false);
    assert_eq!(found(&store), (Some(1), vec![]));
}

#[test]
fn what_is_damaged_is_never_kept_in_place_of_what_is_not() {
    let disk = Arc::default();
    let store = open(&disk, 2);
    save(&store, 1);
    let bad: Vec<Generation> = (8..=9).map(|offset| save(&store, offset)).collect();
    // 8 and 9 are the two that are kept; both rot.
    bad.iter().for_each(|generation| disk.rot(&generation.name, 200, 1));
    assert_eq!(found(&store), (None, vec![9, 8]));
    save(&store, 2);
    assert_eq!(records(&store), [9, 8, 2], "evidence stays while there is but one that is whole");
    assert_eq!(found(&store).0, Some(2));
    save(&store, 3);
    assert_eq!(records(&store), [3, 2]);
}

#[test]
fn one_that_does_not_fit_is_passed_over() {
    let disk = Arc::default();
    let store = open(&disk, 2);
    (5..=6).for_each(|offset| drop(save(&store, offset)));
    let fits = |manifest: &Manifest| match manifest.records {
        6 => Err("a topic is missing".to_owned()),
        _ => Ok(()),
    };
    let search = store.load_newest(fits).unwrap();
    assert_eq!(search.loaded.unwrap().generation.records, 5);
    assert_eq!(search.damaged[0].fault, Fault::Unfit("a topic is missing".to_owned()));
}

#[test]
fn what_a_later_release_wrote_stays() {
    let disk = Arc::default();
    let store = open(&disk, 2);
    let newer = save(&store, 9);
    disk.rot(&newer.name, 8, 2);
    let search = store.load_newest(|_| Ok(())).unwrap();
    assert_eq!(search.damaged[0].fault, Fault::Damage(Damage::Newer { found: 3 }));
    (1..=5).for_each(|offset| drop(save(&store, offset)));
    assert!(records(&store).contains(&9));
    assert_eq!(found(&store).0, Some(5));
}

#[test]
fn a_standby_that_lags_keeps_its_own_newest() {
    let disk = Arc::default();
    let (owner, standby) = (open(&disk, 2), open(&disk, 2));
    (8..=9).for_each(|offset| drop(save(&owner, offset)));
    (1..=3).for_each(|offset| drop(save(&standby, offset)));
    assert_eq!(records(&owner), [9, 8, 3]);
}

#[test]
fn of_two_that_stand_for_the_same_records_the_later_stays() {
    let disk = Arc::default();
    let store = open(&disk, 2);
    let first = save(&store, 4);
    let later = Parts { published: vec![1], ..state(4, &Vec::new()) };
    let later = store.save(later, &[]).unwrap().generation;
    assert_ne!(first.name, later.name);
    assert_eq!(store.generations().unwrap(), [later]);
}

#[test]
fn segments_of_a_past_that_was_given_up_go_and_no_others() {
    let disk = Arc::default();
    let store = open(&disk, 2);
    let given_up = segments(&[1, 9, 9]);
    store.save(state(5, &given_up), &given_up).unwrap();
    let rotten = store.generations().unwrap().remove(0);
    disk.rot(&rotten.name, 200, 1);
    assert_eq!(found(&store), (None, vec![5]));
    let past = segments(&[1, 2]);
    store.save(state(3, &past), &past).unwrap();
    assert_eq!(disk.names("segment").len(), 4, "the other past may still be wanted");
    store.save(state(4, &past), &past).unwrap();
    let left: Vec<SegmentName> = store.segments().unwrap().into_keys().collect();
    // The third of the other past may be the one that comes next in this one.
    assert_eq!(left, [past[0].0, past[1].0, given_up[2].0]);
    // A process that has not read what the others name deletes no segment.
    let other = open(&disk, 2);
    let longer = segments(&[1, 2, 3]);
    other.save(state(6, &longer), &longer).unwrap();
    assert_eq!(disk.names("segment").len(), 4);
    other.save(state(7, &longer), &longer).unwrap();
    assert_eq!(
        other.segments().unwrap().into_keys().collect::<Vec<_>>(),
        longer.iter().map(|(name, _)| *name).collect::<Vec<_>>()
    );
}

#[test]
fn a_segment_is_kept_only_if_it_is_the_one_named() {
    let disk = Arc::default();
    let store = open(&disk, 2);
    let mut past = segments(&[1]);
    past[0].1 = Arc::new(faulty::segment(0, 2).1);
    let error = store.save(state(1, &past), &past).unwrap_err();
    assert!(matches!(error, StoreError::Segment { .. }), "{error}");
    past[0].1 = Arc::new(Vec::<u8>::new());
    assert!(store.save(state(1, &past), &past).unwrap_err().to_string().contains("0 bytes"));
    let error = store.save(state(1, &past), &[]).unwrap_err();
    assert!(matches!(error, StoreError::Missing { .. }), "{error}");
    assert_eq!(disk.names(""), [""; 0]);
}
