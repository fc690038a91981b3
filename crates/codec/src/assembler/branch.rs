//! One block as its records tell it: a branch of the chain at its height.
//!
//! What always holds: a block's hash commits to its events. So `removed` of an
//! event told with a hash concerns the whole block and takes no event out of
//! it, and the next event told of that hash brings the whole block back. An
//! event told without a hash comes and goes by its own identity.

use flow_core::{Action, BlockHash, TxHash};
use foldhash::fast::FixedState;
use hashbrown::HashSet;

use super::Dropped;
use super::identity::{Identity, Places};
use crate::{BlockHeader, ChainAction, ChainEvent, LogIndex};

/// Removals of events never seen that a branch remembers. Above it, they are
/// forgotten: such an event would then be taken when it comes.
pub(super) const AHEAD_MAX: usize = 4_096;

/// With the first event of a block room is made for so many.
const EVENTS_USUAL: usize = 32;

/// A block, canonical or not.
#[derive(Debug, Default)]
pub(super) struct Branch {
    pub(super) hash: Option<BlockHash>,
    pub(super) header_ms: Option<u64>,
    pub(super) transactions: Vec<TxHash>,
    /// In order of arrival.
    pub(super) entries: Vec<Entry>,
    /// Where each event stands in `entries`, those taken out included: a
    /// removal told twice is not one of an event never seen.
    pub(super) known: Places,
    pub(super) live: usize,
    /// Events told as removed before they came, and whether with a hash.
    pub(super) ahead: HashSet<(Identity, bool), FixedState>,
    pub(super) header_ahead: bool,
    /// The last record of this block took it back.
    pub(super) orphaned: bool,
    /// When it was last told to be canonical.
    pub(super) arrival: u64,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) event: ChainEvent,
    pub(super) here: bool,
}

impl Branch {
    pub(super) fn new(hash: Option<BlockHash>) -> Branch {
        Branch { hash, ..Branch::default() }
    }

    /// Whether this can be the canonical block of its height.
    pub(super) fn is_eligible(&self) -> bool {
        !self.orphaned && (self.live > 0 || self.header_ms.is_some())
    }

    /// Events remembered, those taken out included.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Its events in order of arrival.
    pub(super) fn events(&self) -> impl Iterator<Item = &ChainEvent> {
        self.entries.iter().filter(|entry| entry.here).map(|entry| &entry.event)
    }

    /// Identities of all that is remembered, those taken out included.
    pub(super) fn identities(&self) -> impl Iterator<Item = Identity> {
        self.entries.iter().filter_map(|entry| Identity::of(&entry.event))
    }

    /// How many events were told of it and never taken back.
    pub(super) fn left_over(&self) -> usize {
        if self.orphaned { 0 } else { self.live }
    }

    /// Takes an event. `released` is given when the block is put out, so that
    /// it cannot grow any more.
    pub(super) fn take(
        &mut self,
        event: ChainEvent,
        released: Option<u64>,
        arrival: u64,
    ) -> Result<(), Dropped> {
        let block = event.block;
        let identity = Identity::of(&event);
        let known = identity.and_then(|identity| self.entry(identity)).filter(|entry| entry.here);
        match known {
            Some(known) if known.event.action != event.action => {
                return Err(Dropped::Conflict { block });
            }
            Some(_) if !self.orphaned => return Err(Dropped::Duplicate),
            Some(_) => {}
            None => {
                if let Some(released) = released {
                    return Err(Dropped::Late { block, released });
                }
                self.accepts(&event)?;
                self.hash = self.hash.or(event.block_hash);
                if !self.insert(event, identity) {
                    return Ok(());
                }
            }
        }
        self.vouch(arrival);
        Ok(())
    }

    /// Takes a header; `false` if it was taken back before it came.
    pub(super) fn take_header(&mut self, header: BlockHeader, arrival: u64) -> bool {
        self.hash = self.hash.or(header.hash);
        self.header_ms = Some(header.timestamp_ms);
        self.transactions = header.transactions;
        let vouches = !std::mem::take(&mut self.header_ahead);
        if vouches {
            self.vouch(arrival);
        }
        vouches
    }

    /// Takes an event that left another block of the height.
    pub(super) fn adopt(&mut self, event: ChainEvent, arrival: u64) {
        let identity = Identity::of(&event);
        if identity.and_then(|identity| self.entry(identity)).is_none_or(|entry| !entry.here) {
            self.insert(event, identity);
        }
        self.arrival = arrival;
    }

    /// An event of this block was taken back, told with the block's hash: the
    /// block left the chain. `false` if that was known.
    pub(super) fn orphan(&mut self, identity: Option<Identity>) -> bool {
        let mut news = !self.orphaned;
        self.orphaned = true;
        // An event without an index comes again as another one.
        for entry in self.entries.iter_mut().filter(|entry| entry.event.index.is_none()) {
            self.live -= usize::from(std::mem::take(&mut entry.here));
        }
        let Some(identity) = identity else { return news };
        match self.entry(identity).map(|entry| entry.event.block_hash) {
            Some(None) => news |= self.take_out(identity),
            Some(Some(_)) => {}
            None => news |= self.expect(identity, true),
        }
        news
    }

