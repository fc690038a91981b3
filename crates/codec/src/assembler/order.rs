//! The events of one block: their ledger order, their positions, and mints
//! that are told twice.

use std::collections::BTreeMap;
use std::mem::{Discriminant, discriminant};

use flow_core::{Action, Address, Amount, Chain, LedgerEvent, TxHash};
use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::{ChainAction, ChainEvent, LogIndex, tether};

/// Orders the events of a block and completes them.
pub(super) fn ledger_events(
    chain: Chain,
    transactions: &[TxHash],
    mut events: Vec<&ChainEvent>,
) -> Vec<LedgerEvent> {
    sort(transactions, &mut events);
    let owner = tether::multisig(chain);
    let actions = pair_supply(owner, &events);
    let mut positions: HashMap<(TxHash, Discriminant<Action>), u32, FixedState> =
        HashMap::with_capacity_and_hasher(events.len(), FixedState::default());
    let mut ordered = Vec::with_capacity(events.len());
    for (event, action) in events.iter().zip(actions) {
        let Some(action) = action else { continue };
        let next = positions.entry((event.tx, discriminant(&action))).or_insert(0);
        let position = *next;
        *next += 1;
        let log_index = event.index.map(LogIndex::number);
        ordered.push(LedgerEvent { tx: event.tx, log_index, position, action });
    }
    ordered
}

/// Sorts by log index of the block; where the source numbers logs within the
/// transaction, by the transaction's place (from the header, else its first
/// arrival) and then that index. An event without an index stays behind the
/// one it came after.
fn sort(transactions: &[TxHash], events: &mut [&ChainEvent]) {
    if events.iter().all(|event| matches!(event.index, Some(LogIndex::InBlock(_)))) {
        events.sort_by_key(|event| event.index);
        return;
    }
    let txs = transactions.len() + events.len();
    let mut ranks: HashMap<TxHash, u32, FixedState> =
        HashMap::with_capacity_and_hasher(txs, FixedState::default());
    for tx in transactions.iter().copied().chain(events.iter().map(|event| event.tx)) {
        let next = u32::try_from(ranks.len()).unwrap_or(u32::MAX);
        ranks.entry(tx).or_insert(next);
    }
    let mut last = (0, 0);
    let mut keyed: Vec<((u32, u32), &ChainEvent)> = Vec::with_capacity(events.len());
    for event in events.iter().copied() {
        last = match event.index {
            Some(LogIndex::InBlock(index)) => (index, 0),
            Some(LogIndex::InTx(index)) => (ranks[&event.tx], index),
            None => last,
        };
        keyed.push((last, event));
    }
    keyed.sort_by_key(|(key, _)| *key);
    for (slot, (_, event)) in events.iter_mut().zip(keyed) {
        *slot = event;
    }
}

/// Gives each event its action. `Issue` and `Redeem` logs name no account: on
/// TRON a `Transfer` from or to the zero address stands beside them in the
/// transaction and tells it, and the pair counts once (`None` for the log);
/// alone, they concern the contract's owner.
fn pair_supply(owner: Address, events: &[&ChainEvent]) -> Vec<Option<Action>> {
    let mut issued: BTreeMap<(TxHash, Amount), usize> = BTreeMap::new();
    let mut redeemed: BTreeMap<(TxHash, Amount), usize> = BTreeMap::new();
    for event in events {
        match event.action {
            ChainAction::IssueLog(amount) => *issued.entry((event.tx, amount)).or_default() += 1,
            ChainAction::RedeemLog(amount) => {
                *redeemed.entry((event.tx, amount)).or_default() += 1;
            }
            ChainAction::Ledger(_) => {}
        }
    }
    let take = |logs: &mut BTreeMap<(TxHash, Amount), usize>, key| {
        logs.get_mut(&key).filter(|left| **left > 0).map(|left| *left -= 1).is_some()
    };
    let mut actions: Vec<Option<Action>> = Vec::with_capacity(events.len());
    for event in events {
        actions.push(match event.action {
            ChainAction::Ledger(Action::Transfer { from: Address::ZERO, to, amount })
                if take(&mut issued, (event.tx, amount)) =>
            {
                Some(Action::Issue { to, amount })
            }
            ChainAction::Ledger(Action::Transfer { from, to: Address::ZERO, amount })
                if take(&mut redeemed, (event.tx, amount)) =>
            {
                Some(Action::Redeem { from, amount })
            }
            ChainAction::Ledger(action) => Some(action),
            ChainAction::IssueLog(_) | ChainAction::RedeemLog(_) => None,
        });
    }
    // What no transfer explained is for the owner.
    for (event, action) in events.iter().zip(&mut actions) {
        match event.action {
            ChainAction::IssueLog(amount) if take(&mut issued, (event.tx, amount)) => {
                *action = Some(Action::Issue { to: owner, amount });
            }
            ChainAction::RedeemLog(amount) if take(&mut redeemed, (event.tx, amount)) => {
                *action = Some(Action::Redeem { from: owner, amount });
            }
            _ => {}
        }
    }
    actions
}
