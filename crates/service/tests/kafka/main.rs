//! The service against a real Apache Kafka.
//!
//! `KAFKA_BOOTSTRAP` names a broker; `deploy/dev/test.sh` starts one. Without
//! it these tests say that they are skipped, or fail if
//! `USDT_FLOW_REQUIRE_KAFKA=1`. Each test has topics and a group of its own.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod bench;
mod broker;
mod doctor;
mod drill;
mod faults;
mod late;
mod ledgers;
mod outage;
mod prometheus;
mod reorg;
mod secure;
mod service;
#[path = "../shared/tmpfs.rs"]
mod tmpfs;
mod told;
mod watched;

use broker::Broker;
use flow_core::{Block, Chain};
use flow_sim::feed;
use flow_sim::workload::{Workload, WorkloadConfig};
use service::{Folder, Service, replay, subjects};
use told::holding;

const SLICE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/data/tron_trc20_56804500_56805500.csv.gz");

const CASES: &str = r#"[
  {"id": "a", "sources": [{"chain": "tron", "address": "TBDsNZ6SzozMUAJ9rWctBq1KFH4RTPmEUY"}]},
  {"id": "b", "min_units": 1000000,
   "sources": [{"chain": "tron", "address": "TUVYkDqoVnsCvmxcoTG3MYYC1GQpumFLpb"},
               {"chain": "tron", "address": "TS1WcxnLZ4JYEzCkz12aKHaESsmdxFvgP3", "since_block": 56804700}]}
]"#;

/// The recorded transfers as blocks.
fn slice() -> Vec<Block> {
    usdt_flow::demo::Story::recorded().unwrap().blocks
}

fn contract_events(blocks: &[Block]) -> Vec<String> {
    blocks.iter().flat_map(feed::java_tron).collect()
}

#[test]
fn the_slice_gives_the_same_bytes_through_kafka_and_from_its_file() {
    let Some(broker) = Broker::get() else { return };
    let folder = Folder::new(CASES);
    let expected = replay(&folder, &[SLICE]);
    let mut service = Service::new(&broker, &folder, "slice");
    service.tron(&["contractevent"]).create_topics();
    let records = contract_events(&slice());
    broker.produce(&service.topic("contractevent"), &records);
    service.run_until_end();
    for table in ["taint.csv", "cases.csv", "services.csv"] {
        assert_eq!(service.table(table), expected.table(table), "{table}");
    }
    assert_eq!(holding(&service.alerts()), holding(&expected.lines("alerts.jsonl")));
    assert_eq!(service.freezes(), expected.lines("freezes.jsonl"));
    assert!(service.alerts().len() > 100, "the cases touch many wallets");
}

#[test]
fn alerts_are_cloud_events_under_their_account() {
    let Some(broker) = Broker::get() else { return };
    let folder = Folder::new(CASES);
    let mut service = Service::new(&broker, &folder, "cloudevents");
    service.tron(&["contractevent"]).create_topics();
    broker.produce(&service.topic("contractevent"), &contract_events(&slice()[..200]));
    service.run_until_end();
    let records = broker.consume(&service.topic("alerts.v1"), true);
    assert!(!records.is_empty());
    for record in records {
        let value: serde_json::Value = serde_json::from_slice(&record.value).unwrap();
        let account = format!("tron:{}", value["address"].as_str().unwrap());
        assert_eq!(record.key.as_deref(), Some(account.as_bytes()));
        assert_eq!(record.header("ce_id").unwrap(), value["id"].as_str().unwrap());
        assert_eq!(record.header("ce_type").unwrap(), "usdt.flow.alert.v1");
        assert_eq!(record.header("ce_specversion").unwrap(), "1.0");
        assert_eq!(record.header("content-type").unwrap(), "application/json");
        assert_eq!(record.header("ce_subject").unwrap(), account);
    }
}

