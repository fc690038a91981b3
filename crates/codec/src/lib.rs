//! Bytes to USDT events, and alerts to bytes. Pure: no files, no network.
//!
//! [`Decoder`] reads one record of any supported format and tells what it
//! means; [`Assembler`] puts events into blocks in ledger order;
//! [`wire`] writes what subscribers read. What always holds: a record is
//! decoded whole, ignored for a counted reason, or refused with a
//! [`DecodeError`]; nothing is guessed and nothing panics.
//!
//! This crate alone knows the ABI library and the text form of addresses.

pub mod address;
mod assembler;
pub mod case_file;
pub mod compact;
mod decode;
mod error;
mod ethereum_etl;
mod field;
mod java_tron;
mod json_rpc;
mod plain;
mod shape;
mod slice;
mod tether;
pub mod wire;

pub use assembler::{
    Assembled, Assembler, AssemblerConfig, AssemblerImage, AssemblerImageError, Dropped, Gap,
};
pub use decode::{CsvLayout, Decoder, Format};
pub use error::{AddressFault, DecodeError};
pub use tether::{multisig, usdt};

use flow_core::{Action, Amount, BlockHash, Chain, TxHash};
use serde::{Deserialize, Serialize};

/// What one record means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// An event of the genuine USDT contract or of its owner's multisig.
    Event(ChainEvent),
    /// A block header: time and hash of a block, with or without USDT events.
    Header(BlockHeader),
    /// Blocks up to this one are final.
    Solid {
        /// The chain.
        chain: Chain,
        /// The last final block.
        number: u64,
    },
    /// Read, and of no concern here.
    Ignored(Ignored),
}

impl Decoded {
    /// The chain that it tells of, if any.
    pub const fn chain(&self) -> Option<Chain> {
        match self {
            Decoded::Event(event) => Some(event.chain),
            Decoded::Header(header) => Some(header.chain),
            Decoded::Solid { chain, .. } => Some(*chain),
            Decoded::Ignored(_) => None,
        }
    }
}

/// Why a well-formed record is of no concern. A closed set, counted by metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ignored {
    /// An event of a contract that is not the chain's USDT: another token, or
    /// a fake one.
    ForeignContract,
    /// An event of the genuine contract that moves and freezes nothing
    /// (`Approval`, `Params`, `Pause`…).
    OtherEvent,
    /// A transaction or block record that carries nothing for us.
    OtherRecord,
    /// A transaction that failed on chain.
    FailedTransaction,
}

impl Ignored {
    /// Every reason.
    pub const ALL: [Ignored; 4] = [
        Ignored::ForeignContract,
        Ignored::OtherEvent,
        Ignored::OtherRecord,
        Ignored::FailedTransaction,
    ];

    /// The name used in summaries and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Ignored::ForeignContract => "foreign_contract",
            Ignored::OtherEvent => "other_event",
            Ignored::OtherRecord => "other_record",
            Ignored::FailedTransaction => "failed_transaction",
        }
    }
}

/// One event as its source tells it, before it has a place in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainEvent {
    /// The chain.
    pub chain: Chain,
    /// The block's number.
    pub block: u64,
    /// The block's hash, where told.
    pub block_hash: Option<BlockHash>,
    /// Block time in Unix milliseconds, where told.
    pub timestamp_ms: Option<u64>,
    /// The transaction.
    pub tx: TxHash,
    /// Its log index, where told.
    pub index: Option<LogIndex>,
    /// What happened.
    pub action: ChainAction,
    /// Whether this takes back an event told before (a reorganisation).
    pub removed: bool,
    /// The last final block of the chain, where the record tells it.
    pub solid: Option<u64>,
}

/// How a source numbers logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum LogIndex {
    /// Within the block; orders all events of the block.
    InBlock(u32),
    /// Within the transaction; orders its events only.
    InTx(u32),
}

impl LogIndex {
    /// The number alone.
    pub const fn number(self) -> u32 {
        match self {
            LogIndex::InBlock(n) | LogIndex::InTx(n) => n,
        }
    }
}

/// What happened, as one log tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChainAction {
    /// Complete by itself.
    Ledger(Action),
    /// `Issue(uint256)`: new units for the contract's owner. TRON emits a
    /// `Transfer` from the zero address beside it; the assembler counts once.
    IssueLog(Amount),
    /// `Redeem(uint256)`: the mirror image, with a `Transfer` to zero on TRON.
    RedeemLog(Amount),
}

/// A block header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockHeader {
    /// The chain.
    pub chain: Chain,
    /// The block's number.
    pub number: u64,
    /// Its hash, where told.
    pub hash: Option<BlockHash>,
    /// Block time in Unix milliseconds.
    pub timestamp_ms: u64,
    /// Its transactions in order, where told (java-tron `transactionList`).
    pub transactions: Vec<TxHash>,
    /// Whether this takes the block back (a reorganisation).
    pub removed: bool,
    /// The last final block of the chain, where the record tells it.
    pub solid: Option<u64>,
}
