//! Crimes planted in the traffic, with where their units end.
//!
//! Wallets made for a crime hold nothing but its units and deal only as
//! planned. So every unit that they hold is tainted, under any policy, and the
//! truth follows from adding and subtracting.

use std::collections::BTreeMap;

use flow_core::{AccountKey, Action, Address, Amount, Case, Chain, MultisigAction, Source, TxHash};

use super::SLOTS_PER_ETHEREUM_BLOCK;
use super::town::{Town, USDT};
use crate::dice::Dice;

/// A kind of planted crime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Crime {
    /// An unlicensed exchange on TRON: its cash-in wallet collects, the units
    /// pass through layers; some rest, some are cashed out.
    CashIn,
    /// A theft on Ethereum by a single transfer, then a peel chain. The issuer
    /// freezes its end.
    Phishing,
    /// A pyramid on TRON: one wallet collects from many, pays some back, and
    /// its organisers take the most.
    Pyramid,
}

impl Crime {
    /// The id of the crime's case.
    pub const fn case_id(self) -> &'static str {
        match self {
            Crime::CashIn => "unlicensed-exchange",
            Crime::Phishing => "phishing-theft",
            Crime::Pyramid => "pyramid",
        }
    }
}

/// Where the planted units are after the last block.
///
/// For the pyramid this lists the planted wallets alone: what it paid back goes
/// on through honest hands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Truth {
    /// Wallets in which planted units rest, by crime and account.
    pub rests: Vec<Rest>,
    /// Services that planted units reached, by crime and name.
    pub services: Vec<ServiceReached>,
}

/// Planted units at rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rest {
    /// The crime.
    pub crime: Crime,
    /// Where they rest.
    pub account: AccountKey,
    /// How many; all of them tainted.
    pub units: Amount,
    /// Whether the issuer has frozen the wallet.
    pub frozen: bool,
}

/// Planted units that were cashed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServiceReached {
    /// The crime.
    pub crime: Crime,
    /// The service.
    pub entity: &'static str,
    /// How many reached it.
    pub units: Amount,
}

/// One planned transaction.
#[derive(Clone, Debug)]
pub(super) struct Planned {
    pub(super) slot: u64,
    pub(super) chain: Chain,
    pub(super) tx: Option<TxHash>,
    pub(super) actions: Vec<Action>,
}

pub(super) struct Plan {
    /// In the order of slots.
    pub(super) events: Vec<Planned>,
    pub(super) cases: Vec<Case>,
    /// What victims and customers need to have for the plan.
    pub(super) opening: Vec<(AccountKey, Amount)>,
    pub(super) truth: Truth,
}

/// Plans every crime whose chain has a town.
pub(super) fn plan(towns: &mut [Town], slots: u64, dice: &mut Dice) -> Plan {
    let mut plan = Plan {
        events: Vec::new(),
        cases: Vec::new(),
        opening: Vec::new(),
        truth: Truth::default(),
    };
    for crime in [Crime::CashIn, Crime::Phishing, Crime::Pyramid] {
        let chain = if crime == Crime::Phishing { Chain::Ethereum } else { Chain::Tron };
        let Some(town) = towns.iter().find(|town| town.chain() == chain) else {
            continue;
        };
        let mut scheme = Scheme::new(crime, town, dice);
        let case = match crime {
            Crime::CashIn => scheme.cash_in(),
            Crime::Phishing => scheme.phishing(),
            Crime::Pyramid => scheme.pyramid(),
        };
        scheme.finish(case, slots, &mut plan);
    }
    plan.events.sort_by_key(|planned| planned.slot);
    plan
}

/// One crime while it is planned. Times are thousandths of the workload.
struct Scheme<'a> {
    crime: Crime,
    town: &'a Town,
    dice: &'a mut Dice,
    steps: Vec<(u64, Option<TxHash>, Vec<Action>)>,
    /// What each wallet made for the crime holds.
    purses: BTreeMap<Address, Amount>,
    services: BTreeMap<&'static str, Amount>,
    frozen: Option<Address>,
    opening: Vec<(AccountKey, Amount)>,
}

impl<'a> Scheme<'a> {
    fn new(crime: Crime, town: &'a Town, dice: &'a mut Dice) -> Self {
        Scheme {
            crime,
            town,
            dice,
            steps: Vec::new(),
            purses: BTreeMap::new(),
            services: BTreeMap::new(),
            frozen: None,
            opening: Vec::new(),
        }
    }

    fn cash_in(&mut self) -> Case {
        let till = self.wallet();
        for customer in 0..24 {
            let amount = self.dice.between(200, 5_000) * USDT;
            self.collect(20 + 10 * customer, till, amount);
        }
        let portion = self.purses[&till] / 5;
        for chain in 0..4_u64 {
            let mut time = 300 + 15 * chain;
            let mut mule = till;
            let mut amount = portion;
            for _ in 0..3 + chain % 3 {
                mule = self.forward(time, mule, amount);
                amount = amount / 10 * 9;
                time += 60;
            }
            if chain >= 2 {
                self.cash_out(time, mule, amount, usize::try_from(chain).expect("small"));
            }
        }
        self.case(
            "Cash-in wallet of an unlicensed exchange",
            "unlicensed exchange",
            self.wallet_source(till),
        )
    }

