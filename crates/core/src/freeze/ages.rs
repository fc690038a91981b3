//! How old stays are that go on, by bucket.
//!
//! What always holds: `ages` is what `began` says as of `as_of`. From one moment
//! to a later one only those stays are looked at that come into another bucket.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::dwell::{BUCKETS, bucket, start_ms};

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Ages {
    /// How many began when.
    began: BTreeMap<u64, u32>,
    ages: [u64; BUCKETS],
    as_of: u64,
}

impl Ages {
    pub(super) fn add(&mut self, since_ms: u64) {
        *self.began.entry(since_ms).or_default() += 1;
        self.ages[bucket(self.as_of.saturating_sub(since_ms))] += 1;
    }

    /// Takes one out that was added.
    pub(super) fn remove(&mut self, since_ms: u64) {
        if let Some(count) = self.began.get_mut(&since_ms) {
            *count -= 1;
            if *count == 0 {
                self.began.remove(&since_ms);
            }
            self.ages[bucket(self.as_of.saturating_sub(since_ms))] -= 1;
        }
    }

    /// Remembers the ages as of now, so that later ones are near.
    pub(super) fn advance(&mut self, now_ms: u64) {
        self.ages = self.at(now_ms);
        self.as_of = now_ms;
    }

    /// How many are how old.
    pub(super) fn at(&self, now_ms: u64) -> [u64; BUCKETS] {
        if now_ms < self.as_of {
            return self.anew(now_ms);
        }
        let mut ages = self.ages;
        for at in 1..BUCKETS {
            let beginning = start_ms(at);
            let Some(last) = now_ms.checked_sub(beginning) else { break };
            let before = self.as_of.checked_sub(beginning);
            let after = before.map_or(Bound::Unbounded, Bound::Excluded);
            let come = self.began.range((after, Bound::Included(last)));
            let come = come.map(|(_, count)| u64::from(*count)).sum::<u64>();
            ages[at - 1] -= come;
            ages[at] += come;
        }
        ages
    }

    fn anew(&self, now_ms: u64) -> [u64; BUCKETS] {
        let mut ages = [0; BUCKETS];
        for (since, count) in &self.began {
            ages[bucket(now_ms.saturating_sub(*since))] += u64::from(*count);
        }
        ages
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn are_those_worked_out_anew(
            steps in proptest::collection::vec((0..4_u8, prop_oneof![0..200_u64, 0..50_000_u64]), 0..100)
        ) {
            let mut ages = Ages::default();
            let mut added = Vec::new();
            for (what, minutes) in steps {
                let ms = minutes * 60_000;
                match what {
                    0 | 1 => {
                        ages.add(ms);
                        added.push(ms);
                    }
                    2 => {
                        if let Some(since) = added.pop() {
                            ages.remove(since);
                        }
                    }
                    _ => ages.advance(ms),
                }
                prop_assert_eq!(ages.at(ms), ages.anew(ms));
                prop_assert_eq!(ages.at(ms).iter().sum::<u64>(), added.len() as u64);
                let near = ages.as_of + 60_000;
                prop_assert_eq!(ages.at(near), ages.anew(near));
            }
        }
    }
}
