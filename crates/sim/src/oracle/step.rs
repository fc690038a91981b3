//! One case under one policy, event by event.
//!
//! What always holds after an event: an active source holds nothing but tainted
//! units, and so does every touched account under `poison`; the hop count of an
//! account means something while it is in the trace.

use std::collections::{BTreeMap, BTreeSet};

use flow_core::{
    AccountKey, Action, Address, Amount, Block, Case, Chain, Label, LedgerEvent, Policy, Source,
    TxHash,
};

use super::rules::{Account, Parcel};
use super::units::Units;
use super::{CaseAnswer, Row, Totals};

/// What one transfer did, for one case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What the sender held before the debit, after any shortfall.
    pub from_before: Amount,
    /// The tainted units among them.
    pub from_tainted: Amount,
    /// The tainted units that left; all units if the transfer is a source.
    pub moved: Amount,
    /// Their hop count on arrival; 0 if none is tainted.
    pub hops: u32,
    /// What became of them.
    pub outcome: Outcome,
}

/// The rule that dealt with the units that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver is an active source, whatever arrived there.
    AtSource,
    /// None of the units is tainted, so no rule applied.
    Clean,
    /// They reached the service of that name.
    Service(String),
    /// They went further than the case is followed.
    Horizon,
    /// They were too few to follow.
    Dust,
    /// They are tainted at the receiver.
    Held,
}

/// What an account holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holding {
    /// All units.
    pub balance: Amount,
    /// The tainted ones among them.
    pub tainted: Amount,
    /// Hops from the nearest source; 0 for a source and for a clean account.
    pub hops: u32,
    /// Whether the account is in the trace: it holds tainted units, or under
    /// `poison` was ever touched.
    pub in_trace: bool,
}

/// Traces one case under one policy, from the first event on.
#[derive(Clone, Debug)]
pub struct Oracle {
    pub(super) policy: Policy,
    pub(super) case: Case,
    /// The accounts where tracing stops, with the service's name.
    pub(super) stops: BTreeMap<AccountKey, String>,
    /// Source wallets not active yet, by chain and first block.
    pub(super) waiting: BTreeSet<(Chain, u64, AccountKey)>,
    pub(super) active_sources: BTreeSet<AccountKey>,
    pub(super) source_transfers: BTreeSet<(Chain, TxHash, u32)>,
    pub(super) accounts: BTreeMap<AccountKey, Account>,
    /// Without what accounts hold.
    pub(super) totals: Totals,
}

impl Oracle {
    /// The state before the first event. Labels are known from there on; of two
    /// for one account the later counts.
    pub fn new(
        policy: Policy,
        case: &Case,
        labels: &[Label],
        opening: &[(AccountKey, Amount)],
    ) -> Self {
        let mut oracle = Oracle {
            policy,
            case: case.clone(),
            stops: stops(labels),
            waiting: BTreeSet::new(),
            active_sources: BTreeSet::new(),
            source_transfers: BTreeSet::new(),
            accounts: BTreeMap::new(),
            totals: Totals::default(),
        };
        for source in &case.sources {
            match *source {
                Source::Wallet { account, since_block } => {
                    oracle.waiting.insert((account.chain, since_block, account));
                }
                Source::Transfer { chain, tx, log_index } => {
                    oracle.source_transfers.insert((chain, tx, log_index));
                }
            }
        }
        for (account, balance) in opening {
            oracle.account(*account).units.add(policy, Units::clean(*balance));
        }
        // Since block 0 means always: before the first event, too.
        for chain in Chain::ALL {
            oracle.activate_sources(chain, 0);
        }
        oracle
    }

