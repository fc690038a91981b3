//! Everything in the world, under one lock.

use std::collections::VecDeque;
use std::time::Duration;

use flow_sim::Dice;

use super::disk::Shelf;
use super::group::{Group, Life, Presence};
use super::weather::{Place, Strike, Weather};
use crate::counts::Counts;
use crate::kafka::Kafka;
use crate::world::Append;

/// The group and the disks are looked at so often.
const LOOK: Duration = Duration::from_millis(25);

/// Nothing has happened for so long when all is settled.
const QUIET: Duration = Duration::from_secs(5);

/// A run that is not settled so long after the storm never is.
const SETTLED_MAX: Duration = Duration::from_secs(180);

/// A turn is kept with this chance, one in so many times.
const STAY_OF: u64 = 3;

/// The place of an instance.
#[derive(Debug, Default)]
pub(crate) struct Seat {
    pub(crate) wakes_at: Duration,
    pub(crate) departed: bool,
    /// The number of its present life.
    pub(crate) life: u64,
    pub(crate) alive: bool,
    /// How far its session has read; empty where there is none.
    pub(crate) positions: Vec<i64>,
}

/// See the module.
pub(crate) struct State {
    pub(crate) now: Duration,
    pub(crate) turn: usize,
    pub(crate) seats: Vec<Seat>,
    pub(crate) presences: Vec<Option<Presence>>,
    pub(crate) calls: u64,
    pub(crate) dice: Dice,
    pub(crate) weather: Weather,
    pub(crate) kafka: Kafka,
    pub(crate) shelves: Vec<Shelf>,
    pub(crate) group: Group,
    pub(crate) counts: Counts,
    pub(crate) feed: VecDeque<Append>,
    /// No record is handed out before.
    pub(crate) lull_until: Duration,
    /// Whether old input is deleted.
    pub(crate) retention: bool,
    /// Whose the chain was when all was settled.
    pub(crate) last_owner: Option<Life>,
    /// Since when nothing has come.
    pub(crate) quiet_since: Duration,
    pub(crate) trace: bool,
    looked: Duration,
}

impl State {
    #[expect(clippy::too_many_arguments, reason = "every part of the world is named once")]
    pub(crate) fn new(
        seats: usize,
        dice: Dice,
        weather: Weather,
        kafka: Kafka,
        shelves: Vec<Shelf>,
        group: Group,
        feed: VecDeque<Append>,
        retention: bool,
    ) -> State {
        State {
            now: Duration::ZERO,
            turn: 0,
            seats: (0..seats).map(|_| Seat::default()).collect(),
            presences: vec![None; seats],
            calls: 0,
            dice,
            weather,
            kafka,
            shelves,
            group,
            counts: Counts::default(),
            feed,
            lull_until: Duration::ZERO,
            retention,
            last_owner: None,
            quiet_since: Duration::ZERO,
            trace: std::env::var_os("USDT_FLOW_STORM_TRACE").is_some(),
            looked: Duration::ZERO,
        }
    }

    pub(crate) fn say(&self, what: impl FnOnce() -> String) {
        if self.trace {
            println!("{:>9.4} {}", self.now.as_secs_f64(), what());
        }
    }

    /// Whether that life of an instance goes on.
    pub(crate) fn lives(&self, life: Life) -> bool {
        let seat = &self.seats[life.seat];
        seat.alive && seat.life == life.number
    }

    pub(crate) fn presence(&mut self, life: Life) -> &mut Presence {
        self.presences[life.seat].as_mut().expect("whoever calls is there")
    }

    /// Something strikes a call, or nothing does. A process that dies is dead
    /// when this returns.
    pub(crate) fn strike(&mut self, life: Life, place: Place) -> Option<Strike> {
        let strike = self.weather.strike(place, self.now, &mut self.dice)?;
        let seat = life.seat;
        let what = match strike {
            Strike::Crash => "crash",
            Strike::Freeze(_) => "freeze",
            Strike::Fail => "failure",
        };
        self.say(|| format!("[{seat}] {strike:?} at {}", place.name()));
        self.counts.note(&format!("{what} at {}", place.name()));
        self.counts.note(what);
        if strike == Strike::Crash {
            self.kill(life);
        }
        Some(strike)
    }

    pub(crate) fn kill(&mut self, life: Life) {
        let seat = &mut self.seats[life.seat];
        seat.alive = false;
        seat.positions.clear();
        self.presence(life).silent_since = Some(self.now);
    }

    /// Time passes.
    pub(crate) fn pass(&mut self, time: Duration) {
        self.now += time;
        assert!(self.now < self.weather.until + SETTLED_MAX, "the run never settles");
        while let Some(next) = self.feed.front()
            && Duration::from_millis(next.at_ms) <= self.now
            && let Some(append) = self.feed.pop_front()
        {
            self.counts.add("records sent twice", u64::from(append.repeat));
            self.kafka.input.append(append, &mut self.dice);
            self.quiet_since = self.now;
        }
        self.kafka.tick(self.now, &mut self.dice);
        if self.now >= self.looked + LOOK {
            self.looked = self.now;
            let moves = self.weather.rebalances(self.now, &mut self.dice);
            self.counts.add("rebalances", u64::from(moves));
            if self.group.tick(&self.presences, self.now, moves, &mut self.dice) {
                self.quiet_since = self.now;
            }
            self.mind_shelves();
        }
    }

    /// Chooses whose turn it is: perhaps still that one's. Where all wait, time
    /// passes.
    pub(crate) fn choose(&mut self, seat: usize) {
        loop {
            let is_up = |seat: &Seat, now| !seat.departed && seat.wakes_at <= now;
            if is_up(&self.seats[seat], self.now) && self.dice.below(STAY_OF) > 0 {
                self.turn = seat;
                return;
            }
            let up: Vec<usize> =
                (0..self.seats.len()).filter(|at| is_up(&self.seats[*at], self.now)).collect();
            if !up.is_empty() {
                self.turn = self.dice.pick(&up);
                return;
            }
            let waiting = self.seats.iter().filter(|seat| !seat.departed);
            let Some(next) = waiting.map(|seat| seat.wakes_at).min() else { return };
            self.pass(next - self.now);
        }
    }

    /// Whether the storm is over and nothing is left to do.
    pub(crate) fn is_settled(&self) -> bool {
        let ends = self.kafka.input.ends();
        let reaches = |offsets: &[i64]| {
            offsets.len() == ends.len() && offsets.iter().zip(&ends).all(|(at, end)| at >= end)
        };
        let committed = self.kafka.committed.iter();
        let committed: Vec<i64> =
            committed.map(|known| known.as_ref().map_or(0, |known| known.offset)).collect();
        self.now >= self.weather.until
            && self.feed.is_empty()
            && self.group.owner().is_some_and(|owner| self.lives(owner))
            && self.group.is_settled()
            && self.seats.iter().all(|seat| seat.alive && reaches(&seat.positions))
            && reaches(&committed)
            && self.now >= self.quiet_since.max(self.kafka.changes.last()) + QUIET
    }

    /// When the next record comes.
    pub(crate) fn next_append(&self) -> Option<Duration> {
        self.feed.front().map(|next| Duration::from_millis(next.at_ms))
    }
}
