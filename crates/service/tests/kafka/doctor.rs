//! What the doctor finds, what it says to do, and how it ends.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::broker::Broker;
use crate::service::{Folder, Service, binary};
use crate::tmpfs::Tmpfs;
use crate::{CASES, contract_events, slice};

/// Exit status and what is printed.
pub(crate) fn doctor(service: &Service<'_>, arguments: &[&str]) -> (Option<i32>, String) {
    let done = binary()
        .args(["doctor", "--timeout-seconds", "4"])
        .args(arguments)
        .arg("--config")
        .arg(service.config())
        .env("USDT_FLOW_KAFKA_SASL_PASSWORD", service.password())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(!done.stdout.is_empty(), "{said}");
    (done.status.code(), String::from_utf8(done.stdout).unwrap())
}

/// The state and the remedy of one check, and whether any failed.
fn row(service: &Service<'_>, arguments: &[&str], check: &str) -> (String, String) {
    let (status, rows) = doctor(service, &[&["--format", "json"], arguments].concat());
    let rows: Vec<Value> = serde_json::from_str(&rows).unwrap();
    let failed = rows.iter().any(|row| row["state"] == "failed");
    assert_eq!(status, Some(i32::from(failed)), "{rows:#?}");
    let found = rows.iter().find(|row| row["check"] == check);
    let found = found.unwrap_or_else(|| panic!("nothing of {check}: {rows:#?}"));
    let text = |key: &str| found[key].as_str().unwrap().to_owned();
    (text("state"), text("remedy"))
}

#[test]
fn the_doctor_finds_what_is_in_the_way_and_says_what_to_do() {
    let Some(broker) = Broker::get() else { return };
    let folder = Folder::new(CASES);
    let mut service = Service::new(&broker, &folder, "doctor");
    service.tron(&["events"]);
    let is = |arguments: &[&str], check: &str, state: &str, remedy: &str| {
        let (found, told) = row(&service, arguments, check);
        assert!(found == state && told.contains(remedy), "{check}: {found}: {told}");
    };
    let (topic, records) =
        (service.topic("events"), format!("records of {}", service.topic("events")));
    is(&[], &format!("topic {topic}"), "failed", "usdt-flow topics create");
    service.create_topics();
    let history = ["--set", "history.dir=."];
    is(&history, &records, "warning", "docs/java-tron.md");
    is(&history, "clock", "unknown", "chrony");

    broker.produce(&topic, &["{\"chain\":"]);
    is(&history, &records, "failed", "docs/input.md");
    broker.produce(&topic, &contract_events(&slice()[..20]));
    is(&history, &records, "warning", "dead letters");
    is(&history, "clock", "ok", "");
    is(
        &["--set", &format!("input.ethereum.topics={topic}"), "--set", "input.tron.topics="],
        &records,
        "failed",
        "under the chain",
    );
    let ahead = SystemTime::now() + Duration::from_secs(60);
    let ahead_ms = ahead.duration_since(UNIX_EPOCH).unwrap().as_millis();
    broker.produce_at(&topic, "{", i64::try_from(ahead_ms).unwrap());
    is(&history, "clock", "failed", "chrony");

    is(&[], "memory", "warning", "history.dir");
    is(
        &[&history[..], &["--accounts", "400000000", "--set", "limits.memory_max_mb=1000"]]
            .concat(),
        "memory",
        "failed",
        "more memory",
    );
    is(&["--set", "history.dir=/proc/nowhere"], "history.dir", "failed", "the user of the service");
    let Some(disk) = Tmpfs::mount(&folder.path().join("small"), 4) else { return };
    let small = format!("checkpoint.url={}", disk.0.display());
    is(&["--set", &small], "checkpoint.url", "warning", "make room");
}
