//! How fast records become events, by format. Every record is a transfer of
//! USDT between two of 1,000 accounts, made from a fixed seed.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use flow_codec::{CsvLayout, Decoder, Format, address, compact};
use flow_core::{Action, Address, Block, BlockHash, Chain, LedgerEvent, TxHash};

const RECORDS: u64 = 1_000;
const ACCOUNTS: u64 = 1_000;
const TOPIC0: &str = "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef";
const ETHEREUM_USDT: &str = "0xdac17f958d2ee523a2206206994597c13d831ec7";
const TRON_USDT: &str = "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t";

/// SplitMix64: enough to spread accounts and amounts, and always the same.
struct Seeded(u64);

impl Seeded {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn account(&mut self) -> Address {
        let mut seeded = Seeded(self.next() % ACCOUNTS);
        let mut bytes = [0; 20];
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&seeded.next().to_be_bytes()[..chunk.len()]);
        }
        Address(bytes)
    }
}

/// One transfer, as the records tell it.
struct Transfer {
    block: u64,
    index: u64,
    tx: String,
    from: Address,
    to: Address,
    amount: u64,
}

impl Transfer {
    fn text(&self, chain: Chain) -> [String; 2] {
        [self.from, self.to].map(|account| address::format(chain, account))
    }

    /// Bare lower-case hex.
    fn hex(&self) -> [String; 2] {
        self.text(Chain::Ethereum).map(|text| text[2..].to_lowercase())
    }
}

/// Writes a transfer in some format.
type Write = fn(&Transfer) -> String;

fn transfers() -> Vec<Transfer> {
    let mut seeded = Seeded(1);
    let transfer = |number: u64| {
        let mut tx = [0; 32];
        tx[..8].copy_from_slice(&seeded.next().to_be_bytes());
        Transfer {
            block: 70_000_000 + number / 30,
            index: number % 30,
            tx: address::format_tx(Chain::Tron, TxHash(tx)),
            from: seeded.account(),
            to: seeded.account(),
            amount: seeded.next() % 1_000_000_000_000,
        }
    };
    (0..RECORDS).map(transfer).collect()
}

fn contract_event(transfer: &Transfer) -> String {
    let Transfer { block, index, tx, amount, .. } = transfer;
    let [from, to] = transfer.text(Chain::Tron);
    let [from_hex, to_hex] = transfer.hex();
    format!(
        r#"{{"timeStamp":1767225600000,"triggerName":"contractEventTrigger","uniqueId":"{tx}_{}","transactionId":"{tx}","contractAddress":"{TRON_USDT}","callerAddress":"","originAddress":"{from}","creatorAddress":"THPvaUhoh2Qn2y9THCZML3H815hhFhn5YC","blockNumber":{block},"blockHash":"{block:016x}{:048x}","removed":false,"latestSolidifiedBlockNumber":{},"logInfo":null,"rawData":{{"address":"a614f803b6fd780986a42c78ec9c7f77e6ded13c","topics":["{TOPIC0}","{from_hex:0>64}","{to_hex:0>64}"],"data":"{amount:064x}"}},"abi":null,"eventSignature":"Transfer(address,address,uint256)","eventSignatureFull":"Transfer(address from,address to,uint256 value)","eventName":"Transfer","topicMap":{{"0":"{from}","1":"{to}","from":"{from}","to":"{to}"}},"dataMap":{{"2":"{amount}","value":"{amount}"}}}}"#,
        index + 1,
        0,
        block - 19,
    )
}

fn etl_log(transfer: &Transfer) -> String {
    let Transfer { block, index, tx, amount, .. } = transfer;
    let [from, to] = transfer.hex();
    format!(
        r#"{{"type": "log", "log_index": {index}, "transaction_hash": "0x{tx}", "transaction_index": 11, "address": "{ETHEREUM_USDT}", "data": "0x{amount:064x}", "topics": ["0x{TOPIC0}", "0x{from:0>64}", "0x{to:0>64}"], "block_number": {block}, "block_timestamp": 1767225600, "block_hash": "0x{block:064x}", "item_id": "log_0x{tx}_{index}", "item_timestamp": "2026-01-01T00:00:00Z"}}"#
    )
}

fn etl_token_transfer(transfer: &Transfer) -> String {
    let Transfer { block, index, tx, amount, .. } = transfer;
    let [from, to] = transfer.hex();
    format!(
        r#"{{"type": "token_transfer", "token_address": "{ETHEREUM_USDT}", "from_address": "0x{from}", "to_address": "0x{to}", "value": {amount}, "transaction_hash": "0x{tx}", "log_index": {index}, "block_number": {block}, "block_timestamp": 1767225600, "block_hash": "0x{block:064x}", "item_id": "token_transfer_0x{tx}_{index}", "item_timestamp": "2026-01-01T00:00:00Z"}}"#
    )
}

fn rpc_log(transfer: &Transfer) -> String {
    let Transfer { block, index, tx, amount, .. } = transfer;
    let [from, to] = transfer.hex();
    format!(
        r#"{{"address":"{ETHEREUM_USDT}","topics":["0x{TOPIC0}","0x{from:0>64}","0x{to:0>64}"],"data":"0x{amount:064x}","blockNumber":"{block:#x}","transactionHash":"0x{tx}","transactionIndex":"0x9","blockHash":"0x{block:064x}","blockTimestamp":"0x6955b900","logIndex":"{index:#x}","removed":false}}"#
    )
}

