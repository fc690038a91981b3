//! The decoders on records made for the purpose: what is refused, what is
//! ignored, and what the real samples do not show.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod plain;

use flow_codec::{
    ChainAction, ChainEvent, DecodeError, Decoded, Decoder, Format, Ignored, LogIndex, address,
};
use flow_core::{Action, Address, Chain, MultisigAction, MultisigCall};
use proptest::prelude::*;
use serde_json::{Value, json};

use plain::{decode_csv, plain};

const USDT: &str = "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t";
const MULTISIG: &str = "TBPxhVAsuzoFnKyXtc1o2UySEydPHgATto";
const TRANSFER: &str = "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef";
const SUBMISSION: &str = "c0ba8fe4b176c1714197d43b9cc6bcf797a4a7461c5fe8d0ef6e184ae7601e51";
const FROM: &str = "00000000000000000000000080fdfd8d08fd1596cda08d4099d5a55dba9369e1";
const TO: &str = "000000000000000000000000cebabc6a66da33d2135f11207d6ab88b82829813";
const VALUE: &str = "0000000000000000000000000000000000000000000000000000000075551430";
const TX: &str = "0f2703829ae116c95c8ff07fd0a5e354ad91a0a27482bf2b8b0990678a1b1b46";

fn decode(record: &Value) -> Result<Vec<Decoded>, DecodeError> {
    decode_text(&record.to_string())
}

fn decode_text(record: &str) -> Result<Vec<Decoded>, DecodeError> {
    let decode = |decoder: &mut Decoder| {
        let mut out = Vec::new();
        decoder.decode(record.as_bytes(), &mut out).map(|()| out)
    };
    let told = decode(&mut Decoder::new(None));
    // Whatever came before: records like it, and itself.
    let mut warm = warm();
    for _ in 0..3 {
        assert_eq!(decode(&mut warm), told, "{record}");
    }
    told
}

/// A decoder that knows the templates of some records.
fn warm() -> Decoder {
    let mut decoder = Decoder::new(None);
    let mut log = without(contract_event(), "rawData");
    log["topicList"] = json!([TRANSFER, FROM, TO]);
    log["data"] = json!(VALUE);
    for template in [contract_event(), log, plain()] {
        for _ in 0..3 {
            decoder.decode(template.to_string().as_bytes(), &mut Vec::new()).unwrap();
        }
    }
    decoder
}

fn reason(record: &Value) -> &'static str {
    decode(record).expect_err("must be refused").reason()
}

fn event(record: &Value) -> ChainEvent {
    match &decode(record).unwrap()[..] {
        [Decoded::Event(event)] => *event,
        other => panic!("{other:?}"),
    }
}

fn transfer() -> ChainAction {
    let account = |word: &str| address::parse(Chain::Tron, &word[24..]).unwrap();
    ChainAction::Ledger(Action::Transfer {
        from: account(FROM),
        to: account(TO),
        amount: 0x7555_1430,
    })
}

fn with(mut record: Value, path: &str, value: Value) -> Value {
    *record.pointer_mut(path).unwrap() = value;
    record
}

fn without(mut record: Value, key: &str) -> Value {
    record.as_object_mut().unwrap().remove(key);
    record
}

fn contract_event() -> Value {
    json!({
        "timeStamp": 1_701_046_164_000_u64, "triggerName": "contractEventTrigger",
        "uniqueId": format!("{TX}_3"), "transactionId": TX, "contractAddress": USDT,
        "blockNumber": 56_804_500, "removed": false, "latestSolidifiedBlockNumber": 56_804_481,
        "rawData": {
            "address": "a614f803b6fd780986a42c78ec9c7f77e6ded13c",
            "topics": [TRANSFER, FROM, TO], "data": VALUE,
        },
        "eventName": "Transfer", "topicMap": {}, "dataMap": {},
    })
}

#[test]
fn contract_events_of_all_four_triggers() {
    for trigger in
        ["contractEventTrigger", "contractLogTrigger", "solidityEventTrigger", "solidityLogTrigger"]
    {
        let event = event(&with(contract_event(), "/triggerName", json!(trigger)));
        assert_eq!(event.index, Some(LogIndex::InTx(3)));
        assert_eq!(event.timestamp_ms, Some(1_701_046_164_000));
        assert_eq!((event.action, event.solid), (transfer(), Some(56_804_481)));
    }
    let removed = event(&with(contract_event(), "/removed", json!(true)));
    assert!(removed.removed);
    let unknown = event(&with(contract_event(), "/latestSolidifiedBlockNumber", json!(0)));
    assert_eq!(unknown.solid, None);
}

