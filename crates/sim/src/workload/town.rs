//! The honest traffic of one chain.
//!
//! A town has private wallets, some far busier than others, and exchanges with
//! hot wallets and deposit addresses that are swept now and then. What always
//! holds: nobody sends more than they have, so that no history is missing.

use std::collections::VecDeque;

use flow_core::{AccountKey, Action, Address, Amount, Chain, Label};

use super::crime::Planned;
use crate::dice::Dice;
use crate::feed::{ETHEREUM_OWNER, TRON_OWNER};

/// One USDT in base units.
pub(super) const USDT: Amount = 1_000_000;

/// A thousand million USDT in each hot wallet, which none will spend.
const HOT_OPENING: Amount = 1_000_000_000 * USDT;

const SERVICES: [(&str, &str, usize); 6] = [
    ("Alder Exchange", "exchange", 3),
    ("Birch Exchange", "exchange", 2),
    ("Cedar Exchange", "exchange", 1),
    ("Dogwood Exchange", "exchange", 1),
    ("Elm Bridge", "bridge", 1),
    ("Fir Swap", "exchange", 1),
];

#[derive(Clone, Debug)]
pub(super) struct Town {
    chain: Chain,
    /// Wallets of people, the busiest first.
    wallets: Vec<Wallet>,
    /// Hot wallets, with the index of their service.
    hot: Vec<(Address, usize)>,
    /// Deposit addresses. Which service sweeps one follows from its place.
    deposits: Vec<Wallet>,
    /// Deposit addresses that hold units, in the order of arrival.
    unswept: VecDeque<usize>,
    /// What each wallet held before the first block.
    opening: Vec<Amount>,
}

#[derive(Clone, Copy, Debug)]
struct Wallet {
    address: Address,
    balance: Amount,
}

impl Town {
    pub(super) fn settle(chain: Chain, wallets: usize, dice: &mut Dice) -> Town {
        let mut hot = Vec::new();
        for (service, (_, _, count)) in SERVICES.iter().enumerate() {
            hot.extend((0..*count).map(|_| (Address(dice.bytes()), service)));
        }
        let wallets: Vec<Wallet> = (0..wallets)
            .map(|_| Wallet { address: Address(dice.bytes()), balance: typical_amount(dice) })
            .collect();
        let deposits = (0..wallets.len() / 4)
            .map(|_| Wallet { address: Address(dice.bytes()), balance: 0 })
            .collect();
        let opening = wallets.iter().map(|wallet| wallet.balance).collect();
        Town { chain, wallets, hot, deposits, unswept: VecDeque::new(), opening }
    }

    pub(super) fn chain(&self) -> Chain {
        self.chain
    }

    pub(super) fn key(&self, address: Address) -> AccountKey {
        AccountKey { chain: self.chain, address }
    }

    pub(super) fn opening(&self) -> Vec<(AccountKey, Amount)> {
        let hot = self.hot.iter().map(|(address, _)| (self.key(*address), HOT_OPENING));
        let wallets = self.wallets.iter().zip(&self.opening);
        hot.chain(wallets.map(|(wallet, units)| (self.key(wallet.address), *units))).collect()
    }

    pub(super) fn labels(&self) -> Vec<Label> {
        let label = |(address, service): &(Address, usize)| {
            let (entity, kind, _) = SERVICES[*service];
            let account = self.key(*address);
            Label { account, entity: entity.to_owned(), kind: kind.to_owned(), stop: true }
        };
        self.hot.iter().map(label).collect()
    }

    /// The address of some private wallet.
    pub(super) fn resident(&self, dice: &mut Dice) -> Address {
        self.wallets[self.wallet(dice)].address
    }

    /// A hot wallet with the name of its service.
    pub(super) fn hot_wallet(&self, index: usize) -> (Address, &'static str) {
        let (address, service) = self.hot[index % self.hot.len()];
        (address, SERVICES[service].0)
    }

    /// Lets private wallets spend what a planned event pays them.
    pub(super) fn receive(&mut self, planned: &Planned) {
        for action in &planned.actions {
            if let Action::Transfer { to, amount, .. } = *action
                && let Some(wallet) = self.wallets.iter_mut().find(|wallet| wallet.address == to)
            {
                wallet.balance += amount;
            }
        }
    }

