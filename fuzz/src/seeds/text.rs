//! Seeds that are text, or records beside it: records, feeds, and what users
//! write.

use std::sync::OnceLock;

use flow_codec::address::{format, format_account};
use flow_codec::case_file::{case_to_json, label_to_json};
use flow_core::Block;
use flow_sim::feed;
use flow_sim::ledger_gen::{RandomLedger, random_ledger};

use super::any_bytes;

/// Records of which decoders make templates, so many of a ledger and format.
const TEMPLATES: usize = 4;

/// Records that invented traffic lacks: headers, other kinds, answers of nodes.
const RECORDS: [&str; 10] = [
    r#"{"timeStamp":1701046167000,"triggerName":"solidityTrigger","latestSolidifiedBlockNumber":56804481}"#,
    r#"{"timeStamp":1701046167000,"triggerName":"transactionTrigger","transactionId":"0f2703829ae116c95c8ff07fd0a5e354ad91a0a27482bf2b8b0990678a1b1b46","blockHash":"","blockNumber":56804501,"contractType":"TriggerSmartContract","result":"SUCCESS","data":"c6427474"}"#,
    r#"{"type":"block","number":17173049,"hash":"0x7a38c8e6cbcdbd1a4b5a1d4c3c0bf3bf3f4cbd8de5c6dc3bb09b4ca0f4a9bb01","parent_hash":"0x00","timestamp":1683039443,"transaction_count":148,"item_id":"block_0x7a"}"#,
    r#"{"type":"transaction","hash":"0x7a38c8e6cbcdbd1a4b5a1d4c3c0bf3bf3f4cbd8de5c6dc3bb09b4ca0f4a9bb01","to_address":"0xc6cde7c39eb2f0f0095f41570af89efc2c1ea828","input":"0xc6427474","block_number":17173049,"receipt_status":1}"#,
    r#"{"parentHash":"0x01","number":"0x1060a39","hash":"0x7a38c8e6cbcdbd1a4b5a1d4c3c0bf3bf3f4cbd8de5c6dc3bb09b4ca0f4a9bb01","timestamp":"0x645123d3"}"#,
    r#"{"jsonrpc":"2.0","method":"eth_subscription","params":{"subscription":"0x1","result":{"parentHash":"0x01","number":"0x1060a39","hash":"0x7a38c8e6cbcdbd1a4b5a1d4c3c0bf3bf3f4cbd8de5c6dc3bb09b4ca0f4a9bb01","timestamp":"0x645123d3"}}}"#,
    r#"{"jsonrpc":"2.0","id":1,"result":[]}"#,
    r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"no"}}"#,
    "chain,block,log_index,timestamp,tx,event,from,to,amount\ntron,56804500,0,1701046164000,0f2703829ae116c95c8ff07fd0a5e354ad91a0a27482bf2b8b0990678a1b1b46,transfer,TMjFmBGydHZNYGjGxgmvpNbz3m3DjqUkHh,TUpHuDkiCCmwaTZBHZvQdwWzGNm5t8J2b9,1968510000\n",
    "block_number,timestamp_s,log_index,tx_hash,contract,from,to,value_raw\n56804500,1701046164,0,0f2703829ae116c95c8ff07fd0a5e354ad91a0a27482bf2b8b0990678a1b1b46,TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t,TMjFmBGydHZNYGjGxgmvpNbz3m3DjqUkHh,TUpHuDkiCCmwaTZBHZvQdwWzGNm5t8J2b9,1968510000\n",
];

/// Formats of invented traffic.
const FEEDS: [fn(&Block) -> Vec<String>; 6] = [
    feed::java_tron,
    feed::ethereum_etl_log,
    feed::ethereum_etl_token_transfer,
    feed::json_rpc_log,
    feed::plain_json,
    |block| feed::java_tron_block_trigger(block).into_iter().collect(),
];

fn ledgers() -> impl Iterator<Item = RandomLedger> {
    (0..12).map(random_ledger)
}

/// Records of every format: alone, as lines, as a JSON array, as CSV.
pub fn records() -> Vec<Vec<u8>> {
    let mut seeds: Vec<String> = RECORDS.map(str::to_owned).to_vec();
    for ledger in ledgers() {
        for feed in FEEDS {
            let told: Vec<String> = ledger.blocks.iter().flat_map(feed).take(4).collect();
            seeds.push(told.join("\n"));
            seeds.push(format!("[{}]", told.join(",")));
            seeds.extend(told);
        }
        let rows: Vec<String> = ledger.blocks.iter().flat_map(feed::plain_csv).take(6).collect();
        seeds.push(format!("{}\n{}\n", feed::PLAIN_CSV_HEADER, rows.join("\n")));
    }
    let compact = ledgers().flat_map(|ledger| ledger.blocks.into_iter().take(4));
    let compact = compact.map(|block| feed::compact(&block));
    seeds.into_iter().map(String::into_bytes).chain(compact).collect()
}

/// Well-formed records of the formats that are read by templates.
pub(crate) fn templates() -> &'static [String] {
    static MADE: OnceLock<Vec<String>> = OnceLock::new();
    MADE.get_or_init(|| {
        let formats = [feed::java_tron, feed::plain_json];
        let of = |ledger: RandomLedger| {
            let records = |format: fn(&Block) -> Vec<String>| {
                ledger.blocks.iter().flat_map(format).take(TEMPLATES).collect::<Vec<String>>()
            };
            formats.map(records).concat()
        };
        ledgers().take(2).flat_map(of).collect()
    })
}

/// Lines of a few blocks, some taken back and told again; and any bytes, as
/// choices.
pub fn feeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> =
        (0..40).map(|seed| any_bytes(seed, 30 + 40 * usize::from(seed))).collect();
    for ledger in ledgers() {
        for feed in FEEDS {
            let lines: Vec<String> = ledger.blocks.iter().flat_map(feed).take(8).collect();
            let middle = lines.len() / 2;
            let is_back = |line: &String| line.replace("\"removed\":false", "\"removed\":true");
            let back: Vec<String> = lines[middle..].iter().rev().map(is_back).collect();
            let all = [&lines[..], &back, &lines[middle..]].concat();
            seeds.push(all.join("\n").into_bytes());
        }
    }
    seeds
}

/// Cases and labels as JSON, labels and opening balances as CSV.
pub fn case_files() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for ledger in ledgers() {
        let cases: Vec<String> = ledger.cases.iter().map(case_to_json).collect();
        seeds.push(format!("[{}]", cases.join(",")));
        seeds.extend(cases);
        seeds.extend(ledger.labels.iter().map(label_to_json));
        let mut labels = "chain,address,entity,kind,stop\n".to_owned();
        for label in &ledger.labels {
            let address = format(label.account.chain, label.account.address);
            let fields = [label.account.chain.name(), &address, &label.entity, &label.kind];
            labels += &format!("{},{}\n", fields.join(","), label.stop);
        }
        seeds.push(labels);
        let mut opening = "chain,address,balance\n".to_owned();
        for (account, balance) in &ledger.opening {
            let account = format_account(*account).replacen(':', ",", 1);
            opening += &format!("{account},{balance}\n");
        }
        seeds.push(opening);
    }
    seeds.into_iter().map(String::into_bytes).collect()
}
