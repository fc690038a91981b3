//! Cases opened and closed by command, and their ledgers on a topic.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::broker::Broker;
use crate::service::{Folder, Service, binary, replay};
use crate::{CASES, contract_events, slice};

const SUMS: [&str; 8] =
    ["emitted", "held", "frozen", "service", "redeemed", "destroyed", "dust", "horizon"];

/// `usdt-flow case …` with the service's configuration.
fn case(service: &Service<'_>, arguments: &[&str]) -> Result<String, String> {
    let config = service.config();
    let done = binary().arg("case").args(arguments).arg("--config").arg(config).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if done.status.success() { Ok(text(&done.stdout)) } else { Err(text(&done.stderr)) }
}

/// By key the last ledger; revisions rise by one.
fn ledgers(broker: &Broker, service: &Service<'_>) -> BTreeMap<String, Value> {
    let mut last: BTreeMap<String, Value> = BTreeMap::new();
    for record in broker.consume(&service.topic("case-ledgers.v1"), true) {
        let key = String::from_utf8(record.key.clone().unwrap()).unwrap();
        let value: Value = serde_json::from_slice(&record.value).unwrap();
        let before = last.get(&key).map_or(0, |before| before["revision"].as_u64().unwrap());
        assert_eq!(value["revision"], before + 1, "{value}");
        assert_eq!(record.header("ce_id").unwrap(), &format!("{key}.{}", before + 1));
        assert_eq!(record.header("ce_type").unwrap(), "usdt.flow.case-ledger.v1");
        last.insert(key, value);
    }
    last
}

/// The row of `cases.csv` that the record stands for.
fn row(record: &Value) -> String {
    let sums = SUMS.map(|name| record[name].as_str().unwrap());
    format!("{},{}", record["case"].as_str().unwrap(), sums.join(","))
}

#[test]
fn the_ledger_of_a_case_is_told_while_it_is_open_as_a_replay_up_to_there_has_it() {
    let Some(broker) = Broker::get() else { return };
    let without = Folder::new("[]");
    let mut service = Service::new(&broker, &without, "ledgers");
    service.tron_final(&["contractevent"]);
    service.set("[engine]\nledger_update_seconds = 300\n");
    service.create_topics();
    let blocks = slice();
    broker.produce(&service.topic("contractevent"), &contract_events(&blocks));
    let a = "tron:TBDsNZ6SzozMUAJ9rWctBq1KFH4RTPmEUY";
    let b = [
        "--source=tron:TUVYkDqoVnsCvmxcoTG3MYYC1GQpumFLpb",
        "--source=tron:TS1WcxnLZ4JYEzCkz12aKHaESsmdxFvgP3@56804700",
    ];
    let opened = case(&service, &["open", "a", "--source", a]).unwrap();
    assert!(opened.starts_with("opened case a in topic "), "{opened}");
    case(&service, &["open", "b", b[0], b[1], "--min-units", "1000000"]).unwrap();
    let refused = case(&service, &["open", "a", "--source", a]).unwrap_err();
    assert!(refused.contains("--replace"), "{refused}");
    case(&service, &["open", "a", "--source", a, "--replace"]).unwrap();

    service.run_until_end();
    let told = ledgers(&broker, &service);
    assert_eq!(told.keys().collect::<Vec<_>>(), ["tron:a:2023-11-27", "tron:b:2023-11-27"]);
    for record in told.values() {
        assert!(record["revision"].as_u64().unwrap() > 2, "{record}");
        let block = record["block"].as_u64().unwrap();
        let upto = blocks.partition_point(|known| known.number <= block);
        let past = contract_events(&blocks[..upto]).join("\n");
        let folder = Folder::new(CASES);
        let replayed = replay(&folder, &[&folder.file("past.jsonl", &past)]);
        let table = replayed.table("cases.csv");
        assert!(table.lines().any(|line| line == row(record)), "{record}\n{table}");
    }

    // From the beginning again nothing is told twice; a case that is closed is told so.
    service.forget_checkpoints();
    service.run_until_end();
    assert_eq!(ledgers(&broker, &service), told);
    case(&service, &["close", "a"]).unwrap();
    let unknown = case(&service, &["close", "a"]).unwrap_err();
    assert!(unknown.contains("open: b"), "{unknown}");
    service.run_until_end();
    let closed = ledgers(&broker, &service);
    assert_eq!(closed["tron:a:2023-11-27"]["status"], "closed");
    assert_eq!(row(&closed["tron:a:2023-11-27"]), row(&told["tron:a:2023-11-27"]));
    assert_eq!(closed["tron:b:2023-11-27"], told["tron:b:2023-11-27"]);
}