    /// Applies an event of the block. Blocks of a chain come in order. Tells of
    /// a transfer of more than 0 units between two accounts, if the receiver
    /// had room for it; of nothing else.
    pub fn apply(&mut self, block: &Block, event: &LedgerEvent) -> Option<Step> {
        if matches!(event.action, Action::Multisig(_)) {
            return None; // Moves no units, so it is no event of the ledger.
        }
        let chain = block.chain;
        self.activate_sources(chain, block.number);
        let key = |address: Address| AccountKey { chain, address };
        match event.action {
            Action::Transfer { from, to, amount } => {
                if amount > 0 && from != to && self.has_room(key(to), amount) {
                    return Some(self.transfer(key(from), key(to), amount, event));
                }
            }
            Action::Issue { to, amount } => {
                if amount > 0 && self.has_room(key(to), amount) {
                    self.credit(key(to), Parcel { units: Units::clean(amount), hops: 0 });
                }
            }
            Action::Redeem { from, amount } => {
                self.totals.redeemed += self.burn(key(from), amount);
            }
            Action::Destroy { account, amount } => {
                self.totals.destroyed += self.burn(key(account), amount);
            }
            Action::BlacklistAdd { account } => self.account(key(account)).frozen = true,
            Action::BlacklistRemove { account } => self.account(key(account)).frozen = false,
            Action::Multisig(_) => {}
        }
        None
    }

    /// What the account holds now.
    pub fn holding(&self, account: AccountKey) -> Holding {
        let Some(found) = self.accounts.get(&account) else {
            return Holding::default();
        };
        Holding {
            balance: found.units.total(),
            tainted: found.units.tainted(),
            hops: if found.in_trace() { self.hops(account, found) } else { 0 },
            in_trace: found.in_trace(),
        }
    }

    /// The account's units from the oldest to the newest, as runs of equal ones
    /// with whether they are tainted. The order means something under `fifo`
    /// and `lifo` alone.
    pub fn runs(&self, account: AccountKey) -> Vec<(Amount, bool)> {
        let found = self.accounts.get(&account);
        found.map_or_else(Vec::new, |account| account.units.runs().collect())
    }

    /// Where the units of the case are now.
    pub fn answer(&self) -> CaseAnswer {
        let in_trace = self.accounts.iter().filter(|(_, found)| found.in_trace());
        let rows = in_trace.map(|(account, found)| Row {
            account: *account,
            balance: found.units.total(),
            tainted: found.units.tainted(),
            hops: self.hops(*account, found),
            frozen: found.frozen,
        });
        CaseAnswer { case: self.case.id.clone(), rows: rows.collect(), totals: self.counted() }
    }

    /// Goes through all accounts and checks what must always hold.
    ///
    /// # Panics
    ///
    /// When it does not, which would be an error of the oracle.
    pub fn check(&self) {
        for (account, found) in &self.accounts {
            found.units.check();
            let whole = if found.touched { found.units.total() } else { 0 };
            let poison = self.policy == Policy::Poison;
            assert!(poison || !found.touched, "touched without poison: {account:?}");
            assert!(!poison || found.units.tainted() == whole, "not poisoned: {account:?}");
        }
        if self.policy != Policy::Poison {
            let totals = self.counted();
            assert_eq!(totals.emitted, totals.accounted_for(), "units got lost: {}", self.case.id);
        }
    }

    pub(super) fn hops(&self, account: AccountKey, found: &Account) -> u32 {
        if self.active_sources.contains(&account) { 0 } else { found.hops }
    }

    pub(super) fn account(&mut self, account: AccountKey) -> &mut Account {
        self.accounts.entry(account).or_default()
    }

    /// The totals with what accounts hold now counted in.
    fn counted(&self) -> Totals {
        let mut totals = self.totals.clone();
        for found in self.accounts.values() {
            let sum = if found.frozen { &mut totals.frozen } else { &mut totals.held };
            *sum += u128::from(found.units.tainted());
        }
        totals
    }
}

fn stops(labels: &[Label]) -> BTreeMap<AccountKey, String> {
    let mut stops = BTreeMap::new();
    for label in labels {
        // A later label for the same account replaces the earlier.
        if label.stop {
            stops.insert(label.account, label.entity.clone());
        } else {
            stops.remove(&label.account);
        }
    }
    stops
}
