//! What is told of one height of a chain: one block, or rivals.
//!
//! What always holds: one block at most is current, and it is one that no
//! record took back last; at most [`BRANCHES_MAX`] blocks are remembered.

use flow_core::BlockHash;

use super::branch::Branch;
use super::identity::Identity;
use crate::{BlockHeader, ChainEvent};

/// Rival blocks remembered at one height.
pub(super) const BRANCHES_MAX: usize = 4;

/// The blocks of one height.
#[derive(Debug, Default)]
pub(super) struct Height {
    pub(super) branches: Vec<Branch>,
    /// The one taken to be canonical. The others are parked.
    pub(super) current: Option<usize>,
    /// The one of which the last header told.
    pub(super) headed: Option<usize>,
    /// Set while the current one is put out.
    pub(super) applied: Option<Applied>,
}

/// A block that was put out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Applied {
    pub(super) timestamp_ms: u64,
    /// Its events that stand in an earlier block already.
    pub(super) repeated: usize,
}

/// What a removal changed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Removal {
    /// It told something new.
    pub(super) news: bool,
    /// The current block is no longer what it was.
    pub(super) current: bool,
}

impl Height {
    /// Events remembered.
    pub(super) fn len(&self) -> usize {
        self.branches.iter().map(Branch::len).sum()
    }

    pub(super) fn current_branch(&self) -> Option<&Branch> {
        self.current.map(|at| &self.branches[at])
    }

    /// The block of which a record with that hash tells, new if need be; `None`
    /// if too many are known.
    pub(super) fn place(&mut self, hash: Option<BlockHash>) -> Option<usize> {
        let unhashed = || self.branches.iter().position(|branch| branch.hash.is_none());
        let known = match hash {
            // The first hash told names a block known without one.
            Some(_) => self.with_hash(hash).or_else(unhashed),
            None => self.current.or_else(unhashed),
        };
        known.or_else(|| self.add(hash))
    }

    /// Makes another block the current one, or none. What was told without a
    /// hash goes along.
    fn switch(&mut self, to: Option<usize>, arrival: u64) {
        let from = std::mem::replace(&mut self.current, to);
        let loose = match from {
            Some(from) if Some(from) != to => self.branches[from].take_unhashed(),
            _ => return,
        };
        if loose.is_empty() {
            return;
        }
        self.current = to.or_else(|| self.add(None));
        let Some(at) = self.current else { return };
        for event in loose {
            self.branches[at].adopt(event, arrival);
        }
    }

    /// Takes a header of that block, which so becomes the current one.
    pub(super) fn take_header(&mut self, at: usize, header: BlockHeader, arrival: u64) {
        if self.branches[at].take_header(header, arrival) {
            self.headed = Some(at);
        }
    }

    /// Chooses the current block: the one of the last header, else the one that
    /// is current, else the one told last, of those that were not taken back.
    pub(super) fn reselect(&mut self, arrival: u64) {
        let eligible = |at: &usize| self.branches[*at].is_eligible();
        let told = |at: &usize| self.branches[*at].arrival;
        let latest = || (0..self.branches.len()).filter(eligible).max_by_key(told);
        let headed = self.headed.filter(eligible);
        let chosen = headed.or_else(|| self.current.filter(eligible)).or_else(latest);
        self.switch(chosen, arrival);
    }

    /// Takes back the event, or with it its block.
    pub(super) fn take_back(&mut self, event: &ChainEvent) -> Removal {
        let identity = Identity::of(event);
        if event.block_hash.is_none() {
            return self.take_out(event, identity);
        }
        if let Some(at) = self.with_hash(event.block_hash) {
            let news = self.branches[at].orphan(identity);
            return Removal { news, current: news && self.current == Some(at) };
        }
        let unhashed = self.branches.iter().position(|branch| branch.hash.is_none());
        if let (Some(at), Some(identity)) = (unhashed, identity)
            && self.branches[at].take_out(identity)
        {
            return Removal { news: true, current: self.current == Some(at) };
        }
        // Without room for it the block is not known either.
        let news = match self.add(event.block_hash) {
            Some(at) => self.branches[at].orphan(identity),
            None => false,
        };
        Removal { news, current: false }
    }

    /// Takes back a block by its header.
    pub(super) fn take_back_header(&mut self, hash: Option<BlockHash>) -> Removal {
        let (at, news) = match (hash, self.current) {
            (None, Some(at)) => (at, self.branches[at].clear_header()),
            (None, None) => return Removal::default(),
            (Some(_), _) => match self.with_hash(hash).or_else(|| self.add(hash)) {
                Some(at) => (at, self.branches[at].orphan_header()),
                None => return Removal::default(),
            },
        };
        Removal { news, current: news && self.current == Some(at) }
    }

    fn with_hash(&self, hash: Option<BlockHash>) -> Option<usize> {
        self.branches.iter().position(|branch| branch.hash == hash)
    }

    /// A place for one more block. One that was taken back gives up its own.
    fn add(&mut self, hash: Option<BlockHash>) -> Option<usize> {
        if self.branches.len() < BRANCHES_MAX {
            self.branches.push(Branch::new(hash));
            return Some(self.branches.len() - 1);
        }
        let left =
            |(at, branch): &(usize, &Branch)| self.current != Some(*at) && !branch.is_eligible();
        let oldest = self.branches.iter().enumerate().filter(left);
        let (at, _) = oldest.min_by_key(|(_, branch)| branch.arrival)?;
        self.branches[at] = Branch::new(hash);
        self.headed = self.headed.filter(|headed| *headed != at);
        Some(at)
    }

    /// Takes one event out by its identity, from the current block first.
    fn take_out(&mut self, event: &ChainEvent, identity: Option<Identity>) -> Removal {
        let Some(identity) = identity else {
            let current = self.current;
            let taken = current.is_some_and(|at| self.branches[at].take_out_equal(event));
            return Removal { news: taken, current: taken };
        };
        let order = self.current.into_iter().chain(0..self.branches.len());
        for at in order {
            if self.branches[at].take_out(identity) {
                return Removal { news: true, current: self.current == Some(at) };
            }
        }
        let was_here = self.branches.iter().any(|branch| branch.holds(identity).is_some());
        let at = if was_here { None } else { self.place(None) };
        let news = at.is_some_and(|at| self.branches[at].expect(identity, false));
        Removal { news, current: false }
    }
}
