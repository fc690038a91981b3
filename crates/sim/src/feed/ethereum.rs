//! The records of Ethereum's tools: `ethereumetl stream` and JSON-RPC logs.
//! java-tron's JSON-RPC answers in the latter shape, too.

use flow_codec::wire::rfc3339_utc;
use flow_core::{Action, Block, Chain};

use super::log::{PlacedLog, placed_logs};

/// The block's logs as `ethereumetl stream` sends them to `logs`. Ethereum only.
pub fn ethereum_etl_log(block: &Block) -> Vec<String> {
    if block.chain != Chain::Ethereum {
        return Vec::new();
    }
    placed_logs(block).iter().map(|placed| etl_log(block, placed)).collect()
}

/// The block's transfers as `ethereumetl stream` sends them to
/// `token_transfers`; it tells of no other event. Ethereum only.
pub fn ethereum_etl_token_transfer(block: &Block) -> Vec<String> {
    if block.chain != Chain::Ethereum {
        return Vec::new();
    }
    placed_logs(block).iter().filter_map(|placed| etl_transfer(block, placed)).collect()
}

/// The block's logs as `eth_getLogs` answers them.
pub fn json_rpc_log(block: &Block) -> Vec<String> {
    placed_logs(block).iter().map(|placed| rpc_log(block, placed)).collect()
}

fn etl_log(block: &Block, placed: &PlacedLog) -> String {
    format!(
        "{{\"type\": \"log\", \"log_index\": {index}, \"transaction_hash\": \"0x{tx}\", \
         \"transaction_index\": {tx_index}, \"address\": \"0x{contract}\", \
         \"data\": \"0x{data}\", \"topics\": [{topics}], {tail}}}",
        index = placed.in_block,
        tx = hex::encode(placed.event.tx.0),
        tx_index = placed.tx_index,
        contract = hex::encode(placed.log.contract.0),
        data = placed.log.data(),
        topics = topics(placed, ", "),
        tail = etl_tail(block, placed, "log"),
    )
}

fn etl_transfer(block: &Block, placed: &PlacedLog) -> Option<String> {
    let Action::Transfer { from, to, amount } = placed.event.action else {
        return None;
    };
    Some(format!(
        "{{\"type\": \"token_transfer\", \"token_address\": \"0x{contract}\", \
         \"from_address\": \"0x{from}\", \"to_address\": \"0x{to}\", \"value\": {amount}, \
         \"transaction_hash\": \"0x{tx}\", \"log_index\": {index}, {tail}}}",
        contract = hex::encode(placed.log.contract.0),
        from = hex::encode(from.0),
        to = hex::encode(to.0),
        tx = hex::encode(placed.event.tx.0),
        index = placed.in_block,
        tail = etl_tail(block, placed, "token_transfer"),
    ))
}

/// What both records end with.
fn etl_tail(block: &Block, placed: &PlacedLog, item: &str) -> String {
    format!(
        "\"block_number\": {number}, \"block_timestamp\": {seconds}, \"block_hash\": {hash}, \
         \"item_id\": \"{item}_0x{tx}_{index}\", \"item_timestamp\": \"{time}\"",
        number = block.number,
        seconds = block.timestamp_ms / 1_000,
        hash = hash(block),
        tx = hex::encode(placed.event.tx.0),
        index = placed.in_block,
        time = rfc3339_utc(block.timestamp_ms).replace(".000Z", "Z"),
    )
}

fn rpc_log(block: &Block, placed: &PlacedLog) -> String {
    format!(
        "{{\"address\":\"0x{contract}\",\"topics\":[{topics}],\"data\":\"0x{data}\",\
         \"blockNumber\":\"0x{number:x}\",\"transactionHash\":\"0x{tx}\",\
         \"transactionIndex\":\"0x{tx_index:x}\",\"blockHash\":{hash},\
         \"blockTimestamp\":\"0x{seconds:x}\",\"logIndex\":\"0x{index:x}\",\"removed\":false}}",
        contract = hex::encode(placed.log.contract.0),
        topics = topics(placed, ","),
        data = placed.log.data(),
        number = block.number,
        tx = hex::encode(placed.event.tx.0),
        tx_index = placed.tx_index,
        hash = hash(block),
        seconds = block.timestamp_ms / 1_000,
        index = placed.in_block,
    )
}

fn topics(placed: &PlacedLog, separator: &str) -> String {
    let topics: Vec<String> =
        placed.log.topics().iter().map(|topic| format!("\"0x{topic}\"")).collect();
    topics.join(separator)
}

fn hash(block: &Block) -> String {
    block.hash.map_or_else(|| "null".to_owned(), |hash| format!("\"0x{}\"", hex::encode(hash.0)))
}