#[test]
fn ethereum_etl_told_by_log_and_token_transfer_counts_once() {
    let Some(broker) = Broker::get() else { return };
    let config = WorkloadConfig { blocks: 400, ..WorkloadConfig::default() };
    let workload = Workload::new(WorkloadConfig { chains: vec![Chain::Ethereum], ..config });
    let planted = workload.planted();
    let blocks: Vec<Block> = workload.collect();
    let cases: Vec<String> =
        planted.cases.iter().map(flow_codec::case_file::case_to_json).collect();
    let folder = Folder::new(&format!("[{}]", cases.join(",")));
    let logs: Vec<String> = blocks.iter().flat_map(feed::ethereum_etl_log).collect();
    let transfers: Vec<String> =
        blocks.iter().flat_map(feed::ethereum_etl_token_transfer).collect();
    let expected = replay(&folder, &[&folder.file("logs.jsonl", &logs.join("\n"))]);
    let mut service = Service::new(&broker, &folder, "etl");
    service.ethereum(&["logs", "token_transfers"]).create_topics();
    broker.produce(&service.topic("logs"), &logs);
    broker.produce(&service.topic("token_transfers"), &transfers);
    service.run_until_end();
    assert_eq!(service.table("taint.csv"), expected.table("taint.csv"));
    assert_eq!(service.table("cases.csv"), expected.table("cases.csv"));
    assert_eq!(holding(&service.alerts()), holding(&expected.lines("alerts.jsonl")));
    let summary = service.summary();
    assert_eq!(summary["duplicates"], transfers.len());
    assert_eq!(summary["refused_total"], 0);
}

