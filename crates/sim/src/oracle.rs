//! What taint ought to be, worked out the slow and obvious way.
//!
//! The oracle follows the definition of taint clause by clause with plain maps,
//! one case at a time and from the first event on. It shares nothing with the
//! engine but the types of its input, so an error would have to be made twice
//! to go unnoticed. After every event it checks that the units a case emitted
//! are all accounted for.
//!
//! Deliberately absent: speed, undo, late opening and every shortcut.

use std::collections::{BTreeMap, BTreeSet};

use flow_core::{
    AccountKey, Action, Address, Amount, Block, Case, Chain, Label, LedgerEvent, Source,
};

/// Where the units of one case are after the last event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseAnswer {
    /// The case's id.
    pub case: String,
    /// Every account that holds tainted units, in the order of accounts.
    pub rows: Vec<Row>,
    /// The two sides of the conservation identity.
    pub totals: Totals,
}

/// An account that holds tainted units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The account.
    pub account: AccountKey,
    /// All units it holds.
    pub balance: Amount,
    /// The tainted ones among them.
    pub tainted: Amount,
    /// Hops from the nearest source; 0 for a source wallet.
    pub hops: u32,
    /// Whether the issuer has frozen it.
    pub frozen: bool,
}

/// Units of one case by what became of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Units that turned from clean to tainted.
    pub emitted: u128,
    /// Tainted units in accounts that are not frozen.
    pub held: u128,
    /// Tainted units in frozen accounts.
    pub frozen: u128,
    /// Tainted units that reached a service, by its name.
    pub service: BTreeMap<String, u128>,
    /// Tainted units redeemed.
    pub redeemed: u128,
    /// Tainted units destroyed.
    pub destroyed: u128,
    /// Tainted units that arrived in lots too small to follow.
    pub dust: u128,
    /// Tainted units that went further than the case is followed.
    pub horizon: u128,
}

impl Totals {
    /// The right side of the identity: all that has become of emitted units.
    pub fn accounted_for(&self) -> u128 {
        let service: u128 = self.service.values().sum();
        self.held
            + self.frozen
            + service
            + self.redeemed
            + self.destroyed
            + self.dust
            + self.horizon
    }
}

/// Traces each case by itself through all blocks under `haircut`.
///
/// Labels and cases are known from the first event. Blocks of a chain come in
/// order; how the chains interleave does not matter.
///
/// # Panics
///
/// When the conservation identity fails, which would be an error of the oracle.
pub fn trace(
    blocks: &[Block],
    cases: &[Case],
    labels: &[Label],
    opening: &[(AccountKey, Amount)],
) -> Vec<CaseAnswer> {
    cases
        .iter()
        .map(|case| {
            let mut trace = Trace::new(case, labels, opening);
            for block in blocks {
                for event in &block.events {
                    trace.apply(block, event);
                    trace.check();
                }
            }
            trace.answer()
        })
        .collect()
}

/// Tainted units that leave with `amount` of `balance` units, `tainted` of them
/// tainted, under `haircut`: in proportion, rounded down. Another policy would
/// differ here, and where it keeps more of an account than two sums.
fn moved_by_haircut(balance: Amount, tainted: Amount, amount: Amount) -> Amount {
    let moved = u128::from(tainted) * u128::from(amount) / u128::from(balance);
    Amount::try_from(moved).expect("no more than the tainted units leave")
}

#[derive(Clone, Copy, Default)]
struct Holding {
    balance: Amount,
    tainted: Amount,
    /// Meaningful while tainted units are held.
    hops: u32,
    frozen: bool,
}

/// Units on their way from a debit to a credit.
#[derive(Clone, Copy)]
struct Parcel {
    amount: Amount,
    tainted: Amount,
    hops: u32,
}

struct Trace<'a> {
    case: &'a Case,
    /// The accounts where tracing stops, with the service's name.
    stops: BTreeMap<AccountKey, &'a str>,
    active_sources: BTreeSet<AccountKey>,
    accounts: BTreeMap<AccountKey, Holding>,
    totals: Totals,
}

impl<'a> Trace<'a> {
    fn new(case: &'a Case, labels: &'a [Label], opening: &[(AccountKey, Amount)]) -> Self {
        let mut stops = BTreeMap::new();
        for label in labels {
            // A later label for the same account replaces the earlier.
            if label.stop {
                stops.insert(label.account, label.entity.as_str());
            } else {
                stops.remove(&label.account);
            }
        }
        let mut trace = Trace {
            case,
            stops,
            active_sources: BTreeSet::new(),
            accounts: BTreeMap::new(),
            totals: Totals::default(),
        };
        for (account, balance) in opening {
            trace.accounts.entry(*account).or_default().balance += *balance;
        }
        // Since block 0 means always: before the first event, too.
        for chain in Chain::ALL {
            trace.activate_sources(chain, 0);
        }
        trace.check();
        trace
    }

