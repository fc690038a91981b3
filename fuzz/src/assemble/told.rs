//! Records of a few heights, branches and transactions, out of any bytes.
//!
//! Few of each, so that they meet: repeats, contradictions, rival blocks, and
//! removals of what was never told.

use flow_codec::{BlockHeader, ChainAction, ChainEvent};
use flow_core::{Action, Address, BlockHash, Chain, MultisigAction, TxHash};

use super::Numbering;
use crate::bytes::Bytes;

/// Heights below and above the middle that records speak of, but for stray ones.
const REACH: u8 = 6;

pub(super) struct Teller {
    chain: Chain,
    /// Rises now and then, as a chain does.
    middle: u64,
    numbering: Numbering,
    has_hashes: bool,
}

impl Teller {
    pub(super) fn new(chain: Chain, bytes: &mut Bytes<'_>) -> Teller {
        Teller {
            chain,
            middle: bytes.pick(&[56_804_500, 6, 0, u64::MAX - 12]),
            numbering: bytes.pick(&[Numbering::InTx, Numbering::InBlock, Numbering::Mixed]),
            has_hashes: !bytes.one_in(4),
        }
    }

    /// Whether the transaction and index of an event tell it from every other.
    pub(super) fn numbers_alike(&self) -> bool {
        !matches!(self.numbering, Numbering::Mixed)
    }

    /// Goes on to the next height.
    pub(super) fn rise(&mut self) {
        self.middle = self.middle.saturating_add(1);
    }

    pub(super) fn height(&self, bytes: &mut Bytes<'_>) -> u64 {
        let byte = bytes.byte();
        if byte == 255 {
            return bytes.wide();
        }
        let from = self.middle.saturating_sub(u64::from(REACH));
        from.saturating_add(u64::from(byte % (2 * REACH)))
    }

    /// The last final height, mostly below the middle.
    pub(super) fn solid(&self, bytes: &mut Bytes<'_>) -> u64 {
        self.middle.saturating_add(1).saturating_sub(u64::from(bytes.below(16)))
    }

    fn hash(&self, number: u64, bytes: &mut Bytes<'_>) -> Option<BlockHash> {
        let branch = bytes.below(16);
        // One in eight is told without, even where others have one.
        (self.has_hashes && branch < 14).then(|| {
            let mut hash = [branch % 3; 32];
            hash[..8].copy_from_slice(&number.to_be_bytes());
            BlockHash(hash)
        })
    }

    pub(super) fn event(&self, bytes: &mut Bytes<'_>) -> ChainEvent {
        let block = self.height(bytes);
        ChainEvent {
            chain: self.chain,
            block,
            block_hash: self.hash(block, bytes),
            timestamp_ms: time(bytes),
            tx: tx(bytes),
            index: self.numbering.index(bytes),
            action: action(bytes),
            removed: bytes.one_in(4),
            solid: bytes.one_in(32).then(|| self.solid(bytes)),
        }
    }

    pub(super) fn header(&self, bytes: &mut Bytes<'_>) -> BlockHeader {
        let number = self.height(bytes);
        BlockHeader {
            chain: self.chain,
            number,
            hash: self.hash(number, bytes),
            timestamp_ms: time(bytes).unwrap_or(0),
            transactions: (0..bytes.below(4)).map(|_| tx(bytes)).collect(),
            removed: bytes.one_in(4),
            solid: bytes.one_in(32).then(|| self.solid(bytes)),
        }
    }
}

fn time(bytes: &mut Bytes<'_>) -> Option<u64> {
    match bytes.byte() {
        0 => None,
        1 => Some(u64::MAX),
        byte => Some(1_700_000_000_000 + 3_000 * u64::from(byte)),
    }
}

fn tx(bytes: &mut Bytes<'_>) -> TxHash {
    TxHash([bytes.below(12); 32])
}

fn address(bytes: &mut Bytes<'_>) -> Address {
    match bytes.below(6) {
        0 => Address::ZERO,
        byte => Address([byte; 20]),
    }
}

fn action(bytes: &mut Bytes<'_>) -> ChainAction {
    let (kind, account) = (bytes.below(16), address(bytes));
    ChainAction::Ledger(match kind {
        0..8 => Action::Transfer { from: account, to: address(bytes), amount: bytes.number() },
        8 => Action::Issue { to: account, amount: bytes.number() },
        9 => Action::Redeem { from: account, amount: bytes.number() },
        10 => Action::Destroy { account, amount: bytes.number() },
        11 => Action::BlacklistAdd { account },
        12 => Action::BlacklistRemove { account },
        13 => Action::Multisig(MultisigAction::Execution { id: bytes.number() }),
        14 => return ChainAction::IssueLog(bytes.number()),
        _ => return ChainAction::RedeemLog(bytes.number()),
    })
}
