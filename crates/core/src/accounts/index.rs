//! Finds ids by the hashes of their keys.
//!
//! Open addressing over buckets of one cache line, eight slots of a tag and an
//! id each; ids are never taken out. What a usual hash table lacks, and this one
//! is for: a bucket can be asked for ahead of the look-up, and the table grows
//! without looking at a key, since the tag tells the bucket at every size.
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
const EMPTY: u64 = u64::MAX;

#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Bucket([u64; SLOTS]);

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
        Index { buckets: vec![Bucket([EMPTY; SLOTS]); 1 << bits], bits, len: 0 }
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
            for slot in self.buckets[at].0 {
                if slot == EMPTY {
                    return None;
                }
                let (id, other) = parts(slot);
                if other == tag && is(id) {
                    return Some(id);
                }
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
            if let Some(slot) = self.buckets[at].0.iter_mut().find(|slot| **slot == EMPTY) {
                *slot = u64::from(tag.0) << 32 | u64::from(id.0);
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
        let slots = old.buckets.iter().flat_map(|bucket| bucket.0);
        for (id, tag) in slots.filter(|slot| *slot != EMPTY).map(parts) {
            self.put(tag, id);
        }
    }
}

/// Ids that so many bits of buckets take: three quarters of their slots.
const fn most(bits: u32) -> usize {
    (SLOTS << bits) / 4 * 3
}

const fn parts(slot: u64) -> (AccountId, Tag) {
    #[expect(clippy::cast_possible_truncation, reason = "the lower half")]
    let id = AccountId(slot as u32);
    (id, Tag::of(slot))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_an_account_costs() {
        // Between just grown and just before: 8 bytes a slot, 3 of 8 to 3 of 4 used.
        assert_eq!(size_of::<Bucket>(), SLOTS * size_of::<u64>());
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
