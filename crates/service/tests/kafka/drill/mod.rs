//! Each fault of the runbook on the real service: what it fires, what of that
//! pages, and that it ends.
//!
//! Rules, Prometheus and Alertmanager are those of `deploy`, with minutes made
//! seconds. How long after a fault an alert comes is shown by the tests of the
//! rules (`deploy/prometheus/faults.py`): here nothing depends on the clock.

mod chain;
mod pager;
mod table;
mod watch;

use std::path::{Path, PathBuf};
use std::time::Duration;

use chain::Source;
use table::Table;
use watch::Watch;

use crate::broker::Broker;
use crate::outage::{OwnBroker, fill};
use crate::prometheus::programs;
use crate::service::{Folder, Running, Service};
use crate::tmpfs::Tmpfs;

const OWNER: &str = "usdt_flow_owner{chain=\"tron\"} ";

const KEPT: &str = "usdt_flow_checkpoints_total{chain=\"tron\"} ";

/// What every scene has.
struct Stage<'a> {
    programs: &'a Path,
    alertmanager: &'a str,
    table: &'a Table,
}

impl<'a> Stage<'a> {
    fn watch(&self, folder: &Folder, name: &'static str, targets: &[&Running]) -> Watch<'a> {
        let targets: Vec<String> =
            targets.iter().map(|running| running.address().to_owned()).collect();
        Watch::start(self.programs, self.alertmanager, self.table, folder, name, &targets)
    }
}

/// A service on that topic, always at the same addresses.
fn service<'a>(broker: &'a Broker, folder: &'a Folder, name: &str) -> Service<'a> {
    let mut service = Service::new(broker, folder, name);
    service.tron_final(&["events"]).create_topics();
    service.keep_addresses();
    service
}

#[test]
fn each_fault_fires_what_the_runbook_says_and_ends() {
    let (Some(broker), Some(programs)) = (Broker::get(), programs()) else { return };
    let table = Table::read();
    let (address, pages) = pager::start();
    let alertmanager = watch::alertmanager(&programs, &address);
    let stage = &Stage { programs: &programs, alertmanager: &alertmanager.listen, table: &table };
    let broker = &broker;
    let shown = std::thread::scope(|scope| {
        let scenes = [
            scope.spawn(move || life(stage, broker)),
            scope.spawn(move || ends(stage, broker)),
            scope.spawn(move || stores(stage, broker)),
            scope.spawn(move || standby(stage, broker)),
            scope.spawn(move || brokers(stage)),
            scope.spawn(move || input(stage, broker)),
        ];
        scenes.map(|scene| scene.join().expect("the scene says what went wrong"))
    });
    let page = pager::wait_for(&pages, "UsdtFlowBehind", "firing");
    assert_eq!(page["labels"]["chain"], "tron");
    assert_eq!(page["annotations"]["runbook_url"], "docs/operations.md#behind");
    pager::wait_for(&pages, "UsdtFlowBehind", "resolved");
    // Without root, or with a broker in a container, some are left out, and that was said.
    if shown.iter().all(Option::is_some) {
        table.assert_all_shown();
    }
}

/// What a source does wrong.
fn input(stage: &Stage<'_>, broker: &Broker) -> Option<()> {
    let folder = Folder::new("[]");
    let service = service(broker, &folder, "drill.input");
    let mut running = service.start();
    let source = Source::start(broker, &service.topic("events"));
    let watch = stage.watch(&folder, "input", &[&running]);
    source.tell_nonsense();
    watch.wait_for_fault("A source sends what cannot be read", 6);
    watch.wait_until_quiet();
    source.silence(true);
    watch.wait_for_fault("Nothing comes any more", 21);
    source.silence(false);
    watch.wait_until_quiet();
    source.leave_out();
    watch.wait_for_fault("A block is missing", 2);
    watch.wait_until_quiet();
    source.tell_late();
    watch.wait_for_fault("A record comes after its block", 2);
    watch.wait_until_quiet();
    drop(source);
    assert!(running.terminate().0.success());
    Some(())
}

/// A process that ends, hangs, or ends again and again.
fn life(stage: &Stage<'_>, broker: &Broker) -> Option<()> {
    let folder = Folder::new("[]");
    let service = service(broker, &folder, "drill.life");
    let mut running = service.start();
    let _source = Source::start(broker, &service.topic("events"));
    let watch = stage.watch(&folder, "life", &[&running]);
    running.signal("STOP");
    watch.wait_for_fault("It hangs", 3);
    running.signal("CONT");
    watch.wait_until_quiet();
    running.kill();
    watch.wait_for_fault("It is killed", 3);
    running = service.start();
    let mut starts = 1;
    while !watch.fires("Restarting") {
        let seen =
            format!("changes(process_start_time_seconds{{job=\"usdt-flow\"}}[1h]) >= {starts}");
        watch.wait_for_value(&seen, "its start was seen");
        // The time of a start is told in whole seconds.
        std::thread::sleep(Duration::from_millis(1_100));
        running.kill();
        running = service.start();
        starts += 1;
    }
    watch.wait_for_fault("It ends and is started again and again", 0);
    watch.wait_until_quiet();
    assert!(running.terminate().0.success());
    Some(())
}

/// What ends the process, each with status 1.
fn ends(stage: &Stage<'_>, broker: &Broker) -> Option<()> {
    let folder = Folder::new("[]");
    let disk = Tmpfs::mount(&folder.path().join("small"), 4)?;
    let mut service = service(broker, &folder, "drill.ends");
    let dir = disk.0.join("history");
    service.set(&format!("[history]\nsegment_transfers = 5\ndir = {:?}\n", dir.to_str().unwrap()));
    service.set("[http]\nlinger_seconds = 4\n");
    let source = Source::start(broker, &service.topic("events"));
    let mut running = service.start();
    let watch = stage.watch(&folder, "ends", &[&running]);

    let filler = fill(&disk.0);
    fails(&mut running, "No space left on device");
    watch.wait_for_fault("The disk of the history is full", 3);
    std::fs::remove_file(filler).unwrap();
    running = service.start();
    watch.wait_until_quiet();

    assert!(running.terminate().0.success());
    running = service.start_with(|command| {
        command.args(["--set", "limits.memory_max_mb=8"]);
    });
    fails(&mut running, "of memory are in use");
    watch.wait_for_fault("It takes more memory than it may", 3);
    running = service.start();
    watch.wait_until_quiet();

    source.take_back();
    fails(&mut running, "final");
    watch.wait_for_fault("A final block is taken back", 3);
    Some(())
}

/// It ends by itself with status 1, and says so.
fn fails(running: &mut Running, why: &str) {
    let status = running.wait_for_its_end();
    let log = running.log();
    assert!(status.code() == Some(1) && log.contains(why), "{status}: {log}");
}

/// What befalls checkpoints.
fn stores(stage: &Stage<'_>, broker: &Broker) -> Option<()> {
    let folder = Folder::new("[]");
    let disk = Tmpfs::mount(&folder.path().join("small"), 4)?;
    let mut service = service(broker, &folder, "drill.stores");
    service.keep_state_in(&disk.0);
    let mut running = service.start();
    let _source = Source::start(broker, &service.topic("events"));
    running.wait_for_metric(KEPT, 1);
    let watch = stage.watch(&folder, "stores", &[&running]);
    let filler = fill(&disk.0);
    watch.wait_for_fault("The store of checkpoints is full", 21);
    std::fs::remove_file(filler).unwrap();
    watch.wait_until_quiet();
    running.kill();
    damage_newest(&service.state());
    running = service.start();
    watch.wait_for_fault("A checkpoint is damaged", 1);
    running.wait_for_metric(KEPT, 1);
    assert!(running.terminate().0.success());
    running = service.start();
    watch.wait_until_quiet();
    assert!(running.terminate().0.success());
    Some(())
}

/// Changes a bit of the newest checkpoint in that folder.
fn damage_newest(state: &Path) {
    let listed = |folder: &Path| -> Vec<PathBuf> {
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
    };
    let scopes = listed(state).into_iter().flat_map(|group| listed(&group));
    let objects = scopes.flat_map(|chain| listed(&chain));
    // Their names rise with the records that they stand for.
    let newest = objects.filter(|path| path.extension().is_some_and(|end| end == "usc")).max();
    let newest = newest.unwrap();
    let mut bytes = std::fs::read(&newest).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&newest, bytes).unwrap();
}

