//! How the followers are, told by themselves.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use flow_core::Chain;

use crate::metrics::Metrics;

/// How far the service has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Stage {
    /// Files are read, Kafka is being reached.
    Starting = 0,
    /// The state is rebuilt from what was already committed.
    Rebuilding = 1,
    /// The group has not spoken yet.
    Unassigned = 2,
    /// Records are processed as they come.
    Ready = 3,
    /// The service is on its way out.
    Stopping = 4,
    /// Another instance publishes; this one follows and would take over.
    Standby = 5,
}

impl Stage {
    /// Every stage.
    pub const ALL: [Stage; 6] = [
        Stage::Starting,
        Stage::Rebuilding,
        Stage::Unassigned,
        Stage::Ready,
        Stage::Stopping,
        Stage::Standby,
    ];

    /// The name used in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Stage::Starting => "starting",
            Stage::Rebuilding => "rebuilding",
            Stage::Unassigned => "unassigned",
            Stage::Ready => "ready",
            Stage::Stopping => "stopping",
            Stage::Standby => "standby",
        }
    }

    pub(super) const fn reason(self) -> &'static str {
        match self {
            Stage::Starting => "the service is starting",
            Stage::Rebuilding => "the state is being rebuilt from committed records",
            Stage::Unassigned => "the group has not said yet who publishes",
            Stage::Ready => "records are processed as they come",
            Stage::Stopping => "the service is stopping",
            Stage::Standby => "another instance publishes, this one follows",
        }
    }
}

/// See the module.
#[derive(Debug)]
pub struct Health {
    pub(super) started: Instant,
    chains: [ChainHealth; Chain::ALL.len()],
}

/// How one follower is.
#[derive(Debug, Default)]
struct ChainHealth {
    /// Whether the chain is followed at all.
    followed: AtomicBool,
    /// Milliseconds from `started` to the last sign of life.
    heartbeat_ms: AtomicU64,
    stage: AtomicU8,
}

impl ChainHealth {
    fn stage(&self) -> Stage {
        Stage::ALL[usize::from(self.stage.load(Ordering::Relaxed))]
    }
}

impl Health {
    /// Of followers of these chains: alive as of now, and starting.
    pub fn of(chains: impl IntoIterator<Item = Chain>) -> Arc<Health> {
        let health = Health { started: Instant::now(), chains: Default::default() };
        for chain in chains {
            health.chains[chain.index()].followed.store(true, Ordering::Relaxed);
        }
        Arc::new(health)
    }

    /// The follower is at work. To be called more often than every 30 s.
    pub fn heartbeat(&self, chain: Chain) {
        self.chains[chain.index()].heartbeat_ms.store(self.elapsed_ms(), Ordering::Relaxed);
    }

    /// How far the follower has come.
    pub fn set_stage(&self, chain: Chain, stage: Stage) {
        self.chains[chain.index()].stage.store(stage as u8, Ordering::Relaxed);
    }

    /// Brings the metrics of the followers up to date.
    pub(super) fn measure(&self, metrics: &Metrics) {
        for (chain, health) in Chain::ALL.into_iter().zip(&self.chains) {
            let followed = health.followed.load(Ordering::Relaxed);
            let how = followed.then(|| (health.stage(), self.silence_of(chain)));
            metrics.chain(chain).health(how);
        }
    }

    /// What keeps the service from being ready, if anything does.
    pub(super) fn not_ready(&self) -> Option<(Chain, Stage)> {
        let mut stages = self.followed().map(|(chain, health)| (chain, health.stage()));
        stages.find(|(_, stage)| !matches!(stage, Stage::Ready | Stage::Standby))
    }

    /// Time since the last sign of life of the follower.
    pub fn silence_of(&self, chain: Chain) -> Duration {
        let last = self.chains[chain.index()].heartbeat_ms.load(Ordering::Relaxed);
        Duration::from_millis(self.elapsed_ms().saturating_sub(last))
    }

    /// Time since the last sign of life of the one that is silent longest.
    pub(super) fn silence(&self) -> Duration {
        let silences = self.followed().map(|(chain, _)| self.silence_of(chain));
        silences.max().unwrap_or(Duration::ZERO)
    }

    fn followed(&self) -> impl Iterator<Item = (Chain, &ChainHealth)> {
        let all = Chain::ALL.into_iter().zip(&self.chains);
        all.filter(|(_, health)| health.followed.load(Ordering::Relaxed))
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).expect("no process lives so long")
    }
}
