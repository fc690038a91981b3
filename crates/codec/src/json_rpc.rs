//! Logs and block headers as Ethereum's JSON-RPC writes them: bare, in an
//! `eth_subscription` notice, in the answer to `eth_getLogs`, or in an array.
//!
//! TRON's nodes answer in the same shape. What always holds: the chain is told
//! by the contract (of a log) or by the hash (of a header, since a TRON hash
//! begins with its block's number), never by what a topic is called.

use flow_core::{Address, BlockHash, Chain};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::address::{parse, parse_tx};
use crate::error::DecodeError;
use crate::field::{self, Number, Text, Topics, required};
use crate::tether::{self, LogMeaning, decode_text_log};
use crate::{BlockHeader, ChainEvent, Decoded, Ignored, LogIndex};

/// Objects and arrays nested at most: a batch of answers, each with an array
/// of logs.
const DEPTH_MAX: u32 = 4;

/// The union of an envelope, a log and a header.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    #[serde(borrow)]
    jsonrpc: Option<Text<'a>>,
    params: Option<&'a RawValue>,
    result: Option<&'a RawValue>,
    address: Option<Text<'a>>,
    topics: Option<Topics>,
    data: Option<Text<'a>>,
    block_number: Option<Number>,
    block_hash: Option<Text<'a>>,
    block_timestamp: Option<Number>,
    transaction_hash: Option<Text<'a>>,
    log_index: Option<Number>,
    removed: Option<bool>,
    number: Option<Number>,
    hash: Option<Text<'a>>,
    timestamp: Option<Number>,
    parent_hash: Option<Text<'a>>,
}

/// What `eth_subscription` carries.
#[derive(Deserialize)]
struct Params<'a> {
    #[serde(borrow)]
    result: Option<&'a RawValue>,
}

/// Decodes one record: everything in it, or nothing.
pub(crate) fn decode(text: &str, out: &mut Vec<Decoded>) -> Result<(), DecodeError> {
    let before = out.len();
    let result = value(text.trim_start(), DEPTH_MAX, out);
    if result.is_err() {
        out.truncate(before);
    }
    result
}

fn value(text: &str, depth: u32, out: &mut Vec<Decoded>) -> Result<(), DecodeError> {
    let depth = depth.checked_sub(1).ok_or(DecodeError::UnknownFormat)?;
    if text.starts_with('[') {
        let elements: Vec<&RawValue> = serde_json::from_str(text)?;
        if elements.is_empty() {
            out.push(Decoded::Ignored(Ignored::OtherRecord));
        }
        return elements.into_iter().try_for_each(|element| value(element.get(), depth, out));
    }
    if !text.starts_with('{') {
        // A subscription's id, the hash of a pending transaction, null.
        serde_json::from_str::<serde::de::IgnoredAny>(text)?;
        out.push(Decoded::Ignored(Ignored::OtherRecord));
        return Ok(());
    }
    let record: Record<'_> = serde_json::from_str(text)?;
    if record.jsonrpc.is_some() {
        return envelope(&record, depth, out);
    }
    let decoded = if record.topics.is_some() {
        log(record)?
    } else if record.parent_hash.is_some() {
        Decoded::Header(header(record)?)
    } else {
        return Err(DecodeError::UnknownFormat);
    };
    out.push(decoded);
    Ok(())
}

fn envelope(record: &Record<'_>, depth: u32, out: &mut Vec<Decoded>) -> Result<(), DecodeError> {
    let result = match record.params {
        Some(params) => serde_json::from_str::<Params<'_>>(params.get())?.result,
        None => record.result,
    };
    // An answer that is an error has no result: logs are missing, so say so.
    value(required("result", result)?.get(), depth, out)
}

fn log(record: Record<'_>) -> Result<Decoded, DecodeError> {
    let contract = parse(Chain::Ethereum, required("address", record.address.as_deref())?)?;
    let Some(chain) = chain_of(contract) else {
        return Ok(Decoded::Ignored(Ignored::ForeignContract));
    };
    let topics = required("topics", record.topics.as_ref())?;
    let data = record.data.as_deref().unwrap_or("");
    let action = match decode_text_log(chain, contract, topics, data)? {
        LogMeaning::Action(action) => action,
        LogMeaning::Ignored(ignored) => return Ok(Decoded::Ignored(ignored)),
    };
    let tx = required("transactionHash", record.transaction_hash.as_deref())?;
    Ok(Decoded::Event(ChainEvent {
        chain,
        block: field::number("blockNumber", record.block_number)?,
        block_hash: field::block_hash("blockHash", record.block_hash.as_deref())?,
        timestamp_ms: field::optional_seconds("blockTimestamp", record.block_timestamp)?,
        tx: parse_tx(tx).map_err(|error| error.at("transactionHash"))?,
        index: Some(LogIndex::InBlock(field::index("logIndex", record.log_index)?)),
        action,
        removed: record.removed.unwrap_or(false),
        solid: None,
    }))
}

fn chain_of(contract: Address) -> Option<Chain> {
    Chain::ALL.into_iter().find(|chain| tether::is_ours(*chain, contract))
}

fn header(record: Record<'_>) -> Result<BlockHeader, DecodeError> {
    let number = field::number("number", record.number)?;
    let hash = field::block_hash("hash", record.hash.as_deref())?;
    let tron = hash.is_some_and(|BlockHash(bytes)| bytes[..8] == number.to_be_bytes());
    Ok(BlockHeader {
        chain: if tron { Chain::Tron } else { Chain::Ethereum },
        number,
        hash,
        timestamp_ms: field::seconds("timestamp", record.timestamp)?,
        transactions: Vec::new(),
        removed: record.removed.unwrap_or(false),
        solid: None,
    })
}
