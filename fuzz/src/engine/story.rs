//! A story out of any bytes: few accounts, transactions, cases and heights, so
//! that they meet.
//!
//! What always holds: within a block (transaction, log index) names at most one
//! event, sources agree on how they number logs, and no reserved address is a
//! source. Which steps can be is for others to say.

use std::collections::BTreeMap;

use flow_core::{
    AccountKey, Action, Address, Amount, Block, BlockHash, Case, Chain, Label, LedgerEvent,
    MultisigAction, MultisigCall, Source, TxHash,
};
use flow_sim::ledger_gen::Step;

use crate::bytes::Bytes;

/// Steps of one story: the oracle is slow.
const STEPS_MAX: usize = 60;

/// Opening balances and steps.
pub(super) fn story(bytes: &mut Bytes<'_>) -> (Vec<(AccountKey, Amount)>, Vec<Step>) {
    let mut maker = Maker::new(bytes.byte());
    let opening: BTreeMap<AccountKey, Amount> =
        (0..bytes.below(4)).map(|_| (account(bytes), bytes.number())).collect();
    let mut steps = Vec::new();
    while !bytes.is_empty() && steps.len() < STEPS_MAX {
        steps.push(maker.step(bytes));
    }
    (opening.into_iter().collect(), steps)
}

struct Maker {
    numbered_in_block: bool,
    /// By chain, the number of the last block.
    numbers: [u64; 2],
    clock: u64,
    /// The transfers told so far, for cases to name.
    transfers: Vec<(Chain, TxHash, u32)>,
}

impl Maker {
    fn new(flags: u8) -> Maker {
        let numbered_in_block = flags & 1 == 0;
        Maker { numbered_in_block, numbers: [0; 2], clock: 0, transfers: Vec::new() }
    }

    fn step(&mut self, bytes: &mut Bytes<'_>) -> Step {
        match bytes.below(32) {
            0..18 => Step::Block(self.block(bytes)),
            18..21 => {
                let (chain, number) = self.recent(bytes);
                self.numbers[chain.index()] = number.saturating_sub(1);
                Step::Revert { chain, number }
            }
            21 => {
                let (chain, number) = self.recent(bytes);
                Step::Finalize { chain, number }
            }
            22..28 => Step::Open(self.case(bytes)),
            28 => Step::Close(case_id(bytes)),
            29 | 30 => Step::Label(label(bytes)),
            _ => Step::Unlabel(account(bytes)),
        }
    }

    fn recent(&self, bytes: &mut Bytes<'_>) -> (Chain, u64) {
        let chain = bytes.pick(&Chain::ALL);
        let depth = bytes.below(20);
        // Now and then a number that no block has.
        let number = if depth == 19 { bytes.number() } else { u64::from(depth % 6) };
        (chain, self.numbers[chain.index()].saturating_sub(number))
    }

    fn block(&mut self, bytes: &mut Bytes<'_>) -> Block {
        let chain = bytes.pick(&Chain::ALL);
        let stride = bytes.byte();
        let number = &mut self.numbers[chain.index()];
        *number = match stride {
            0..250 => number.saturating_add(u64::from(stride % 3) + 1),
            _ => bytes.number(),
        };
        self.clock = match bytes.byte() {
            255 => bytes.wide(),
            byte => self.clock.saturating_add(u64::from(byte % 8) * 1_000),
        };
        Block {
            chain,
            number: *number,
            hash: (stride & 64 != 0).then_some(BlockHash([stride; 32])),
            timestamp_ms: self.clock,
            events: self.events(chain, bytes),
        }
    }