#[test]
fn fields_told_in_an_array_are_read_whatever_came_before() {
    let raw = |address: &str| json!([address, [TRANSFER, FROM, TO], VALUE]);
    let record = |address: &str| with(contract_event(), "/rawData", raw(address));
    let [foreign, ours] = ["00".repeat(20), "a614f803b6fd780986a42c78ec9c7f77e6ded13c".to_owned()];
    let mut warm = Decoder::new(None);
    for record in [record(&foreign), record(&foreign), record(&ours)] {
        let mut out = Vec::new();
        warm.decode(record.to_string().as_bytes(), &mut out).unwrap();
        assert_eq!(out, decode(&record).unwrap());
    }
    let plain = json!(["tron", 5, 1, 7, TX, "transfer", USDT, MULTISIG, "9"]);
    let mut warm = Decoder::new(Some(Format::Plain));
    for _ in 0..3 {
        let mut out = Vec::new();
        warm.decode(plain.to_string().as_bytes(), &mut out).unwrap();
        assert!(matches!(out[..], [Decoded::Event(_)]), "{out:?}");
    }
}

#[test]
fn a_contract_log_without_raw_data_is_read_from_its_own_topics() {
    let mut record = without(contract_event(), "rawData");
    record["topicList"] = json!([TRANSFER, FROM, TO]);
    record["data"] = json!(VALUE);
    assert_eq!(event(&record).action, transfer());
    let foreign = with(record.clone(), "/contractAddress", json!(MULTISIG));
    assert_eq!(decode(&foreign).unwrap(), [Decoded::Ignored(Ignored::OtherEvent)]);
    let mistyped = with(record, "/contractAddress", json!(USDT.replace("TR7N", "TR7M")));
    let error = decode(&mistyped).unwrap_err().to_string();
    assert!(error.contains("`contractAddress`") && error.contains("wrong checksum"), "{error}");
}

#[test]
fn decoded_maps_serve_where_the_raw_log_is_absent() {
    let mut record = without(contract_event(), "rawData");
    record["eventName"] = json!("DestroyedBlackFunds");
    record["topicMap"] = json!({"0": MULTISIG, "_blackListedUser": MULTISIG});
    record["dataMap"] = json!({"1": "5", "_balance": "5"});
    let account = address::parse(Chain::Tron, MULTISIG).unwrap();
    let destroyed = ChainAction::Ledger(Action::Destroy { account, amount: 5 });
    assert_eq!(event(&record).action, destroyed);
    let infinite = with(record.clone(), "/dataMap/1", json!("-1"));
    assert_eq!(reason(&infinite), "amount_too_large");
    let other = with(record.clone(), "/eventName", json!("Approval"));
    assert_eq!(decode(&other).unwrap(), [Decoded::Ignored(Ignored::OtherEvent)]);
    assert_eq!(reason(&with(record, "/dataMap", json!({}))), "missing_field");
}

#[test]
fn tron_messages_are_refused_for_a_reason() {
    let record = contract_event;
    let all_ones = json!("f".repeat(64));
    for (path, value, expected) in [
        ("/triggerName", json!("newTrigger"), "unknown_trigger"),
        ("/blockNumber", json!(-1), "invalid_number"),
        ("/blockNumber", Value::Null, "missing_field"),
        ("/timeStamp", json!(1.5), "invalid_number"),
        ("/transactionId", json!("0f27"), "invalid_hash"),
        ("/uniqueId", json!(TX), "invalid_number"),
        ("/uniqueId", json!(format!("{TX}_0")), "invalid_number"),
        ("/rawData/data", all_ones, "amount_too_large"),
        ("/rawData/data", json!(""), "invalid_log"),
        ("/rawData/data", json!("xx"), "invalid_log"),
        ("/rawData/topics/1", json!("80fd"), "invalid_hash"),
        ("/rawData/topics/1", json!("f".repeat(64)), "invalid_log"),
        ("/rawData/address", json!("a614"), "invalid_address"),
        ("/removed", json!("no"), "invalid_json"),
    ] {
        assert_eq!(reason(&with(record(), path, value)), expected, "{path}");
    }
    let mut hashed = record();
    hashed["blockHash"] = json!("0".repeat(64));
    assert_eq!(reason(&hashed), "invalid_hash");
}

#[test]
fn approval_is_not_transfer() {
    let approval = "8c5be1e5ebec7d5bd14f71427d1e84f3dd0314c0f7b2291e5b200ac8c7c3b925";
    let record = with(contract_event(), "/rawData/topics/0", json!(approval));
    assert_eq!(decode(&record).unwrap(), [Decoded::Ignored(Ignored::OtherEvent)]);
}

