//! Sorts by some bits of a number and keeps the order of the rest.
//!
//! What a segment sorts comes in the order of chunks, and few bits are left to
//! sort by: two passes over them where a comparison sort makes twenty.
//! What always holds: entries that are equal in those bits stay in their order.

use std::ops::Range;

/// Bits of a pass at most: as many places to write to as stay near.
const DIGIT_BITS_MAX: u32 = 12;

/// Sorts by the bits of that range. What `spare` holds is lost.
pub(super) fn sort(entries: &mut Vec<u64>, spare: &mut Vec<u64>, bits: Range<u32>) {
    let width = bits.end.saturating_sub(bits.start);
    let passes = width.div_ceil(DIGIT_BITS_MAX);
    if passes == 0 {
        return;
    }
    let digit_bits = width.div_ceil(passes);
    spare.resize(entries.len(), 0);
    for shift in bits.step_by(digit_bits as usize) {
        pass(entries, spare, shift, digit_bits);
        std::mem::swap(entries, spare);
    }
}

fn pass(from: &[u64], into: &mut [u64], shift: u32, digit_bits: u32) {
    let digit =
        |entry: u64| usize::from((entry >> shift & 0xffff) as u16) & ((1 << digit_bits) - 1);
    let mut places = vec![0; 1 << digit_bits];
    for entry in from {
        places[digit(*entry)] += 1;
    }
    let mut next = 0;
    for place in &mut places {
        next += std::mem::replace(place, next);
    }
    for entry in from {
        let place = &mut places[digit(*entry)];
        into[*place] = *entry;
        *place += 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn sorts_by_those_bits_and_keeps_the_rest(
            mut entries in proptest::collection::vec(any::<u64>(), 0..300),
            start in 0..30_u32,
            width in 0..33_u32,
        ) {
            // The bits above are those that no entry has.
            entries.iter_mut().for_each(|entry| *entry &= (1 << (start + width)) - 1);
            let mut expected = entries.clone();
            expected.sort_by_key(|entry| entry >> start);
            sort(&mut entries, &mut vec![7; 3], start..start + width);
            prop_assert_eq!(entries, expected);
        }
    }
}
