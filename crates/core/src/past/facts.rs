//! One transfer of the past in full, wherever it lies.
//!
//! What was read last stays at hand, so that asking in rising order reads each
//! part of a segment once.

use super::Past;
use crate::history::{HistoryError, transfer_of};
use crate::movement::{Mark, NO_LOG_INDEX, Transfer, TransferId};
use crate::segment::{BlockRow, CHUNK, Columns};
use crate::{AccountKey, Amount, BlockHash, Chain, TransferRef, TxHash};

/// A transfer with its place on the chain and the balances around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransferFacts {
    /// Its rank in this past.
    pub id: u32,
    /// Its chain.
    pub chain: Chain,
    /// Its block.
    pub block: u64,
    /// The hash of that block, where the source told it.
    pub block_hash: Option<BlockHash>,
    /// Block time, Unix milliseconds.
    pub timestamp_ms: u64,
    /// Transaction and position.
    pub transfer: TransferRef,
    /// Its log index, where the source numbers logs.
    pub log_index: Option<u32>,
    /// The account debited.
    pub from: AccountKey,
    /// The account credited.
    pub to: AccountKey,
    /// Units moved.
    pub amount: Amount,
    /// What the sender held before the debit, missing units included.
    pub from_before: Amount,
    /// Units of the sender's that came before the first event.
    pub missing: Amount,
    /// What the receiver held before the credit.
    pub to_before: Amount,
}

/// The parts of a segment that were read last.
#[derive(Debug, Default)]
pub(super) struct Reading {
    segment: Option<usize>,
    blocks: Vec<BlockRow>,
    /// Transfers of the segment before each block.
    starts: Vec<u32>,
    chunk: Option<u32>,
    columns: Columns,
}

impl Past {
    /// A transfer in full, by its id.
    ///
    /// # Errors
    /// If its segment cannot be read, or there is no such transfer.
    pub fn transfer(&mut self, id: u32) -> Result<TransferFacts, HistoryError> {
        if let Some((transfer, mark, block)) = self.history.tail.transfer(TransferId(id)) {
            let place = (block.chain, block.number, block.hash, block.timestamp_ms);
            return Ok(self.facts(transfer, mark, place));
        }
        let segments = self.history.segments();
        let number = segments.partition_point(|segment| segment.first_transfer() <= id);
        let found = number
            .checked_sub(1)
            .filter(|at| id - segments[*at].first_transfer() < segments[*at].transfers());
        let number =
            found.ok_or_else(|| HistoryError::Segment(format!("there is no transfer {id}")))?;
        let segment = &segments[number];
        let ix = id - segment.first_transfer();
        self.reading.turn_to(number, segment, ix)?;
        let row = self.reading.columns.row((ix % CHUNK) as usize);
        let at = self.reading.starts.partition_point(|start| *start <= ix) - 1;
        let BlockRow { chain, number, hash, timestamp_ms, .. } = self.reading.blocks[at];
        let mark = Mark { tx: segment.tx(ix)?, log_index: row.log_index, position: row.position };
        Ok(self.facts(&transfer_of(id, &row), &mark, (chain, number, hash, timestamp_ms)))
    }

    fn facts(
        &self,
        transfer: &Transfer,
        mark: &Mark,
        (chain, block, block_hash, timestamp_ms): (Chain, u64, Option<BlockHash>, u64),
    ) -> TransferFacts {
        TransferFacts {
            id: transfer.id.0,
            chain,
            block,
            block_hash,
            timestamp_ms,
            transfer: TransferRef { tx: mark.tx, position: mark.position },
            log_index: Some(mark.log_index).filter(|index| *index != NO_LOG_INDEX),
            from: self.accounts.key(transfer.from),
            to: self.accounts.key(transfer.to),
            amount: transfer.amount,
            from_before: transfer.debit.before,
            missing: transfer.debit.missing,
            to_before: transfer.to_before,
        }
    }

    /// The transfers of a transaction on that chain, by id, rising.
    ///
    /// # Errors
    /// If a segment cannot be read.
    pub fn transfers_of(
        &mut self,
        chain: Chain,
        tx: &TxHash,
    ) -> Result<Vec<TransferFacts>, HistoryError> {
        let mut ids = Vec::new();
        for segment in self.history.segments() {
            let first = segment.first_transfer();
            ids.extend(segment.find_tx(tx)?.into_iter().map(|ix| first + ix));
        }
        let tail = self.history.tail.transfers().iter();
        ids.extend(tail.filter(|(_, mark)| mark.tx == *tx).map(|(transfer, _)| transfer.id.0));
        let facts: Result<Vec<TransferFacts>, _> =
            ids.into_iter().map(|id| self.transfer(id)).collect();
        Ok(facts?.into_iter().filter(|facts| facts.chain == chain).collect())
    }
}

impl Reading {
    fn turn_to(
        &mut self,
        number: usize,
        segment: &crate::segment::Segment,
        ix: u32,
    ) -> Result<(), HistoryError> {
        if self.segment != Some(number) {
            *self = Reading { blocks: segment.blocks()?, ..Reading::default() };
            let mut next = 0;
            self.starts.extend(self.blocks.iter().map(|block| {
                let start = next;
                next += block.transfers;
                start
            }));
            self.segment = Some(number);
        }
        if self.chunk != Some(ix / CHUNK) {
            self.chunk = None;
            segment.chunk(ix / CHUNK, &mut self.columns)?;
            self.chunk = Some(ix / CHUNK);
        }
        Ok(())
    }
}
