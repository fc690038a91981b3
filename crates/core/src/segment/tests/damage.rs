//! Damage is noticed, and nothing that the bytes say makes a reader panic.

use super::*;

/// Opens and reads everything.
fn examine(bytes: Vec<u8>) -> Result<(), SegmentError> {
    open(bytes)?.verify()
}

/// A past with everything in it, in few bytes.
fn small() -> Past {
    let mut past = busy(40);
    past.accounts.truncate(5_000);
    let account = FIRST_ACCOUNT + 1;
    let steps = &mut past.blocks[0].1;
    steps.push(Step::Other(OtherAction::Issue { to: 3, amount: 500, before: 2 }));
    steps.push(Step::Other(OtherAction::Destroy { account, amount: 9, rest: 0, missing: 1 }));
    steps.push(Step::Other(OtherAction::Freeze { account }));
    for (_, steps) in &mut past.blocks {
        for step in steps {
            if let Step::Transfer(row, _) = step {
                row.from %= 290;
                row.to %= 300;
            }
        }
    }
    past.accounts.truncate(4);
    past
}

#[test]
fn a_segment_is_examined_without_those_before_it() {
    let mut bytes = small().write();
    assert_eq!(crate::verify_segment(Arc::new(bytes.clone())), Ok(()));
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    assert!(crate::verify_segment(Arc::new(bytes)).is_err());
}

#[test]
fn every_changed_byte_is_noticed() {
    let bytes = small().write();
    assert_eq!(examine(bytes.clone()), Ok(()));
    for at in 0..bytes.len() {
        for flip in [1, 0x80, 0xff] {
            let mut changed = bytes.clone();
            changed[at] ^= flip;
            assert!(examine(changed).is_err(), "byte {at} of {}", bytes.len());
        }
    }
}

#[test]
fn every_missing_end_is_noticed_at_once() {
    let bytes = small().write();
    for len in 0..bytes.len() {
        assert!(open(bytes[..len].to_vec()).is_err(), "{len} of {}", bytes.len());
    }
    let mut longer = bytes;
    longer.push(0);
    assert!(open(longer).is_err());
}

/// Each reader by itself notices what it would otherwise believe.
#[test]
fn no_reader_answers_from_changed_bytes() {
    let past = small();
    let bytes = past.write();
    let good = answers(&open(bytes.clone()).unwrap());
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 0x10;
        let Ok(segment) = open(changed) else { continue };
        for (found, expected) in answers(&segment).iter().zip(&good) {
            assert!(found.is_err() || found == expected, "byte {at}: {found:?}");
        }
    }
}

fn answers(segment: &Segment) -> Vec<Result<String, SegmentError>> {
    fn told<T: std::fmt::Debug>(found: Result<T, SegmentError>) -> Result<String, SegmentError> {
        found.map(|found| format!("{found:?}"))
    }
    let mut columns = Columns::default();
    let read = segment.chunk(0, &mut columns);
    let rows: Vec<Row> = (0..columns.len()).map(|row| columns.row(row)).collect();
    let mut answers = vec![
        told(segment.blocks()),
        told(segment.others()),
        told(segment.accounts()),
        told(read.map(|()| rows)),
        told(segment.find_tx(&TxHash([9; 32]))),
    ];
    answers.extend((0..segment.transfers()).map(|ix| told(segment.tx(ix))));
    answers.extend((0..310).map(|account| told(segment.chunks_of(account))));
    answers
}

/// Makes checksums match again, so that readers meet what they guard against.
fn forge(bytes: &mut [u8]) {
    let len_at = |section: usize| 40 + 12 * section;
    let mut start = 140_usize;
    for section in 0..8 {
        let at = len_at(section);
        let len = u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
        let Some(body) = usize::try_from(len).ok().and_then(|len| bytes[start..].get(..len)) else {
            break;
        };
        let crc = crc32fast::hash(body);
        start += body.len();
        bytes[at + 8..at + 12].copy_from_slice(&crc.to_le_bytes());
    }
    forge_chunk(bytes);
    let crc = crc32fast::hash(&bytes[..136]);
    bytes[136..140].copy_from_slice(&crc.to_le_bytes());
}

/// The same for the first chunk, whose checksum is in the directory.
fn forge_chunk(bytes: &mut [u8]) {
    let len = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    let ends = (usize::try_from(len(40)), usize::try_from(len(52)));
    let (Ok(directory), Ok(chunks)) = ends else { return };
    let Some(chunk) = bytes.get(140..).and_then(|b| b.get(directory..)?.get(..chunks)) else {
        return;
    };
    let crc = crc32fast::hash(chunk);
    if directory < 8 {
        return;
    }
    bytes[144..148].copy_from_slice(&crc.to_le_bytes());
    let crc = crc32fast::hash(&bytes[140..140 + directory]);
    bytes[48..52].copy_from_slice(&crc.to_le_bytes());
}

#[test]
fn the_forger_forges() {
    let mut bytes = small().write();
    let directory = u64::from_le_bytes(bytes[40..48].try_into().unwrap());
    let sender = 140 + usize::try_from(directory).unwrap();
    bytes[sender] ^= 1;
    assert!(examine(bytes.clone()).is_err());
    forge(&mut bytes);
    assert_eq!(examine(bytes), Ok(()));
}

#[test]
fn forged_bytes_do_not_panic() {
    let bytes = small().write();
    for at in 0..bytes.len() {
        for value in [0, 1, 0x7f, 0xff] {
            let mut changed = bytes.clone();
            changed[at] = value;
            forge(&mut changed);
            probe(&changed);
        }
    }
}

#[test]
fn an_account_that_nobody_introduced_is_refused() {
    let mut bytes = small().write();
    let directory = u64::from_le_bytes(bytes[40..48].try_into().unwrap());
    let sender = 140 + usize::try_from(directory).unwrap();
    bytes[sender..sender + 4].fill(0xff);
    forge(&mut bytes);
    let segment = open(bytes).unwrap();
    let mut columns = Columns::default();
    let refused = segment.chunk(0, &mut columns);
    assert!(matches!(refused, Err(SegmentError::Malformed { section: Section::Chunks, .. })));
    assert_eq!(columns.len(), 0);
}

proptest! {
    #[test]
    fn any_bytes_do_not_panic(bytes in vec(any::<u8>(), 0..400)) {
        probe(&bytes);
    }

    #[test]
    fn a_few_forged_bytes_do_not_panic(
        past in past(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = past.write();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        forge(&mut bytes);
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        probe(&bytes);
    }
}

/// An image that fails, as a disk does.
#[derive(Debug)]
struct Failing(Vec<u8>);

impl Image for Failing {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<(), ImageError> {
        if offset > 200 {
            return Err(ImageError("the disk is gone".to_owned()));
        }
        self.0.read_at(offset, into)
    }
}

#[test]
fn a_failing_image_is_told_with_its_place() {
    let segment = Segment::open(Arc::new(Failing(small().write()))).unwrap();
    let error = segment.blocks().unwrap_err().to_string();
    assert_eq!(error, "segment, blocks at 0: the disk is gone");
}