/// The recorded submission of 2025-06-12: the 0x41 stays in the inner word.
fn call_data(frozen: &str) -> String {
    let account = address::parse(Chain::Tron, frozen).unwrap();
    format!(
        "c6427474000000000000000000000000a614f803b6fd780986a42c78ec9c7f77e6ded13c\
         {:064x}{:064x}{:064x}0ecb93c0{}41{}{}",
        0,
        0x60,
        0x24,
        "0".repeat(22),
        address::format(Chain::Ethereum, account)[2..].to_lowercase(),
        "0".repeat(56),
    )
}

fn transaction() -> Value {
    json!({
        "timeStamp": 1_749_771_408_000_u64, "triggerName": "transactionTrigger",
        "transactionId": TX, "blockNumber": 73_000_000, "result": "SUCCESS",
        "contractAddress": null, "contractType": "TriggerSmartContract",
        "toAddress": MULTISIG, "latestSolidifiedBlockNumber": 72_999_981,
        "data": call_data("THu8CbEHruUGxQzbVUkvqM5YSx7xXH8Wdr"),
    })
}

fn freeze_of_record() -> ChainAction {
    let account = address::parse(Chain::Tron, "THu8CbEHruUGxQzbVUkvqM5YSx7xXH8Wdr").unwrap();
    let call = Some(MultisigCall::AddBlackList(account));
    ChainAction::Ledger(Action::Multisig(MultisigAction::Submission { id: None, call }))
}

#[test]
fn a_tron_transaction_submits_a_freeze() {
    let event_read = event(&transaction());
    assert_eq!((event_read.action, event_read.index), (freeze_of_record(), None));
    let mut by_contract = with(transaction(), "/toAddress", Value::Null);
    by_contract["contractAddress"] = json!(MULTISIG);
    assert_eq!(event(&by_contract).action, freeze_of_record());
    for (path, value, ignored) in [
        ("/result", json!("REVERT"), Ignored::FailedTransaction),
        ("/result", Value::Null, Ignored::OtherRecord),
        ("/toAddress", json!(USDT), Ignored::OtherRecord),
        ("/data", json!("68656c6c6f"), Ignored::OtherRecord),
        ("/data", Value::Null, Ignored::OtherRecord),
    ] {
        let record = with(transaction(), path, value);
        assert_eq!(decode(&record).unwrap(), [Decoded::Ignored(ignored)], "{path}");
    }
}

#[test]
fn the_logs_of_a_tron_transaction_have_their_place_in_the_block() {
    let log = |address: &str, index: u32, topics: Value, data: &str| json!({"address": address, "logIndex": index, "topicList": topics, "data": data});
    let usdt = "a614f803b6fd780986a42c78ec9c7f77e6ded13c";
    let wallet = "0fa695d6b065707cb4e0ef73b751c93347682bf2";
    let foreign = log("0c05ab6d59a0403074a4b2b0247ba1cea6d7e7b9", 6, json!([]), "");
    let moved = log(usdt, 7, json!([TRANSFER, FROM, TO]), VALUE);
    let mut record = transaction();
    record["logList"] = json!([foreign, moved]);
    let decoded = decode(&record).unwrap();
    let [Decoded::Ignored(Ignored::ForeignContract), Decoded::Event(read)] = decoded[..] else {
        // A memo that looks like call data, with no Submission log to vouch for it.
        panic!("{decoded:?}");
    };
    assert_eq!((read.index, read.action), (Some(LogIndex::InBlock(7)), transfer()));
    record["logList"] = json!([log(wallet, 8, json!([SUBMISSION, VALUE]), "")]);
    let decoded = decode(&record).unwrap();
    let [Decoded::Event(_), Decoded::Event(submitted)] = decoded[..] else { panic!("{decoded:?}") };
    assert_eq!(submitted.action, freeze_of_record());
}

#[test]
fn tron_blocks_and_the_solid_mark() {
    let record = json!({
        "timeStamp": 5000, "triggerName": "blockTrigger", "blockNumber": 9, "removed": true,
        "latestSolidifiedBlockNumber": 0, "transactionList": [TX, TX],
    });
    let decoded = decode(&record).unwrap();
    let [Decoded::Header(header)] = &decoded[..] else { panic!("{decoded:?}") };
    assert_eq!((header.number, header.timestamp_ms, header.hash), (9, 5000, None));
    assert_eq!((header.transactions.len(), header.removed, header.solid), (2, true, None));
    let solid = json!({
        "timeStamp": 1, "triggerName": "solidityTrigger", "latestSolidifiedBlockNumber": 7,
    });
    assert_eq!(decode(&solid).unwrap(), [Decoded::Solid { chain: Chain::Tron, number: 7 }]);
}

