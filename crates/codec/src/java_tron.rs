//! Messages of java-tron's event subscription, as its Kafka plugin sends them.
//!
//! What always holds: a message is told by its `triggerName`, since topic names
//! are free text; raw topics and data are believed before the decoded maps,
//! which read `uint256` as signed; a block hash that does not begin with its
//! block's number is refused.
//!
//! `uniqueId` counts the logs of the transaction from 1, so its index orders
//! events inside their transaction only. The index of a `logList`
//! (`ethCompatible = true`) orders the whole block.

use std::collections::BTreeMap;

use flow_core::{Action, Address, BlockHash, Chain, MultisigAction, TxHash};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::address::{AddressCache, parse, parse_bytes, parse_tx};
use crate::error::{DecodeError, shown};
use crate::field::{self, Number, Text, Topics, required};
use crate::shape::{Shapes, Step};
use crate::tether::{self, LogMeaning, Parameter, decode_call, decode_named_log, decode_text_log};
use crate::{BlockHeader, ChainAction, ChainEvent, Decoded, Ignored, LogIndex};

const CHAIN: Chain = Chain::Tron;

/// The union of all triggers: one parse tells the trigger and reads it.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    #[serde(borrow)]
    trigger_name: Option<Text<'a>>,
    time_stamp: Option<Number>,
    unique_id: Option<Text<'a>>,
    transaction_id: Option<Text<'a>>,
    contract_address: Option<Text<'a>>,
    to_address: Option<Text<'a>>,
    block_number: Option<Number>,
    block_hash: Option<Text<'a>>,
    removed: Option<bool>,
    latest_solidified_block_number: Option<Number>,
    raw_data: Option<RawData<'a>>,
    event_name: Option<Text<'a>>,
    topic_map: Option<&'a RawValue>,
    data_map: Option<&'a RawValue>,
    topic_list: Option<Topics>,
    data: Option<Text<'a>>,
    result: Option<Text<'a>>,
    log_list: Option<Vec<LogEntry<'a>>>,
    transaction_list: Option<Vec<Text<'a>>>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct RawData<'a> {
    #[serde(borrow)]
    address: Option<Text<'a>>,
    topics: Option<Topics>,
    data: Option<Text<'a>>,
}

const TRIGGER_NAME: usize = 0;
const TIME_STAMP: usize = 1;
const UNIQUE_ID: usize = 2;
const TRANSACTION_ID: usize = 3;
const BLOCK_NUMBER: usize = 4;
const BLOCK_HASH: usize = 5;
const SOLID: usize = 6;
const CONTRACT_ADDRESS: usize = 7;
const DATA: usize = 8;
const TOPIC: usize = 9;
const RAW_ADDRESS: usize = TOPIC + Topics::MAX;
const RAW_DATA: usize = RAW_ADDRESS + 1;
const RAW_TOPIC: usize = RAW_DATA + 1;
const ROLES: usize = RAW_TOPIC + Topics::MAX;

