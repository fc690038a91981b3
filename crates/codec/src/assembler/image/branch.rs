//! One block of an image.

use flow_core::{BlockHash, Chain, TxHash};
use serde::{Deserialize, Serialize};

use super::{AssemblerImageError, ensure, rises};
use crate::assembler::branch::{AHEAD_MAX, Branch, Entry};
use crate::assembler::identity::{Identity, Places};
use crate::{ChainAction, ChainEvent, LogIndex};

/// A block, canonical or not.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct BranchImage {
    hash: Option<BlockHash>,
    header_ms: Option<u64>,
    transactions: Vec<TxHash>,
    entries: Vec<EntryImage>,
    /// In rising order.
    ahead: Vec<(Identity, bool)>,
    header_ahead: bool,
    orphaned: bool,
    pub(super) arrival: u64,
}

/// An event. Its chain and block are those of the height.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct EntryImage {
    tx: TxHash,
    index: Option<LogIndex>,
    action: ChainAction,
    timestamp_ms: Option<u64>,
    /// Whether it told the hash of its block.
    hashed: bool,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum State {
    Here,
    /// Taken out, and known to have been here.
    Gone,
    /// Taken out, and no longer known.
    Forgotten,
}

impl Branch {
    pub(super) fn image(&self) -> BranchImage {
        let mut ahead: Vec<(Identity, bool)> = self.ahead.iter().copied().collect();
        ahead.sort_unstable();
        let entries = self.entries.iter().enumerate();
        BranchImage {
            hash: self.hash,
            header_ms: self.header_ms,
            transactions: self.transactions.clone(),
            entries: entries.map(|(at, entry)| self.entry_image(at, entry)).collect(),
            ahead,
            header_ahead: self.header_ahead,
            orphaned: self.orphaned,
            arrival: self.arrival,
        }
    }

    fn entry_image(&self, at: usize, Entry { event, here }: &Entry) -> EntryImage {
        let is_known = || Identity::of(event).is_none_or(|id| self.known(id) == Some(at));
        let state = match here {
            true => State::Here,
            false if is_known() => State::Gone,
            false => State::Forgotten,
        };
        EntryImage {
            tx: event.tx,
            index: event.index,
            action: event.action,
            timestamp_ms: event.timestamp_ms,
            hashed: event.block_hash.is_some(),
            state,
        }
    }
}

impl BranchImage {
    /// The block, which is one of that chain and height.
    pub(super) fn restore(self, chain: Chain, number: u64) -> Result<Branch, AssemblerImageError> {
        let unnamed = self.hash.is_none() && self.entries.iter().any(|entry| entry.hashed);
        ensure(!unnamed, "an event tells a hash that its block has not")?;
        let fits = self.ahead.len() <= AHEAD_MAX && rises(self.ahead.iter());
        ensure(fits, "removals that came ahead")?;
        let entry = |entry: &EntryImage| Entry {
            event: entry.event(chain, number, self.hash),
            here: entry.state == State::Here,
        };
        Ok(Branch {
            hash: self.hash,
            header_ms: self.header_ms,
            entries: self.entries.iter().map(entry).collect(),
            known: self.known()?,
            live: self.entries.iter().filter(|entry| entry.state == State::Here).count(),
            transactions: self.transactions,
            ahead: self.ahead.into_iter().collect(),
            header_ahead: self.header_ahead,
            orphaned: self.orphaned,
            arrival: self.arrival,
        })
    }

    /// Where each event stands, those no longer known left out.
    fn known(&self) -> Result<Places, AssemblerImageError> {
        let of = |at: usize| self.entries[at].identity();
        let mut known = Places::default();
        for (at, entry) in self.entries.iter().enumerate() {
            if let Some(identity) = entry.identity().filter(|_| entry.state != State::Forgotten) {
                let before = known.get_or_set(identity, at, of);
                ensure(before.is_none(), "an event stands in its block twice")?;
            }
        }
        Ok(known)
    }
}

impl EntryImage {
    fn identity(&self) -> Option<Identity> {
        Some(Identity { tx: self.tx, index: self.index? })
    }

    fn event(&self, chain: Chain, block: u64, hash: Option<BlockHash>) -> ChainEvent {
        ChainEvent {
            chain,
            block,
            block_hash: hash.filter(|_| self.hashed),
            timestamp_ms: self.timestamp_ms,
            tx: self.tx,
            index: self.index,
            action: self.action,
            removed: false,
            // What it told of finality was noted when it came.
            solid: None,
        }
    }
}
