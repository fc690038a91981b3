//! A freeze window: from the submission of a freeze to the freeze itself the
//! target can be warned, and everything that it sends is followed.
//!
//! The units that left are followed as they are, tainted or not, so that any
//! target can be watched: where an account holds some of them beside others,
//! those that it sends are taken to be these first. What always holds: the
//! units that left are all in accounts of the frontier, in `omitted`, or gone
//! with a burn; an account never holds more of them than its balance.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Amount;
use crate::movement::{AccountId, BlockMeta, Transfer};

/// A frontier holds so many accounts.
const FRONTIER_MAX: usize = 256;

/// A window is open for so long: 14 days. Half of all freezes take less than
/// six hours.
pub(crate) const WINDOW_MS_MAX: u64 = 14 * 24 * 3_600_000;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Window {
    pub(crate) since_ms: u64,
    pub(crate) frontier: BTreeMap<AccountId, Stay>,
    /// Units that went to more accounts than a frontier holds.
    pub(crate) omitted: Amount,
}

/// Units of a window in one account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stay {
    pub(crate) units: Amount,
    pub(crate) hops: u32,
    pub(crate) since_ms: u64,
}

impl Window {
    pub(super) fn new(block: &BlockMeta) -> Window {
        Window { since_ms: block.timestamp_ms, frontier: BTreeMap::new(), omitted: 0 }
    }

    /// Units of it that the transfer moves on, with their hops at the receiver.
    pub(super) fn carried(&self, target: AccountId, transfer: &Transfer) -> Option<(Amount, u32)> {
        if transfer.from == target {
            return Some((transfer.amount, 1));
        }
        let stay = self.frontier.get(&transfer.from)?;
        let units = stay.units.min(transfer.amount);
        (units > 0).then_some((units, stay.hops.saturating_add(1)))
    }

    /// Moves on what the transfer carries.
    pub(super) fn follow(
        &mut self,
        target: AccountId,
        transfer: &Transfer,
        (units, hops): (Amount, u32),
        block: &BlockMeta,
    ) {
        if transfer.from != target {
            self.burn(transfer.from, units);
        }
        if transfer.to == target {
            return;
        }
        if self.frontier.len() >= FRONTIER_MAX && !self.frontier.contains_key(&transfer.to) {
            self.omitted = self.omitted.saturating_add(units);
            return;
        }
        let stay = self.frontier.entry(transfer.to).or_insert(Stay { units: 0, hops, since_ms: 0 });
        stay.units = stay.units.saturating_add(units);
        stay.hops = stay.hops.min(hops);
        stay.since_ms = block.timestamp_ms;
    }

    /// Takes units out of an account.
    pub(super) fn burn(&mut self, account: AccountId, units: Amount) {
        if let Some(stay) = self.frontier.get_mut(&account) {
            stay.units = stay.units.saturating_sub(units);
            if stay.units == 0 {
                self.frontier.remove(&account);
            }
        }
    }

    pub(super) fn is_over(&self, now_ms: u64) -> bool {
        self.since_ms.saturating_add(WINDOW_MS_MAX) < now_ms
    }
}
