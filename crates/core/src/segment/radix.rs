//! Sorts the keys of each chunk: by value, and where they are alike by chunk.
//!
//! What a segment sorts comes chunk by chunk, so the place of a key tells its
//! chunk. Two digits are sorted by, the lower one first: two passes where a
//! comparison sort makes twenty. What lies among those of one digit need not
//! name that digit, so that an entry has 32 bits between passes: the other
//! digit, and the chunk.

/// Bits of a chunk in an entry.
const CHUNK_BITS: u32 = 8;
const CHUNK_MASK: u32 = (1 << CHUNK_BITS) - 1;

/// Keys with the chunks in which they occur.
#[derive(Debug, Default)]
pub(super) struct Keys {
    keys: Vec<u32>,
    /// Where the keys of each chunk end.
    ends: Vec<usize>,
    spare: Vec<u32>,
    /// For each value of a digit where the next of its entries goes, and in the
    /// end where the last of them ends.
    low: Vec<u32>,
    high: Vec<u32>,
}

impl Keys {
    /// Begins anew, with room for so many keys.
    pub(super) fn begin(&mut self, keys: usize) {
        self.keys.clear();
        self.keys.reserve(keys);
        self.ends.clear();
    }

    /// Takes keys of the chunk in the making.
    pub(super) fn extend(&mut self, keys: impl Iterator<Item = u32>) {
        self.keys.extend(keys);
    }

    /// Begins the next chunk; there are at most 256.
    pub(super) fn end_chunk(&mut self) {
        self.ends.push(self.keys.len());
    }

    /// Visits all keys in order, a group after the other: what all keys of the
    /// group begin with, and for each of them its other bits above its chunk
    /// (see [`parts`]). The keys are lost by it.
    pub(super) fn visit_sorted(&mut self, mut visit: impl FnMut(u32, &[u32])) {
        let most = self.keys.iter().fold(0, |most, key| most.max(*key));
        let bits = u32::BITS - most.leading_zeros();
        let low_bits = bits.div_ceil(2);
        for (places, bits) in [(&mut self.low, low_bits), (&mut self.high, bits - low_bits)] {
            places.clear();
            places.resize(1 << bits, 0);
        }
        self.spare.resize(self.keys.len(), 0);
        count(&self.keys, low_bits, &mut self.low, &mut self.high);
        turn_to_starts(&mut self.low);
        turn_to_starts(&mut self.high);
        let mut start = 0;
        for (chunk, end) in (0..).zip(&self.ends) {
            sort_by_low(&self.keys[start..*end], chunk, low_bits, &mut self.low, &mut self.spare);
            start = *end;
        }
        for (low, group) in groups(&self.spare, &self.low) {
            sort_by_high(group, low, &mut self.high, &mut self.keys);
        }
        for (high, group) in groups(&self.keys, &self.high) {
            visit(high << low_bits, group);
        }
    }
}

/// What an entry of a group tells: the rest of the key, and the chunk.
pub(super) const fn parts(entry: u32) -> (u32, u8) {
    (entry >> CHUNK_BITS, (entry & CHUNK_MASK) as u8)
}

/// The high digit of a key and the low one, which has so many bits: 16 at most.
#[inline]
const fn digits(key: u32, low_bits: u32) -> (u32, u32) {
    let high = key.wrapping_shr(low_bits);
    (high, key ^ high.wrapping_shl(low_bits))
}

/// Without a look at what cannot be: a segment has at most 2^21 keys.
#[inline]
const fn add_one(place: &mut u32) {
    *place = place.wrapping_add(1);
}

/// Counts the keys of each value of both digits.
fn count(keys: &[u32], low_bits: u32, low: &mut [u32], high: &mut [u32]) {
    for key in keys {
        let (high_digit, low_digit) = digits(*key, low_bits);
        add_one(&mut low[low_digit as usize]);
        add_one(&mut high[high_digit as usize]);
    }
}

/// From how many there are of each value to where the first of them goes.
fn turn_to_starts(places: &mut [u32]) {
    let mut next = 0;
    for place in places {
        next += std::mem::replace(place, next);
    }
}

/// Puts keys of a chunk to those of their low digit, without it.
fn sort_by_low(keys: &[u32], chunk: u32, low_bits: u32, low: &mut [u32], into: &mut [u32]) {
    for key in keys {
        let (high_digit, low_digit) = digits(*key, low_bits);
        let place = &mut low[low_digit as usize];
        into[*place as usize] = high_digit << CHUNK_BITS | chunk;
        add_one(place);
    }
}

/// Puts entries of a low digit to those of their high one, which they had in
/// its place.
fn sort_by_high(entries: &[u32], low: u32, high: &mut [u32], into: &mut [u32]) {
    for entry in entries {
        let place = &mut high[(entry >> CHUNK_BITS) as usize];
        into[*place as usize] = low << CHUNK_BITS | entry & CHUNK_MASK;
        add_one(place);
    }
}

/// The entries of each value of a digit, once all are in their places.
fn groups<'a>(entries: &'a [u32], ends: &'a [u32]) -> impl Iterator<Item = (u32, &'a [u32])> {
    let mut start = 0;
    (0..).zip(ends).map(move |(digit, end)| {
        let group = &entries[start..*end as usize];
        start = *end as usize;
        (digit, group)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn sorts_by_key_and_then_by_chunk(
            chunks in proptest::collection::vec(
                proptest::collection::vec(any::<u32>(), 0..50), 0..20),
            width in 0..33_u32,
        ) {
            // Bits above are those that no key has.
            let key = |bits: &u32| bits.checked_shr(u32::BITS - width).unwrap_or(0);
            let mut keys = Keys::default();
            keys.begin(0);
            let mut expected = Vec::new();
            for (chunk, bits) in (0..).zip(&chunks) {
                keys.extend(bits.iter().map(key));
                keys.end_chunk();
                expected.extend(bits.iter().map(|bits| (key(bits), chunk)));
            }
            expected.sort_unstable();
            let mut found = Vec::new();
            keys.visit_sorted(|high, group| {
                let both = |entry: &u32| (high | parts(*entry).0, parts(*entry).1);
                found.extend(group.iter().map(both));
            });
            prop_assert_eq!(found, expected);
        }
    }
}
