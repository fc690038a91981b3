//! The decoders on real records. The data lies outside the project; where it is
//! absent these tests say so and pass.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

use std::io::Read;
use std::path::PathBuf;

use flow_codec::{
    ChainAction, ChainEvent, CsvLayout, DecodeError, Decoded, Decoder, Format, Ignored, LogIndex,
    address,
};
use flow_core::{Action, Chain};
use proptest::prelude::*;
use proptest::sample::Index;

/// The text of a data file, unpacked, or `None` with a word about it.
fn data(name: &str) -> Option<String> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(name);
    let Ok(bytes) = std::fs::read(&path) else {
        println!("skipped: {name} is absent");
        return None;
    };
    if !name.ends_with(".gz") {
        return Some(String::from_utf8(bytes).unwrap());
    }
    let mut text = String::new();
    flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap();
    Some(text)
}

fn decode_lines(text: &str, format: Option<Format>) -> Vec<Decoded> {
    let mut decoder = Decoder::new(format);
    let mut out = Vec::new();
    for line in text.lines() {
        decoder.decode(line.as_bytes(), &mut out).unwrap_or_else(|e| panic!("{e}: {line}"));
    }
    out
}

fn events(decoded: &[Decoded]) -> Vec<ChainEvent> {
    let event = |decoded: &Decoded| match decoded {
        Decoded::Event(event) => Some(*event),
        _ => None,
    };
    decoded.iter().filter_map(event).collect()
}

fn ignored(decoded: &[Decoded], reason: Ignored) -> usize {
    decoded.iter().filter(|decoded| **decoded == Decoded::Ignored(reason)).count()
}

fn amount(event: &ChainEvent) -> u64 {
    match event.action {
        ChainAction::Ledger(Action::Transfer { amount, .. }) => amount,
        other => panic!("no transfer: {other:?}"),
    }
}

fn read_slice() -> Option<Vec<Decoded>> {
    let text = data("tron_trc20_transfers_56804500_56805500.csv.gz")?;
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let layout = CsvLayout::from_header(reader.headers().unwrap()).unwrap();
    assert_eq!(layout.format(), Format::Slice);
    let mut decoder = Decoder::new(None);
    let mut out = Vec::new();
    for row in reader.byte_records() {
        decoder.decode_row(&layout, &row.unwrap(), &mut out).unwrap();
    }
    Some(out)
}

#[test]
fn the_slice_sums_to_the_last_unit() {
    let Some(decoded) = read_slice() else { return };
    let events = events(&decoded);
    assert_eq!(events.len(), 29_047);
    assert_eq!(ignored(&decoded, Ignored::ForeignContract), 208);
    assert_eq!(events.iter().map(amount).sum::<u64>(), 167_913_949_867_410);
    assert!(events.iter().all(|event| matches!(event.index, Some(LogIndex::InBlock(_)))));
}

#[test]
fn contract_events_agree_with_the_slice() {
    let Some(text) = data("samples/derived_tron_contractevent_usdt_500.jsonl") else {
        return;
    };
    let Some(slice) = read_slice() else { return };
    let read = events(&decode_lines(&text, None));
    assert_eq!(read.len(), 500);
    let rows = events(&slice);
    for event in read {
        assert!(matches!(event.index, Some(LogIndex::InTx(1..))), "{event:?}");
        assert!(event.block_hash.is_some() && event.solid.is_some());
        // The slice numbers logs in the block and tells no hash.
        let same = |row: &ChainEvent| {
            *row == ChainEvent { index: row.index, block_hash: None, solid: None, ..event }
        };
        assert!(rows.iter().any(same), "{event:?}");
    }
}

/// Takes `rawData` away, so that the decoded maps must serve.
#[test]
fn the_maps_say_what_the_raw_log_says() {
    let Some(text) = data("samples/derived_tron_contractevent_usdt_500.jsonl") else {
        return;
    };
    let raw = events(&decode_lines(&text, Some(Format::JavaTron)));
    let without: Vec<String> =
        text.lines().map(|line| line.replace("\"rawData\"", "\"other\"")).collect();
    let maps = events(&decode_lines(&without.join("\n"), Some(Format::JavaTron)));
    assert_eq!(maps, raw);
}

#[test]
fn foreign_and_empty_tron_messages_are_ignored() {
    for (name, reason) in [
        ("samples/tron_eventplugin_contractevent.json", Ignored::ForeignContract),
        ("samples/tron_eventplugin_transaction.json", Ignored::OtherRecord),
    ] {
        let Some(text) = data(name) else { return };
        assert_eq!(decode_lines(&text, None), [Decoded::Ignored(reason)], "{name}");
    }
}

#[test]
fn tron_blocks_are_headers_with_their_hash_checked() {
    for name in
        ["samples/tron_eventplugin_block.json", "samples/tron_eventplugin_block_v4.8.2.json"]
    {
        let Some(text) = data(name) else { return };
        let decoded = decode_lines(&text, None);
        let [Decoded::Header(header)] = &decoded[..] else { panic!("{decoded:?}") };
        assert_eq!(header.chain, Chain::Tron);
        assert!(header.hash.is_some() && header.solid.is_some() && !header.removed);
        let next = format!("\"blockNumber\":{}", header.number + 1);
        let forged = text.replace(&format!("\"blockNumber\":{}", header.number), &next);
        let refused = Decoder::new(None).decode(forged.as_bytes(), &mut Vec::new());
        assert_eq!(refused.unwrap_err().reason(), "invalid_hash");
    }
}

#[test]
fn ethereum_etl_tells_usdt_from_other_tokens() {
    let Some(text) = data("samples/ethereum_etl_token_transfers_17173049_17173050.jsonl") else {
        return;
    };
    let decoded = decode_lines(&text, None);
    assert_eq!(events(&decoded).len(), 41);
    assert_eq!(ignored(&decoded, Ignored::ForeignContract), 250);
}

