//! Balances and freezes of all accounts.
//!
//! What always holds: a balance equals the sum of the account's credits and
//! opening units less its debits; a clean account costs 16 bytes here.

use crate::movement::{AccountId, Debit};
use crate::paged::Paged;
use crate::trace::Book;
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Holding {
    pub(crate) balance: Amount,
    /// Where its taints stand; 0: never tainted.
    slot: u32,
    pub(crate) frozen: bool,
    /// Named by an event or an opening balance, not only by a case or label.
    pub(crate) seen: bool,
}

impl Holding {
    /// Of an account without taints.
    pub(crate) const fn new(balance: Amount, frozen: bool, seen: bool) -> Holding {
        Holding { balance, slot: 0, frozen, seen }
    }

    /// Where the account's taints stand in `Taints`; 0: never tainted.
    pub(crate) const fn slot(&self) -> u32 {
        self.slot
    }
}

/// Holdings of all accounts, by dense id.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) holdings: Paged<Holding>,
    pub(crate) opening_units: u128,
}

impl Ledger {
    /// Of those accounts, by id.
    pub(crate) fn of(holdings: Vec<Holding>, opening_units: u128) -> Ledger {
        Ledger { holdings: holdings.into(), opening_units }
    }

    /// Makes room for accounts up to `count`.
    pub(crate) fn grow(&mut self, count: usize) {
        self.holdings.grow(count, Holding::default());
    }

    pub(crate) fn holding(&self, id: AccountId) -> &Holding {
        &self.holdings[id.index()]
    }

    pub(crate) fn holding_mut(&mut self, id: AccountId) -> &mut Holding {
        self.holdings.at_mut(id.index())
    }

    /// Puts an earlier holding back; the place of its taints stays.
    pub(crate) fn restore(&mut self, id: AccountId, before: Holding) {
        let slot = self.holding(id).slot;
        *self.holding_mut(id) = Holding { slot, ..before };
    }

    /// Takes units out; what is missing must have come before our first event.
    #[inline]
    pub(crate) fn debit(&mut self, id: AccountId, amount: Amount) -> Debit {
        let holding = self.holdings.at_mut(id.index());
        let missing = amount.saturating_sub(holding.balance);
        self.opening_units += u128::from(missing);
        let before = holding.balance + missing;
        holding.balance = before - amount;
        Debit { before, missing }
    }

    /// Puts units in; returns the balance before.
    #[inline]
    pub(crate) fn credit(&mut self, id: AccountId, amount: Amount) -> Amount {
        let balance = &mut self.holdings.at_mut(id.index()).balance;
        let before = *balance;
        *balance += amount;
        before
    }

    /// Whether the credit would exceed 2^64 − 1 units.
    #[inline]
    pub(crate) fn overflows(&self, id: AccountId, amount: Amount) -> bool {
        self.holding(id).balance.checked_add(amount).is_none()
    }
}

impl Book for Ledger {
    fn slot(&self, account: AccountId) -> u32 {
        self.holding(account).slot
    }

    fn set_slot(&mut self, account: AccountId, slot: u32) {
        self.holding_mut(account).slot = slot;
    }

    fn is_frozen(&self, account: AccountId) -> bool {
        self.holding(account).frozen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_clean_account_costs() {
        assert_eq!(size_of::<Holding>(), 16);
    }

    #[test]
    fn a_shortfall_is_added_before_the_debit() {
        let mut ledger = Ledger::default();
        ledger.grow(1);
        assert_eq!(ledger.credit(AccountId(0), 3), 0);
        assert_eq!(ledger.debit(AccountId(0), 2), Debit { before: 3, missing: 0 });
        assert_eq!(ledger.debit(AccountId(0), 5), Debit { before: 5, missing: 4 });
        assert_eq!((ledger.holding(AccountId(0)).balance, ledger.opening_units), (0, 4));
    }
}