/// The role of a value in the record of a log, if it is read.
fn role(path: &[Step<'_>]) -> Option<usize> {
    use Step::{Item, Key};
    Some(match path {
        [Key("triggerName")] => TRIGGER_NAME,
        [Key("timeStamp")] => TIME_STAMP,
        [Key("uniqueId")] => UNIQUE_ID,
        [Key("transactionId")] => TRANSACTION_ID,
        [Key("blockNumber")] => BLOCK_NUMBER,
        [Key("blockHash")] => BLOCK_HASH,
        [Key("latestSolidifiedBlockNumber")] => SOLID,
        [Key("contractAddress")] => CONTRACT_ADDRESS,
        [Key("data")] => DATA,
        [Key("topicList"), Item(number @ 0..Topics::MAX)] => TOPIC + number,
        [Key("rawData"), Key("address")] => RAW_ADDRESS,
        [Key("rawData"), Key("data")] => RAW_DATA,
        [Key("rawData"), Key("topics"), Item(number @ 0..Topics::MAX)] => RAW_TOPIC + number,
        _ => return None,
    })
}

impl<'a> Record<'a> {
    /// The record of a log with these values, each at the place of its role.
    fn of_values(values: &[Option<&'a str>; ROLES], removed: Option<bool>) -> Record<'a> {
        let text = |role: usize| values[role].map(Text::from);
        let number = |role: usize| values[role].map(Number::of_text);
        let topics = |first: usize| {
            let texts = values[first..first + Topics::MAX].iter();
            Topics::of_texts(texts.map_while(|text| *text))
        };
        let raw_data = values[RAW_ADDRESS].map(|address| RawData {
            address: Some(address.into()),
            topics: Some(topics(RAW_TOPIC)),
            data: text(RAW_DATA),
        });
        Record {
            topic_list: raw_data.is_none().then(|| topics(TOPIC)),
            raw_data,
            trigger_name: text(TRIGGER_NAME),
            time_stamp: number(TIME_STAMP),
            unique_id: text(UNIQUE_ID),
            transaction_id: text(TRANSACTION_ID),
            contract_address: text(CONTRACT_ADDRESS),
            block_number: number(BLOCK_NUMBER),
            block_hash: text(BLOCK_HASH),
            removed,
            latest_solidified_block_number: number(SOLID),
            data: text(DATA),
            ..Record::default()
        }
    }

    /// Whether another record of a log is told alike, and by its topics: not by
    /// the decoded maps, nor by more topics than there are.
    fn is_told_as(&self, other: &Record<'_>) -> bool {
        let topics = match &self.raw_data {
            Some(raw) => raw.topics.as_ref(),
            None => self.topic_list.as_ref(),
        };
        topics.is_some_and(Topics::are_fit)
            && self.raw_data == other.raw_data
            && self.topic_list == other.topic_list
            && self.trigger_name == other.trigger_name
            && self.time_stamp == other.time_stamp
            && self.unique_id == other.unique_id
            && self.transaction_id == other.transaction_id
            && self.contract_address == other.contract_address
            && self.block_number == other.block_number
            && self.block_hash == other.block_hash
            && self.latest_solidified_block_number == other.latest_solidified_block_number
            && self.data == other.data
    }
}

/// One log of a transaction message.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogEntry<'a> {
    #[serde(borrow)]
    address: Option<Text<'a>>,
    topic_list: Option<Topics>,
    data: Option<Text<'a>>,
    log_index: Option<Number>,
}

/// Templates of logs. What the records of one share beside its words is whether
/// they are `removed`.
pub(crate) type LogShapes = Shapes<Option<bool>>;

/// Decodes one message.
pub(crate) fn decode(
    text: &str,
    cache: &mut AddressCache,
    shapes: &mut LogShapes,
    out: &mut Vec<Decoded>,
) -> Result<(), DecodeError> {
    if let Some((values, removed)) = shapes.fit(text)
        && values[TRIGGER_NAME].is_some_and(is_contract_log)
    {
        out.push(contract_log(&Record::of_values(&values, removed), cache)?);
        return Ok(());
    }
    let record: Record<'_> = serde_json::from_str(text)?;
    let name = required("triggerName", record.trigger_name.as_deref())?;
    match name {
        name if is_contract_log(name) => {
            out.push(contract_log(&record, cache)?);
            shapes.learn(text, record.removed, role, |values| {
                record.is_told_as(&Record::of_values(values, record.removed))
            });
        }
        "blockTrigger" => out.push(Decoded::Header(header(record)?)),
        "solidityTrigger" => {
            let field = "latestSolidifiedBlockNumber";
            let number = field::number(field, record.latest_solidified_block_number)?;
            out.push(Decoded::Solid { chain: CHAIN, number });
        }
        "transactionTrigger" => transaction(record, out)?,
        other => return Err(DecodeError::UnknownTrigger { name: shown(other) }),
    }
    Ok(())
}

/// What every event of a message shares.
struct Origin {
    block: u64,
    block_hash: Option<BlockHash>,
    timestamp_ms: u64,
    tx: TxHash,
    removed: bool,
    solid: Option<u64>,
}

impl Origin {
    fn event(&self, index: Option<LogIndex>, action: ChainAction) -> Decoded {
        Decoded::Event(ChainEvent {
            chain: CHAIN,
            block: self.block,
            block_hash: self.block_hash,
            timestamp_ms: Some(self.timestamp_ms),
            tx: self.tx,
            index,
            action,
            removed: self.removed,
            solid: self.solid,
        })
    }
}

fn origin(record: &Record<'_>) -> Result<Origin, DecodeError> {
    let block = field::number("blockNumber", record.block_number.clone())?;
    Ok(Origin {
        block,
        block_hash: checked_hash(record.block_hash.as_deref(), block)?,
        timestamp_ms: field::number("timeStamp", record.time_stamp.clone())?,
        tx: parse_tx(required("transactionId", record.transaction_id.as_deref())?)
            .map_err(|error| error.at("transactionId"))?,
        removed: record.removed.unwrap_or(false),
        solid: solid(record)?,
    })
}

fn solid(record: &Record<'_>) -> Result<Option<u64>, DecodeError> {
    let field = "latestSolidifiedBlockNumber";
    field::solid(field, record.latest_solidified_block_number.clone())
}

fn is_contract_log(trigger_name: &str) -> bool {
    matches!(
        trigger_name,
        "contractEventTrigger"
            | "contractLogTrigger"
            | "solidityEventTrigger"
            | "solidityLogTrigger"
    )
}

fn contract_log(record: &Record<'_>, cache: &mut AddressCache) -> Result<Decoded, DecodeError> {
    let action = match log_meaning(record, cache)? {
        LogMeaning::Action(action) => action,
        LogMeaning::Ignored(ignored) => return Ok(Decoded::Ignored(ignored)),
    };
    let index = record.unique_id.as_deref().map(index_in_tx).transpose()?;
    Ok(origin(record)?.event(index, action))
}

fn log_meaning(record: &Record<'_>, cache: &mut AddressCache) -> Result<LogMeaning, DecodeError> {
    if let Some(raw) = &record.raw_data {
        let contract = contract("rawData.address", raw.address.as_deref(), cache)?;
        let topics = required("rawData.topics", raw.topics.as_ref())?;
        return decode_text_log(CHAIN, contract, topics, raw.data.as_deref().unwrap_or(""));
    }
    let contract = contract("contractAddress", record.contract_address.as_deref(), cache)?;
    if let Some(topics) = &record.topic_list {
        return decode_text_log(CHAIN, contract, topics, record.data.as_deref().unwrap_or(""));
    }
    let name = required("rawData", record.event_name.as_deref())?;
    let parameters = Parameters::read(record)?;
    decode_named_log(CHAIN, contract, name, |position, is_address| {
        parameters.at(position, is_address)
    })
}

/// The decoded maps, both of them: which one holds a parameter depends on
/// whether it is indexed, its position does not.
struct Parameters(BTreeMap<String, String>);

impl Parameters {
    fn read(record: &Record<'_>) -> Result<Self, DecodeError> {
        let mut all = BTreeMap::new();
        for map in [record.topic_map, record.data_map].into_iter().flatten() {
            let map: BTreeMap<String, String> = serde_json::from_str(map.get())?;
            all.extend(map);
        }
        Ok(Parameters(all))
    }

    fn at(&self, position: usize, is_address: bool) -> Result<Parameter, DecodeError> {
        const FIELD: &str = "dataMap";
        let text = required(FIELD, self.0.get(&position.to_string()))?;
        if is_address {
            return parse(CHAIN, text).map(Parameter::Address).map_err(|error| error.at(FIELD));
        }
        // Read as signed at the source: below zero means 2^255 or more.
        let negative = text.strip_prefix('-').is_some_and(|digits| !digits.is_empty());
        if negative {
            return Err(DecodeError::AmountTooLarge { value: shown(text) });
        }
        field::parse_amount(FIELD, text).map(Parameter::Number)
    }
}

/// Messages about one transaction. Its logs come along under `ethCompatible`.
fn transaction(mut record: Record<'_>, out: &mut Vec<Decoded>) -> Result<(), DecodeError> {
    let ignored = match record.result.as_deref() {
        Some("SUCCESS") => None,
        Some(_) => Some(Ignored::FailedTransaction),
        None => Some(Ignored::OtherRecord),
    };
    if let Some(ignored) = ignored {
        out.push(Decoded::Ignored(ignored));
        return Ok(());
    }
    let logs = record.log_list.take();
    let submission = submission(&record)?;
    if submission.is_none() && logs.as_ref().is_none_or(Vec::is_empty) {
        out.push(Decoded::Ignored(Ignored::OtherRecord));
        return Ok(());
    }
    let origin = origin(&record)?;
    let vouched = logs.is_none();
    let mut decoded = Vec::new();
    for log in logs.unwrap_or_default() {
        decoded.push(log_entry(&origin, log)?);
    }
    let vouched = vouched || decoded.iter().any(is_submission);
    out.append(&mut decoded);
    if let Some(action) = submission.filter(|_| vouched) {
        out.push(origin.event(None, ChainAction::Ledger(Action::Multisig(action))));
    }
    Ok(())
}

/// The submission that `data` tells of.
///
/// In java-tron of today `data` is the transaction's memo; only old releases
/// put the call data there. A memo is anybody's text, so the target must be the
/// multisig and, where the logs are told, its `Submission` must be among them.
fn submission(record: &Record<'_>) -> Result<Option<MultisigAction>, DecodeError> {
    let wallet = tether::multisig(CHAIN);
    // Under `ethCompatible` the target of a call is `toAddress`.
    let targets = [record.to_address.as_deref(), record.contract_address.as_deref()];
    let aimed = targets.into_iter().flatten().any(|text| parse(CHAIN, text) == Ok(wallet));
    let input = record.data.as_deref().filter(|_| aimed).and_then(parse_bytes);
    match input {
        Some(input) => decode_call(CHAIN, wallet, &input),
        // Not hex: no call data, whatever else.
        None => Ok(None),
    }
}

fn is_submission(decoded: &Decoded) -> bool {
    matches!(
        decoded,
        Decoded::Event(ChainEvent {
            action: ChainAction::Ledger(Action::Multisig(MultisigAction::Submission { .. })),
            ..
        })
    )
}

fn log_entry(origin: &Origin, log: LogEntry<'_>) -> Result<Decoded, DecodeError> {
    let address = required("logList.address", log.address.as_deref())?;
    let contract = parse(CHAIN, address).map_err(|error| error.at("logList.address"))?;
    let topics = required("logList.topicList", log.topic_list)?;
    match decode_text_log(CHAIN, contract, &topics, log.data.as_deref().unwrap_or(""))? {
        LogMeaning::Ignored(ignored) => Ok(Decoded::Ignored(ignored)),
        LogMeaning::Action(action) => {
            let index = field::index("logList.logIndex", log.log_index)?;
            Ok(origin.event(Some(LogIndex::InBlock(index)), action))
        }
    }
}

fn header(mut record: Record<'_>) -> Result<BlockHeader, DecodeError> {
    let number = field::number("blockNumber", record.block_number.take())?;
    let transactions = record.transaction_list.as_deref().unwrap_or_default();
    Ok(BlockHeader {
        chain: CHAIN,
        number,
        hash: checked_hash(record.block_hash.as_deref(), number)?,
        timestamp_ms: field::number("timeStamp", record.time_stamp.take())?,
        transactions: transactions
            .iter()
            .map(|text| parse_tx(text).map_err(|error| error.at("transactionList")))
            .collect::<Result<_, _>>()?,
        removed: record.removed.unwrap_or(false),
        solid: solid(&record)?,
    })
}

fn contract(
    field: &'static str,
    text: Option<&str>,
    cache: &mut AddressCache,
) -> Result<Address, DecodeError> {
    cache.parse(CHAIN, required(field, text)?).map_err(|error| error.at(field))
}

/// A TRON block hash tells its number in its first 8 bytes.
fn checked_hash(text: Option<&str>, number: u64) -> Result<Option<BlockHash>, DecodeError> {
    let hash = field::block_hash("blockHash", text)?;
    match hash {
        Some(BlockHash(bytes)) if bytes[..8] != number.to_be_bytes() => {
            Err(DecodeError::hash("blockHash", text.unwrap_or("")))
        }
        checked => Ok(checked),
    }
}

/// The index in `<transaction>_<n>`, counted from 1.
fn index_in_tx(unique_id: &str) -> Result<LogIndex, DecodeError> {
    let (_, number) = unique_id.rsplit_once('_').unwrap_or(("", ""));
    match field::parse_u32("uniqueId", number) {
        Ok(index) if index > 0 => Ok(LogIndex::InTx(index)),
        _ => Err(DecodeError::number("uniqueId", unique_id)),
    }
}
