//! The clauses of the definition: what wakes a source, what a debit takes, and
//! which rule deals with what arrives.

use flow_core::{AccountKey, Address, Amount, Chain, LedgerEvent, Policy};

use super::step::{Oracle, Outcome, Step};
use super::units::Units;

/// An account of the ledger, as one case sees it.
#[derive(Clone, Debug, Default)]
pub(super) struct Account {
    pub(super) units: Units,
    /// Meaningful while the account is in the trace.
    pub(super) hops: u32,
    pub(super) frozen: bool,
    /// Ever touched by taint; under `poison` alone.
    pub(super) touched: bool,
}

impl Account {
    pub(super) fn in_trace(&self) -> bool {
        self.touched || self.units.tainted() > 0
    }

    pub(super) fn taint_all(&mut self) {
        self.units = Units::all_tainted(self.units.total());
    }
}

/// Units on their way from a debit to a credit.
pub(super) struct Parcel {
    pub(super) units: Units,
    pub(super) hops: u32,
}

impl Oracle {
    /// Wallet sources become active with the first event at or after their
    /// block: every unit that they hold turns tainted.
    pub(super) fn activate_sources(&mut self, chain: Chain, number: u64) {
        let due = |wallet: &&(Chain, u64, AccountKey)| wallet.0 == chain && wallet.1 <= number;
        let from = (chain, 0, AccountKey { chain: Chain::Ethereum, address: Address::ZERO });
        while let Some(wallet) = self.waiting.range(from..).next().filter(due).copied() {
            self.waiting.remove(&wallet);
            self.active_sources.insert(wallet.2);
            let poison = self.policy == Policy::Poison;
            let found = self.account(wallet.2);
            let clean = found.units.total() - found.units.tainted();
            found.taint_all();
            found.touched = poison;
            self.totals.emitted += u128::from(clean);
        }
    }

    /// An event that would carry a balance beyond 2^64 − 1 is left out whole.
    pub(super) fn has_room(&self, account: AccountKey, amount: Amount) -> bool {
        let balance = self.accounts.get(&account).map_or(0, |found| found.units.total());
        balance.checked_add(amount).is_some()
    }

    pub(super) fn transfer(
        &mut self,
        from: AccountKey,
        to: AccountKey,
        amount: Amount,
        event: &LedgerEvent,
    ) -> Step {
        self.fill_shortfall(from, amount);
        let before = self.holding(from);
        let parcel = self.debit(from, amount);
        let parcel = self.taint_source_transfer(from.chain, event, parcel);
        let moved = parcel.units.tainted();
        let hops = if moved > 0 { parcel.hops } else { 0 };
        let outcome = self.credit(to, parcel);
        Step { from_before: before.balance, from_tainted: before.tainted, moved, hops, outcome }
    }

    /// The tainted units that leave circulation with these.
    pub(super) fn burn(&mut self, account: AccountKey, amount: Amount) -> u128 {
        if amount == 0 {
            return 0;
        }
        self.fill_shortfall(account, amount);
        u128::from(self.debit(account, amount).units.tainted())
    }

    /// Units that a debit lacks were there before the first event: older than
    /// all others, and clean but where everything is tainted.
    fn fill_shortfall(&mut self, account: AccountKey, amount: Amount) {
        let is_source = self.active_sources.contains(&account);
        let found = self.account(account);
        let missing = amount.saturating_sub(found.units.total());
        found.units.add_oldest(missing, is_source || found.touched);
        if is_source {
            self.totals.emitted += u128::from(missing);
        }
    }

    fn debit(&mut self, account: AccountKey, amount: Amount) -> Parcel {
        let policy = self.policy;
        let hops_before = self.accounts.get(&account).map_or(0, |found| self.hops(account, found));
        let units = self.account(account).units.take(policy, amount);
        Parcel { units, hops: hops_before + 1 }
    }

    /// If the transfer itself is a source, all of its units are tainted and one
    /// hop away, whatever they were before; the clean ones are emitted.
    fn taint_source_transfer(
        &mut self,
        chain: Chain,
        event: &LedgerEvent,
        parcel: Parcel,
    ) -> Parcel {
        let name = event.log_index.map(|log_index| (chain, event.tx, log_index));
        if !name.is_some_and(|name| self.source_transfers.contains(&name)) {
            return parcel;
        }
        let amount = parcel.units.total();
        self.totals.emitted += u128::from(amount - parcel.units.tainted());
        Parcel { units: Units::all_tainted(amount), hops: 1 }
    }

    /// The first rule that applies decides; the units arrive in any case.
    pub(super) fn credit(&mut self, account: AccountKey, parcel: Parcel) -> Outcome {
        let (amount, tainted) = (parcel.units.total(), parcel.units.tainted());
        let outcome = self.rule(account, &parcel);
        let arriving = match &outcome {
            Outcome::AtSource => {
                self.totals.emitted += u128::from(amount - tainted);
                Units::all_tainted(amount)
            }
            Outcome::Service(entity) => {
                *self.totals.service.entry(entity.clone()).or_default() += u128::from(tainted);
                Units::clean(amount)
            }
            Outcome::Horizon => {
                self.totals.horizon += u128::from(tainted);
                Units::clean(amount)
            }
            Outcome::Dust => {
                self.totals.dust += u128::from(tainted);
                Units::clean(amount)
            }
            Outcome::Held | Outcome::Clean => parcel.units,
        };
        if outcome == Outcome::Held {
            self.touch(account, parcel.hops);
        }
        let policy = self.policy;
        let found = self.account(account);
        found.units.add(policy, arriving);
        if found.touched {
            found.taint_all();
        }
        outcome
    }

    fn rule(&self, account: AccountKey, parcel: &Parcel) -> Outcome {
        if self.active_sources.contains(&account) {
            Outcome::AtSource
        } else if parcel.units.tainted() == 0 {
            Outcome::Clean
        } else if let Some(entity) = self.stops.get(&account) {
            Outcome::Service(entity.clone())
        } else if self.case.max_hops.is_some_and(|max_hops| parcel.hops > max_hops) {
            Outcome::Horizon
        } else if parcel.units.tainted() < self.case.min_units {
            Outcome::Dust
        } else {
            Outcome::Held
        }
    }

    /// Tainted units are about to stay in the account.
    fn touch(&mut self, account: AccountKey, hops: u32) {
        let poison = self.policy == Policy::Poison;
        let found = self.account(account);
        found.hops = if found.in_trace() { found.hops.min(hops) } else { hops };
        found.touched = poison;
    }
}
