//! An instance of the service: a follower for each chain, and its membership in
//! the group that says which of them publish.
//!
//! What always holds: the followers end before the group is left, so whoever
//! takes over finds everything committed; when one thread fails for good, all
//! end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use flow_core::Chain;

use crate::config::{Config, InputConfig};
use crate::follow::{Checkpoints, Duties, Ended, FollowError, Follower, Shared, Until};
use crate::history::FileArchive;
use crate::http::Health;
use crate::kafka::{self, KafkaLog, Membership, MissingTopic, Refused, TlsFailed};
use crate::knowledge::{Knowledge, Watch};
use crate::metrics::Metrics;

/// The longest pause between two sessions.
const BACKOFF_MAX: Duration = Duration::from_secs(30);

/// An instance that loses a chain so often within [`FENCED_WITHIN`], though the
/// group gives it to this one, shares its transactional id with a stranger.
const FENCED_MAX: usize = 4;

/// See [`FENCED_MAX`].
const FENCED_WITHIN: Duration = Duration::from_secs(120);

/// What an instance needs.
pub struct Instance<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// Cases, labels and opening balances from files.
    pub known: Knowledge,
    /// Where it counts.
    pub metrics: Arc<Metrics>,
    /// Where it tells how it is.
    pub health: Arc<Health>,
    /// Set to stop; set by the instance when it fails.
    pub stop: &'a AtomicBool,
    /// When to end by itself.
    pub until: Until<'a>,
}

impl Instance<'_> {
    /// Follows every chain until it is over. Returns the final states, in the
    /// order of the chains; fewer when it was stopped between two sessions.
    ///
    /// # Errors
    /// If something fails that no other session would do better.
    pub fn run(self) -> anyhow::Result<Vec<Ended>> {
        let Instance { config, known, metrics, health, stop, until } = self;
        let duties = Arc::new(Duties::new());
        let shared = Shared { config, metrics, health, duties, stop, until, late_beside: true };
        let over = AtomicBool::new(false);
        let (shared, known, over) = (&shared, &known, &over);
        std::thread::scope(|scope| {
            let member = scope.spawn(|| ending(stop, || be_member(shared, over)));
            let follow =
                |input| scope.spawn(move || ending(stop, || follow(shared, input, known.clone())));
            let followers: Vec<_> = config.inputs.iter().map(follow).collect();
            let mut ended = Vec::new();
            let mut failed = None;
            for follower in followers {
                match follower.join().expect("a follower does not panic") {
                    Ok(end) => ended.extend(end),
                    Err(error) => failed = failed.or(Some(error)),
                }
            }
            over.store(true, Ordering::Relaxed);
            let member = member.join().expect("the member does not panic");
            failed.map_or(member, Err)?;
            Ok(ended)
        })
    }
}

/// Does the work of a thread; its failure ends all others.
fn ending<T>(stop: &AtomicBool, work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    work().inspect_err(|_| stop.store(true, Ordering::Relaxed))
}

/// Speaks with the group until the followers are over.
fn be_member(shared: &Shared<'_>, over: &AtomicBool) -> anyhow::Result<()> {
    let Shared { config, duties, health, metrics, stop, .. } = shared;
    let mut backoff = Backoff::new();
    let membership = loop {
        match Membership::open(config, Arc::clone(duties), Arc::clone(health), metrics) {
            Ok(membership) => break membership,
            Err(error) if error.chain().any(is_lasting) => return Err(error),
            Err(error) => {
                // What the brokers have against us may be told later than the start waits for it.
                if let Err(told) = kafka::reach(&config.kafka, kafka::HELLO_MAX)
                    && told.chain().any(is_lasting)
                {
                    return Err(told);
                }
                tracing::error!(hint = crate::report::hint(&error), "{error:#}; trying again");
                if !backoff.pause(stop, || ()) {
                    return Ok(());
                }
            }
        }
    };
    membership.run(over)
}

fn is_lasting(cause: &(dyn std::error::Error + 'static)) -> bool {
    cause.is::<MissingTopic>() || cause.is::<Refused>() || cause.is::<TlsFailed>()
}

/// Runs one session after the other until one ends in peace.
fn follow(
    shared: &Shared<'_>,
    input: &InputConfig,
    known: Knowledge,
) -> anyhow::Result<Option<Ended>> {
    let (config, chain) = (shared.config, input.chain);
    let files = &config.knowledge;
    if let Some(dir) = &config.history.dir {
        // Later it would be tried for ever, as if a disk had failed that may come back.
        FileArchive::probe(&dir.join(chain.name()))?;
    }
    let mut follower = Follower {
        shared,
        input,
        known,
        watch: Watch::new(&files.case_files, &files.label_files),
        checkpoints: Checkpoints::open(config, chain)?,
    };
    let mut backoff = Backoff::new();
    let mut fenced = Vec::new();
    loop {
        let began = Instant::now();
        let client = &shared.metrics.chain(chain).client;
        let opened = KafkaLog::open(config, input, client).map_err(FollowError::from);
        let error = match opened.and_then(|mut log| follower.session(&mut log)) {
            Ok(ended) => return Ok(Some(ended)),
            Err(FollowError::Fatal(error)) => return Err(error),
            Err(FollowError::HandedOver) => {
                shared.metrics.chain(chain).owner.set(0);
                tracing::info!(%chain, "the group gave the chain to another instance; standing by");
                continue;
            }
            Err(FollowError::Retry(error)) => error,
            Err(FollowError::Fenced(error)) => {
                fenced.retain(|at: &Instant| at.elapsed() < FENCED_WITHIN);
                fenced.push(Instant::now());
                if fenced.len() >= FENCED_MAX && shared.duties.owns(chain) {
                    return Err(stranger(error, config, chain));
                }
                error
            }
        };
        shared.metrics.chain(chain).owner.set(0);
        shared.metrics.chain(chain).session_failures.inc();
        if began.elapsed() > BACKOFF_MAX {
            backoff = Backoff::new();
        }
        let retry_ms = u64::try_from(backoff.next.as_millis()).unwrap_or(u64::MAX);
        let hint = crate::report::hint(&error);
        tracing::error!(%chain, retry_ms, hint, "{error:#}; the next session begins at the last checkpoint");
        if !backoff.pause(shared.stop, || shared.health.heartbeat(chain)) {
            return Ok(None);
        }
    }
}

fn stranger(error: anyhow::Error, config: &Config, chain: Chain) -> anyhow::Error {
    error.context(format!(
        "somebody outside of group {} writes under the transactional id {}; give each deployment \
         a kafka.transactional_id of its own",
        config.kafka.group_id,
        crate::kafka::transactional_id(&config.kafka, chain),
    ))
}

/// A pause that grows.
struct Backoff {
    next: Duration,
}

impl Backoff {
    const fn new() -> Backoff {
        Backoff { next: Duration::from_millis(250) }
    }

    /// Waits; `false` if asked to stop meanwhile.
    fn pause(&mut self, stop: &AtomicBool, mut sign: impl FnMut()) -> bool {
        let until = Instant::now() + self.next;
        self.next = (self.next * 2).min(BACKOFF_MAX);
        while Instant::now() < until {
            if stop.load(Ordering::Relaxed) {
                return false;
            }
            sign();
            std::thread::sleep(Duration::from_millis(20));
        }
        !stop.load(Ordering::Relaxed)
    }
}
