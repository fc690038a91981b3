//! Messages of `ethereumetl stream`.
//!
//! What always holds: amounts are read digit by digit, since `value` is a bare
//! JSON integer of any size; nothing is ever `removed`, since the source tells
//! of no reorganisation. The same transfer comes as `log` and as
//! `token_transfer` and decodes to the same event.

use flow_core::{Action, Chain, TxHash};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::address::{AddressCache, parse_bytes, parse_tx};
use crate::error::{DecodeError, shown};
use crate::field::{self, Number, Text, Topics, required};
use crate::tether::{self, LogMeaning, decode_call, decode_text_log};
use crate::{BlockHeader, ChainAction, ChainEvent, Decoded, Ignored, LogIndex};

const CHAIN: Chain = Chain::Ethereum;

/// The union of the types: one parse tells the type and reads it.
#[derive(Deserialize)]
struct Record<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Text<'a>>,
    address: Option<Text<'a>>,
    token_address: Option<Text<'a>>,
    from_address: Option<Text<'a>>,
    to_address: Option<Text<'a>>,
    value: Option<&'a RawValue>,
    topics: Option<Topics>,
    data: Option<Text<'a>>,
    input: Option<Text<'a>>,
    hash: Option<Text<'a>>,
    number: Option<Number>,
    timestamp: Option<Number>,
    transaction_hash: Option<Text<'a>>,
    log_index: Option<Number>,
    block_number: Option<Number>,
    block_timestamp: Option<Number>,
    block_hash: Option<Text<'a>>,
    receipt_status: Option<Number>,
}

/// Decodes one message.
pub(crate) fn decode(
    text: &str,
    cache: &mut AddressCache,
    out: &mut Vec<Decoded>,
) -> Result<(), DecodeError> {
    let record: Record<'_> = serde_json::from_str(text)?;
    let kind = required("type", record.kind.as_deref())?;
    let decoded = match kind {
        "token_transfer" => token_transfer(record, cache)?,
        "log" => log(record, cache)?,
        "block" => Decoded::Header(header(record)?),
        "transaction" => transaction(record, cache)?,
        "contract" | "token" | "trace" => Decoded::Ignored(Ignored::OtherRecord),
        other => return Err(DecodeError::UnknownType { name: shown(other) }),
    };
    out.push(decoded);
    Ok(())
}

fn token_transfer(record: Record<'_>, cache: &mut AddressCache) -> Result<Decoded, DecodeError> {
    let mut address = |field, text: &Option<Text<'_>>| {
        cache.parse(CHAIN, required(field, text.as_deref())?).map_err(|error| error.at(field))
    };
    if address("token_address", &record.token_address)? != tether::usdt(CHAIN) {
        return Ok(Decoded::Ignored(Ignored::ForeignContract));
    }
    let action = Action::Transfer {
        from: address("from_address", &record.from_address)?,
        to: address("to_address", &record.to_address)?,
        amount: field::parse_amount(
            "value",
            &field::scalar_text(Some(required("value", record.value)?))?,
        )?,
    };
    log_event(record, ChainAction::Ledger(action))
}

fn log(record: Record<'_>, cache: &mut AddressCache) -> Result<Decoded, DecodeError> {
    let contract = cache.parse(CHAIN, required("address", record.address.as_deref())?)?;
    let topics = required("topics", record.topics.as_ref())?;
    match decode_text_log(CHAIN, contract, topics, record.data.as_deref().unwrap_or(""))? {
        LogMeaning::Action(action) => log_event(record, action),
        LogMeaning::Ignored(ignored) => Ok(Decoded::Ignored(ignored)),
    }
}

fn log_event(mut record: Record<'_>, action: ChainAction) -> Result<Decoded, DecodeError> {
    let index = field::index("log_index", record.log_index.take())?;
    let hash = record.transaction_hash.take();
    event(record, "transaction_hash", hash, Some(LogIndex::InBlock(index)), action)
}

/// The multisig's calls; every other transaction is told by its logs.
fn transaction(mut record: Record<'_>, cache: &mut AddressCache) -> Result<Decoded, DecodeError> {
    // A transaction that creates a contract has no target.
    let target = match record.to_address.as_deref() {
        None | Some("") => return Ok(Decoded::Ignored(Ignored::OtherRecord)),
        Some(text) => cache.parse(CHAIN, text).map_err(|error| error.at("to_address"))?,
    };
    if target != tether::multisig(CHAIN) {
        return Ok(Decoded::Ignored(Ignored::OtherRecord));
    }
    if field::optional("receipt_status", record.receipt_status.take())? == Some(0) {
        return Ok(Decoded::Ignored(Ignored::FailedTransaction));
    }
    let input = required("input", record.input.as_deref())?;
    let input = parse_bytes(input)
        .ok_or(DecodeError::InvalidCall { function: "input", fault: "not hex" })?;
    match decode_call(CHAIN, target, &input)? {
        None => Ok(Decoded::Ignored(Ignored::OtherRecord)),
        Some(action) => {
            let hash = record.hash.take();
            event(record, "hash", hash, None, ChainAction::Ledger(Action::Multisig(action)))
        }
    }
}

fn event(
    record: Record<'_>,
    tx_field: &'static str,
    tx: Option<Text<'_>>,
    index: Option<LogIndex>,
    action: ChainAction,
) -> Result<Decoded, DecodeError> {
    let tx: TxHash =
        parse_tx(required(tx_field, tx.as_deref())?).map_err(|error| error.at(tx_field))?;
    Ok(Decoded::Event(ChainEvent {
        chain: CHAIN,
        block: field::number("block_number", record.block_number)?,
        block_hash: field::block_hash("block_hash", record.block_hash.as_deref())?,
        timestamp_ms: field::optional_seconds("block_timestamp", record.block_timestamp)?,
        tx,
        index,
        action,
        removed: false,
        solid: None,
    }))
}

fn header(record: Record<'_>) -> Result<BlockHeader, DecodeError> {
    Ok(BlockHeader {
        chain: CHAIN,
        number: field::number("number", record.number)?,
        hash: field::block_hash("hash", record.hash.as_deref())?,
        timestamp_ms: field::seconds("timestamp", record.timestamp)?,
        transactions: Vec::new(),
        removed: false,
        solid: None,
    })
}