#[test]
fn one_transfer_is_one_event_in_three_formats() {
    let Some(logs) = data("samples/ethereum_etl_logs_17173049_17173050.jsonl.gz") else {
        return;
    };
    let Some(transfers) = data("samples/ethereum_etl_token_transfers_17173049_17173050.jsonl")
    else {
        return;
    };
    let from_logs = events(&decode_lines(&logs, None));
    let from_transfers = events(&decode_lines(&transfers, None));
    let usdt_logs: Vec<String> = logs
        .lines()
        .filter(|line| line.contains("0xdac17f958d2ee523a2206206994597c13d831ec7\", \"data"))
        .map(as_json_rpc)
        .collect();
    let from_rpc = events(&decode_lines(&usdt_logs.join("\n"), None));
    assert_eq!(from_transfers.len(), 41);
    assert_eq!(from_logs, from_transfers);
    assert_eq!(from_rpc, from_transfers);
}

/// The log as a node would have answered it.
fn as_json_rpc(line: &str) -> String {
    let log: serde_json::Value = serde_json::from_str(line).unwrap();
    let hex = |key: &str| format!("0x{:x}", log[key].as_u64().unwrap());
    serde_json::json!({
        "address": log["address"], "topics": log["topics"], "data": log["data"],
        "blockNumber": hex("block_number"), "transactionHash": log["transaction_hash"],
        "transactionIndex": hex("transaction_index"), "blockHash": log["block_hash"],
        "blockTimestamp": hex("block_timestamp"), "logIndex": hex("log_index"), "removed": false,
    })
    .to_string()
}

#[test]
fn ethereum_etl_blocks_and_transactions() {
    let Some(blocks) = data("samples/ethereum_etl_blocks_17173049_17173050.jsonl") else {
        return;
    };
    let numbers: Vec<u64> = decode_lines(&blocks, None)
        .iter()
        .map(|decoded| match decoded {
            Decoded::Header(header) => header.number,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(numbers, [17_173_049, 17_173_050]);
    let Some(text) = data("samples/ethereum_etl_transactions_17173049_17173050.jsonl.gz") else {
        return;
    };
    let decoded = decode_lines(&text, None);
    assert_eq!(ignored(&decoded, Ignored::OtherRecord), 298);
}

#[test]
fn json_rpc_logs_bare_wrapped_and_in_an_answer() {
    let Some(text) = data("eth_usdt_logs_17686110_17686132.jsonl.gz") else {
        return;
    };
    let bare = decode_lines(&text, None);
    assert_eq!(bare.len(), 708);
    let transfers = events(&bare);
    assert_eq!(transfers.len(), 679);
    assert!(transfers.iter().all(|event| amount(event) < u64::MAX && !event.removed));
    assert_eq!(ignored(&bare, Ignored::OtherEvent), 29);
    let notice = |log: &str| {
        format!(
            "{{\"jsonrpc\":\"2.0\",\"method\":\"eth_subscription\",\
             \"params\":{{\"subscription\":\"0x9ce5\",\"result\":{log}}}}}"
        )
    };
    let wrapped: Vec<String> = text.lines().map(notice).collect();
    assert_eq!(decode_lines(&wrapped.join("\n"), None), bare);
    let array = format!("[{}]", text.lines().collect::<Vec<_>>().join(","));
    assert_eq!(decode_lines(&array, None), bare);
    let answer = format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{array}}}");
    assert_eq!(decode_lines(&answer, None), bare);
}

#[test]
fn every_published_tron_wallet_reads_and_writes_back() {
    let Some(text) = data("exchange_wallets_defillama_2026-08.csv") else {
        return;
    };
    let mut read = 0;
    for word in text.split([',', '\n', '\r', '"']).filter(|word| word.starts_with('T')) {
        if let Ok(parsed) = address::parse(Chain::Tron, word) {
            assert_eq!(address::format(Chain::Tron, parsed), word);
            read += 1;
        }
    }
    assert_eq!(read, 352);
}

/// One real record of each shape.
fn real_records() -> Vec<String> {
    [
        "samples/derived_tron_contractevent_usdt_500.jsonl",
        "samples/tron_eventplugin_transaction.json",
        "samples/tron_eventplugin_block.json",
        "samples/ethereum_etl_logs_17173049_17173050.jsonl.gz",
        "samples/ethereum_etl_token_transfers_17173049_17173050.jsonl",
        "eth_usdt_logs_17686110_17686132.jsonl.gz",
    ]
    .into_iter()
    .filter_map(|name| data(name)?.lines().next().map(str::to_owned))
    .collect()
}

#[test]
fn damaged_real_records_are_refused_or_read_and_never_panic() {
    let records = real_records();
    let bytes = prop::collection::vec((any::<Index>(), any::<u8>()), 1..4);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(200));
    runner
        .run(&bytes, |damage| {
            for record in &records {
                let mut record = record.clone().into_bytes();
                for (at, byte) in &damage {
                    let at = at.index(record.len());
                    record[at] = *byte;
                }
                let mut out = vec![Decoded::Ignored(Ignored::OtherRecord)];
                let result = Decoder::new(None).decode(&record, &mut out);
                prop_assert_eq!(result.is_err(), out.len() == 1);
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn truncated_real_records_are_refused() {
    for record in real_records() {
        for end in (0..record.trim_end().len()).step_by(7) {
            let mut out = Vec::new();
            let error = Decoder::new(None).decode(&record.as_bytes()[..end], &mut out);
            let error = error.expect_err("half a record is none");
            assert!(matches!(error, DecodeError::InvalidJson { .. }), "{end}: {error}");
            assert!(out.is_empty());
        }
    }
}
