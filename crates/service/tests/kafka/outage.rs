//! A broker that goes away, a broker that stands still, a disk that fills, under
//! the running service; and a service that stands still itself.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use flow_sim::Dice;

use crate::broker::{Broker, Feed};
use crate::faults::{assert_as_uncrashed, assert_same_tables_and_alerts, steady};
use crate::service::{Folder, replay};
use crate::tmpfs::Tmpfs;
use crate::{CASES, SLICE, contract_events, slice};

pub(crate) const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/dev/kafka.sh");

/// Shorter than the broker stands still, so that it aborts what was begun. All else
/// that is waited for is shorter as well: the session ends meanwhile.
const TRANSACTION_TIMEOUT: &str = "[kafka.producer]\n\"transaction.timeout.ms\" = \"4000\"\n";

/// A broker of one test's own, which may do with it as it likes.
pub(crate) struct OwnBroker {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) broker: Broker,
}

impl OwnBroker {
    /// `None` where there is no broker at all, or it runs in a container.
    fn start() -> Option<OwnBroker> {
        OwnBroker::start_with(&[])
    }

    /// With further arguments of `kafka.sh start`.
    pub(crate) fn start_with(arguments: &[&str]) -> Option<OwnBroker> {
        Broker::get()?;
        if std::env::var_os("USDT_FLOW_KAFKA_DOCKER").is_some_and(|wanted| wanted == "1") {
            eprintln!("skipped: a broker in a container is not stopped and continued");
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let servers = said(kafka("start", dir.path()).args(arguments));
        Some(OwnBroker { dir, broker: Broker { servers } })
    }

    pub(crate) fn stop(&self) {
        script("stop", self.dir.path());
    }

    pub(crate) fn start_again(&self) {
        assert_eq!(script("start", self.dir.path()), self.broker.servers);
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = std::fs::read_to_string(self.dir.path().join("kafka.pid")).unwrap();
        let sent = Command::new("kill").args([&format!("-{name}"), pid.trim()]).status().unwrap();
        assert!(sent.success());
    }
}

impl Drop for OwnBroker {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.dir.path().join("kafka.log"));
            eprintln!("the broker said:\n{}", log.unwrap_or_default());
        }
        // It may stand still.
        let pid = std::fs::read_to_string(self.dir.path().join("kafka.pid")).unwrap_or_default();
        let continued = Command::new("kill").args(["-CONT", pid.trim()]).output();
        let stopped = continued.and_then(|_| kafka("stop", self.dir.path()).output());
        if let Err(error) = stopped {
            eprintln!("the broker in {} was not ended: {error}", self.dir.path().display());
        }
    }
}

fn kafka(command: &str, dir: &Path) -> Command {
    let mut kafka = Command::new("bash");
    kafka.args([SCRIPT, command, "--dir"]).arg(dir).env("KAFKA_HEAP_OPTS", "-Xmx400m");
    // What ends the tests does not end the broker under them.
    kafka.process_group(0);
    kafka
}

fn script(command: &str, dir: &Path) -> String {
    said(&mut kafka(command, dir))
}

fn said(command: &mut Command) -> String {
    let done = command.stderr(Stdio::piped()).output().unwrap();
    assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}

#[test]
fn a_broker_that_restarts_and_one_that_stands_still_lose_and_double_nothing() {
    let Some(own) = OwnBroker::start() else { return };
    let folder = Folder::new(CASES);
    let expected = replay(&folder, &[SLICE]);
    let mut service = steady(&own.broker, &folder, "outage");
    service.set(TRANSACTION_TIMEOUT);
    service.flush_after_ms(30_000);
    let mut running = service.start();
    running.wait_until_ready();
    let (topic, records) = (service.topic("contractevent"), contract_events(&slice()));
    let (first, second) = records.split_at(records.len() / 2);

    let feed = Feed::start(&own.broker, &topic, first, 6_000);
    running.wait_for_metric("usdt_flow_commits_total ", 10);
    own.stop();
    std::thread::sleep(Duration::from_secs(2));
    own.start_again();
    feed.finish();

    let feed = Feed::start(&own.broker, &topic, second, 12_000);
    let group = service.group();
    own.broker.wait_until_committed(&group, &topic, first.len() + 500);
    own.signal("STOP");
    std::thread::sleep(Duration::from_secs(40));
    own.signal("CONT");
    feed.finish();
    own.broker.wait_until_committed(&group, &topic, records.len());
    let (status, log) = running.terminate();
    assert!(status.success(), "{log}");
    service.run_until_end();
    assert_as_uncrashed(&service, &expected);
}

