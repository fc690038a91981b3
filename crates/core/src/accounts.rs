//! The accounts that were ever named, and their dense ids.
//!
//! What always holds: ids rise in order of first sight and are never taken
//! back; the index is never iterated, so no order depends on hashing.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use crate::AccountKey;
use crate::movement::AccountId;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    keys: Vec<AccountKey>,
    /// Ids by the hash of their key: 4 bytes each, the key stands in `keys`.
    ids: HashTable<AccountId>,
}

/// The key as three words: quicker to mix than 21 bytes.
fn hash(key: AccountKey) -> u64 {
    let bytes = &key.address.0;
    let word = |at: usize| {
        let word = bytes[at..at + 8].try_into().expect("8 bytes");
        u64::from_le_bytes(word)
    };
    FixedState::default().hash_one((word(0), word(8), word(12), key.chain.index()))
}

impl Accounts {
    /// The account's id, given on first sight; `None` when 32 bits cannot name
    /// one more.
    pub(crate) fn intern(&mut self, key: AccountKey) -> Option<AccountId> {
        let hash = hash(key);
        let keys = &self.keys;
        if let Some(id) = self.ids.find(hash, |id| keys[id.index()] == key) {
            return Some(*id);
        }
        let id = AccountId(u32::try_from(self.keys.len()).ok().filter(|id| *id < u32::MAX)?);
        self.keys.push(key);
        let Accounts { keys, ids } = self;
        ids.insert_unique(hash, id, |id| self::hash(keys[id.index()]));
        Some(id)
    }

    /// These accounts, with ids in this order; `None` when two are the same, or
    /// 32 bits cannot name them all.
    pub(crate) fn of(keys: Vec<AccountKey>) -> Option<Accounts> {
        let count = u32::try_from(keys.len()).ok().filter(|count| *count < u32::MAX)?;
        let mut ids = HashTable::with_capacity(keys.len());
        for id in (0..count).map(AccountId) {
            let key = keys[id.index()];
            let same = |other: &AccountId| keys[other.index()] == key;
            match ids.entry(hash(key), same, |id| hash(keys[id.index()])) {
                Entry::Occupied(_) => return None,
                Entry::Vacant(place) => place.insert(id),
            };
        }
        Some(Accounts { keys, ids })
    }

    /// The account's id, if it was ever named.
    pub(crate) fn find(&self, key: AccountKey) -> Option<AccountId> {
        self.ids.find(hash(key), |id| self.keys[id.index()] == key).copied()
    }

    pub(crate) fn key(&self, id: AccountId) -> AccountKey {
        self.keys[id.index()]
    }

    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// All keys, by id.
    pub(crate) fn keys(&self) -> &[AccountKey] {
        &self.keys
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Address, Chain};

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