    fn apply(&mut self, block: &Block, event: &LedgerEvent) {
        if matches!(event.action, Action::Multisig(_)) {
            return; // Moves no units, so it is no event of the ledger.
        }
        let chain = block.chain;
        self.activate_sources(chain, block.number);
        let key = |address: Address| AccountKey { chain, address };
        match event.action {
            Action::Transfer { from, to, amount } => {
                if amount > 0 && from != to && self.has_room(key(to), amount) {
                    let parcel = self.debit(key(from), amount);
                    let parcel = self.taint_source_transfer(chain, event, parcel);
                    self.credit(key(to), parcel);
                }
            }
            Action::Issue { to, amount } => {
                if amount > 0 && self.has_room(key(to), amount) {
                    self.credit(key(to), Parcel { amount, tainted: 0, hops: 0 });
                }
            }
            Action::Redeem { from, amount } => {
                if amount > 0 {
                    self.totals.redeemed += u128::from(self.debit(key(from), amount).tainted);
                }
            }
            Action::Destroy { account, amount } => {
                if amount > 0 {
                    self.totals.destroyed += u128::from(self.debit(key(account), amount).tainted);
                }
            }
            Action::BlacklistAdd { account } => self.set_frozen(key(account), true),
            Action::BlacklistRemove { account } => self.set_frozen(key(account), false),
            Action::Multisig(_) => {}
        }
    }

    /// Wallet sources become active with the first event at or after their
    /// block: every unit that they hold turns tainted.
    fn activate_sources(&mut self, chain: Chain, number: u64) {
        for source in &self.case.sources {
            let Source::Wallet { account, since_block } = *source else {
                continue;
            };
            let due = account.chain == chain && since_block <= number;
            if due && self.active_sources.insert(account) {
                let holding = self.accounts.entry(account).or_default();
                self.totals.emitted += u128::from(holding.balance - holding.tainted);
                holding.tainted = holding.balance;
            }
        }
    }

    /// An event that would carry a balance beyond 2^64 − 1 is left out whole.
    fn has_room(&self, account: AccountKey, amount: Amount) -> bool {
        let balance = self.accounts.get(&account).map_or(0, |holding| holding.balance);
        balance.checked_add(amount).is_some()
    }

    fn debit(&mut self, account: AccountKey, amount: Amount) -> Parcel {
        let is_source = self.active_sources.contains(&account);
        let holding = self.accounts.entry(account).or_default();
        if amount > holding.balance {
            let missing = amount - holding.balance;
            holding.balance += missing;
            if is_source {
                holding.tainted += missing;
                self.totals.emitted += u128::from(missing);
            }
        }
        let hops_before = if is_source { 0 } else { holding.hops };
        let tainted = moved_by_haircut(holding.balance, holding.tainted, amount);
        holding.balance -= amount;
        holding.tainted -= tainted;
        Parcel { amount, tainted, hops: hops_before + 1 }
    }

    /// If the transfer itself is a source, all of its units are tainted and one
    /// hop away, whatever they were before; the clean ones are emitted.
    fn taint_source_transfer(
        &mut self,
        chain: Chain,
        event: &LedgerEvent,
        parcel: Parcel,
    ) -> Parcel {
        let is_source = self.case.sources.iter().any(|source| match *source {
            Source::Transfer { chain: of, tx, log_index } => {
                of == chain && tx == event.tx && Some(log_index) == event.log_index
            }
            Source::Wallet { .. } => false,
        });
        if !is_source {
            return parcel;
        }
        self.totals.emitted += u128::from(parcel.amount - parcel.tainted);
        Parcel { amount: parcel.amount, tainted: parcel.amount, hops: 1 }
    }

    /// The first rule that applies decides; the units arrive in any case.
    fn credit(&mut self, account: AccountKey, parcel: Parcel) {
        let tainted = u128::from(parcel.tainted);
        let holding = self.accounts.entry(account).or_default();
        holding.balance += parcel.amount;
        if self.active_sources.contains(&account) {
            holding.tainted += parcel.amount;
            self.totals.emitted += u128::from(parcel.amount) - tainted;
        } else if parcel.tainted == 0 {
            // Nothing tainted arrived, so no rule has anything to decide.
        } else if let Some(entity) = self.stops.get(&account) {
            *self.totals.service.entry((*entity).to_owned()).or_default() += tainted;
        } else if self.case.max_hops.is_some_and(|max_hops| parcel.hops > max_hops) {
            self.totals.horizon += tainted;
        } else if parcel.tainted < self.case.min_units {
            self.totals.dust += tainted;
        } else {
            let held_some = holding.tainted > 0;
            holding.hops = if held_some { holding.hops.min(parcel.hops) } else { parcel.hops };
            holding.tainted += parcel.tainted;
        }
    }

    fn set_frozen(&mut self, account: AccountKey, frozen: bool) {
        self.accounts.entry(account).or_default().frozen = frozen;
    }

    /// The totals with what accounts hold now counted in.
    fn counted(&self) -> Totals {
        let mut totals = self.totals.clone();
        for holding in self.accounts.values() {
            let sum = if holding.frozen { &mut totals.frozen } else { &mut totals.held };
            *sum += u128::from(holding.tainted);
        }
        totals
    }

    fn check(&self) {
        for (account, holding) in &self.accounts {
            assert!(holding.tainted <= holding.balance, "more tainted than held: {account:?}");
        }
        let totals = self.counted();
        assert_eq!(totals.emitted, totals.accounted_for(), "units got lost: {}", self.case.id);
    }

    fn answer(&self) -> CaseAnswer {
        let rows = self
            .accounts
            .iter()
            .filter(|(_, holding)| holding.tainted > 0)
            .map(|(account, holding)| Row {
                account: *account,
                balance: holding.balance,
                tainted: holding.tainted,
                hops: if self.active_sources.contains(account) { 0 } else { holding.hops },
                frozen: holding.frozen,
            })
            .collect();
        CaseAnswer { case: self.case.id.clone(), rows, totals: self.counted() }
    }
}
