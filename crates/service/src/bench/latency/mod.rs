//! Latency: from an event that goes into the input topic to the alert that
//! comes out of the topic of alerts, while the service runs live.
//!
//! Sender and receiver are threads of this process, so that one clock times
//! both ends. What always holds: each record is stamped just before it is
//! handed to the producer, each alert as soon as the consumer hands it over;
//! alerts are matched to events when all is over.

mod matching;
mod memory;
mod receiver;
mod report;
mod sender;
mod traffic;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use indicatif::ProgressBar;

use super::broker::{Broker, Scratch};
use super::child::{Service, Setup};
use super::format::RecordFormat;
use super::machine::Machine;
use super::stop::Stop;
use crate::cli::LatencyArgs;
use crate::report::Explain;
use crate::trace::source::bar;

pub(crate) use report::Latency;

use matching::{ALERTS_PER_EVENT, Told};
use memory::Looks;
use receiver::Receiver;
use sender::{Sender, Sent};
use traffic::Traffic;

/// How long the last alerts may take before they count as lost.
const PATIENCE: Duration = Duration::from_secs(15);

/// The pause between two looks at how far it has come.
const LOOK_PAUSE: Duration = Duration::from_millis(50);

/// What the threads of a bench share.
struct Shared<'a> {
    /// All times are counted from here.
    epoch: Instant,
    /// Events sent.
    sent: AtomicU64,
    /// Alerts received, each once.
    received: AtomicU64,
    /// Nothing more is to come.
    over: AtomicBool,
    stop: &'a Stop,
}

/// Measures what the arguments say.
///
/// # Errors
/// If the broker cannot be reached or refuses, the service fails, or somebody
/// interrupts.
pub(crate) fn latency(args: &LatencyArgs) -> anyhow::Result<Latency> {
    if args.format == RecordFormat::Compact {
        return Err(anyhow!("a compact record tells of a whole block")).explain(
            "events cannot be timed one by one",
            "choose a format with a record for each event, as --format plain",
        );
    }
    let machine = Machine::look();
    let stop = Stop::on_signal()?;
    let broker = Broker::connect(&args.common)?;
    let scratch = Scratch::new(&broker);
    let (input, prefix) = (scratch.name("input"), scratch.name("service"));
    let traffic = Traffic::new(args);
    let case = traffic.case();
    let setup = Setup {
        broker: &broker,
        format: args.format,
        input: &input,
        prefix: &prefix,
        cases: std::slice::from_ref(&case),
        labels: &[],
        set: settings(args),
    };
    scratch.create(&[setup.outputs(), vec![input.clone()]].concat())?;
    scratch.note_group(prefix.clone());
    let receiver = Receiver::open(&broker, &setup.alerts())?;
    let sender = Sender::open(args, &broker, &input)?;
    let mut service = Service::start(&setup, &[])?;
    service.wait_until_ready(&stop)?;
    let shared = Shared {
        epoch: Instant::now(),
        sent: AtomicU64::new(0),
        received: AtomicU64::new(0),
        over: AtomicBool::new(false),
        stop: &stop,
    };
    let mut looks = Looks::default();
    let (sent, told) = run(args, &shared, (sender, traffic), receiver, (&mut service, &mut looks))?;
    let memory = looks.since(Duration::from_secs(args.warmup_seconds));
    Ok(Latency::new(args, machine, (&sent, &told), (service.used(), memory)))
}

/// The settings of the service; those of the command line come last and win.
fn settings(args: &LatencyArgs) -> Vec<(String, String)> {
    let key = |name: &str| format!("input.{}.{name}", args.format.chain().name());
    let mut set = vec![
        (key("window_blocks"), args.window_blocks.to_string()),
        ("commit.interval_ms".to_owned(), args.commit_interval_ms.to_string()),
    ];
    set.extend(args.common.set.iter().cloned());
    set
}

/// Sends and receives side by side, until every alert has come or time is up;
/// then ends the service and reads what its end may have brought.
fn run(
    args: &LatencyArgs,
    shared: &Shared<'_>,
    (sender, traffic): (Sender, Traffic),
    receiver: Receiver,
    (service, looks): (&mut Service, &mut Looks),
) -> anyhow::Result<(Vec<Sent>, Vec<Told>)> {
    let bar = bar(args.common.no_progress, Some(sender.events()), "sending");
    std::thread::scope(|scope| {
        let sending = scope.spawn(|| sender.send(traffic, shared));
        let receiving = scope.spawn(|| receiver.receive(shared));
        let is_over = || sending.is_finished() || receiving.is_finished();
        let watched = watch(shared, &bar, (service, looks), is_over);
        if watched.is_err() || receiving.is_finished() {
            shared.over.store(true, Ordering::Relaxed);
        }
        let sent = sending.join().expect("the sender does not panic");
        let ended = watched.and_then(|()| {
            if let (Ok(sent), false) = (&sent, receiving.is_finished()) {
                wait_for_alerts(shared, sent, service)?;
            }
            service.terminate()
        });
        // Whatever happened, the receiver must hear that it is over.
        shared.over.store(true, Ordering::Relaxed);
        let told = receiving.join().expect("the receiver does not panic");
        bar.finish_and_clear();
        ended?;
        let told = told?;
        Ok((sent.context("the events were not sent")?, told))
    })
}

/// Looks after the service until a thread has ended.
fn watch(
    shared: &Shared<'_>,
    bar: &ProgressBar,
    (service, looks): (&mut Service, &mut Looks),
    is_over: impl Fn() -> bool,
) -> anyhow::Result<()> {
    while !is_over() {
        shared.stop.check()?;
        service.ensure_alive()?;
        looks.look(shared.epoch.elapsed(), || service.memory_bytes());
        bar.set_position(shared.sent.load(Ordering::Relaxed));
        std::thread::sleep(LOOK_PAUSE);
    }
    Ok(())
}

/// Waits until as many alerts have come as are due.
fn wait_for_alerts(
    shared: &Shared<'_>,
    sent: &[Sent],
    service: &mut Service,
) -> anyhow::Result<()> {
    let due = sent.iter().filter(|sent| sent.flagged).count() * ALERTS_PER_EVENT;
    let began = Instant::now();
    while shared.received.load(Ordering::Relaxed) < due as u64 && began.elapsed() < PATIENCE {
        shared.stop.check()?;
        service.ensure_alive()?;
        std::thread::sleep(LOOK_PAUSE);
    }
    // One last look at its memory.
    service.note_memory();
    Ok(())
}