#[test]
fn what_cannot_be_read_ends_in_the_dead_letter_topic_and_the_service_goes_on() {
    let Some(broker) = Broker::get() else { return };
    let folder = Folder::new(CASES);
    let mut service = Service::new(&broker, &folder, "poison");
    service.tron(&["contractevent"]).create_topics();
    let good = contract_events(&slice()[..40]);
    let wrong_checksum = r#"{"chain":"tron","block":1,"log_index":0,"timestamp":1,"tx":"0f2703829ae116c95c8ff07fd0a5e354ad91a0a27482bf2b8b0990678a1b1b46","event":"transfer","from":"TMjFmBGydHZNYGjGxgmvpNbz3m3DjqUkHh","to":"TUpHuDkiCCmwaTZBHZvQdwWzGNm5t8J2b8","amount":1}"#;
    let too_large =
        good[0].replace(&data_of(&good[0]), &"f".repeat(64)).replace("56804500", "56804501");
    let poison: [(&[u8], &str); 5] = [
        (wrong_checksum.as_bytes(), "invalid_address"),
        (too_large.as_bytes(), "amount_too_large"),
        (&good[1].as_bytes()[..200], "invalid_json"),
        (b"\xff\xfe{}", "invalid_utf8"),
        (br#"{"triggerName":"mysteryTrigger","blockNumber":1}"#, "unknown_trigger"),
    ];
    let topic = service.topic("contractevent");
    broker.produce(&topic, &good[..100]);
    for (bytes, _) in poison {
        broker.produce(&topic, &[bytes]);
    }
    broker.produce(&topic, &good[100..]);
    service.run_until_end();
    let letters = broker.consume(&service.topic("deadletter.v1"), true);
    assert_eq!(letters.len(), poison.len());
    for ((at, letter), (bytes, reason)) in letters.iter().enumerate().zip(poison) {
        assert_eq!(letter.value, bytes, "the original bytes");
        assert_eq!(letter.header("__streams.errors.exception").unwrap(), reason);
        assert!(!letter.header("__streams.errors.message").unwrap().is_empty());
        assert_eq!(letter.header("__streams.errors.topic").unwrap(), topic);
        assert_eq!(letter.header("__streams.errors.partition").unwrap(), "0");
        assert_eq!(letter.header("__streams.errors.offset").unwrap(), (100 + at).to_string());
    }
    let summary = service.summary();
    assert_eq!(summary["events"]["transfer"], good.len());
    assert_eq!(summary["refused_total"], poison.len());
}

/// The `data` field of a contract event: the amount.
fn data_of(record: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(record).unwrap();
    value["rawData"]["data"].as_str().unwrap().to_owned()
}

#[test]
fn a_killed_service_loses_nothing_and_repeats_nothing() {
    let Some(broker) = Broker::get() else { return };
    let folder = Folder::new(CASES);
    let expected = replay(&folder, &[SLICE]);
    let mut service = Service::new(&broker, &folder, "killed");
    service.tron(&["contractevent"]).create_topics();
    let topic = service.topic("contractevent");
    for (at, blocks) in slice().chunks(250).enumerate() {
        let mut running = service.start();
        let before = broker.consume(&service.topic("alerts.v1"), true).len();
        broker.produce(&topic, &contract_events(blocks));
        // Some kills come early, some when much has been published.
        broker.wait_for_records(&service.topic("alerts.v1"), before + at * 20);
        running.kill();
    }
    service.run_until_end();
    assert_eq!(service.table("taint.csv"), expected.table("taint.csv"));
    let (told, expected_alerts) = (service.alerts(), expected.lines("alerts.jsonl"));
    assert_eq!(holding(&told), holding(&expected_alerts), "each once, in order");
    assert_eq!(service.freezes(), expected.lines("freezes.jsonl"));
    assert_eq!(service.audit(), subjects(&expected.lines("audit.jsonl")), "one trail, no repeats");
}

#[test]
fn a_file_of_cases_written_while_running_is_read_again() {
    let Some(broker) = Broker::get() else { return };
    let folder = Folder::new("[]");
    let mut service = Service::new(&broker, &folder, "file");
    service.tron(&["contractevent"]).create_topics();
    broker.produce(&service.topic("contractevent"), &contract_events(&slice()[..200]));
    let mut running = service.start();
    running.wait_for_metric("usdt_flow_blocks_total{chain=\"tron\"} ", 190);
    folder.file("cases.json", "not JSON");
    folder.file("cases.json", CASES);
    broker.wait_for_records(&service.topic("alerts.v1"), 2);
    running.wait_for_metric("usdt_flow_cases ", 2);
    running.terminate();
}

#[test]
fn a_signal_ends_the_service_in_order() {
    let Some(broker) = Broker::get() else { return };
    let folder = Folder::new(CASES);
    let mut service = Service::new(&broker, &folder, "signal");
    service.tron(&["contractevent"]).create_topics();
    let records = contract_events(&slice()[..100]);
    broker.produce(&service.topic("contractevent"), &records);
    let mut running = service.start();
    running.wait_until_ready();
    assert_eq!(running.get("/healthz").0, 200);
    let metrics = running.wait_for_metric("usdt_flow_blocks_total{chain=\"tron\"} ", 90);
    assert!(
        metrics.contains("usdt_flow_alerts_total{risk_level=\"Severe\",rule=\"source_moved\"}")
    );
    assert_eq!(broker.members(&service.group()), 1);
    let (status, log) = running.terminate();
    assert!(status.success(), "{log}");
    assert!(log.contains("leaving the group"), "{log}");
    // The next instance gets its partitions at once, not when a session times out.
    assert_eq!(broker.members(&service.group()), 0, "the group was left");
    assert_eq!(broker.committed(&service.group(), &service.topic("contractevent")), records.len());
}

#[test]
fn topics_far_apart_are_merged_by_block() {
    let Some(broker) = Broker::get() else { return };
    let folder = Folder::new(CASES);
    let expected = replay(&folder, &[SLICE]);
    let mut service = Service::new(&broker, &folder, "merged");
    service.tron(&["even", "odd"]).create_topics();
    let blocks = slice();
    let of = |rest: u64| {
        let blocks = blocks.iter().filter(|block| block.number % 2 == rest);
        blocks.flat_map(feed::java_tron).collect::<Vec<_>>()
    };
    broker.produce(&service.topic("even"), &of(0));
    broker.produce(&service.topic("odd"), &of(1));
    service.run_until_end();
    assert_eq!(service.summary()["refused_total"], 0, "nothing came late");
    assert_eq!(service.table("taint.csv"), expected.table("taint.csv"));
    assert_eq!(holding(&service.alerts()), holding(&expected.lines("alerts.jsonl")));
}

#[test]
fn a_topic_that_lags_behind_another_while_live_loses_nothing() {
    let Some(broker) = Broker::get() else { return };
    let folder = Folder::new(CASES);
    let mut service = Service::new(&broker, &folder, "lags");
    service.tron(&["block", "contractevent"]).create_topics();
    let mut running = service.start();
    running.wait_until_ready();
    let blocks = &slice()[..60];
    let mut events = 0;
    for part in blocks.chunks(20) {
        // Twenty headers, many more than the window holds, come before their events.
        let headers: Vec<String> = part.iter().filter_map(feed::java_tron_block_trigger).collect();
        assert_eq!(headers.len(), part.len());
        broker.produce(&service.topic("block"), &headers);
        running.wait_for_metric("usdt_flow_records_consumed_total{chain=\"tron\"} ", events + 20);
        let records = contract_events(part);
        broker.produce(&service.topic("contractevent"), &records);
        events += 20 + records.len() as u64;
        running.wait_for_metric("usdt_flow_records_consumed_total{chain=\"tron\"} ", events);
    }
    let metrics = running.wait_for_metric("usdt_flow_blocks_total{chain=\"tron\"} ", 60);
    assert!(metrics.contains("usdt_flow_late_records_total{chain=\"tron\"} 0"), "{metrics}");
    let transfers = contract_events(blocks).len();
    let line = format!("usdt_flow_events_total{{chain=\"tron\",kind=\"transfer\"}} {transfers}\n");
    assert!(metrics.contains(&line), "{metrics}");
    running.terminate();
}

#[test]
fn a_deleted_beginning_stops_the_rebuild() {
    let Some(broker) = Broker::get() else { return };
    let folder = Folder::new(CASES);
    let mut service = Service::new(&broker, &folder, "deleted");
    service.tron(&["contractevent"]).create_topics();
    let topic = service.topic("contractevent");
    broker.produce(&topic, &contract_events(&slice()[..20]));
    service.run_until_end();
    broker.delete_records(&topic, 10);
    // A checkpoint needs no beginning.
    service.run_until_end();
    service.forget_checkpoints();
    let text = service.run_and_fail();
    assert!(text.contains("begins at offset 10"), "{text}");
    assert!(text.contains("retention"), "{text}");
}

#[test]
fn a_missing_topic_says_what_to_do() {
    let Some(broker) = Broker::get() else { return };
    let folder = Folder::new(CASES);
    let mut service = Service::new(&broker, &folder, "missing");
    service.tron(&["contractevent"]);
    let text = service.run_and_fail();
    assert!(text.contains("there is no topic") && text.contains("topics create"), "{text}");
}

#[test]
fn what_feed_writes_is_read_to_the_last_record() {
    let Some(broker) = Broker::get() else { return };
    let folder = Folder::new(CASES);
    let mut service = Service::new(&broker, &folder, "feed");
    service.tron(&["events"]).create_topics();
    let fed = service::binary()
        .args(["feed", "--pause-ms", "0", "--topic", &service.topic("events")])
        .args(["--bootstrap-servers", &broker.servers])
        .output()
        .unwrap();
    assert!(fed.status.success(), "{}", String::from_utf8_lossy(&fed.stderr));
    service.run_until_end();
    let summary = service.summary();
    assert_eq!(summary["events"]["transfer"], 29_047);
    assert_eq!(summary["refused_total"], 0);
    assert!(service.alerts().len() > 100);
}
