//! Whether the parts of an image can have been an engine's.
//!
//! Whoever keeps an image sees by its checksum whether it was damaged. This
//! sees what is made to deceive, or is the work of a fault: what is accepted
//! cannot make an engine panic later, as far as it can be told without reading
//! the sealed past.

mod lanes;
mod movements;
mod rest;
mod rewind;
mod sums;

use super::RestoreError;
use super::decode::Parts;
use super::format;
use crate::accounts::{Accounts, SLOTS_MAX};
use crate::history::History;
use crate::movement::{AccountId, BlockIx};
use crate::policy::Policy;
use crate::{Chain, EngineConfig};
use rewind::Rewind;

/// What the numbers of an image may name.
#[derive(Clone, Copy)]
struct Scope<'a> {
    accounts: &'a Accounts,
    policies: &'a [Policy],
    revertible: bool,
    /// The ids of the first transfer and the first block that are not sealed.
    first: (u32, BlockIx),
    /// Blocks and transfers applied.
    blocks: BlockIx,
    transfers: u32,
}

impl Scope<'_> {
    fn has(&self, account: u32) -> bool {
        (account as usize) < self.accounts.len()
    }

    fn is_on(&self, account: u32, chain: Chain) -> bool {
        self.has(account) && self.accounts.key(AccountId(account)).chain == chain
    }

    /// The id of a transfer, and the rank of a block, by the place among those
    /// that are not sealed.
    fn transfer(&self, at: usize) -> u32 {
        self.first.0.saturating_add(u32::try_from(at).unwrap_or(u32::MAX))
    }

    fn block(&self, at: usize) -> BlockIx {
        self.first.1.saturating_add(u32::try_from(at).unwrap_or(u32::MAX))
    }

    /// The policy of a lane.
    fn policy(&self, lane: u32) -> Policy {
        self.policies[lane as usize % self.policies.len()]
    }
}

impl format::Taint {
    /// Whether all that the account holds is tainted.
    pub(super) fn is_whole(&self, policies: &[Policy]) -> bool {
        self.source || policies[self.lane as usize % policies.len()] == Policy::Poison
    }
}

/// Checks everything.
pub(super) fn parts(
    parts: &Parts,
    config: &EngineConfig,
    accounts: &Accounts,
    history: &History,
) -> Result<(), RestoreError> {
    let Parts { holdings, taints, tail, rest, .. } = parts;
    let first = (history.tail.first_transfer, history.blocks_len());
    let scope = Scope {
        accounts,
        policies: &config.policies,
        revertible: config.revertible,
        first,
        blocks: total(first.1, tail.blocks.len())?,
        transfers: total(first.0, tail.transfers.len())?,
    };
    must(holdings.len() == accounts.len(), "there is not one holding for each account")?;
    must(holdings.iter().all(|holding| holding.flags < 4), "a holding has unknown flags")?;
    sums::counts(&rest.sums)?;
    let seen = holdings.iter().filter(|holding| holding.seen()).count();
    must(rest.sums.accounts == seen as u64, "another number of accounts was seen")?;
    must(taints.len() < SLOTS_MAX, "more accounts are tainted than an engine can keep")?;
    let lanes = lanes::cases(&rest.cases, scope)?;
    lanes::taints(&lanes, taints, holdings, scope)?;
    rest::rest(rest, &lanes, scope)?;
    let ranges = movements::blocks(tail, scope)?;
    movements::heads(tail, rest, scope)?;
    let is_kept = config.revertible || rest.journal.is_empty();
    must(is_kept, "a journal, where nothing can be reverted")?;
    Rewind::new(parts, &lanes, scope).run(&ranges)
}

/// How many there are once `more` have come; ids must be left for the next.
fn total(sealed: u32, more: usize) -> Result<u32, RestoreError> {
    let all = u32::try_from(more).ok().and_then(|more| sealed.checked_add(more));
    let what = "more blocks or transfers than ids can name";
    all.filter(|all| *all < u32::MAX).ok_or(RestoreError::Malformed(what))
}

/// Fails unless it is so.
fn must(is_so: bool, what: &'static str) -> Result<(), RestoreError> {
    if is_so { Ok(()) } else { Err(RestoreError::Malformed(what)) }
}

/// Whether each is above the one before it.
fn rises<T: PartialOrd>(items: impl IntoIterator<Item = T>) -> bool {
    items.into_iter().is_sorted_by(|a, b| a < b)
}
