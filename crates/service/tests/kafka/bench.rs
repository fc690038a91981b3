//! `usdt-flow bench`: what it tells, and that it leaves nothing behind.

use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::broker::Broker;
use crate::service::binary;

const PATIENCE: Duration = Duration::from_secs(60);

fn start(broker: &Broker, arguments: &str) -> Child {
    let mut command = binary();
    command.arg("bench").args(arguments.split(' ')).arg("--brokers").arg(&broker.servers);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// What a bench printed; no topic of its own may be left.
fn end(broker: &Broker, child: Child) -> Output {
    let mark = format!(".{}.", child.id());
    let output = child.wait_with_output().unwrap();
    let left = broker.topics(&mark);
    assert!(left.iter().all(|topic| !topic.starts_with("usdt.flow.bench.")), "{left:?}");
    output
}

fn measured(broker: &Broker, arguments: &str) -> Value {
    let output = end(broker, start(broker, arguments));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn throughput_is_told_beside_that_of_a_bare_consumer() {
    let Some(broker) = Broker::get() else { return };
    let arguments =
        "throughput --events 6000 --runs 2 --format java-tron,plain,compact --output json";
    let told = measured(&broker, arguments);
    let formats = told["formats"].as_array().unwrap();
    assert_eq!(formats.len(), 3);
    let (formats, compact) = (&formats[..2], &formats[2]);
    for (format, bytes) in formats.iter().zip([1_000..1_500, 200..400]) {
        assert_eq!((&format["records"], &format["events"]), (&6_000.into(), &6_000.into()));
        assert!(bytes.contains(&(format["bytes"].as_u64().unwrap() / 6_000)), "{format}");
        let runs = format["runs"].as_array().unwrap();
        assert_eq!(runs.len(), 2);
        for run in runs {
            assert!(run["bare"]["records_per_second"].as_f64().unwrap() > 0.0, "{run}");
            assert!(run["service"]["alerts"].as_u64().unwrap() > 0, "{run}");
        }
    }
    assert!((6_000..6_100).contains(&compact["events"].as_u64().unwrap()), "{compact}");
    assert!((100..300).contains(&compact["records"].as_u64().unwrap()), "a block each: {compact}");
    let poisoned =
        measured(&broker, "throughput --events 3000 --poisoned-percent 7 --runs 1 --output json");
    assert_eq!(poisoned["formats"][0]["records"], 3_210);
    assert_eq!(poisoned["formats"][0]["poisoned"], 210, "each in the dead-letter topic");
    let alerts = |format: &Value| format["runs"][0]["service"]["alerts"].clone();
    assert_eq!(alerts(&formats[0]), alerts(&formats[1]), "the same crimes in either format");
    assert!(alerts(compact).as_u64() >= alerts(&formats[0]).as_u64(), "and a block to the end");
}

#[test]
fn latency_loses_and_doubles_nothing() {
    let Some(broker) = Broker::get() else { return };
    let arguments =
        "latency --seconds 3 --warmup-seconds 1 --rate 500 --alert-percent 20 --output json";
    let told = measured(&broker, arguments);
    let due = told["alerts_due"].as_u64().unwrap();
    assert!((500..=1_100).contains(&due), "about a fifth of 2,000 events, two alerts each: {due}");
    for count in ["alerts_lost", "alerts_doubled", "alerts_unexpected"] {
        assert_eq!(told[count], 0, "{count}");
    }
    assert!(told["service_memory"]["last_bytes"].as_u64().unwrap() > 1 << 20, "{told}");
    let spread = &told["sent_to_alert"];
    let figures =
        ["median_ms", "p90_ms", "p99_ms", "max_ms"].map(|at| spread[at].as_f64().unwrap());
    assert!(figures[0] > 0.0 && figures.is_sorted(), "{figures:?}");
    let timed = spread["count"].as_u64().unwrap();
    assert!(timed < due && timed > due / 2, "the warm-up is not timed: {timed} of {due}");
}

#[test]
fn an_interrupted_bench_leaves_no_topic() {
    let Some(broker) = Broker::get() else { return };
    let child = start(&broker, "latency --seconds 600");
    let mark = format!(".{}.service.alerts.v1", child.id());
    let began = Instant::now();
    while broker.topics(&mark).is_empty() {
        assert!(began.elapsed() < PATIENCE, "no topic was ever made");
        std::thread::sleep(Duration::from_millis(50));
    }
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let output = end(&broker, child);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("the bench was interrupted"), "{said}");
}