    /// The header of this block was taken back. `false` if that was known.
    pub(super) fn orphan_header(&mut self) -> bool {
        let news = self.orphan(None);
        self.header_ahead |= self.header_ms.is_none();
        news
    }

    /// Takes the header away and nothing else; `false` if there is none.
    pub(super) fn clear_header(&mut self) -> bool {
        self.transactions.clear();
        self.header_ms.take().is_some()
    }

    /// Whether the event stands here; `None` if it never did.
    pub(super) fn holds(&self, identity: Identity) -> Option<bool> {
        self.entry(identity).map(|entry| entry.here)
    }

    /// Takes one event out; `false` if it is not here.
    pub(super) fn take_out(&mut self, identity: Identity) -> bool {
        let Some(at) = self.known(identity) else { return false };
        let here = std::mem::take(&mut self.entries[at].here);
        self.live -= usize::from(here);
        here
    }

    /// Takes out one event equal to that one, which has no identity.
    pub(super) fn take_out_equal(&mut self, event: &ChainEvent) -> bool {
        let equal = |entry: &&mut Entry| {
            let known = &entry.event;
            entry.here
                && known.index.is_none()
                && known.tx == event.tx
                && known.action == event.action
        };
        let Some(entry) = self.entries.iter_mut().find(equal) else { return false };
        entry.here = false;
        self.live -= 1;
        true
    }

    /// Remembers that an event never seen was taken back.
    pub(super) fn expect(&mut self, identity: Identity, with_hash: bool) -> bool {
        self.ahead.len() < AHEAD_MAX && self.ahead.insert((identity, with_hash))
    }

    /// Takes out what was told without a hash: it belongs to the height,
    /// whichever block is there.
    pub(super) fn take_unhashed(&mut self) -> Vec<ChainEvent> {
        let mut loose = Vec::new();
        for at in 0..self.entries.len() {
            let Entry { event, here } = self.entries[at];
            if here && event.block_hash.is_none() {
                self.entries[at].here = false;
                self.live -= 1;
                loose.push(event);
                if let Some(identity) = Identity::of(&event) {
                    self.known.remove(identity, |at| Identity::of(&self.entries[at].event));
                }
            }
        }
        loose
    }

    fn entry(&self, identity: Identity) -> Option<&Entry> {
        self.known(identity).map(|at| &self.entries[at])
    }

    /// Where the event stands in `entries`, if it is known.
    pub(super) fn known(&self, identity: Identity) -> Option<usize> {
        self.known.get(identity, |at| Identity::of(&self.entries[at].event))
    }

    fn vouch(&mut self, arrival: u64) {
        self.orphaned = false;
        self.arrival = arrival;
    }

    /// Adds an event; `false` if it was taken back before it came, so that it
    /// says nothing for the block.
    fn insert(&mut self, event: ChainEvent, identity: Option<Identity>) -> bool {
        let expects = identity.filter(|_| !self.ahead.is_empty());
        let mut expected =
            |with_hash| expects.is_some_and(|identity| self.ahead.remove(&(identity, with_hash)));
        let (with_hash, without) = (expected(true), expected(false));
        // A removal with a hash concerned the block and takes no event out of it.
        let gone = without || (with_hash && event.block_hash.is_none());
        if self.entries.is_empty() {
            self.entries.reserve(EVENTS_USUAL);
            self.known = Places::with_room(EVENTS_USUAL);
        }
        if let Some(identity) = identity {
            let of = |at: usize| Identity::of(&self.entries[at].event);
            // One that was taken out stands where it came again.
            self.known.set(identity, self.entries.len(), of);
        }
        self.entries.push(Entry { event, here: !gone });
        self.live += usize::from(!gone);
        !with_hash && !without
    }

    fn accepts(&self, event: &ChainEvent) -> Result<(), Dropped> {
        let in_block = |index: LogIndex| matches!(index, LogIndex::InBlock(_));
        let numbered = self.events().find_map(|known| known.index);
        if let (Some(known), Some(new)) = (numbered, event.index)
            && in_block(known) != in_block(new)
        {
            return Err(Dropped::MixedIndex { block: event.block });
        }
        // A multisig call carries no log index: the same transaction told twice
        // is the same call.
        let is_call = matches!(event.action, ChainAction::Ledger(Action::Multisig(_)));
        let same = |known: &ChainEvent| known.tx == event.tx && known.action == event.action;
        if is_call && event.index.is_none() && self.events().any(same) {
            return Err(Dropped::Duplicate);
        }
        Ok(())
    }
}