    fn events(&mut self, chain: Chain, bytes: &mut Bytes<'_>) -> Vec<LedgerEvent> {
        let mut events: Vec<LedgerEvent> = Vec::new();
        let (first_tx, mut tx) = (bytes.byte(), 0);
        let mut in_tx = 0;
        for in_block in 0..u32::from(bytes.below(6)) {
            let flags = bytes.byte();
            if flags & 1 == 0 {
                tx += 1;
                in_tx = 0;
            }
            in_tx += 1;
            let number = if self.numbered_in_block { in_block } else { in_tx };
            let (tx, action) = (hash(first_tx, tx), action(bytes));
            if matches!(action, Action::Transfer { .. }) {
                self.transfers.push((chain, tx, number));
            }
            events.push(LedgerEvent {
                tx,
                log_index: (flags & 14 != 0).then_some(number),
                position: position(&events, tx, &action),
                action,
            });
        }
        events
    }

    fn case(&self, bytes: &mut Bytes<'_>) -> Case {
        Case {
            id: case_id(bytes),
            title: None,
            category: None,
            sources: (0..=bytes.below(3)).filter_map(|_| self.source(bytes)).collect(),
            min_units: if bytes.one_in(4) { bytes.number() } else { 0 },
            max_hops: bytes.one_in(4).then(|| u32::from(bytes.below(4))),
        }
    }

    /// A wallet, or a transfer that was told or would be its neighbour.
    fn source(&self, bytes: &mut Bytes<'_>) -> Option<Source> {
        if bytes.one_in(3) && !self.transfers.is_empty() {
            let (chain, tx, number) = bytes.pick(&self.transfers);
            let log_index = match bytes.byte() {
                255 => u32::MAX,
                byte => number + u32::from(byte % 8 == 7),
            };
            return Some(Source::Transfer { chain, tx, log_index });
        }
        let account = account(bytes);
        let since_block = if bytes.one_in(3) { bytes.number() } else { 0 };
        (!account.address.is_reserved()).then_some(Source::Wallet { account, since_block })
    }
}

/// See [`flow_core::TransferRef::position`].
fn position(before: &[LedgerEvent], tx: TxHash, action: &Action) -> u32 {
    let kind = std::mem::discriminant(action);
    let same = before
        .iter()
        .filter(|event| event.tx == tx && std::mem::discriminant(&event.action) == kind);
    u32::try_from(same.count()).expect("few events in a block")
}

/// The same hashes occur on both chains, and again in later blocks.
fn hash(first: u8, rank: u8) -> TxHash {
    TxHash([(first % 32).wrapping_mul(8).wrapping_add(rank); 32])
}

fn address(bytes: &mut Bytes<'_>) -> Address {
    match bytes.byte() {
        255 => Address::ZERO,
        byte => Address([byte % 5 + 1; 20]),
    }
}

fn account(bytes: &mut Bytes<'_>) -> AccountKey {
    AccountKey { chain: bytes.pick(&Chain::ALL), address: address(bytes) }
}

fn action(bytes: &mut Bytes<'_>) -> Action {
    let (kind, account) = (bytes.below(32), address(bytes));
    match kind {
        0..22 => Action::Transfer { from: account, to: address(bytes), amount: bytes.number() },
        22..24 => Action::Issue { to: account, amount: bytes.number() },
        24 | 25 => Action::Redeem { from: account, amount: bytes.number() },
        26 => Action::Destroy { account, amount: bytes.number() },
        27 | 28 => Action::BlacklistAdd { account },
        29 => Action::BlacklistRemove { account },
        30 => Action::Multisig(MultisigAction::Submission {
            id: Some(bytes.number()),
            call: Some(MultisigCall::AddBlackList(account)),
        }),
        _ => Action::Multisig(MultisigAction::Execution { id: bytes.number() }),
    }
}

fn case_id(bytes: &mut Bytes<'_>) -> String {
    format!("case-{}", bytes.below(3))
}

fn label(bytes: &mut Bytes<'_>) -> Label {
    Label {
        account: account(bytes),
        entity: bytes.pick(&["Alder", "Birch"]).to_owned(),
        kind: bytes.pick(&["exchange", "bridge", "deposit"]).to_owned(),
        stop: !bytes.one_in(3),
    }
}