fn plain_json(transfer: &Transfer) -> String {
    let Transfer { block, index, tx, amount, .. } = transfer;
    let [from, to] = transfer.text(Chain::Tron);
    format!(
        r#"{{"chain":"tron","block":{block},"log_index":{index},"timestamp":1767225600000,"tx":"{tx}","event":"transfer","from":"{from}","to":"{to}","amount":"{amount}"}}"#
    )
}

fn plain_csv(transfer: &Transfer) -> String {
    let Transfer { block, index, tx, amount, .. } = transfer;
    let [from, to] = transfer.text(Chain::Tron);
    format!("tron,{block},{index},1767225600000,{tx},transfer,{from},{to},{amount}\n")
}

fn slice_csv(transfer: &Transfer) -> String {
    let Transfer { block, index, tx, amount, .. } = transfer;
    let [from, to] = transfer.text(Chain::Tron);
    format!("{block},1767225600,{index},{index},{tx},{TRON_USDT},{from},{to},{amount}\n")
}

fn json_benches(criterion: &mut Criterion) {
    let transfers = transfers();
    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Elements(RECORDS));
    let formats: [(&str, Format, Write); 5] = [
        ("java_tron_contractevent", Format::JavaTron, contract_event),
        ("ethereum_etl_log", Format::EthereumEtl, etl_log),
        ("ethereum_etl_token_transfer", Format::EthereumEtl, etl_token_transfer),
        ("json_rpc_log", Format::JsonRpc, rpc_log),
        ("plain_json", Format::Plain, plain_json),
    ];
    for (name, format, write) in formats {
        let records: Vec<String> = transfers.iter().map(write).collect();
        let recognised =
            records.iter().all(|record| Format::recognise(record.as_bytes()) == Ok(format));
        assert!(recognised, "{name}: not recognised");
        // The format is told from each record, as it is for a mixed topic.
        let mut decoder = Decoder::new(None);
        let mut out = Vec::with_capacity(records.len());
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                out.clear();
                for record in &records {
                    decoder.decode(black_box(record.as_bytes()), &mut out).expect("well formed");
                }
                out.len()
            });
        });
    }
    group.finish();
}

fn csv_benches(criterion: &mut Criterion) {
    let transfers = transfers();
    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Elements(RECORDS));
    let plain = "chain,block,log_index,timestamp,tx,event,from,to,amount";
    let slice = "block_number,timestamp_s,tx_index,log_index,tx_hash,contract,from,to,value_raw";
    let formats: [(&str, &str, Write); 2] =
        [("plain_csv", plain, plain_csv), ("slice_csv", slice, slice_csv)];
    for (name, header, write) in formats {
        let layout = CsvLayout::from_header(header.split(',')).expect("a known header");
        let text: String = transfers.iter().map(write).collect();
        let mut decoder = Decoder::new(None);
        let mut row = csv::ByteRecord::new();
        let mut out = Vec::with_capacity(transfers.len());
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                out.clear();
                let mut reader = csv::ReaderBuilder::new()
                    .has_headers(false)
                    .from_reader(black_box(text.as_bytes()));
                while reader.read_byte_record(&mut row).expect("well formed") {
                    decoder.decode_row(&layout, &row, &mut out).expect("well formed");
                }
                out.len()
            });
        });
    }
    group.finish();
}

/// The same transfers, a record for each block.
fn compact_records(transfers: &[Transfer]) -> Vec<Vec<u8>> {
    let event = |transfer: &Transfer| LedgerEvent {
        tx: address::parse_tx(&transfer.tx).expect("written above"),
        log_index: u32::try_from(transfer.index).ok(),
        position: 0,
        action: Action::Transfer { from: transfer.from, to: transfer.to, amount: transfer.amount },
    };
    let record = |transfers: &[Transfer]| {
        let number = transfers[0].block;
        let mut hash = [0; 32];
        hash[..8].copy_from_slice(&number.to_be_bytes());
        let block = Block {
            chain: Chain::Tron,
            number,
            hash: Some(BlockHash(hash)),
            timestamp_ms: 1_767_225_600_000,
            events: transfers.iter().map(event).collect(),
        };
        compact::encode(&block, Some(number))
    };
    transfers.chunk_by(|before, next| before.block == next.block).map(record).collect()
}

fn compact_bench(criterion: &mut Criterion) {
    let records = compact_records(&transfers());
    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Elements(RECORDS));
    let mut decoder = Decoder::new(None);
    let mut out = Vec::new();
    group.bench_function("compact", |bencher| {
        bencher.iter(|| {
            out.clear();
            for record in &records {
                decoder.decode(black_box(record), &mut out).expect("well formed");
            }
            out.len()
        });
    });
    group.finish();
}

criterion_group! {
    name = decode;
    config = flow_benches::criterion();
    targets = json_benches, csv_benches, compact_bench
}
criterion_main!(decode);
