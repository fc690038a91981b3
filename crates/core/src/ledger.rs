//! Balances and freezes of all accounts.
//!
//! What always holds: a balance equals the sum of the account's credits and
//! opening units less its debits.

use crate::accounts::{Account, Accounts};
use crate::movement::{AccountId, Debit};
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
    pub(crate) frozen: bool,
    /// Named by an event or an opening balance, not only by a case or label.
    pub(crate) seen: bool,
}

/// All accounts, and what they hold.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) accounts: Accounts,
    pub(crate) opening_units: u128,
}

impl Ledger {
    /// Of those accounts, which hold that much, by id.
    pub(crate) fn of(
        mut accounts: Accounts,
        holdings: impl IntoIterator<Item = Holding>,
        opening_units: u128,
    ) -> Ledger {
        for (account, holding) in accounts.all.all_mut().iter_mut().zip(holdings) {
            account.set_holding(holding);
        }
        Ledger { accounts, opening_units }
    }

    #[inline]
    fn account(&self, id: AccountId) -> &Account {
        &self.accounts.all[id.index()]
    }

    #[inline]
    fn account_mut(&mut self, id: AccountId) -> &mut Account {
        self.accounts.all.at_mut(id.index())
    }

    #[inline]
    pub(crate) fn holding(&self, id: AccountId) -> Holding {
        self.account(id).holding()
    }

    /// Sets what the account holds, such as what it held before; the place of its
    /// taints stays.
    pub(crate) fn set_holding(&mut self, id: AccountId, holding: Holding) {
        self.account_mut(id).set_holding(holding);
    }

    /// Remembers that an event or an opening balance names the account; whether
    /// none did before.
    #[inline]
    pub(crate) fn see(&mut self, id: AccountId) -> bool {
        let is_new = !self.account(id).is_seen();
        if is_new {
            self.account_mut(id).set_seen();
        }
        is_new
    }

    /// Takes units out; what is missing must have come before our first event.
    #[inline]
    pub(crate) fn debit(&mut self, id: AccountId, amount: Amount) -> Debit {
        let balance = &mut self.account_mut(id).balance;
        let missing = amount.saturating_sub(*balance);
        let before = *balance + missing;
        *balance = before - amount;
        self.opening_units += u128::from(missing);
        Debit { before, missing }
    }

    /// Puts units in; returns the balance before.
    #[inline]
    pub(crate) fn credit(&mut self, id: AccountId, amount: Amount) -> Amount {
        let balance = &mut self.account_mut(id).balance;
        let before = *balance;
        *balance += amount;
        before
    }

    /// Whether the credit would exceed 2^64 − 1 units.
    #[inline]
    pub(crate) fn overflows(&self, id: AccountId, amount: Amount) -> bool {
        self.account(id).balance.checked_add(amount).is_none()
    }
}

impl Book for Ledger {
    #[inline]
    fn slot(&self, account: AccountId) -> u32 {
        self.account(account).slot()
    }

    fn set_slot(&mut self, account: AccountId, slot: u32) {
        self.account_mut(account).set_slot(slot);
    }

    fn is_frozen(&self, account: AccountId) -> bool {
        self.account(account).is_frozen()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortfall_is_added_before_the_debit() {
        let mut ledger = Ledger::default();
        let key = AccountKey { chain: crate::Chain::Tron, address: crate::Address([1; 20]) };
        assert_eq!(ledger.accounts.intern(key), Some(AccountId(0)));
        assert_eq!(ledger.credit(AccountId(0), 3), 0);
        assert_eq!(ledger.debit(AccountId(0), 2), Debit { before: 3, missing: 0 });
        assert_eq!(ledger.debit(AccountId(0), 5), Debit { before: 5, missing: 4 });
        assert_eq!((ledger.holding(AccountId(0)).balance, ledger.opening_units), (0, 4));
    }
}
