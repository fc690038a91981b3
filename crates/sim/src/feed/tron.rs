//! java-tron's event plugin: `contractEventTrigger` and `blockTrigger`.

use flow_codec::address;
use flow_core::{Action, Address, Block, Chain};

use super::TRON_OWNER;
use super::log::{Param, PlacedLog, Value, placed_logs};

/// The account that created the USDT contract on TRON.
const CREATOR: &str = "THPvaUhoh2Qn2y9THCZML3H815hhFhn5YC";

/// How far the last solid block lies behind the head.
const SOLID_LAG_BLOCKS: u64 = 19;

/// The block's logs as `contractEventTrigger` messages of a node that knows
/// the contract's ABI. The index in `uniqueId` counts the logs of the
/// transaction from 1. TRON only.
pub fn java_tron(block: &Block) -> Vec<String> {
    if block.chain != Chain::Tron {
        return Vec::new();
    }
    placed_logs(block).iter().map(|placed| contract_event(block, placed)).collect()
}

/// The block as a `blockTrigger` message. TRON only.
pub fn java_tron_block_trigger(block: &Block) -> Option<String> {
    if block.chain != Chain::Tron {
        return None;
    }
    let mut txs: Vec<String> = Vec::new();
    for event in &block.events {
        let tx = quoted(&hex::encode(event.tx.0));
        if !txs.contains(&tx) {
            txs.push(tx);
        }
    }
    let hash = block.hash.unwrap_or_default();
    Some(format!(
        "{{\"timeStamp\":{},\"triggerName\":\"blockTrigger\",\"blockNumber\":{},\
         \"blockHash\":\"{}\",\"transactionSize\":{},\"latestSolidifiedBlockNumber\":{},\
         \"removed\":false,\"transactionList\":[{}]}}",
        block.timestamp_ms,
        block.number,
        hex::encode(hash.0),
        txs.len(),
        block.number.saturating_sub(SOLID_LAG_BLOCKS),
        txs.join(","),
    ))
}

fn contract_event(block: &Block, placed: &PlacedLog) -> String {
    let log = &placed.log;
    let tx = hex::encode(placed.event.tx.0);
    let hash = block
        .hash
        .map(|hash| format!("\"blockHash\":\"{}\",", hex::encode(hash.0)))
        .unwrap_or_default();
    let types: Vec<&str> = log.params.iter().map(|param| param.value.type_name()).collect();
    let declared: Vec<String> = log
        .params
        .iter()
        .map(|param| format!("{} {}", param.value.type_name(), param.name))
        .collect();
    let topics: Vec<String> = log.topics().iter().map(|topic| quoted(topic)).collect();
    format!(
        "{{\"timeStamp\":{time},\"triggerName\":\"contractEventTrigger\",\
         \"uniqueId\":\"{tx}_{index}\",\"transactionId\":\"{tx}\",\
         \"contractAddress\":\"{contract}\",\"callerAddress\":\"\",\
         \"originAddress\":\"{origin}\",\"creatorAddress\":\"{CREATOR}\",\
         \"blockNumber\":{number},{hash}\"removed\":false,\
         \"latestSolidifiedBlockNumber\":{solid},\"logInfo\":null,\
         \"rawData\":{{\"address\":\"{raw}\",\"topics\":[{topics}],\"data\":\"{data}\"}},\
         \"abi\":null,\"eventSignature\":\"{name}({types})\",\
         \"eventSignatureFull\":\"{name}({declared})\",\"eventName\":\"{name}\",\
         \"topicMap\":{topic_map},\"dataMap\":{data_map}}}",
        time = block.timestamp_ms,
        index = placed.in_tx + 1,
        contract = base58(log.contract),
        origin = base58(origin(&placed.event.action)),
        number = block.number,
        solid = block.number.saturating_sub(SOLID_LAG_BLOCKS),
        raw = hex::encode(log.contract.0),
        topics = topics.join(","),
        data = log.data(),
        name = log.name,
        types = types.join(","),
        declared = declared.join(","),
        topic_map = named_values(&log.params, true),
        data_map = named_values(&log.params, false),
    )
}

/// Each value twice, as the plugin writes it: by position, then by name.
fn named_values(params: &[Param], indexed: bool) -> String {
    let chosen = || params.iter().enumerate().filter(|(_, param)| param.indexed == indexed);
    let by_position =
        chosen().map(|(at, param)| format!("\"{at}\":{}", quoted(&text(param.value))));
    let by_name =
        chosen().map(|(_, param)| format!("\"{}\":{}", param.name, quoted(&text(param.value))));
    let pairs: Vec<String> = by_position.chain(by_name).collect();
    format!("{{{}}}", pairs.join(","))
}

fn text(value: Value) -> String {
    match value {
        Value::Address(address) => base58(address),
        Value::Uint(number) => number.to_string(),
    }
}

/// Who paid for the transaction: the sender, or the contract's owner.
fn origin(action: &Action) -> Address {
    match *action {
        Action::Transfer { from, .. } => from,
        _ => TRON_OWNER,
    }
}

fn base58(address: Address) -> String {
    address::format(Chain::Tron, address)
}

fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}