fn standby(stage: &Stage<'_>, broker: &Broker) -> Option<()> {
    let folder = Folder::new("[]");
    let first = service(broker, &folder, "drill.standby");
    let second = first.another();
    let mut owner = first.start();
    owner.wait_for_metric(OWNER, 1);
    let mut other = second.start();
    let _source = Source::start(broker, &first.topic("events"));
    let watch = stage.watch(&folder, "standby", &[&owner, &other]);
    assert!(other.terminate().0.success());
    watch.wait_for_fault("The one who stands by ends", 7);
    let mut other = second.start();
    watch.wait_until_quiet();
    owner.kill();
    watch.wait_for_fault("The one who publishes ends", 7);
    let mut owner = first.start();
    watch.wait_until_quiet();
    assert!(owner.terminate().0.success() && other.terminate().0.success());
    Some(())
}

/// Brokers that are gone, and brokers that keep their connections and say nothing.
fn brokers(stage: &Stage<'_>) -> Option<()> {
    let own = OwnBroker::start_with(&[])?;
    let folder = Folder::new("[]");
    let service = service(&own.broker, &folder, "drill.brokers");
    let mut running = service.start();
    let _source = Source::start(&own.broker, &service.topic("events"));
    let watch = stage.watch(&folder, "brokers", &[&running]);
    own.stop();
    watch.wait_for_fault("The brokers are gone", 21);
    own.start_again();
    watch.wait_until_quiet();
    own.signal("STOP");
    // What fires first is what does while nobody knows yet that they hang.
    watch.wait_for_fault("The brokers hang", 35);
    own.signal("CONT");
    watch.wait_until_quiet();
    assert!(running.terminate().0.success());
    Some(())
}
