//! The accounts of a walk through the past: only those that its lanes touch
//! are known, and what their chunks hold is asked for as they are touched.

use foldhash::fast::FixedState;
use hashbrown::HashSet;

use crate::movement::AccountId;
use crate::prefetch::prefetch;
use crate::trace::Book;

/// One bit for each account.
#[derive(Debug, Default)]
pub(super) struct Bits(Vec<u64>);

impl Bits {
    fn grow(&mut self, accounts: usize) {
        let words = accounts.div_ceil(64);
        if self.0.len() < words {
            self.0.resize(words, 0);
        }
    }

    pub(super) fn has(&self, account: u32) -> bool {
        let word = self.0.get(account as usize / 64).copied().unwrap_or(0);
        word >> (account % 64) & 1 == 1
    }

    fn set(&mut self, account: u32) {
        self.0[account as usize / 64] |= 1 << (account % 64);
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct WalkBook {
    slots: Vec<u32>,
    /// Accounts with taints: their debits matter.
    pub(super) sends: Bits,
    /// Accounts of which everything is tainted: their credits matter too.
    pub(super) hears: Bits,
    /// Both kinds, in order of first touch.
    pub(super) touched: Vec<AccountId>,
    /// Those of them that nobody has looked for since.
    pub(super) fresh: Vec<AccountId>,
    /// Active sources.
    pub(super) sources: Vec<AccountId>,
    frozen: HashSet<AccountId, FixedState>,
    /// Under `poison` whoever is touched is tainted whole.
    poison: bool,
}

impl WalkBook {
    pub(super) fn new(accounts: usize, poison: bool) -> WalkBook {
        // Zeroed memory costs nothing until it is touched.
        let slots = vec![0; accounts];
        let mut book = WalkBook { slots, poison, ..WalkBook::default() };
        book.grow(accounts);
        book
    }

    pub(super) fn grow(&mut self, accounts: usize) {
        if self.slots.len() < accounts {
            self.slots.resize(accounts, 0);
        }
        self.sends.grow(accounts);
        self.hears.grow(accounts);
    }

    /// The account became a source: what reaches it matters from now on.
    pub(super) fn hear(&mut self, account: AccountId) {
        self.hears.set(account.0);
        self.sources.push(account);
        self.fresh.push(account);
    }

    pub(super) fn set_frozen(&mut self, account: AccountId, frozen: bool) {
        if frozen {
            self.frozen.insert(account);
        } else {
            self.frozen.remove(&account);
        }
    }

    /// Brings near where the taints of an account stand.
    pub(super) fn prefetch(&self, account: u32) {
        prefetch(&self.slots, account as usize);
    }

    /// Whether a transfer between these two can change anything.
    pub(super) fn concerns(&self, from: u32, to: u32) -> bool {
        self.sends.has(from) || self.hears.has(to)
    }
}

impl Book for WalkBook {
    fn slot(&self, account: AccountId) -> u32 {
        self.slots[account.index()]
    }

    fn set_slot(&mut self, account: AccountId, slot: u32) {
        self.slots[account.index()] = slot;
        self.sends.set(account.0);
        if self.poison {
            self.hears.set(account.0);
        }
        self.touched.push(account);
        self.fresh.push(account);
    }

    fn is_frozen(&self, account: AccountId) -> bool {
        self.frozen.contains(&account)
    }
}
