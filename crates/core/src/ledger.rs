//! Balances, and for each case the tainted units in each account.
//!
//! What always holds: `tainted ≤ balance` for every account and case; a clean
//! account costs 16 bytes and no look-up.

use std::collections::BTreeMap;

use crate::graph::AccountId;
use crate::{AccountKey, Amount};

/// An account's place in `taint.csv` (docs/output.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AccountRow {
    /// The account.
    pub account: AccountKey,
    /// Units it holds.
    pub balance: Amount,
    /// Tainted units among them.
    pub tainted: Amount,
    /// Transfers between the source and the account; 0 for a source wallet.
    pub hops: u32,
    /// Whether the issuer has frozen it.
    pub frozen: bool,
}

/// The conservation identity of a case:
/// `emitted = held + frozen + services + redeemed + destroyed + horizon + dust`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CaseTotals {
    /// Units that turned from clean to tainted.
    pub emitted: u128,
    /// Tainted units in accounts that are not frozen.
    pub held: u128,
    /// Tainted units in frozen accounts.
    pub frozen: u128,
    /// Tainted units that reached services, by entity.
    pub services: BTreeMap<String, u128>,
    /// Tainted units redeemed by the issuer.
    pub redeemed: u128,
    /// Tainted units burnt by the issuer.
    pub destroyed: u128,
    /// Tainted units that arrived in parcels below the case's `min_units`.
    pub dust: u128,
    /// Tainted units that went further than the case's `max_hops`.
    pub horizon: u128,
}

impl CaseTotals {
    /// Tainted units at services, whatever the entity.
    pub fn service(&self) -> u128 {
        self.services.values().sum()
    }

    /// Whether the identity holds.
    pub fn is_conserved(&self) -> bool {
        let parts =
            [self.held, self.frozen, self.redeemed, self.destroyed, self.dust, self.horizon];
        self.emitted == parts.iter().sum::<u128>() + self.service()
    }

    pub(crate) fn class(&mut self, frozen: bool) -> &mut u128 {
        if frozen { &mut self.frozen } else { &mut self.held }
    }
}

/// Sizes and sums of the ledger, for summaries and metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LedgerStats {
    /// Accounts seen in events or opening balances.
    pub accounts: usize,
    /// Transfers that moved units.
    pub transfers: usize,
    /// Transfers of 0 units (address poisoning uses them).
    pub zero_transfers: u64,
    /// Transfers from an account to itself.
    pub self_transfers: u64,
    /// Units whose history lies before the first event (shortfalls).
    pub opening_units: u128,
    /// Open cases.
    pub cases: usize,
}

/// What one account holds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Holding {
    pub(crate) balance: Amount,
    /// Where its taints stand in [`Book::taints`]; 0: never tainted.
    taints: u32,
    pub(crate) frozen: bool,
    /// Named by an event or an opening balance, not only by a case or label.
    pub(crate) seen: bool,
}

/// Rank of a case among the engine's lanes.
pub(crate) type LaneIx = u32;

/// One case's units in one account.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taint {
    pub(crate) lane: LaneIx,
    pub(crate) units: Amount,
    /// Least hop of the units that arrived since the account last held none.
    pub(crate) hops: u32,
    /// How those units came: the end of their path in the lane's tree.
    pub(crate) node: u32,
    /// Active source: everything it holds is tainted.
    pub(crate) source: bool,
    /// The first receipt has been told.
    pub(crate) told: bool,
    /// Thresholds reached so far, from the lowest.
    pub(crate) thresholds: u8,
    /// Block time of the last tainted units in or out, Unix milliseconds.
    pub(crate) moved_ms: u64,
}

impl Taint {
    pub(crate) fn clean(lane: LaneIx) -> Taint {
        Taint {
            lane,
            units: 0,
            hops: 0,
            node: crate::trace::ROOT,
            source: false,
            told: false,
            thresholds: 0,
            moved_ms: 0,
        }
    }
}

/// Holdings of all accounts, by dense id.
#[derive(Debug)]
pub(crate) struct Book {
    holdings: Vec<Holding>,
    taints: Vec<Vec<Taint>>,
}

impl Default for Book {
    fn default() -> Self {
        // Slot 0 is the empty list of every clean account.
        Book { holdings: Vec::new(), taints: vec![Vec::new()] }
    }
}

impl Book {
    /// Makes room for accounts up to `count`.
    pub(crate) fn grow(&mut self, count: usize) {
        if self.holdings.len() < count {
            self.holdings.resize(count, Holding::default());
        }
    }

    pub(crate) fn holding(&self, id: AccountId) -> &Holding {
        &self.holdings[id.index()]
    }

    pub(crate) fn holding_mut(&mut self, id: AccountId) -> &mut Holding {
        &mut self.holdings[id.index()]
    }

    /// The account's taints in the order of lanes.
    pub(crate) fn taints(&self, id: AccountId) -> &[Taint] {
        &self.taints[self.holding(id).taints as usize]
    }

    pub(crate) fn taints_mut(&mut self, id: AccountId) -> &mut [Taint] {
        let slot = self.holding(id).taints;
        &mut self.taints[slot as usize]
    }

    pub(crate) fn taint(&self, id: AccountId, lane: LaneIx) -> Option<&Taint> {
        let taints = self.taints(id);
        taints.binary_search_by_key(&lane, |t| t.lane).ok().map(|at| &taints[at])
    }

    /// The taint of that lane, made if absent; `true` if it was made.
    pub(crate) fn taint_entry(&mut self, id: AccountId, lane: LaneIx) -> (&mut Taint, bool) {
        if self.holding(id).taints == 0 {
            let slot = u32::try_from(self.taints.len()).expect("fewer lists than accounts");
            self.taints.push(Vec::new());
            self.holding_mut(id).taints = slot;
        }
        let slot = self.holding(id).taints as usize;
        let list = &mut self.taints[slot];
        match list.binary_search_by_key(&lane, |t| t.lane) {
            Ok(at) => (&mut list[at], false),
            Err(at) => {
                list.insert(at, Taint::clean(lane));
                (&mut list[at], true)
            }
        }
    }

    /// Forgets the lane in that account.
    pub(crate) fn remove_taint(&mut self, id: AccountId, lane: LaneIx) {
        let slot = self.holding(id).taints as usize;
        self.taints[slot].retain(|taint| taint.lane != lane);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_account_costs() {
        assert_eq!(size_of::<Holding>(), 16);
        assert_eq!(size_of::<Taint>(), 32);
    }
}