#[test]
fn a_service_that_stood_still_goes_on_when_it_wakes() {
    let Some(broker) = Broker::get() else { return };
    let folder = Folder::new(CASES);
    let expected = replay(&folder, &[SLICE]);
    let mut service = steady(&broker, &folder, "asleep");
    service.set(TRANSACTION_TIMEOUT);
    let mut running = service.start();
    running.wait_until_ready();
    let (topic, records) = (service.topic("contractevent"), contract_events(&slice()));
    let feed = Feed::start(&broker, &topic, &records, 20_000);
    running.wait_for_metric("usdt_flow_commits_total ", 10);
    running.signal("STOP");
    let (group, before) = (service.group(), broker.committed(&service.group(), &topic));
    // The group has given it up by then, and the brokers what it had begun: they look each 10 s.
    std::thread::sleep(Duration::from_secs(20));
    assert_eq!(broker.members(&group), 0);
    running.signal("CONT");
    let woken = Instant::now();
    broker.wait_until_committed(&group, &topic, before + 1);
    let took = woken.elapsed();
    println!("it published {:.1} s after it woke", took.as_secs_f64());
    assert!(took < Duration::from_secs(20), "{took:?}");
    feed.finish();
    broker.wait_until_committed(&group, &topic, records.len());
    let (status, log) = running.terminate();
    assert!(status.success(), "{log}");
    service.run_until_end();
    assert_as_uncrashed(&service, &expected);
}

