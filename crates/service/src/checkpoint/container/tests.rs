//! What is noticed of a damaged object: everything.

use super::*;
use crate::checkpoint::{Position, SegmentName};

fn parts(offset: i64) -> Parts {
    let position = Position { topic: "t".to_owned(), partition: 0, offset, newest_block: Some(7) };
    let segment = SegmentName { number: 0, bytes: 140, check: 1 };
    let manifest = Manifest {
        chain: "tron".to_owned(),
        group_id: "g".to_owned(),
        positions: vec![position],
        segments: vec![segment],
        ..Manifest::default()
    };
    // The first is packed, the second is left plain, the third is empty.
    let noise: Vec<u8> = (0..40_u8).map(|n| n.wrapping_mul(167) ^ (n >> 2)).collect();
    let fill = offset.to_le_bytes()[0];
    let assembler = noise.into_iter().map(|byte| byte ^ fill).collect();
    Parts { manifest, engine: vec![fill; 200], assembler, published: Vec::new() }
}

fn object(offset: i64) -> Vec<u8> {
    encode(parts(offset)).unwrap()
}

#[test]
fn what_goes_in_comes_out() {
    assert_eq!(decode(&object(3)), Ok(parts(3)));
    let rows = read_header(&object(3)).unwrap();
    let codings = rows.map(|row| row.coding);
    assert_eq!(codings[1..3], [Coding::Zstd, Coding::Plain]);
    assert!(rows[1].stored < 40);
    assert_eq!(decode(&encode(Parts::default()).unwrap()), Ok(Parts::default()));
}

#[test]
fn every_flipped_byte_is_noticed() {
    let whole = object(3);
    let masks = (0..8).map(|bit| 1_u8 << bit).chain([0xff, 0x55, 0x81]);
    for (at, mask) in (0..whole.len()).flat_map(|at| masks.clone().map(move |mask| (at, mask))) {
        let mut object = whole.clone();
        object[at] ^= mask;
        let damage = decode(&object).expect_err("a byte differs");
        let is_right = match at {
            0..8 => damage == Damage::Magic,
            8..12 => matches!(damage, Damage::Newer { .. } | Damage::Older { .. }),
            12..HEADER => damage == Damage::Header,
            _ => matches!(damage, Damage::Checksum(_)),
        };
        assert!(is_right, "byte {at} xor {mask:#x}: {damage}");
    }
}

#[test]
fn every_truncation_and_every_tail_is_noticed() {
    let whole = object(3);
    for len in 0..whole.len() {
        let damage = decode(&whole[..len]).unwrap_err();
        assert!(matches!(damage, Damage::Truncated { found, .. } if found == len as u64), "{len}");
    }
    for tail in [&[0][..], &[0; 512], &whole] {
        let object = [&whole, tail].concat();
        let (expected, found) = (whole.len() as u64, object.len() as u64);
        assert_eq!(decode(&object), Err(Damage::Trailing { expected, found }));
    }
    // Zeros for the tail that was lost, as some file systems leave after a crash.
    for lost in 1..whole.len() {
        let mut object = whole.clone();
        object[whole.len() - lost..].fill(0);
        if object != whole {
            decode(&object).expect_err("the tail is zero");
        }
    }
}

#[test]
fn a_section_of_another_object_is_noticed() {
    let one = object(3);
    // As long, so that only checksums can tell.
    let other = (4..90).map(object).find(|other| other.len() == one.len()).unwrap();
    let (mut from, mut mixes) = (HEADER, 0);
    for row in read_header(&one).unwrap() {
        let to = from + usize::try_from(row.stored).unwrap();
        let mut mixed = one.clone();
        mixed[from..to].copy_from_slice(&other[from..to]);
        if mixed != one {
            assert_eq!(decode(&mixed), Err(Damage::Checksum(row.section)));
            mixes += 1;
        }
        from = to;
    }
    assert_eq!(mixes, 3, "the last section is empty in both");
    let mut mixed = one.clone();
    mixed[..HEADER].copy_from_slice(&other[..HEADER]);
    assert_eq!(decode(&mixed), Err(Damage::Checksum(Section::Manifest)));
}

/// A whole object whose header was changed and signed anew.
fn signed(change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let mut object = object(3);
    change(&mut object);
    let check = crc32fast::hash(&object[..HEADER - 4]);
    object[HEADER - 4..HEADER].copy_from_slice(&check.to_le_bytes());
    object
}

#[test]
fn a_header_signed_anew_does_not_hide_that_it_differs() {
    for (at, bit) in (8..HEADER - 4).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
        let object = signed(|object| object[at] ^= 1 << bit);
        assert!(decode(&object).is_err(), "bit {bit} of byte {at}");
    }
}

#[test]
fn a_section_signed_anew_is_read_or_refused_and_nothing_worse() {
    let row = |ix: usize| PRELUDE + ix * ROW;
    let stored = read_header(&object(3)).unwrap().map(|row| usize::try_from(row.stored).unwrap());
    let starts = [HEADER, HEADER + stored[0]];
    for (ix, start) in starts.into_iter().enumerate() {
        for (at, mask) in (0..stored[ix]).flat_map(|at| [1, 0x80, 0xff].map(|mask| (at, mask))) {
            let object = signed(|object| {
                object[start + at] ^= mask;
                let check = crc32fast::hash(&object[start..start + stored[ix]]);
                object[row(ix) + 18..row(ix) + ROW].copy_from_slice(&check.to_le_bytes());
            });
            match decode(&object) {
                Ok(_) | Err(Damage::Malformed { .. }) => {}
                Err(damage) => panic!("byte {at} of section {ix}: {damage}"),
            }
        }
    }
}

#[test]
fn another_version_is_told_apart() {
    let newer = signed(|object| object[8] = 2);
    assert_eq!(decode(&newer), Err(Damage::Newer { found: 2 }));
    let older = signed(|object| object[8] = 0);
    assert_eq!(decode(&older), Err(Damage::Older { found: 0 }));
}

#[test]
fn a_header_made_to_deceive_is_refused() {
    let engine = PRELUDE + ROW;
    let refused = |change: &dyn Fn(&mut [u8])| {
        let damage = decode(&signed(change)).unwrap_err();
        let Damage::Malformed { section, reason } = damage else { panic!("{damage}") };
        (section, reason)
    };
    let kind = refused(&|object| object[engine] = 4);
    assert_eq!(kind, (Section::Engine, "a section of kind 4 is in its place".to_owned()));
    let coding = refused(&|object| object[engine + 1] = 9);
    assert_eq!(coding, (Section::Engine, "nothing is coded as 9".to_owned()));
    let stored = refused(&|object| object[engine + 2..engine + 10].fill(0xff));
    assert_eq!(stored.1, "the sections are not as long as the object");
    // A length that would take all memory, and one that is too short.
    for len in [u64::MAX, 199] {
        let found =
            refused(&|object| object[engine + 10..engine + 18].copy_from_slice(&len.to_le_bytes()));
        assert_eq!(found, (Section::Engine, "it is not as long as the header says".to_owned()));
    }
}