    fn phishing(&mut self) -> Case {
        let victim = self.wallet();
        let loot = 1_250_000 * USDT;
        self.opening.push((self.town.key(victim), loot));
        let tx = TxHash(self.dice.bytes());
        let thief = self.wallet();
        self.steps.push((250, Some(tx), vec![pay(victim, thief, loot)]));
        self.purses.insert(thief, loot);
        let (mut holder, mut amount) = (thief, loot);
        for peel in 0..5 {
            let time = 320 + 70 * peel;
            self.forward(time, holder, amount / 10);
            amount -= amount / 10;
            holder = self.forward(time + 20, holder, amount);
        }
        self.freeze(750, holder);
        let chain = self.town.chain();
        // The theft is the first planned event on its chain, and leads its block.
        let source = Source::Transfer { chain, tx, log_index: 0 };
        self.case("Theft by a fake airdrop", "phishing", source)
    }

    fn pyramid(&mut self) -> Case {
        let pot = self.wallet();
        let mut investors = Vec::new();
        for investor in 0..60 {
            let amount = self.dice.between(50, 3_000) * USDT;
            investors.push((self.collect(10 + 10 * investor, pot, amount), amount));
        }
        for (index, (investor, amount)) in (0..).zip(&investors) {
            if index % 3 == 0 {
                self.spend(620 + 2 * index, pot, *investor, amount / 2);
            }
        }
        let share = self.purses[&pot] / 5 * 2;
        self.forward(800, pot, share);
        self.forward(810, pot, share);
        self.case("Pyramid scheme", "pyramid", self.wallet_source(pot))
    }

    /// A new wallet.
    fn wallet(&mut self) -> Address {
        Address(self.dice.bytes())
    }

    /// Some resident pays into a wallet of the crime, from units kept for that.
    fn collect(&mut self, time: u64, to: Address, amount: Amount) -> Address {
        let from = self.town.resident(self.dice);
        self.opening.push((self.town.key(from), amount));
        self.steps.push((time, None, vec![pay(from, to, amount)]));
        *self.purses.entry(to).or_default() += amount;
        from
    }

    /// Passes units on to a new wallet, which is returned.
    fn forward(&mut self, time: u64, from: Address, amount: Amount) -> Address {
        let to = self.wallet();
        self.spend(time, from, to, amount);
        self.purses.insert(to, amount);
        to
    }

    fn spend(&mut self, time: u64, from: Address, to: Address, amount: Amount) {
        self.steps.push((time, None, vec![pay(from, to, amount)]));
        *self.purses.get_mut(&from).expect("spends what it got") -= amount;
    }

    /// By way of a fresh deposit address, swept a little later.
    fn cash_out(&mut self, time: u64, from: Address, amount: Amount, service: usize) {
        let deposit = self.forward(time, from, amount);
        let (hot, entity) = self.town.hot_wallet(service);
        self.spend(time + 10, deposit, hot, amount);
        *self.services.entry(entity).or_default() += amount;
    }

    /// The issuer's owners agree, then execute: three transactions.
    fn freeze(&mut self, time: u64, account: Address) {
        let id = self.dice.between(1_000, 9_000);
        let owners = [self.wallet(), self.wallet()];
        let submission = MultisigAction::Submission { id: Some(id), call: None };
        let confirmations = owners.map(|owner| MultisigAction::Confirmation { id, owner });
        let first = vec![Action::Multisig(submission), Action::Multisig(confirmations[0])];
        let execution = Action::Multisig(MultisigAction::Execution { id });
        let frozen = Action::BlacklistAdd { account };
        self.steps.push((time, None, first));
        self.steps.push((time + 40, None, vec![Action::Multisig(confirmations[1])]));
        self.steps.push((time + 80, None, vec![frozen, execution]));
        self.frozen = Some(account);
    }

    fn wallet_source(&self, wallet: Address) -> Source {
        Source::Wallet { account: self.town.key(wallet), since_block: 0 }
    }

    fn case(&self, title: &str, category: &str, source: Source) -> Case {
        Case {
            id: self.crime.case_id().to_owned(),
            title: Some(title.to_owned()),
            category: Some(category.to_owned()),
            sources: vec![source],
            min_units: 0,
            max_hops: None,
        }
    }

    fn finish(mut self, case: Case, slots: u64, plan: &mut Plan) {
        let (crime, chain) = (self.crime, self.town.chain());
        // In time order even where a short workload folds times into one slot.
        self.steps.sort_by_key(|(time, _, _)| *time);
        plan.events.extend(self.steps.into_iter().map(|(time, tx, actions)| {
            let slot = slots * time / 1_000;
            let slot = match chain {
                Chain::Tron => slot,
                Chain::Ethereum => slot / SLOTS_PER_ETHEREUM_BLOCK * SLOTS_PER_ETHEREUM_BLOCK,
            };
            Planned { slot, chain, tx, actions }
        }));
        plan.cases.push(case);
        plan.opening.extend(self.opening);
        let resting = self.purses.iter().filter(|(_, units)| **units > 0);
        plan.truth.rests.extend(resting.map(|(address, units)| Rest {
            crime,
            account: self.town.key(*address),
            units: *units,
            frozen: self.frozen == Some(*address),
        }));
        let reached = self.services.into_iter();
        plan.truth.services.extend(reached.map(|(entity, units)| ServiceReached {
            crime,
            entity,
            units,
        }));
    }
}

fn pay(from: Address, to: Address, amount: Amount) -> Action {
    Action::Transfer { from, to, amount }
}
