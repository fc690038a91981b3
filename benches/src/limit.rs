//! What the machine's memory allows: for each transfer the records of its two
//! accounts are read and written, and nothing else is done.
//!
//! A record is a cache line of 64 bytes, so an engine that keeps no less of an
//! account has that much to wait for on the same core.

#![expect(unsafe_code, reason = "the prefetch reads nothing and cannot fault")]

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hint::black_box;
use std::time::{Duration, Instant};

use flow_core::{Action, Block};

use crate::long_past::rank;

/// Transfers between asking for two records and needing them.
const AHEAD: usize = 16;

/// The two accounts of a transfer, by number.
pub type Ends = [u32; 2];

/// The accounts of all transfers, in order, by a number that `number` gives to
/// their ranks.
pub fn ends(blocks: impl Iterator<Item = Block>, mut number: impl FnMut(u64) -> u32) -> Vec<Ends> {
    let events = blocks.flat_map(|block| block.events);
    let ends = events.filter_map(|event| match event.action {
        Action::Transfer { from, to, .. } => Some([number(rank(&from)), number(rank(&to))]),
        _ => None,
    });
    ends.collect()
}

/// Gives numbers in the order of first sight, as an engine does.
pub fn by_first_sight() -> impl FnMut(u64) -> u32 {
    let mut known = HashMap::new();
    move |rank| {
        let next = u32::try_from(known.len()).expect("fewer than 2^32 accounts");
        match known.entry(rank) {
            Entry::Occupied(entry) => *entry.get(),
            Entry::Vacant(entry) => *entry.insert(next),
        }
    }
}

#[derive(Clone, Debug)]
#[repr(align(64))]
struct Record([u64; 8]);

/// A record for each account.
#[derive(Debug)]
pub struct Records(Vec<Record>);

impl Records {
    /// Of so many accounts. Their memory is touched here, beside the clock.
    pub fn new(accounts: usize) -> Records {
        Records(vec![Record([1 << 32, 0, 0, 0, 0, 0, 0, 0]); accounts])
    }

    /// Of as many accounts as the transfers name.
    pub fn of(transfers: &[Ends]) -> Records {
        let last = transfers.iter().flatten().max();
        Records::new(last.map_or(0, |last| *last as usize + 1))
    }

    /// The time for all transfers, one after the other.
    pub fn plain(&mut self, transfers: &[Ends]) -> Duration {
        let began = Instant::now();
        for ends in transfers {
            self.transfer(*ends);
        }
        black_box(&mut self.0);
        began.elapsed()
    }

    /// The time for all transfers when records are asked for ahead.
    pub fn prefetched(&mut self, transfers: &[Ends]) -> Duration {
        let began = Instant::now();
        for (at, ends) in transfers.iter().enumerate() {
            for end in transfers.get(at + AHEAD).into_iter().flatten() {
                prefetch(&self.0[*end as usize]);
            }
            self.transfer(*ends);
        }
        black_box(&mut self.0);
        began.elapsed()
    }

    /// The time for reading the same records, each of which must be read before
    /// it is known where the next one lies: two reads for each transfer.
    pub fn chased(&self, transfers: &[Ends]) -> Duration {
        let records = black_box(&self.0);
        let began = Instant::now();
        // It stays 0, which the compiler cannot know.
        let mut shift = 0;
        for end in transfers.iter().flatten() {
            shift = usize::try_from(records[*end as usize + shift].0[7]).unwrap_or(0);
        }
        black_box(shift);
        began.elapsed()
    }

    /// Moves a quarter of what the sender's record holds.
    #[inline]
    fn transfer(&mut self, [from, to]: Ends) {
        let from = &mut self.0[from as usize].0;
        let amount = from[0] / 4;
        from[0] -= amount;
        from[1] = from[1].wrapping_add(1);
        let to = &mut self.0[to as usize].0;
        to[0] = to[0].wrapping_add(amount);
        to[1] = to[1].wrapping_add(1);
    }
}

#[inline]
fn prefetch(record: &Record) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: the address is that of a record, and a prefetch has no effect
        // but on the cache.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(record).cast::<i8>()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = record;
}