/// Has the broker take in so many bytes a second of what the service writes.
fn slow_down(broker: &Broker, bytes_per_second: u64) {
    let quota = format!("producer_byte_rate={bytes_per_second}");
    let done = Command::new("bash")
        .args([SCRIPT, "tool", "configs", "--bootstrap-server", &broker.servers, "--alter"])
        .args(["--entity-type", "clients", "--entity-name", "usdt-flow", "--add-config", &quota])
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// Records of 32 KiB that say nothing, and that no compression makes smaller.
fn noise(records: usize) -> Vec<Vec<u8>> {
    let mut dice = Dice::new(3);
    let record = |dice: &mut Dice| (0..1_024).flat_map(|_| dice.bytes::<32>()).collect();
    (0..records).map(|_| record(&mut dice)).collect()
}

#[test]
fn a_slow_sink_holds_the_input_back_and_memory_below_its_ceiling() {
    const CEILING_MB: u64 = 128;
    const BYTES_PER_SECOND: u64 = 8_000_000;
    let Some(own) = OwnBroker::start() else { return };
    let folder = Folder::new(CASES);
    let expected = replay(&folder, &[SLICE]);
    let mut service = steady(&own.broker, &folder, "slow");
    service.set(&format!("[limits]\nmemory_max_mb = {CEILING_MB}\n"));
    slow_down(&own.broker, BYTES_PER_SECOND);
    // More than memory may hold, and more than the brokers let through at once.
    let (topic, noise) = (service.topic("contractevent"), noise(5_000));
    let events = contract_events(&slice());
    own.broker.produce(&topic, &events);
    own.broker.produce(&topic, &noise);
    let mut running = service.start();
    let all = (events.len() + noise.len()) as u64;
    running.wait_for_metric("usdt_flow_records_consumed_total{chain=\"tron\"} ", all);
    own.broker.wait_until_committed(&service.group(), &topic, events.len() + noise.len());
    let series = "usdt_flow_waiting_seconds_total{chain=\"tron\",stage=\"output\"} ";
    let waited: f64 = running.metric(series).unwrap();
    let peak_mb = running.peak_memory_mb();
    // One that is at its ceiling stops, and fails.
    let (status, log) = running.terminate();
    assert!(status.success(), "{log}");
    println!("the slow sink: {waited:.1} s waiting for the output, {peak_mb} MB of memory at most");
    assert!(waited > 5.0, "it waited {waited} s for the output");
    assert!(peak_mb < CEILING_MB, "{peak_mb} MB");
    let letters = own.broker.consume(&service.topic("deadletter.v1"), true);
    let letters: Vec<Vec<u8>> = letters.into_iter().map(|record| record.value).collect();
    assert!(letters == noise, "each once, in order, byte for byte");
    service.run_until_end();
    assert_same_tables_and_alerts(&service, &expected);
}

/// Leaves no byte free there, until the filler is deleted.
pub(crate) fn fill(disk: &Path) -> PathBuf {
    let (path, zeros) = (disk.join("filler"), vec![0; 64 * 1024]);
    let mut file = std::fs::File::create(&path).unwrap();
    while file.write_all(&zeros).is_ok() {}
    path
}

#[test]
fn a_full_disk_stops_checkpoints_and_nothing_else() {
    let Some(broker) = Broker::get() else { return };
    let folder = Folder::new(CASES);
    let Some(disk) = Tmpfs::mount(&folder.path().join("small"), 8) else { return };
    let expected = replay(&folder, &[SLICE]);
    let mut service = steady(&broker, &folder, "full");
    service.keep_state_in(&disk.0);
    let mut running = service.start();
    running.wait_until_ready();
    let (topic, records) = (service.topic("contractevent"), contract_events(&slice()));
    let (first, second) = records.split_at(records.len() / 2);
    let feed = Feed::start(&broker, &topic, first, 5_000);
    let kept = "usdt_flow_checkpoints_total{chain=\"tron\"} ";
    running.wait_for_metric(kept, 2);
    feed.finish();
    let group = service.group();
    broker.wait_until_committed(&group, &topic, first.len());

    let filler = fill(&disk.0);
    let alerts = service.alerts().len();
    let feed = Feed::start(&broker, &topic, second, 5_000);
    running.wait_for_metric("usdt_flow_checkpoint_failures_total{chain=\"tron\"} ", 2);
    feed.finish();
    broker.wait_until_committed(&group, &topic, records.len());
    assert!(service.alerts().len() > alerts, "alerts go on");
    assert!(running.log().contains("a checkpoint could not be kept"), "{}", running.log());

    std::fs::remove_file(filler).unwrap();
    let before: u64 = running.metric(kept).unwrap();
    running.wait_for_metric(kept, before + 1);
    running.kill();
    let mut again = service.start();
    again.wait_until_ready();
    let (status, log) = again.terminate();
    assert!(status.success(), "{log}");
    assert!(log.contains("the state was read from a checkpoint"), "{log}");
    service.run_until_end();
    assert_as_uncrashed(&service, &expected);
}

#[test]
fn a_history_folder_without_room_ends_the_service_and_loses_nothing() {
    let Some(broker) = Broker::get() else { return };
    let folder = Folder::new(CASES);
    let Some(disk) = Tmpfs::mount(&folder.path().join("small"), 4) else { return };
    let expected = replay(&folder, &[SLICE]);
    let mut service = steady(&broker, &folder, "nohistory");
    let dir = disk.0.join("history");
    service.set(&format!("dir = {:?}\n", dir.to_str().unwrap()));
    broker.produce(&service.topic("contractevent"), &contract_events(&slice()));
    let filler = fill(&disk.0);
    let log = service.run_and_fail();
    assert!(log.contains("No space left on device") && log.contains("history"), "{log}");
    std::fs::remove_file(filler).unwrap();
    service.run_until_end();
    assert_as_uncrashed(&service, &expected);
}
