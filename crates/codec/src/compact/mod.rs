//! The compact format: one block with its USDT events as a protobuf message,
//! for backfill (docs/schemas/compact.proto).
//!
//! What always holds: a record is taken whole or refused whole; each event has
//! the block's chain, number, hash and time; what stands in no schema is
//! refused rather than skipped, since it might say that the rest does not hold.
//!
//! Deliberately absent: steps of the multisig wallet, removals.

mod message;
mod read;

use flow_core::{Action, Address, Block, BlockHash, Chain, TxHash};
use prost::Message;

use self::message::{BlockMessage, ChainCode, Kind, MAGIC};
use self::read::{Fields, Value, malformed};
use crate::error::{AddressFault, DecodeError, shown};
use crate::{BlockHeader, ChainAction, ChainEvent, Decoded, LogIndex, field};

/// What every record begins with: the tag of the first field, and its value.
const BEGINNING: [u8; 5] = *b"\x15USDT";

/// Bytes that a message's length has in front of it in a file.
const LENGTH_MAX: usize = 5;

/// Bytes of a file that tell whether it is compact.
pub const PEEK: usize = LENGTH_MAX + BEGINNING.len();

/// Writes a block as a record. `solid` is the last final block, where known.
/// Steps of the multisig wallet are left out.
pub fn encode(block: &Block, solid: Option<u64>) -> Vec<u8> {
    BlockMessage::new(block, solid).encode_to_vec()
}

/// Appends a record to a file: its length, then the record.
pub fn write_delimited(record: &[u8], file: &mut Vec<u8>) {
    prost::encoding::encode_varint(record.len() as u64, file);
    file.extend_from_slice(record);
}

/// The length of the record at the beginning of a file, and where it begins;
/// `None` if the bytes, [`PEEK`] of them if the file has so many, are no
/// beginning of a compact file.
pub fn delimited(file: &[u8]) -> Option<(usize, usize)> {
    let end = file.iter().take(LENGTH_MAX).position(|byte| *byte < 0x80)? + 1;
    let len = prost::decode_length_delimiter(file).ok()?;
    is_compact(&file[end..]).then_some((len, end))
}

/// Whether a record is compact, well formed or not.
pub(crate) fn is_compact(record: &[u8]) -> bool {
    record.starts_with(&BEGINNING)
}

/// Decodes one record: the block's header, then its events.
pub(crate) fn decode(record: &[u8], out: &mut Vec<Decoded>) -> Result<(), DecodeError> {
    if !is_compact(record) {
        return Err(DecodeError::UnknownFormat);
    }
    let block = BlockFields::read(record)?;
    let header = block.header()?;
    let before = out.len();
    out.reserve(1 + block.events);
    let place = Place {
        chain: header.chain,
        block: header.number,
        hash: header.hash,
        timestamp_ms: header.timestamp_ms,
    };
    out.push(Decoded::Header(header));
    decode_events(record, &place, out).inspect_err(|_| out.truncate(before))
}

/// The fields of a block but its events, which are counted.
#[derive(Default)]
struct BlockFields<'a> {
    chain: u64,
    number: Option<u64>,
    timestamp_ms: Option<u64>,
    hash: &'a [u8],
    parent_hash: &'a [u8],
    solid: Option<u64>,
    events: usize,
}

impl<'a> BlockFields<'a> {
    fn read(record: &'a [u8]) -> Result<BlockFields<'a>, DecodeError> {
        let mut block = BlockFields::default();
        let mut fields = Fields::of(record);
        while let Some(field) = fields.next()? {
            match field {
                (2, Value::Fixed32(MAGIC)) => {}
                (3, Value::Varint(code)) => block.chain = code,
                (4, Value::Varint(number)) => block.number = Some(number),
                (5, Value::Varint(ms)) => block.timestamp_ms = Some(ms),
                (6, Value::Bytes(bytes)) => block.hash = bytes,
                (7, Value::Bytes(bytes)) => block.parent_hash = bytes,
                (8, Value::Varint(number)) => block.solid = Some(number),
                (9, Value::Bytes(_)) => block.events += 1,
                _ => return Err(malformed("a field of a block that the schema has not")),
            }
        }
        Ok(block)
    }

    fn header(&self) -> Result<BlockHeader, DecodeError> {
        let chain = match code(self.chain) {
            Some(ChainCode::Ethereum) => Chain::Ethereum,
            Some(ChainCode::Tron) => Chain::Tron,
            _ => return Err(DecodeError::UnknownChain { name: self.chain.to_string() }),
        };
        let number = field::required("number", self.number)?;
        optional_hash("parent_hash", self.parent_hash)?;
        let hash = optional_hash("hash", self.hash)?;
        if chain == Chain::Tron && hash.is_some_and(|bytes| bytes[..8] != number.to_be_bytes()) {
            return Err(DecodeError::hash("hash", &hex::encode(self.hash)));
        }
        Ok(BlockHeader {
            chain,
            number,
            hash: hash.map(BlockHash),
            timestamp_ms: field::required("timestamp_ms", self.timestamp_ms)?,
            transactions: Vec::new(),
            removed: false,
            solid: self.solid,
        })
    }
}

/// Where the events of a block stand.
struct Place {
    chain: Chain,
    block: u64,
    hash: Option<BlockHash>,
    timestamp_ms: u64,
}

fn decode_events(record: &[u8], place: &Place, out: &mut Vec<Decoded>) -> Result<(), DecodeError> {
    let mut fields = Fields::of(record);
    while let Some((number, value)) = fields.next()? {
        if let (9, Value::Bytes(message)) = (number, value) {
            out.push(Decoded::Event(EventFields::read(message)?.event(place)?));
        }
    }
    Ok(())
}

#[derive(Default)]
struct EventFields<'a> {
    tx: &'a [u8],
    log_index: Option<u64>,
    kind: u64,
    from: &'a [u8],
    to: &'a [u8],
    amount: u64,
}

