//! Cases that come while records flow.

use crate::broker::Broker;
use crate::service::{Folder, Service, replay};
use crate::told::{holding_by_id, standing};
use crate::{CASES, SLICE, contract_events, slice};

/// Opens each case of [`CASES`] by its topic.
fn open_cases(broker: &Broker, service: &Service<'_>) {
    let cases: Vec<serde_json::Value> = serde_json::from_str(CASES).unwrap();
    for case in &cases {
        let id = case["id"].as_str().unwrap();
        broker.produce_keyed(&service.topic("cases.v1"), id, Some(&case.to_string()));
    }
}

#[test]
fn a_case_opened_while_running_is_told_its_past() {
    let Some(broker) = Broker::get() else { return };
    let expected = replay(&Folder::new(CASES), &[SLICE]);
    let expected_alerts = holding_by_id(&expected.lines("alerts.jsonl"));
    let without = Folder::new("[]");
    let history = tempfile::tempdir().unwrap();
    let mut service = Service::new(&broker, &without, "late");
    service.tron(&["contractevent"]);
    // Some past is sealed, so cases are traced beside the stream.
    service.set(&format!("[history]\ndir = {:?}\nsegment_transfers = 2000\n", history.path()));
    service.create_topics();
    let blocks = slice();
    // Between two blocks, for a topic that falls silent has told all of its last.
    let (past, future) = blocks.split_at(700);
    let topic = service.topic("contractevent");
    broker.produce(&topic, &contract_events(past));
    let mut running = service.start();
    running.wait_until_ready();
    open_cases(&broker, &service);
    // Records flow on at once; they need not wait for the cases.
    for part in future.chunks(20) {
        broker.produce(&topic, &contract_events(part));
    }
    service.wait_for_alerts(|alerts| standing(alerts).len() >= expected_alerts.len());
    let metrics = running.wait_for_metric("usdt_flow_segments{chain=\"tron\"} ", 5);
    assert!(metrics.contains("usdt_flow_late_traces{chain=\"tron\"} 0\n"), "{metrics}");
    let (_, log) = running.terminate();
    assert!(log.contains("a late case was traced through the past"), "{log}");
    let alerts = service.alerts();
    let retroactive = standing(&alerts).iter().filter(|a| a["retroactive"] == true).count();
    assert!(retroactive > 0 && retroactive < expected_alerts.len(), "{retroactive}");
    assert_eq!(holding_by_id(&alerts), expected_alerts);
    // The next session knows the cases from the start and repeats nothing.
    service.run_until_end();
    assert_eq!(service.table("taint.csv"), expected.table("taint.csv"));
    assert_eq!(service.table("cases.csv"), expected.table("cases.csv"));
    assert_eq!(holding_by_id(&service.alerts()), expected_alerts);
    assert_eq!(standing(&service.alerts()).len(), expected_alerts.len());
    // A tombstone closes a case.
    broker.produce_keyed(&service.topic("cases.v1"), "a", None);
    service.run_until_end();
    assert!(!service.table("cases.csv").contains("\na,"));
}