    /// One transaction of the town's day.
    pub(super) fn ordinary(&mut self, dice: &mut Dice) -> Vec<Action> {
        let one = match dice.below(1_000) {
            0..25 => self.poison(dice),
            25..270 => {
                let to = self.wallet(dice);
                self.withdraw(to, dice)
            }
            270..430 => self.deposit(dice),
            430..580 => self.sweep(dice),
            580..980 => self.pay(dice),
            980..999 => self.rebalance(dice),
            _ => return self.issue(dice),
        };
        vec![one]
    }

    /// Half of all picks are even; the other half fall on ever busier groups
    /// of 8, 16, 32… wallets alike, so that degrees follow a power law.
    fn wallet(&self, dice: &mut Dice) -> usize {
        let count = self.wallets.len();
        if dice.one_in(2) {
            return dice.index(count);
        }
        let groups = (count / 8 + 1).ilog2() + 1;
        let group = 8_usize << dice.below(u64::from(groups));
        (group - 8 + dice.index(group)) % count
    }

    /// A transfer of nothing to an address that looks like a known one.
    fn poison(&self, dice: &mut Dice) -> Action {
        let from = self.resident(dice);
        let mut to = self.resident(dice);
        to.0[3..17].copy_from_slice(&dice.bytes::<14>());
        Action::Transfer { from, to, amount: 0 }
    }

    fn withdraw(&mut self, to: usize, dice: &mut Dice) -> Action {
        let (from, _) = dice.pick(&self.hot);
        let amount = typical_amount(dice);
        self.wallets[to].balance += amount;
        Action::Transfer { from, to: self.wallets[to].address, amount }
    }

    fn pay(&mut self, dice: &mut Dice) -> Action {
        let (from, to) = (self.wallet(dice), self.wallet(dice));
        let amount = typical_amount(dice).min(self.wallets[from].balance);
        if amount == 0 || from == to {
            return self.withdraw(from, dice);
        }
        self.wallets[from].balance -= amount;
        self.wallets[to].balance += amount;
        let (from, to) = (self.wallets[from].address, self.wallets[to].address);
        Action::Transfer { from, to, amount }
    }

    fn deposit(&mut self, dice: &mut Dice) -> Action {
        let from = self.wallet(dice);
        let to = from % self.deposits.len();
        let amount = typical_amount(dice).min(self.wallets[from].balance);
        if amount == 0 {
            return self.withdraw(from, dice);
        }
        self.wallets[from].balance -= amount;
        if self.deposits[to].balance == 0 {
            self.unswept.push_back(to);
        }
        self.deposits[to].balance += amount;
        let (from, to) = (self.wallets[from].address, self.deposits[to].address);
        Action::Transfer { from, to, amount }
    }

    fn sweep(&mut self, dice: &mut Dice) -> Action {
        let Some(from) = self.unswept.pop_front() else {
            return self.deposit(dice);
        };
        let amount = std::mem::take(&mut self.deposits[from].balance);
        let (to, _) = self.hot_wallet(from);
        Action::Transfer { from: self.deposits[from].address, to, amount }
    }

    fn rebalance(&self, dice: &mut Dice) -> Action {
        let from = dice.index(self.hot.len());
        let (to, _) = self.hot_wallet(from + 1);
        let amount = dice.between(10, 500) * 1_000 * USDT;
        Action::Transfer { from: self.hot[from].0, to, amount }
    }

    /// The issuer makes new units and hands them to an exchange.
    fn issue(&self, dice: &mut Dice) -> Vec<Action> {
        let owner = match self.chain {
            Chain::Ethereum => ETHEREUM_OWNER,
            Chain::Tron => TRON_OWNER,
        };
        let amount = dice.between(1, 20) * 1_000_000 * USDT;
        let (to, _) = dice.pick(&self.hot);
        vec![Action::Issue { to: owner, amount }, Action::Transfer { from: owner, to, amount }]
    }
}

/// From about one USDT to about 130 000, each magnitude alike; a third of the
/// amounts are round.
fn typical_amount(dice: &mut Dice) -> Amount {
    let low = 1 << dice.between(20, 36);
    let amount = dice.between(low, 2 * low);
    if dice.one_in(3) { amount.next_multiple_of(10 * USDT) } else { amount }
}
