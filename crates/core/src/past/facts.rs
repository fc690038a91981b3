//! One transfer of the past in full, wherever it lies.
//!
//! What was read last stays at hand, so that asking in rising order reads each
//! part of a segment once.

use super::Past;
use crate::history::{Found, HistoryError};
use crate::movement::{BlockMeta, NO_LOG_INDEX, TransferId};
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

impl Past {
    /// A transfer in full, by its id.
    ///
    /// # Errors
    /// If its segment cannot be read, or there is no such transfer.
    pub fn transfer(&mut self, id: u32) -> Result<TransferFacts, HistoryError> {
        let Found { transfer, mark, block } = self.history.transfer(TransferId(id))?;
        let BlockMeta { chain, number, hash, timestamp_ms, .. } = block;
        Ok(TransferFacts {
            id: transfer.id.0,
            chain,
            block: number,
            block_hash: hash,
            timestamp_ms,
            transfer: mark.place(),
            log_index: Some(mark.log_index).filter(|index| *index != NO_LOG_INDEX),
            from: self.accounts.key(transfer.from),
            to: self.accounts.key(transfer.to),
            amount: transfer.amount,
            from_before: transfer.debit.before,
            missing: transfer.debit.missing,
            to_before: transfer.to_before,
        })
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