fn token_transfer(token: &str, value: &str) -> String {
    format!(
        "{{\"type\":\"token_transfer\",\"token_address\":\"{token}\",\
         \"from_address\":\"0x{}\",\"to_address\":\"0x{}\",\"value\":{value},\
         \"transaction_hash\":\"0x{TX}\",\"log_index\":49,\"block_number\":1,\
         \"block_timestamp\":2}}",
        &FROM[24..],
        &TO[24..],
    )
}

#[test]
fn bare_integers_of_any_size() {
    let usdt = "0xdac17f958d2ee523a2206206994597c13d831ec7";
    let huge = "115792089237316195423570985008687907853269984665640564039457584007913129639935";
    let most = decode_text(&token_transfer(usdt, "18446744073709551615")).unwrap();
    let [Decoded::Event(event)] = most[..] else { panic!("{most:?}") };
    assert_eq!(event.timestamp_ms, Some(2000));
    for (value, expected) in [
        (huge, "amount_too_large"),
        ("18446744073709551616", "amount_too_large"),
        ("-1", "invalid_number"),
        ("1.5", "invalid_number"),
        ("1e3", "invalid_number"),
        ("null", "missing_field"),
        ("true", "invalid_json"),
    ] {
        let error = decode_text(&token_transfer(usdt, value)).unwrap_err();
        assert_eq!(error.reason(), expected, "{value}");
    }
    let foreign = token_transfer("0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2", huge);
    let decoded = decode_text(&foreign).unwrap();
    assert_eq!(decoded, [Decoded::Ignored(Ignored::ForeignContract)]);
}

#[test]
fn an_ethereum_transaction_submits_a_freeze() {
    let input = "0xc6427474000000000000000000000000dac17f958d2ee523a2206206994597c13d831ec7";
    let account = "5a".repeat(20);
    let call = format!("{:064x}{:064x}{:064x}0ecb93c0", 0, 0x60, 0x24);
    let input = format!("{input}{call}{}{account}{}", "0".repeat(24), "0".repeat(56));
    let record = json!({
        "type": "transaction", "hash": format!("0x{TX}"), "block_number": 3,
        "block_timestamp": 4, "receipt_status": 1, "input": input,
        "to_address": "0xc6cde7c39eb2f0f0095f41570af89efc2c1ea828", "value": 0,
    });
    let call = Some(MultisigCall::AddBlackList(Address([0x5a; 20])));
    let submission = Action::Multisig(MultisigAction::Submission { id: None, call });
    assert_eq!(event(&record).action, ChainAction::Ledger(submission));
    for (path, value, ignored) in [
        ("/receipt_status", json!(0), Ignored::FailedTransaction),
        ("/to_address", Value::Null, Ignored::OtherRecord),
        ("/input", json!("0xc01a8c84"), Ignored::OtherRecord),
        ("/type", json!("trace"), Ignored::OtherRecord),
    ] {
        let changed = with(record.clone(), path, value);
        assert_eq!(decode(&changed).unwrap(), [Decoded::Ignored(ignored)], "{path}");
    }
    assert_eq!(reason(&with(record.clone(), "/input", json!("0xc64274740"))), "invalid_call");
    assert_eq!(reason(&with(record, "/type", json!("uncle"))), "unknown_type");
}

fn rpc_log() -> Value {
    json!({
        "address": "0xdAC17F958D2ee523a2206206994597C13D831ec7",
        "topics": [format!("0x{TRANSFER}"), format!("0x{FROM}"), format!("0x{TO}")],
        "data": format!("0x{VALUE}"), "blockNumber": "0x10dde5e", "logIndex": "0x12",
        "transactionHash": format!("0x{TX}"), "removed": true,
    })
}

#[test]
fn json_rpc_logs_tell_their_chain_by_the_contract() {
    let ethereum = event(&rpc_log());
    assert_eq!((ethereum.chain, ethereum.index), (Chain::Ethereum, Some(LogIndex::InBlock(18))));
    assert_eq!((ethereum.block, ethereum.removed), (17_686_110, true));
    assert_eq!(ethereum.timestamp_ms, None);
    let tron = "0xa614f803b6fd780986a42c78ec9c7f77e6ded13c";
    let tron = event(&with(rpc_log(), "/address", json!(tron)));
    assert_eq!((tron.chain, tron.action), (Chain::Tron, transfer()));
    let pending = with(rpc_log(), "/logIndex", Value::Null);
    assert_eq!(reason(&pending), "missing_field");
    let pending = with(rpc_log(), "/blockNumber", Value::Null);
    assert_eq!(reason(&pending), "missing_field");
}

