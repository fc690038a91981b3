//! The accounts that were ever named, and their dense ids.
//!
//! What always holds: ids rise in order of first sight and are never taken
//! back; the index is never iterated, so no order depends on hashing.

mod account;
mod index;

use std::hash::BuildHasher;

use foldhash::fast::FixedState;

use crate::movement::AccountId;
use crate::paged::Paged;
use crate::prefetch::prefetch;
use crate::{AccountKey, Address, Chain};
pub(crate) use account::{Account, SLOTS_MAX};
use index::Index;
pub(crate) use index::Tag;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    /// By id.
    pub(crate) all: Paged<Account>,
    index: Index,
}

/// The key as two numbers: quicker to mix than 21 bytes.
#[inline]
fn tag(key: AccountKey) -> Tag {
    let (head, tail) = key.address.0.split_first_chunk().expect("20 bytes");
    let tail = u32::from_le_bytes(tail.try_into().expect("the 4 bytes behind 16"));
    let rest = u64::from(tail) << 1 | key.chain.index() as u64;
    Tag::of(FixedState::default().hash_one((u128::from_le_bytes(*head), rest)))
}

impl Accounts {
    /// The account's id, given on first sight; `None` when 32 bits cannot name
    /// one more.
    pub(crate) fn intern(&mut self, key: AccountKey) -> Option<AccountId> {
        self.intern_tagged(key, tag(key))
    }

    /// Third step of a look-up in company, for a key with that tag and
    /// [guess](Self::guess).
    #[inline]
    pub(crate) fn intern_guessed(
        &mut self,
        chain: Chain,
        address: &Address,
        tag: Tag,
        guess: Option<AccountId>,
    ) -> Option<AccountId> {
        guess
            .filter(|id| self.all[id.index()].is(chain, address))
            .or_else(|| self.intern_tagged(AccountKey { chain, address: *address }, tag))
    }

    fn intern_tagged(&mut self, key: AccountKey, tag: Tag) -> Option<AccountId> {
        if let Some(id) = self.index.find(tag, |id| self.key(id) == key) {
            return Some(id);
        }
        let id = AccountId(u32::try_from(self.all.len()).ok().filter(|id| *id < u32::MAX)?);
        self.all.push(Account::new(key));
        self.index.insert(tag, id);
        Some(id)
    }

    /// These accounts, with ids in this order; `None` when two are the same, or
    /// 32 bits cannot name them all.
    pub(crate) fn of(keys: Vec<AccountKey>) -> Option<Accounts> {
        let count = keys.len();
        let mut accounts =
            Accounts { all: Vec::with_capacity(count).into(), index: Index::with_capacity(count) };
        for (at, key) in keys.into_iter().enumerate() {
            accounts.intern(key).filter(|id| id.index() == at)?;
        }
        Some(accounts)
    }

    /// The account's id, if it was ever named.
    pub(crate) fn find(&self, key: AccountKey) -> Option<AccountId> {
        self.index.find(tag(key), |id| self.key(id) == key)
    }

    /// First step of a look-up in company, when memory is far: asks for where
    /// the id may stand.
    #[inline]
    pub(crate) fn ask(&self, key: AccountKey) -> Tag {
        let tag = tag(key);
        self.index.prefetch(tag);
        tag
    }

    /// Second step: the id that it most likely is, and all that is known of that
    /// account is asked for.
    #[inline]
    pub(crate) fn guess(&self, tag: Tag) -> Option<AccountId> {
        let id = self.index.find(tag, |_| true)?;
        prefetch(&self.all, id.index());
        Some(id)
    }

    #[inline]
    pub(crate) fn key(&self, id: AccountId) -> AccountKey {
        self.all[id.index()].key()
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// The keys from that of id `first` on.
    pub(crate) fn keys_from(&self, first: usize) -> impl Iterator<Item = AccountKey> {
        self.all[first..].iter().map(Account::key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_ids_in_order_of_first_sight() {
        let mut accounts = Accounts::default();
        let key = |chain, byte| AccountKey { chain, address: Address([byte; 20]) };
        for round in 0..2 {
            for byte in 0..200 {
                let id = accounts.intern(key(Chain::Tron, byte)).expect("room");
                assert_eq!(id, AccountId(u32::from(byte)), "round {round}");
            }
        }
        assert_eq!(accounts.intern(key(Chain::Ethereum, 0)), Some(AccountId(200)));
        assert_eq!(accounts.find(key(Chain::Tron, 7)), Some(AccountId(7)));
        assert_eq!(accounts.find(key(Chain::Ethereum, 7)), None);
        assert_eq!(accounts.len(), 201);
        assert_eq!(size_of::<AccountKey>(), 21);
    }
}
