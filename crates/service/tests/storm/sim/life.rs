//! The lives of an instance: processes that start, run session after session,
//! die, and start again, as `usdt_flow::instance` has them.

use std::sync::Arc;
use std::time::Duration;

use usdt_flow::follow::{Checkpoints, Duties, Ended, FollowError, Follower, Shared, Until};
use usdt_flow::http::Health;
use usdt_flow::knowledge::{Knowledge, Watch};
use usdt_flow::metrics::Metrics;

use super::group::Presence;
use super::{Life, Sim, SimDisk, SimLog};
use crate::plan::{GROUP_ID, Plan};

/// How an instance ended.
pub(crate) enum Fate {
    /// In peace, with its final state.
    Ended(Box<Ended>),
    /// It gave up.
    Failed(String),
}

/// Leaves the world when its thread ends, however it ends.
struct Guest<'s> {
    sim: &'s Sim,
    seat: usize,
}

impl Drop for Guest<'_> {
    fn drop(&mut self) {
        self.sim.depart(self.seat);
    }
}

/// Lives the lives of the instance of that seat.
pub(crate) fn live(sim: &Arc<Sim>, plan: &Plan, seat: usize, metrics: &Arc<Metrics>) -> Fate {
    let _guest = Guest { sim, seat };
    loop {
        let (life, duties) = sim.begin(seat, plan);
        if let Some(fate) = run(sim, plan, life, duties, metrics) {
            return fate;
        }
    }
}

impl Sim {
    /// Begins the next life of an instance, after a while.
    fn begin(&self, seat: usize, plan: &Plan) -> (Life, Arc<Duties>) {
        let mut state = self.wait(self.state(), seat);
        let number = state.seats[seat].life + 1;
        let life = Life { seat, number };
        let delay = match number {
            1 => plan.starts[seat],
            _ => Duration::from_millis(state.dice.between(20, 2_500)),
        };
        let until = state.now + delay;
        state = self.sleep(state, life, until);
        state.seats[seat].life = number;
        state.seats[seat].alive = true;
        let duties = Arc::new(Duties::new());
        let (silent_since, own) = (None, Arc::clone(&duties));
        state.presences[seat] = Some(Presence { life, duties: own, silent_since });
        state.counts.note("processes started");
        state.say(|| format!("[{seat}] begins life {number}"));
        (life, duties)
    }

    /// The pause between two sessions.
    fn rest(&self, life: Life, time: Duration) {
        let state = self.state();
        let until = state.now + time;
        drop(self.sleep(state, life, until));
    }

    fn is_dead(&self, life: Life) -> bool {
        !self.state().lives(life)
    }
}

/// Runs one process; `None` if it dies.
fn run(
    sim: &Arc<Sim>,
    plan: &Plan,
    life: Life,
    duties: Arc<Duties>,
    metrics: &Arc<Metrics>,
) -> Option<Fate> {
    let input = &plan.config.inputs[0];
    let shared = Shared {
        config: &plan.config,
        metrics: Arc::clone(metrics),
        health: Health::of([input.chain]),
        duties,
        stop: &sim.stop,
        until: Until::Stopped,
        late_beside: false,
    };
    let checkpoints = plan.shelf(life.seat).map(|shelf| {
        let disk = Arc::new(SimDisk { sim: Arc::clone(sim), life, shelf });
        let checkpoints = Checkpoints::inline(disk, &plan.checkpoint, GROUP_ID, input.chain);
        checkpoints.expect("a thread can be started")
    });
    let known = Knowledge {
        cases: plan.world.cases.clone(),
        labels: plan.world.labels.clone(),
        opening: plan.world.opening.clone(),
    };
    let watch = Watch::new(&[], &[]);
    let mut follower = Follower { shared: &shared, input, known, watch, checkpoints };
    let mut pause = Duration::from_millis(250);
    loop {
        let opened = SimLog::open(sim, life).map_err(FollowError::from);
        let ended = opened.and_then(|mut log| follower.session(&mut log));
        if let Ok(ended) = ended {
            return Some(Fate::Ended(Box::new(ended)));
        }
        if sim.is_dead(life) {
            return None;
        }
        let name = match ended {
            Ok(_) | Err(FollowError::HandedOver) => {
                sim.state().counts.note("sessions handed over");
                continue;
            }
            Err(FollowError::Fatal(error)) => return Some(Fate::Failed(format!("{error:#}"))),
            Err(FollowError::Retry(_)) => "sessions ended in doubt",
            Err(FollowError::Fenced(_)) => "sessions fenced",
        };
        sim.state().counts.note(name);
        sim.rest(life, pause);
        pause = (pause * 2).min(Duration::from_secs(4));
    }
}
