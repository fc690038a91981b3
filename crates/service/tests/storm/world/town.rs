//! Who lives on the chain: a few accounts, what they own, and what they do.
//!
//! Few accounts, so that units circulate; most amounts small, so that rounding
//! decides; some accounts run by services.

use std::collections::BTreeSet;

use flow_core::{
    AccountKey, Action, Address, Amount, Case, Chain, Label, LedgerEvent, Source, TxHash,
};
use flow_sim::Dice;

/// The accounts of a world, and its sources of transactions.
pub(crate) struct Town {
    pub(crate) chain: Chain,
    /// The last of them belong to services.
    accounts: Vec<Address>,
    services: usize,
    /// The most units that a transaction moves.
    most: Amount,
    transactions: u64,
}

impl Town {
    pub(crate) fn new(dice: &mut Dice, chain: Chain) -> Town {
        let services = dice.index(3);
        let accounts = 4 + dice.index(4) + services;
        Town {
            chain,
            accounts: (0..accounts).map(|_| Address(dice.bytes())).collect(),
            services,
            most: dice.pick(&[8, 8, 5_000]),
            transactions: 0,
        }
    }

    /// The most units that a transaction moves.
    pub(crate) fn most(&self) -> Amount {
        self.most
    }

    pub(crate) fn opening(&self, dice: &mut Dice) -> Vec<(AccountKey, Amount)> {
        let mut opening = Vec::new();
        for account in &self.accounts {
            if !dice.one_in(3) {
                opening.push((self.key(*account), dice.between(1, 4 * self.most)));
            }
        }
        opening
    }

    fn key(&self, address: Address) -> AccountKey {
        AccountKey { chain: self.chain, address }
    }

    /// A label for each service; tracing stops at most of them.
    pub(crate) fn labels(&self, dice: &mut Dice) -> Vec<Label> {
        let services = &self.accounts[self.accounts.len() - self.services..];
        let label = |(rank, address): (usize, &Address)| Label {
            account: self.key(*address),
            entity: ["Alder", "Birch"][rank % 2].to_owned(),
            kind: "exchange".to_owned(),
            stop: !dice.one_in(4),
        };
        services.iter().enumerate().map(label).collect()
    }

    /// The events of one new transaction.
    pub(crate) fn transaction(&mut self, dice: &mut Dice) -> Vec<LedgerEvent> {
        self.transactions += 1;
        let mut tx = [0xab; 32];
        tx[..8].copy_from_slice(&self.transactions.to_be_bytes());
        let tx = TxHash(tx);
        let single = |action| vec![LedgerEvent { tx, log_index: None, position: 0, action }];
        let account = dice.pick(&self.accounts);
        match dice.below(40) {
            0 => single(Action::Issue { to: account, amount: dice.between(1, self.most) }),
            1 => single(Action::Redeem { from: account, amount: dice.between(1, self.most) }),
            2 => single(Action::BlacklistAdd { account }),
            3 => single(Action::BlacklistRemove { account }),
            4 => single(Action::Destroy { account, amount: dice.between(1, self.most) }),
            _ => {
                let transfers = 1 + u32::from(dice.one_in(4));
                (0..transfers)
                    .map(|position| LedgerEvent {
                        tx,
                        log_index: None,
                        position,
                        action: self.transfer(dice),
                    })
                    .collect()
            }
        }
    }

    fn transfer(&self, dice: &mut Dice) -> Action {
        let (from, to) = (dice.pick(&self.accounts), dice.pick(&self.accounts));
        Action::Transfer { from, to, amount: dice.between(1, self.most) }
    }

    /// Cases over a pool of sources that they share; `transfers`: what they may
    /// name by transaction and log index.
    pub(crate) fn cases(&self, dice: &mut Dice, transfers: &[(TxHash, u32)]) -> Vec<Case> {
        let cases = dice.between(1, 4);
        (0..cases).map(|number| self.case(dice, number, transfers)).collect()
    }

    pub(crate) fn case(&self, dice: &mut Dice, number: u64, transfers: &[(TxHash, u32)]) -> Case {
        let mut sources = BTreeSet::new();
        for _ in 0..dice.between(1, 3) {
            if dice.one_in(3) && !transfers.is_empty() {
                let (tx, log_index) = dice.pick(transfers);
                sources.insert(Source::Transfer { chain: self.chain, tx, log_index });
            } else {
                let account = self.key(dice.pick(&self.accounts));
                let since_block = if dice.one_in(3) { 1_000 + dice.below(40) } else { 0 };
                sources.insert(Source::Wallet { account, since_block });
            }
        }
        Case {
            id: format!("case-{number}"),
            title: None,
            category: None,
            sources: sources.into_iter().collect(),
            min_units: if dice.one_in(3) { dice.between(1, 3) } else { 0 },
            max_hops: dice.one_in(4).then(|| if dice.one_in(2) { 2 } else { 4 }),
        }
    }
}
