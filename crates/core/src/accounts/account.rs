//! One account: all that a clean transfer asks of it, in the bytes of half a
//! cache line.

use crate::ledger::Holding;
use crate::{AccountKey, Address, Amount, Chain};

/// Bits of [`Account::bits`]; those above are where its taints stand.
const SEEN: u32 = 1;
const FROZEN: u32 = 1 << 1;
const TRON: u32 = 1 << 2;
const SLOT: u32 = 3;

/// Places for taints that an account can name.
pub(crate) const SLOTS_MAX: usize = 1 << (u32::BITS - SLOT);

/// See the module. Not aligned to its size: a vector that is would be copied
/// each time it grows, which costs more than records across two lines do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Account {
    pub(crate) balance: Amount,
    address: Address,
    bits: u32,
}

impl Account {
    /// Of whom nothing but the key is known.
    pub(super) fn new(key: AccountKey) -> Account {
        let bits = if key.chain == Chain::Tron { TRON } else { 0 };
        Account { balance: 0, address: key.address, bits }
    }

    #[inline]
    pub(crate) fn key(&self) -> AccountKey {
        let chain = if self.bits & TRON == 0 { Chain::Ethereum } else { Chain::Tron };
        AccountKey { chain, address: self.address }
    }

    /// Whether that is its key.
    #[inline]
    pub(crate) fn is(&self, chain: Chain, address: &Address) -> bool {
        self.address == *address && (self.bits & TRON != 0) == (chain == Chain::Tron)
    }

    /// Named by an event or an opening balance.
    #[inline]
    pub(crate) const fn is_seen(&self) -> bool {
        self.bits & SEEN != 0
    }

    /// Remembers that it was.
    pub(crate) const fn set_seen(&mut self) {
        self.bits |= SEEN;
    }

    /// What it holds.
    #[inline]
    pub(crate) const fn holding(&self) -> Holding {
        let (frozen, seen) = (self.is_frozen(), self.is_seen());
        Holding { balance: self.balance, frozen, seen }
    }

    /// Sets what it holds; where its taints stand remains.
    pub(crate) const fn set_holding(&mut self, holding: Holding) {
        let Holding { balance, frozen, seen } = holding;
        let flags = (if frozen { FROZEN } else { 0 }) | (if seen { SEEN } else { 0 });
        self.balance = balance;
        self.bits = self.bits & !(FROZEN | SEEN) | flags;
    }

    /// Whether the issuer has frozen it.
    #[inline]
    pub(crate) const fn is_frozen(&self) -> bool {
        self.bits & FROZEN != 0
    }

    /// Where its taints stand in `Taints`; 0: never tainted.
    #[inline]
    pub(crate) const fn slot(&self) -> u32 {
        self.bits >> SLOT
    }

    /// Remembers that place, which is below [`SLOTS_MAX`].
    pub(crate) const fn set_slot(&mut self, slot: u32) {
        debug_assert!((slot as usize) < SLOTS_MAX, "looked after before each event");
        self.bits = self.bits & !(u32::MAX << SLOT) | slot << SLOT;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_account_costs() {
        assert_eq!(size_of::<Account>(), 32);
    }

    #[test]
    fn keeps_what_is_set_apart() {
        for chain in Chain::ALL {
            let key = AccountKey { chain, address: Address([7; 20]) };
            let mut account = Account::new(key);
            for (balance, frozen, seen) in [(5, true, false), (6, false, true), (0, true, true)] {
                account.set_holding(Holding { balance, frozen, seen });
                for slot in [0, 1, u32::MAX >> SLOT] {
                    account.set_slot(slot);
                    assert_eq!(account.holding(), Holding { balance, frozen, seen });
                    assert_eq!((account.slot(), account.key()), (slot, key));
                }
            }
        }
    }
}
