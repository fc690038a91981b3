//! Blocks, sources, cases and labels by chance, for ledgers and stories.

use std::collections::BTreeMap;

use flow_core::{
    AccountKey, Action, Address, Amount, Block, BlockHash, Case, Chain, Label, LedgerEvent,
    MultisigAction, MultisigCall, Source, TxHash,
};

use crate::dice::Dice;

/// When ledgers begin.
pub(super) const START_MS: u64 = 1_767_225_600_000;

/// How large amounts are. One choice for a whole ledger.
#[derive(Clone, Copy)]
enum Scale {
    /// 1 to 10 units: rounding decides.
    Tiny,
    /// From single units to thousands of USDT.
    Mixed,
    /// Up to 2^62, but all units that could ever exist stay below 2^64.
    Large,
    /// Up to 2^64 − 1, so that some receivers have no room.
    Overflowing,
}

pub(super) struct Generator {
    scale: Scale,
    accounts: Vec<Address>,
    /// Whether logs are numbered in the block from 0, or in the transaction
    /// from 1. Within one ledger sources agree.
    numbered_in_block: bool,
    /// Whether some events come without a log index.
    some_unnumbered: bool,
    /// Units that may still come into being (`Scale::Large`).
    budget: Amount,
    /// The last transaction made on each chain.
    txs: [u64; 2],
}

impl Generator {
    pub(super) fn new(dice: &mut Dice) -> Self {
        let scale = match dice.below(16) {
            0..6 => Scale::Tiny,
            6..11 => Scale::Mixed,
            11..15 => Scale::Large,
            _ => Scale::Overflowing,
        };
        let mut accounts: Vec<Address> =
            (0..dice.between(2, 6)).map(|_| Address(dice.bytes())).collect();
        if dice.one_in(4) {
            accounts.push(Address::ZERO);
        }
        Generator {
            scale,
            accounts,
            numbered_in_block: !dice.one_in(3),
            some_unnumbered: dice.one_in(4),
            budget: Amount::MAX,
            txs: [0; 2],
        }
    }

    fn account(&self, dice: &mut Dice) -> AccountKey {
        AccountKey { chain: dice.pick(&Chain::ALL), address: dice.pick(&self.accounts) }
    }

    fn amount(&mut self, dice: &mut Dice) -> Amount {
        if dice.one_in(16) {
            return 0;
        }
        match self.scale {
            Scale::Tiny => dice.between(1, 10),
            Scale::Mixed => {
                let magnitude = dice.between(1, 34);
                dice.between(1, 1 << magnitude)
            }
            Scale::Large => {
                let amount = dice.between(1, 1 << 62).min(self.budget / 2);
                self.budget -= amount;
                amount
            }
            Scale::Overflowing => dice.number() >> dice.below(4),
        }
    }

    pub(super) fn opening(&mut self, dice: &mut Dice) -> Vec<(AccountKey, Amount)> {
        let mut opening = BTreeMap::new();
        let most = if dice.one_in(4) { 12 } else { 4 };
        for _ in 0..dice.below(most) {
            let account = self.account(dice);
            opening.insert(account, self.amount(dice));
        }
        opening.into_iter().collect()
    }

    pub(super) fn blocks(&mut self, dice: &mut Dice) -> Vec<Block> {
        let mut numbers = [dice.between(0, 5), dice.between(0, 5)];
        let mut blocks = Vec::new();
        // Long ones now and then: units are stirred into many runs.
        let most = if dice.one_in(6) { 72 } else { 24 };
        for step in 0..dice.between(1, most) {
            let chain = dice.pick(&Chain::ALL);
            let number = &mut numbers[chain.index()];
            *number += dice.between(1, 3);
            blocks.push(Block {
                chain,
                number: *number,
                hash: dice.one_in(2).then(|| BlockHash(dice.bytes())),
                timestamp_ms: START_MS + step * 3_000,
                events: self.events(dice, chain),
            });
        }
        blocks
    }

    pub(super) fn events(&mut self, dice: &mut Dice, chain: Chain) -> Vec<LedgerEvent> {
        let mut events: Vec<LedgerEvent> = Vec::new();
        let mut in_tx = 0;
        for in_block in 0_u32..u32::try_from(dice.below(6)).expect("below 6") {
            if in_block == 0 || dice.one_in(2) {
                self.txs[chain.index()] += 1;
                in_tx = 0;
            }
            in_tx += 1;
            let tx = numbered_tx(self.txs[chain.index()]);
            let action = self.action(dice);
            let number = if self.numbered_in_block { in_block } else { in_tx };
            let unnumbered = self.some_unnumbered && dice.one_in(3);
            events.push(LedgerEvent {
                tx,
                log_index: (!unnumbered).then_some(number),
                position: position(&events, tx, &action),
                action,
            });
        }
        events
    }

