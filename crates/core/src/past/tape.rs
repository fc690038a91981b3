//! The past played back: its blocks with their events, in the order in which
//! they applied, for whoever wants to work them out anew.
//!
//! What always holds: whoever applies these events to the opening balances
//! reaches the same balances after each of them. Events that moved nothing are
//! not kept; where a block had no others, a transfer of 0 units stands for
//! them, since sources become active with a block's first event. The
//! transactions of events other than transfers are not kept either.

use std::collections::VecDeque;

use super::Past;
use crate::history::{HistoryError, other_movement, transfer_of};
use crate::movement::{AccountId, Mark, Movement, NO_LOG_INDEX};
use crate::segment::{BlockRow, CHUNK, Columns, Other, Segment};
use crate::{Action, Address, Block, LedgerEvent, TxHash};

/// Plays a past back; see the module.
#[derive(Debug)]
pub struct Blocks<'a> {
    past: &'a Past,
    segment: usize,
    sealed: Option<Sealed>,
    tail: usize,
    failed: bool,
}

/// A segment while it is being played.
#[derive(Debug)]
struct Sealed {
    blocks: VecDeque<BlockRow>,
    block: u32,
    others: VecDeque<Other>,
    transfer: u32,
    columns: Columns,
    hashes: Vec<TxHash>,
}

impl Past {
    /// Its blocks with their events, the oldest first.
    pub fn blocks(&self) -> Blocks<'_> {
        Blocks { past: self, segment: 0, sealed: None, tail: 0, failed: false }
    }

    fn event(&self, movement: &Movement, mark: Option<&Mark>) -> LedgerEvent {
        let address = |id: AccountId| self.accounts.key(id).address;
        let action = match *movement {
            Movement::Transfer(transfer) => Action::Transfer {
                from: address(transfer.from),
                to: address(transfer.to),
                amount: transfer.amount,
            },
            Movement::Issue { to, amount, .. } => Action::Issue { to: address(to), amount },
            Movement::Redeem { from, amount, .. } => Action::Redeem { from: address(from), amount },
            Movement::Destroy { account, amount, .. } => {
                Action::Destroy { account: address(account), amount }
            }
            Movement::Freeze { account } => Action::BlacklistAdd { account: address(account) },
            Movement::Release { account } => Action::BlacklistRemove { account: address(account) },
        };
        let log_index = mark.map(|mark| mark.log_index).filter(|index| *index != NO_LOG_INDEX);
        let (tx, position) = mark.map_or((TxHash::default(), 0), |mark| (mark.tx, mark.position));
        LedgerEvent { tx, log_index, position, action }
    }
}

impl Iterator for Blocks<'_> {
    type Item = Result<Block, HistoryError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let next = self.next_sealed().transpose().or_else(|| self.next_of_tail().map(Ok));
        self.failed = matches!(next, Some(Err(_)));
        next
    }
}

impl Blocks<'_> {
    fn next_sealed(&mut self) -> Result<Option<Block>, HistoryError> {
        while let Some(segment) = self.past.history.segments().get(self.segment) {
            let sealed = match &mut self.sealed {
                Some(sealed) => sealed,
                none => none.insert(Sealed::new(segment)?),
            };
            if let Some(row) = sealed.blocks.pop_front() {
                return sealed.play(row, segment, self.past).map(Some);
            }
            self.sealed = None;
            self.segment += 1;
        }
        Ok(None)
    }

    fn next_of_tail(&mut self) -> Option<Block> {
        let tail = &self.past.history.tail;
        let meta = tail.blocks().get(self.tail)?.meta;
        let movements = tail.movements(self.tail);
        let mut events: Vec<LedgerEvent> =
            movements.map(|(movement, mark)| self.past.event(&movement, mark)).collect();
        if events.is_empty() && meta.has_events {
            events.push(nothing());
        }
        self.tail += 1;
        let (chain, number, hash) = (meta.chain, meta.number, meta.hash);
        Some(Block { chain, number, hash, timestamp_ms: meta.timestamp_ms, events })
    }
}

impl Sealed {
    fn new(segment: &Segment) -> Result<Sealed, HistoryError> {
        Ok(Sealed {
            blocks: segment.blocks()?.into(),
            block: 0,
            others: segment.others()?.into(),
            transfer: 0,
            columns: Columns::default(),
            hashes: Vec::new(),
        })
    }

    fn play(
        &mut self,
        row: BlockRow,
        segment: &Segment,
        past: &Past,
    ) -> Result<Block, HistoryError> {
        let mut events = Vec::new();
        for _ in 0..row.transfers {
            self.play_others(past, &mut events);
            let at = (self.transfer % CHUNK) as usize;
            if at == 0 {
                segment.chunk(self.transfer / CHUNK, &mut self.columns)?;
                let end = (self.transfer + CHUNK).min(segment.transfers());
                self.hashes = segment.hashes(self.transfer, end)?;
            }
            let told = self.columns.row(at);
            let tx = self.hashes.get(at).copied().unwrap_or_default();
            let mark = Mark { tx, log_index: told.log_index, position: told.position };
            let movement = Movement::Transfer(transfer_of(self.transfer, &told));
            events.push(past.event(&movement, Some(&mark)));
            self.transfer += 1;
        }
        self.play_others(past, &mut events);
        self.block += 1;
        if events.is_empty() && row.has_events {
            events.push(nothing());
        }
        let BlockRow { chain, number, hash, timestamp_ms, .. } = row;
        Ok(Block { chain, number, hash, timestamp_ms, events })
    }

    /// The movements of this block that come before its next transfer.
    fn play_others(&mut self, past: &Past, events: &mut Vec<LedgerEvent>) {
        let due =
            |other: &Other| other.block == self.block && other.transfers_before <= self.transfer;
        while self.others.front().is_some_and(due) {
            let other = self.others.pop_front();
            events.extend(other.map(|other| past.event(&other_movement(other.action), None)));
        }
    }
}

/// An event that moves nothing.
fn nothing() -> LedgerEvent {
    let action = Action::Transfer { from: Address::ZERO, to: Address::ZERO, amount: 0 };
    LedgerEvent { tx: TxHash::default(), log_index: None, position: 0, action }
}
