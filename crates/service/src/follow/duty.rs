//! Which chains this instance publishes for, as the group has it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use flow_core::Chain;

/// Set by whoever speaks with the group, read by the followers.
#[derive(Debug, Default)]
pub struct Duties {
    own: [AtomicBool; Chain::ALL.len()],
    /// Counts changes.
    epoch: AtomicU64,
    /// The group has spoken once.
    joined: AtomicBool,
    /// By chain: whether the follower has come to the head.
    warm: [AtomicBool; Chain::ALL.len()],
}

impl Duties {
    /// Of no chain yet.
    pub fn new() -> Duties {
        Duties::default()
    }

    /// Of these chains alone, for whoever is alone.
    pub fn of(chains: &[Chain]) -> Duties {
        let duties = Duties::new();
        for chain in chains {
            duties.set(*chain, true);
        }
        duties
    }

    /// Gives the chain to this instance, or takes it away.
    pub fn set(&self, chain: Chain, own: bool) {
        self.own[chain.index()].store(own, Ordering::Release);
        self.epoch.fetch_add(1, Ordering::Release);
    }

    /// Whether this instance is to publish for the chain.
    pub fn owns(&self, chain: Chain) -> bool {
        self.own[chain.index()].load(Ordering::Acquire)
    }

    /// Rises with each change.
    pub fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// The group has spoken.
    pub fn set_joined(&self, joined: bool) {
        self.joined.store(joined, Ordering::Release);
    }

    /// Whether the group has spoken.
    pub fn has_joined(&self) -> bool {
        self.joined.load(Ordering::Acquire)
    }

    /// The follower of the chain has come to the head, or begins anew.
    pub fn set_warm(&self, chain: Chain, warm: bool) {
        self.warm[chain.index()].store(warm, Ordering::Release);
    }

    /// Whether the follower of the chain has come to the head.
    pub fn is_warm(&self, chain: Chain) -> bool {
        self.warm[chain.index()].load(Ordering::Acquire)
    }
}