    /// The events of a block that was put together anew, with the log indices
    /// that they have there.
    pub(super) fn renumbered(&self, mut events: Vec<LedgerEvent>) -> Vec<LedgerEvent> {
        if self.numbered_in_block {
            for (rank, event) in (0_u32..).zip(&mut events) {
                event.log_index = event.log_index.map(|_| rank);
            }
        }
        events
    }

    fn action(&mut self, dice: &mut Dice) -> Action {
        let account = dice.pick(&self.accounts);
        let other = dice.pick(&self.accounts);
        match dice.below(32) {
            0..24 => Action::Transfer { from: account, to: other, amount: self.amount(dice) },
            24 | 25 => Action::Issue { to: account, amount: self.amount(dice) },
            26 => Action::Redeem { from: account, amount: self.amount(dice) },
            27 => Action::Destroy { account, amount: self.amount(dice) },
            28 | 29 => Action::BlacklistAdd { account },
            30 => Action::BlacklistRemove { account },
            _ => Action::Multisig(multisig(dice, account)),
        }
    }

    /// Candidates for sources. Cases draw from one pool, so that they share.
    pub(super) fn source_pool(&self, dice: &mut Dice, blocks: &[Block]) -> Vec<Source> {
        let last = blocks.iter().map(|block| block.number).max().unwrap_or(0);
        let numbered: Vec<(Chain, LedgerEvent, u32)> = blocks
            .iter()
            .flat_map(|block| block.events.iter().map(|event| (block.chain, *event)))
            .filter(|(_, event)| matches!(event.action, Action::Transfer { .. }))
            .filter_map(|(chain, event)| Some((chain, event, event.log_index?)))
            .collect();
        let mut pool = Vec::new();
        for _ in 0..dice.between(1, 8) {
            if dice.one_in(2) || numbered.is_empty() {
                let account = self.account(dice);
                let since_block = match dice.below(3) {
                    0 => 0,
                    1 => dice.between(0, last + 3),
                    _ => last / 2 + dice.below(last / 2 + 1),
                };
                if !account.address.is_reserved() {
                    pool.push(Source::Wallet { account, since_block });
                }
            } else {
                let (chain, event, index) = numbered[dice.index(numbered.len())];
                // Now and then the neighbour in the transaction, or nothing.
                let log_index = index + u32::from(dice.one_in(6));
                pool.push(Source::Transfer { chain, tx: event.tx, log_index });
            }
        }
        pool
    }

    pub(super) fn labels(&self, dice: &mut Dice) -> Vec<Label> {
        let mut labels = BTreeMap::new();
        for _ in 0..dice.below(4) {
            let account = self.account(dice);
            let entity = dice.pick(&["Alder", "Birch"]).to_owned();
            let kind = dice.pick(&["exchange", "bridge", "deposit"]).to_owned();
            labels.insert(account, Label { account, entity, kind, stop: !dice.one_in(3) });
        }
        labels.into_values().collect()
    }
}

/// A case of that number with sources from the pool.
pub(super) fn case(dice: &mut Dice, pool: &[Source], number: u64) -> Case {
    Case {
        id: format!("case-{number}"),
        title: None,
        category: None,
        sources: if pool.is_empty() {
            Vec::new()
        } else {
            // Many sources: some wake in accounts that others have reached.
            let most = if dice.one_in(3) { 8 } else { 3 };
            (0..dice.between(1, most)).map(|_| dice.pick(pool)).collect()
        },
        min_units: match dice.below(6) {
            0..3 => 0,
            3 | 4 => dice.between(1, 6),
            _ => 1 << dice.below(62),
        },
        max_hops: dice.one_in(2).then(|| u32::try_from(dice.below(4)).expect("below 4")),
    }
}

/// Both chains count from 1, so the same hashes occur on each.
fn numbered_tx(number: u64) -> TxHash {
    let mut hash = [0xab; 32];
    hash[24..].copy_from_slice(&number.to_be_bytes());
    TxHash(hash)
}

/// See [`flow_core::TransferRef::position`].
pub(crate) fn position(before: &[LedgerEvent], tx: TxHash, action: &Action) -> u32 {
    let kind = std::mem::discriminant(action);
    let same = before
        .iter()
        .filter(|event| event.tx == tx && std::mem::discriminant(&event.action) == kind);
    u32::try_from(same.count()).expect("few events in a block")
}

fn multisig(dice: &mut Dice, account: Address) -> MultisigAction {
    let id = dice.below(100);
    match dice.below(6) {
        0 => MultisigAction::Submission {
            id: Some(id),
            call: dice.one_in(2).then_some(MultisigCall::AddBlackList(account)),
        },
        1 => MultisigAction::Confirmation { id, owner: account },
        2 => MultisigAction::Revocation { id, owner: account },
        3 => MultisigAction::Execution { id },
        4 => MultisigAction::RequirementChange { required: 1 + id % 5 },
        _ => MultisigAction::ExecutionFailure { id },
    }
}
