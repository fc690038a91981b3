//! The blocks of a segment, and the accounts first seen in it.

use super::bytes::{Reader, put_step, put_varint};
use super::{Section, SegmentError};
use crate::{AccountKey, Address, BlockHash, Chain};

/// A block that was applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlockRow {
    pub(crate) chain: Chain,
    pub(crate) number: u64,
    pub(crate) hash: Option<BlockHash>,
    pub(crate) timestamp_ms: u64,
    /// Whether it held an event of the ledger, so that sources become active.
    pub(crate) has_events: bool,
    /// How many of the segment's transfers lie in it.
    pub(crate) transfers: u32,
}

const HASH: u8 = 2;
const EVENTS: u8 = 4;
/// The hash begins with the block's number, as hashes of TRON do.
const NUMBERED: u8 = 8;
const FLAGS_MAX: u8 = 15;

/// Number and time of the block before, for each chain: blocks are told by
/// how they differ from it.
type Before = [(u64, u64); Chain::ALL.len()];

pub(super) fn put_blocks(into: &mut Vec<u8>, blocks: &[BlockRow]) {
    let mut before = Before::default();
    for block in blocks {
        let last = &mut before[block.chain.index()];
        let chain = u8::from(block.chain == Chain::Tron);
        let hash = hash_flags(block);
        let events = if block.has_events { EVENTS } else { 0 };
        into.push(chain | hash | events);
        put_step(into, last.0, block.number);
        put_step(into, last.1, block.timestamp_ms);
        put_varint(into, block.transfers.into());
        let told = if hash & NUMBERED == 0 { 0 } else { 8 };
        into.extend(block.hash.iter().flat_map(|hash| &hash.0[told..]));
        *last = (block.number, block.timestamp_ms);
    }
}

pub(super) fn read_blocks(
    bytes: &[u8],
    count: u32,
    transfers: u32,
) -> Result<Vec<BlockRow>, SegmentError> {
    let mut reader = Reader::new(Section::Blocks, bytes, 0);
    let mut before = Before::default();
    let mut blocks = Vec::new();
    let mut left = transfers;
    for _ in 0..count {
        let block = read_block(&mut reader, &mut before)?;
        let rest = left.checked_sub(block.transfers);
        left = rest.ok_or_else(|| reader.malformed("blocks hold more transfers than there are"))?;
        blocks.push(block);
    }
    if left != 0 {
        return Err(reader.malformed("transfers lie in no block"));
    }
    reader.end()?;
    Ok(blocks)
}

fn read_block(reader: &mut Reader<'_>, before: &mut Before) -> Result<BlockRow, SegmentError> {
    let flags = reader.byte()?;
    if flags > FLAGS_MAX {
        return Err(reader.malformed("a block has flags that mean nothing"));
    }
    let chain = chain_of(flags & 1 == 1);
    let last = &mut before[chain.index()];
    let number = reader.step(last.0)?;
    let timestamp_ms = reader.step(last.1)?;
    *last = (number, timestamp_ms);
    let transfers = reader.varint32()?;
    let hash = if flags & HASH == 0 { None } else { Some(read_hash(reader, flags, number)?) };
    Ok(BlockRow { chain, number, hash, timestamp_ms, has_events: flags & EVENTS != 0, transfers })
}

fn hash_flags(block: &BlockRow) -> u8 {
    match block.hash {
        None => 0,
        Some(hash) if hash.0.starts_with(&block.number.to_be_bytes()) => HASH | NUMBERED,
        Some(_) => HASH,
    }
}

fn read_hash(reader: &mut Reader<'_>, flags: u8, number: u64) -> Result<BlockHash, SegmentError> {
    if flags & NUMBERED == 0 {
        return reader.array().map(BlockHash);
    }
    let mut hash = [0; 32];
    hash[..8].copy_from_slice(&number.to_be_bytes());
    hash[8..].copy_from_slice(reader.slice(24)?);
    Ok(BlockHash(hash))
}

const fn chain_of(is_tron: bool) -> Chain {
    if is_tron { Chain::Tron } else { Chain::Ethereum }
}

/// A bit for each account's chain, then the addresses.
pub(super) fn put_accounts(into: &mut Vec<u8>, accounts: &[AccountKey]) {
    let start = into.len();
    into.resize(start + accounts.len().div_ceil(8), 0);
    for (ix, account) in accounts.iter().enumerate() {
        into[start + ix / 8] |= u8::from(account.chain == Chain::Tron) << (ix % 8);
    }
    into.reserve(20 * accounts.len());
    for account in accounts {
        into.extend_from_slice(&account.address.0);
    }
}

pub(super) fn read_accounts(bytes: &[u8], count: u32) -> Result<Vec<AccountKey>, SegmentError> {
    let mut reader = Reader::new(Section::Accounts, bytes, 0);
    let chains = reader.slice((count as usize).div_ceil(8))?;
    let (addresses, _) = reader.slice(count as usize * 20)?.as_chunks::<20>();
    reader.end()?;
    let key = |(ix, address): (usize, &[u8; 20])| AccountKey {
        chain: chain_of(chains[ix / 8] >> (ix % 8) & 1 == 1),
        address: Address(*address),
    };
    Ok(addresses.iter().enumerate().map(key).collect())
}
