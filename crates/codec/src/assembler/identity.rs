//! Which event is which: (chain, transaction, log index, kind of index).

use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::sync::Arc;

use flow_core::TxHash;
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use serde::{Deserialize, Serialize};

use crate::{ChainEvent, LogIndex};

/// Tells an event of a chain from every other. Absent when its source numbers
/// no logs: such an event cannot be told from an equal one.
///
/// The hash stands whole: whoever found two transactions that agree in a part
/// of it could have the second one dropped as a repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) struct Identity {
    pub(super) tx: TxHash,
    pub(super) index: LogIndex,
}

impl Identity {
    pub(super) fn of(event: &ChainEvent) -> Option<Identity> {
        Some(Identity { tx: event.tx, index: event.index? })
    }
}

/// Where identities stand in a list that is kept elsewhere.
///
/// Four bytes each: a table of the identities themselves would fill the caches,
/// and most questions are answered without a look at the list.
#[derive(Debug, Default)]
pub(super) struct Places(HashTable<u32>);

fn hash(identity: Identity) -> u64 {
    FixedState::default().hash_one((identity.tx, identity.index.number()))
}

impl Places {
    /// Of nothing yet, with room for so many.
    pub(super) fn with_room(identities: usize) -> Places {
        Places(HashTable::with_capacity(identities))
    }

    /// Where it stands; `of` tells what stands where.
    pub(super) fn get(
        &self,
        identity: Identity,
        of: impl Fn(usize) -> Option<Identity>,
    ) -> Option<usize> {
        let is_it = |at: &u32| of(*at as usize) == Some(identity);
        self.0.find(hash(identity), is_it).map(|at| *at as usize)
    }

    /// Where it stands, which is now `at` if it stood nowhere.
    pub(super) fn get_or_set(
        &mut self,
        identity: Identity,
        at: usize,
        of: impl Fn(usize) -> Option<Identity>,
    ) -> Option<usize> {
        match self.entry(identity, of) {
            Entry::Occupied(known) => Some(*known.get() as usize),
            Entry::Vacant(place) => {
                place.insert(number(at));
                None
            }
        }
    }

    /// It stands there now, wherever it stood before.
    pub(super) fn set(
        &mut self,
        identity: Identity,
        at: usize,
        of: impl Fn(usize) -> Option<Identity>,
    ) {
        let at = number(at);
        self.entry(identity, of).and_modify(|known| *known = at).or_insert(at);
    }

    fn entry(
        &mut self,
        identity: Identity,
        of: impl Fn(usize) -> Option<Identity>,
    ) -> Entry<'_, u32> {
        let is_it = |at: &u32| of(*at as usize) == Some(identity);
        // What is in the table has an identity.
        let rehash = |at: &u32| of(*at as usize).map_or(0, hash);
        self.0.entry(hash(identity), is_it, rehash)
    }

    /// Takes it out; where it stood.
    pub(super) fn remove(
        &mut self,
        identity: Identity,
        of: impl Fn(usize) -> Option<Identity>,
    ) -> Option<usize> {
        let is_it = |at: &u32| of(*at as usize) == Some(identity);
        let found = self.0.find_entry(hash(identity), is_it).ok()?;
        Some(found.remove().0 as usize)
    }
}

fn number(place: usize) -> u32 {
    u32::try_from(place).expect("memory holds fewer events")
}

/// In which block put out each event stands. Those of final blocks are
/// remembered up to a bound, those of others until their block is final or
/// reverted.
#[derive(Debug)]
pub(super) struct Recent {
    /// Each event and its block; what is no longer remembered makes room.
    slots: Vec<(Identity, u64)>,
    /// Slots to be used again.
    free: Vec<usize>,
    places: Places,
    /// Final blocks, the oldest first.
    settled: VecDeque<Settled>,
    settled_events: usize,
    bound: usize,
}

/// The events of a final block. Shared with images, which so cost little.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Settled {
    pub(super) block: u64,
    pub(super) events: Arc<[Identity]>,
}

impl Recent {
    pub(super) fn new(bound: usize) -> Recent {
        Recent {
            slots: Vec::new(),
            free: Vec::new(),
            places: Places::default(),
            settled: VecDeque::new(),
            settled_events: 0,
            bound,
        }
    }

    pub(super) fn block(&self, identity: Identity) -> Option<u64> {
        let at = self.places.get(identity, |at| Some(self.slots[at].0))?;
        Some(self.slots[at].1)
    }

    /// Notes an event of a block; `false` if it stands in an earlier one.
    pub(super) fn insert(&mut self, identity: Identity, block: u64) -> bool {
        self.place(identity, block).is_none_or(|known| known == block)
    }

    /// Notes an event that is not known; `false` if it is.
    pub(super) fn insert_new(&mut self, identity: Identity, block: u64) -> bool {
        self.place(identity, block).is_none()
    }

    /// The block in which the event stands, which is now `block` if it stood in
    /// none.
    fn place(&mut self, identity: Identity, block: u64) -> Option<u64> {
        let Recent { slots, free, places, .. } = self;
        let slot = free.last().copied().unwrap_or(slots.len());
        if let Some(known) = places.get_or_set(identity, slot, |at| Some(slots[at].0)) {
            return Some(slots[known].1);
        }
        match free.pop() {
            Some(slot) => slots[slot] = (identity, block),
            None => slots.push((identity, block)),
        }
        None
    }

    /// Forgets an event whose block was reverted.
    pub(super) fn forget(&mut self, identity: Identity, block: u64) {
        if self.block(identity) == Some(block) {
            self.remove(identity);
        }
    }

    fn remove(&mut self, identity: Identity) {
        let Recent { slots, free, places, .. } = self;
        free.extend(places.remove(identity, |at| Some(slots[at].0)));
    }

    /// Notes that a block is final, of whose events so many were `repeated`:
    /// they stand in an earlier one. The oldest blocks make room, as long as
    /// `bound` events are left.
    pub(super) fn settle(
        &mut self,
        block: u64,
        repeated: usize,
        events: impl Iterator<Item = Identity>,
    ) {
        let here = |identity: &Identity| repeated == 0 || self.block(*identity) == Some(block);
        let events: Arc<[Identity]> = events.filter(here).collect();
        if events.is_empty() {
            return;
        }
        self.push_settled(Settled { block, events });
        while let Some(oldest) = self.settled.front()
            && self.settled_events - oldest.events.len() >= self.bound
        {
            self.settled_events -= oldest.events.len();
            let events = Arc::clone(&oldest.events);
            for identity in events.iter() {
                self.remove(*identity);
            }
            self.settled.pop_front();
        }
    }

    /// Remembers a final block, whose events have been noted.
    pub(super) fn push_settled(&mut self, settled: Settled) {
        self.settled_events += settled.events.len();
        self.settled.push_back(settled);
    }

    /// The final blocks whose events are remembered, the oldest first.
    pub(super) fn settled(&self) -> impl Iterator<Item = &Settled> {
        self.settled.iter()
    }
}