#[test]
fn json_rpc_headers_and_other_answers() {
    let head = |hash: String| {
        json!({"jsonrpc": "2.0", "method": "eth_subscription", "params": {"result": {
            "number": "0x10", "hash": hash, "timestamp": "0x2", "parentHash": format!("0x{TX}"),
        }}})
    };
    for (hash, chain) in [
        (format!("0x{TX}"), Chain::Ethereum),
        (format!("0x{:016x}{}", 16, "ab".repeat(24)), Chain::Tron),
    ] {
        let decoded = decode(&head(hash)).unwrap();
        let [Decoded::Header(header)] = &decoded[..] else { panic!("{decoded:?}") };
        assert_eq!((header.chain, header.number, header.timestamp_ms), (chain, 16, 2000));
    }
    let answer = json!({"jsonrpc": "2.0", "id": 1, "result": "0x9ce5"});
    assert_eq!(decode(&answer).unwrap(), [Decoded::Ignored(Ignored::OtherRecord)]);
    let error = json!({"jsonrpc": "2.0", "id": 1, "error": {"code": -32005}});
    assert_eq!(reason(&error), "missing_field");
    let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
    assert_eq!(decode_text(&deep).unwrap_err().reason(), "unknown_format");
}

#[test]
fn one_bad_log_refuses_the_whole_answer() {
    let bad = with(rpc_log(), "/data", json!("0x"));
    let answer = json!({"jsonrpc": "2.0", "result": [rpc_log(), bad]});
    let mut out = vec![Decoded::Ignored(Ignored::OtherEvent)];
    let result = Decoder::new(None).decode(answer.to_string().as_bytes(), &mut out);
    assert_eq!(result.unwrap_err().reason(), "invalid_log");
    assert_eq!(out.len(), 1);
}

#[test]
fn formats_are_told_by_keys_in_any_order() {
    for (record, format) in [
        (contract_event(), Format::JavaTron),
        (plain(), Format::Plain),
        (rpc_log(), Format::JsonRpc),
        (json!({"address": "0x", "topics": [], "type": "log"}), Format::EthereumEtl),
    ] {
        // `json!` sorts keys, so that most records begin with none that tells.
        assert_eq!(Format::recognise(record.to_string().as_bytes()), Ok(format), "{record}");
        let named = Format::from_name(format.name());
        assert_eq!(named, Some(format));
    }
    let unknown = json!({"hello": {"triggerName": "contractEventTrigger"}});
    assert_eq!(reason(&unknown), "unknown_format");
}

#[test]
fn bytes_that_are_no_record() {
    for (bytes, expected) in [
        (&b"\xff{}"[..], "invalid_utf8"),
        (b"", "invalid_json"),
        (b"chain,block", "invalid_json"),
        (b"{\"triggerName\":\"contractEventTrigger\"", "invalid_json"),
        (b"{\"triggerName\":\"contractEventTrigger\"} x", "invalid_json"),
        (b"7", "invalid_json"),
    ] {
        let error = Decoder::new(None).decode(bytes, &mut Vec::new()).unwrap_err();
        assert_eq!(error.reason(), expected, "{error}");
        assert!(DecodeError::REASONS.contains(&error.reason()));
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for format in Format::ALL.map(Some).into_iter().chain([None]) {
            let mut out = Vec::new();
            let result = Decoder::new(format).decode(&bytes, &mut out);
            prop_assert_eq!(result.is_err(), out.is_empty());
        }
    }

    #[test]
    fn arbitrary_texts_never_panic(text in "[{\"a-zA-Z:,0-9T\\[\\]}é]{0,60}") {
        for chain in Chain::ALL {
            if let Ok(address) = address::parse(chain, &text) {
                let written = address::format(chain, address);
                prop_assert_eq!(address::parse(chain, &written), Ok(address));
            }
        }
        prop_assert!(address::parse_account(&text).is_err() || text.contains(':'));
        prop_assert_eq!(decode_text(&text), decode_text(&text));
        prop_assert_eq!(decode_csv(&text), decode_csv(&text));
    }

    #[test]
    fn every_address_reads_back(bytes in any::<[u8; 20]>()) {
        for chain in Chain::ALL {
            let text = address::format(chain, Address(bytes));
            prop_assert_eq!(address::parse(chain, &text), Ok(Address(bytes)));
        }
    }
}
