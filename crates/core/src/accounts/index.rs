//! Finds ids by the hashes of their keys.
//!
//! Open addressing over buckets of one cache line, eight tags and then the eight
//! ids, so that all tags are compared at once; ids are never taken out. What a
//! usual hash table lacks, and this one is for: a bucket can be asked for ahead
//! of the look-up, and the table grows without looking at a key, since the tag
//! tells the bucket at every size.
//! What always holds: slots of a bucket fill from the first one on, and an id
//! lies in the first bucket from its own one on that had room.

use crate::movement::AccountId;
use crate::prefetch::prefetch;

/// 32 bits of a key's hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tag(u32);

impl Tag {
    pub(super) const fn of(hash: u64) -> Tag {
        Tag((hash >> 32) as u32)
    }
}

const SLOTS: usize = 8;

/// No id: there are fewer accounts than 2^32 - 1.
const EMPTY: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Bucket {
    tags: [u32; SLOTS],
    ids: [u32; SLOTS],
}

impl Bucket {
    const EMPTY: Bucket = Bucket { tags: [0; SLOTS], ids: [EMPTY; SLOTS] };

    /// A bit for each slot with that tag, empty ones maybe among them. No branch
    /// depends on where the tag stands, which no processor could foresee.
    #[inline]
    fn hits(&self, tag: Tag) -> u32 {
        let bits =
            self.tags.iter().zip(0..).map(|(other, slot)| u32::from(*other == tag.0) << slot);
        bits.fold(0, |hits, bit| hits | bit)
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Index {
    /// 2^`bits` of them.
    buckets: Vec<Bucket>,
    bits: u32,
    len: usize,
}

impl Default for Index {
    fn default() -> Self {
        Index::sized(0)
    }
}

impl Index {
    /// With room for so many ids.
    pub(super) fn with_capacity(ids: usize) -> Index {
        let mut bits = 0;
        while most(bits) < ids {
            bits += 1;
        }
        Index::sized(bits)
    }

    fn sized(bits: u32) -> Index {
        Index { buckets: vec![Bucket::EMPTY; 1 << bits], bits, len: 0 }
    }

    /// The bucket in which an id of that tag lies, if there was room.
    fn home(&self, tag: Tag) -> usize {
        (u64::from(tag.0) << self.bits >> 32) as usize
    }

    /// Asks for the memory that [`find`](Self::find) will look at.
    #[inline]
    pub(super) fn prefetch(&self, tag: Tag) {
        prefetch(&self.buckets, self.home(tag));
    }

    /// The first id of that tag which is the one sought.
    #[inline]
    pub(super) fn find(&self, tag: Tag, is: impl Fn(AccountId) -> bool) -> Option<AccountId> {
        let mut at = self.home(tag);
        loop {
            let bucket = &self.buckets[at];
            let mut hits = bucket.hits(tag);
            while hits != 0 {
                let id = bucket.ids[hits.trailing_zeros() as usize];
                if id != EMPTY && is(AccountId(id)) {
                    return Some(AccountId(id));
                }
                hits &= hits - 1;
            }
            if bucket.ids[SLOTS - 1] == EMPTY {
                return None;
            }
            at = (at + 1) & (self.buckets.len() - 1);
        }
    }

    /// Puts in an id which is not there.
    pub(super) fn insert(&mut self, tag: Tag, id: AccountId) {
        if self.len == most(self.bits) {
            self.grow();
        }
        self.len += 1;
        self.put(tag, id);
    }

    fn put(&mut self, tag: Tag, id: AccountId) {
        let mut at = self.home(tag);
        loop {
            let bucket = &mut self.buckets[at];
            if let Some(slot) = bucket.ids.iter().position(|id| *id == EMPTY) {
                (bucket.tags[slot], bucket.ids[slot]) = (tag.0, id.0);
                return;
            }
            at = (at + 1) & (self.buckets.len() - 1);
        }
    }

    /// Doubles the buckets.
    #[cold]
    fn grow(&mut self) {
        let old = std::mem::replace(self, Index::sized(self.bits + 1));
        self.len = old.len;
        for Bucket { tags, ids } in &old.buckets {
            for (tag, id) in tags.iter().zip(ids).filter(|(_, id)| **id != EMPTY) {
                self.put(Tag(*tag), AccountId(*id));
            }
        }
    }
}

/// Ids that so many bits of buckets take: three quarters of their slots.
const fn most(bits: u32) -> usize {
    (SLOTS << bits) / 4 * 3
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_an_account_costs() {
        // Between just grown and just before: 8 bytes a slot, 3 of 8 to 3 of 4 used.
        assert_eq!(size_of::<Bucket>(), 8 * SLOTS);
        assert_eq!((most(10), most(11)), (6 << 10, 6 << 11));
    }

    proptest! {
        /// Few tags, so that buckets run over and the last runs into the first.
        #[test]
        fn finds_what_was_put_in(
            tags in proptest::collection::vec(prop_oneof![0..4_u32, u32::MAX - 3..=u32::MAX, any::<u32>()], 0..200)
        ) {
            let mut index = Index::default();
            for (id, tag) in (0..).map(AccountId).zip(&tags) {
                prop_assert_eq!(index.find(Tag(*tag), |other| other == id), None);
                index.insert(Tag(*tag), id);
            }
            for (id, tag) in (0..).map(AccountId).zip(&tags) {
                prop_assert_eq!(index.find(Tag(*tag), |other| other == id), Some(id));
                let any = index.find(Tag(*tag), |_| true).expect("at least that one");
                prop_assert_eq!(tags[any.index()], *tag);
            }
        }
    }
}