impl<'a> EventFields<'a> {
    #[inline]
    fn read(message: &'a [u8]) -> Result<EventFields<'a>, DecodeError> {
        let mut event = EventFields::default();
        let mut fields = Fields::of(message);
        while let Some(field) = fields.next()? {
            match field {
                (1, Value::Bytes(bytes)) => event.tx = bytes,
                (2, Value::Varint(index)) => event.log_index = Some(index),
                (3, Value::Varint(code)) => event.kind = code,
                (4, Value::Bytes(bytes)) => event.from = bytes,
                (5, Value::Bytes(bytes)) => event.to = bytes,
                (6, Value::Varint(amount)) => event.amount = amount,
                _ => return Err(malformed("a field of an event that the schema has not")),
            }
        }
        Ok(event)
    }

    #[inline]
    fn event(&self, place: &Place) -> Result<ChainEvent, DecodeError> {
        let index = |number: u64| {
            let fits = u32::try_from(number).map(LogIndex::InBlock);
            fits.map_err(|_| DecodeError::number("log_index", &number.to_string()))
        };
        Ok(ChainEvent {
            chain: place.chain,
            block: place.block,
            block_hash: place.hash,
            timestamp_ms: Some(place.timestamp_ms),
            tx: TxHash(optional_hash("tx", self.tx)?.ok_or(missing("tx"))?),
            index: self.log_index.map(index).transpose()?,
            action: ChainAction::Ledger(self.action()?),
            removed: false,
            solid: None,
        })
    }

    #[inline]
    fn action(&self) -> Result<Action, DecodeError> {
        let from = || address("from", self.from);
        let to = || address("to", self.to);
        let amount = self.amount;
        Ok(match code(self.kind) {
            Some(Kind::Transfer) => Action::Transfer { from: from()?, to: to()?, amount },
            Some(Kind::Issue) => Action::Issue { to: to()?, amount },
            Some(Kind::Redeem) => Action::Redeem { from: from()?, amount },
            Some(Kind::Destroy) => Action::Destroy { account: from()?, amount },
            Some(Kind::BlacklistAdd) => Action::BlacklistAdd { account: from()? },
            Some(Kind::BlacklistRemove) => Action::BlacklistRemove { account: from()? },
            Some(Kind::Unspecified) | None => {
                return Err(DecodeError::UnknownEvent { name: self.kind.to_string() });
            }
        })
    }
}

/// What a number of an enumeration stands for, if the schema has it.
fn code<T: TryFrom<i32>>(number: u64) -> Option<T> {
    i32::try_from(number).ok().and_then(|number| T::try_from(number).ok())
}

#[inline]
fn address(field: &'static str, bytes: &[u8]) -> Result<Address, DecodeError> {
    match bytes.try_into() {
        Ok(bytes) => Ok(Address(bytes)),
        Err(_) if bytes.is_empty() => Err(missing(field)),
        Err(_) => {
            let (value, fault) = (shown(&hex::encode(bytes)), AddressFault::Length);
            Err(DecodeError::InvalidAddress { field, value, fault })
        }
    }
}

/// A hash; no bytes are none.
#[inline]
fn optional_hash(field: &'static str, bytes: &[u8]) -> Result<Option<[u8; 32]>, DecodeError> {
    match bytes.try_into() {
        Ok(bytes) => Ok(Some(bytes)),
        Err(_) if bytes.is_empty() => Ok(None),
        Err(_) => Err(DecodeError::hash(field, &hex::encode(bytes))),
    }
}

fn missing(field: &'static str) -> DecodeError {
    DecodeError::MissingField { field }
}
