//! The simulated world around the followers: its clock, and whose turn it is.
//!
//! Each instance has a thread, and one of them runs at a time: the turn passes
//! at calls of the log alone, by the seed. Time passes when an instance waits.
//! What always holds: the same seed gives the same run; a process that died
//! changes nothing any more.

mod disk;
mod group;
mod life;
mod log;
mod state;
mod weather;

use std::sync::atomic::AtomicBool;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub(crate) use disk::{Shelf, SimDisk};
pub(crate) use group::{Group, Life};
pub(crate) use life::{Fate, live};
pub(crate) use log::SimLog;
pub(crate) use state::State;
pub(crate) use weather::{Outcome, Place, Strike, Weather};

/// Calls in one run. One that comes so far never ends.
const CALLS_MAX: u64 = 300_000;

/// See the module.
pub(crate) struct Sim {
    state: Mutex<State>,
    turned: Condvar,
    /// Set when all is settled.
    pub(crate) stop: AtomicBool,
    /// What the clock of the followers shows at time 0.
    pub(crate) base: Instant,
}

/// Why a call is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unanswered {
    /// The process is dead.
    #[error("the process died")]
    Dead,
    /// The call failed.
    #[error("the broker does not answer")]
    Failed,
}

impl Sim {
    pub(crate) fn new(state: State) -> Sim {
        Sim {
            state: Mutex::new(state),
            turned: Condvar::new(),
            stop: AtomicBool::new(false),
            base: Instant::now(),
        }
    }

    /// The world, whoever's turn it is.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // A thread that panicked has failed its seed; the others end in peace.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a call: something may strike it, and others may come first.
    pub(crate) fn enter(
        &self,
        life: Life,
        place: Place,
    ) -> Result<MutexGuard<'_, State>, Unanswered> {
        let mut state = self.state();
        if !state.lives(life) {
            return Err(Unanswered::Dead);
        }
        state.calls += 1;
        assert!(state.calls < CALLS_MAX, "the run never settles");
        let tick = Duration::from_micros(state.dice.below(400));
        state.pass(tick);
        match state.strike(life, place) {
            Some(Strike::Crash) => return Err(Unanswered::Dead),
            Some(Strike::Fail) => return Err(Unanswered::Failed),
            Some(Strike::Freeze(time)) => {
                let until = state.now + time;
                state.presence(life).silent_since = Some(state.now);
                state = self.sleep(state, life, until);
                state.presence(life).silent_since = None;
            }
            None => state = self.turn(state, life),
        }
        Ok(state)
    }

    /// Lets others go on until that moment.
    pub(crate) fn sleep<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        life: Life,
        until: Duration,
    ) -> MutexGuard<'a, State> {
        state.seats[life.seat].wakes_at = until;
        self.turn(state, life)
    }

    /// Hands the turn to whom chance chooses, and waits until it is back.
    fn turn<'a>(&'a self, mut state: MutexGuard<'a, State>, life: Life) -> MutexGuard<'a, State> {
        state.choose(life.seat);
        if state.turn != life.seat {
            self.turned.notify_all();
        }
        self.wait(state, life.seat)
    }

    /// Waits for the turn.
    fn wait<'a>(&'a self, state: MutexGuard<'a, State>, seat: usize) -> MutexGuard<'a, State> {
        let not_mine = |state: &mut State| state.turn != seat;
        let waited = self.turned.wait_while(state, not_mine);
        waited.unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves for good, and lets the others go on.
    fn depart(&self, seat: usize) {
        let mut state = self.state();
        state.seats[seat].departed = true;
        state.presences[seat] = None;
        state.choose(seat);
        self.turned.notify_all();
    }
}
