//! Processes that die, hang and come back, against a real broker.

use std::time::{Duration, Instant};

use flow_sim::Dice;

use crate::broker::{Broker, Feed};
use crate::service::{Folder, Replayed, Running, Service, replay};
use crate::told::{assert_same_lines, holding, standing};
use crate::{CASES, SLICE, contract_events, slice};

/// Kills in a test run; `USDT_FLOW_KILLS` asks for more.
const KILLS: u64 = 50;

/// Where a process may die, and how often it passes there in a second or so.
const FAILPOINTS: [(&str, u64); 9] = [
    ("fenced", 1),
    ("begun", 3),
    ("sent", 3),
    ("offsets_sent", 3),
    ("drained", 3),
    ("committed", 3),
    ("checkpoint_begun", 1),
    ("checkpoint_copied", 1),
    ("checkpoint_kept", 1),
];

fn kills() -> u64 {
    std::env::var("USDT_FLOW_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(KILLS)
}

fn seed() -> u64 {
    std::env::var("USDT_FLOW_KILL_SEED").ok().and_then(|n| n.parse().ok()).unwrap_or(7)
}

/// What was told is what an uncrashed run tells, each once and in order.
pub(crate) fn assert_as_uncrashed(service: &Service<'_>, expected: &Replayed) {
    service.assert_no_dead_letters();
    assert_same_tables_and_alerts(service, expected);
}

/// The same, whatever could not be read.
pub(crate) fn assert_same_tables_and_alerts(service: &Service<'_>, expected: &Replayed) {
    for table in ["taint.csv", "cases.csv", "services.csv"] {
        assert_same_lines(&service.lines(table), &expected.lines(table));
    }
    assert_told(service, expected);
}

fn assert_told(service: &Service<'_>, expected: &Replayed) {
    let (told, wanted) = (service.alerts(), expected.lines("alerts.jsonl"));
    assert_eq!(standing(&told).len(), standing(&wanted).len());
    assert!(holding(&told) == holding(&wanted), "each once, in order");
    assert_same_lines(&service.freezes(), &expected.lines("freezes.jsonl"));
}

/// A service whose alerts are final at once, so that its records are those of a
/// replay; with small segments, so that checkpoints refer to some.
pub(crate) fn steady<'a>(broker: &'a Broker, folder: &'a Folder, name: &str) -> Service<'a> {
    let mut service = Service::new(broker, folder, name);
    service.tron_final(&["contractevent"]);
    // The feed may pause for as long as a busy machine likes.
    service.flush_after_ms(30_000);
    service.set("[history]\nsegment_transfers = 2000\n");
    service.create_topics();
    service
}

#[test]
fn fifty_kills_lose_nothing_and_repeat_nothing() {
    let Some(broker) = Broker::get() else { return };
    let folder = Folder::new(CASES);
    let expected = replay(&folder, &[SLICE]);
    let mut service = steady(&broker, &folder, "kills");
    service.instance("one");
    let (kills, seed) = (kills(), seed());
    println!("seed {seed}: USDT_FLOW_KILL_SEED repeats it");
    let mut dice = Dice::new(seed);
    let records = contract_events(&slice());
    // So fast that the last record comes with the last kill, or about then.
    let feed = Feed::start(&broker, &service.topic("contractevent"), &records, kills * 900);
    let (mut at_failpoint, mut restored) = (0, 0);
    for kill in 0..kills {
        let mut running = if kill % 2 == 0 {
            let (name, passes) = dice.pick(&FAILPOINTS);
            service.start_to_die(name, dice.between(1, passes))
        } else {
            service.start()
        };
        let patience = Duration::from_millis(dice.between(300, 2_500));
        at_failpoint += u64::from(running.dies_within(patience));
        running.kill();
        restored += u64::from(running.log().contains("the state was read from a checkpoint"));
    }
    feed.finish();
    service.run_until_end();
    println!("{kills} kills, {at_failpoint} of them at failpoints, {restored} from checkpoints");
    assert!(at_failpoint * 16 >= kills, "failpoints were reached: {at_failpoint}");
    assert!(restored * 4 >= kills, "checkpoints were used: {restored}");
    assert_as_uncrashed(&service, &expected);
}

#[test]
fn a_standby_takes_over_and_nothing_is_lost_or_doubled() {
    let Some(broker) = Broker::get() else { return };
    let folder = Folder::new(CASES);
    let expected = replay(&folder, &[SLICE]);
    let service = steady(&broker, &folder, "standby");
    let mut first = service.start();
    first.wait_for_metric("usdt_flow_owner{chain=\"tron\"} ", 1);
    let mut second = service.start();
    second.wait_until_ready();
    let records = contract_events(&slice());
    let feed = Feed::start(&broker, &service.topic("contractevent"), &records, 15_000);
    let receipts = "usdt_flow_alerts_total{risk_level=\"High\",rule=\"first_receipt\"} ";
    first.wait_for_metric(receipts, 14);
    let killed = Instant::now();
    first.kill();
    second.wait_for_metric("usdt_flow_commits_total ", 1);
    let outage = killed.elapsed();
    println!("the standby published {:.1} s after the kill", outage.as_secs_f64());
    assert_eq!(second.metric("usdt_flow_takeovers_total{chain=\"tron\"} "), Some(1));
    assert!(outage < Duration::from_secs(20), "{outage:?}");
    feed.finish();
    // Another one comes, stands by, and takes over from one that leaves.
    let mut third = service.start();
    third.wait_until_ready();
    let (status, log) = second.terminate();
    assert!(status.success(), "{log}");
    third.wait_for_metric("usdt_flow_owner{chain=\"tron\"} ", 1);
    third.terminate();
    service.run_until_end();
    assert_as_uncrashed(&service, &expected);
}

#[test]
fn an_owner_that_hangs_and_wakes_is_not_heard() {
    let Some(broker) = Broker::get() else { return };
    let folder = Folder::new(CASES);
    let expected = replay(&folder, &[SLICE]);
    let service = steady(&broker, &folder, "zombie");
    let mut first = service.start();
    first.wait_for_metric("usdt_flow_owner{chain=\"tron\"} ", 1);
    let mut second = service.start();
    second.wait_until_ready();
    let records = contract_events(&slice());
    let feed = Feed::start(&broker, &service.topic("contractevent"), &records, 15_000);
    broker.wait_for_records(&service.topic("alerts.v1"), 50);
    first.signal("STOP");
    second.wait_for_metric("usdt_flow_owner{chain=\"tron\"} ", 1);
    // It wakes in the middle of what it was doing, and still thinks it owns.
    first.signal("CONT");
    first.wait_for_metric("usdt_flow_records_consumed_total{chain=\"tron\"} ", 1);
    feed.finish();
    first.wait_until_ready();
    second.wait_for_metric("usdt_flow_records_consumed_total{chain=\"tron\"} ", 29_000);
    let (status, log) = second.terminate();
    assert!(status.success(), "{log}");
    first.wait_for_metric("usdt_flow_owner{chain=\"tron\"} ", 1);
    let (status, log) = first.terminate();
    assert!(status.success(), "{log}");
    service.run_until_end();
    assert_as_uncrashed(&service, &expected);
}

#[test]
fn two_chains_are_spread_over_two_instances() {
    let Some(broker) = Broker::get() else { return };
    let folder = Folder::new(CASES);
    let mut service = Service::new(&broker, &folder, "spread");
    service.tron_final(&["contractevent"]).ethereum(&["logs"]);
    service.create_topics();
    let mut first = service.start();
    first.wait_for_metric("usdt_flow_owner{chain=\"tron\"} ", 1);
    let mut both = [first, service.start()];
    let began = Instant::now();
    let owner = |running: &Running, chain: &str| {
        running.metric(&format!("usdt_flow_owner{{chain=\"{chain}\"}} ")) == Some(1)
    };
    let spread = |both: &[Running; 2]| {
        let of = |chain| both.iter().filter(|running| owner(running, chain)).count();
        let each = both.iter().all(|running| owner(running, "tron") ^ owner(running, "ethereum"));
        each && of("tron") == 1 && of("ethereum") == 1
    };
    while !spread(&both) {
        assert!(began.elapsed() < Duration::from_secs(60), "the chains were never spread");
        std::thread::sleep(Duration::from_millis(100));
    }
    let expected = replay(&folder, &[SLICE]);
    broker.produce(&service.topic("contractevent"), &contract_events(&slice()));
    let wanted = expected.lines("alerts.jsonl").len();
    service.wait_for_alerts(|alerts| alerts.len() >= wanted);
    for running in &mut both {
        let (status, log) = running.terminate();
        assert!(status.success(), "{log}");
    }
    service.run_until_end();
    assert_told(&service, &expected);
}
