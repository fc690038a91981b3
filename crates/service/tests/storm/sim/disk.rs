//! Disks that fill, rot and lose power.
//!
//! What always holds: a put is whole or not at all, though what a crash leaves
//! under a temporary name may lie about; while old input is deleted, one
//! checkpoint at least stays whole.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use usdt_flow::checkpoint::{CheckpointStore, Disk, DiskError};

use super::{Life, Place, Sim, State, Strike};

/// What its clock shows in the beginning, Unix milliseconds.
const START_MS: u64 = 1_767_225_600_000;

/// A disk, which outlives processes.
#[derive(Debug, Default)]
pub(crate) struct Shelf {
    objects: BTreeMap<String, Vec<u8>>,
    rotten: BTreeSet<String>,
    /// No put is taken before.
    full_until: Duration,
    /// Whether something was put or deleted since it was looked at.
    changed: bool,
}

/// A disk as a process sees it.
pub(crate) struct SimDisk {
    pub(crate) sim: Arc<Sim>,
    pub(crate) life: Life,
    pub(crate) shelf: usize,
}

impl std::fmt::Debug for SimDisk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "disk {} of {:?}", self.shelf, self.life)
    }
}

fn failed(doing: &'static str, name: &str, reason: &str) -> DiskError {
    let (name, reason) = (name.to_owned(), reason.to_owned());
    DiskError::Failed { doing, name, reason, hint: "wait for the storm to end" }
}

impl SimDisk {
    /// Begins a call. The process's own thread has the turn, and waits.
    fn enter(
        &self,
        place: Place,
        doing: &'static str,
        name: &str,
    ) -> Result<MutexGuard<'_, State>, DiskError> {
        let mut state = self.sim.state();
        if !state.lives(self.life) {
            return Err(failed(doing, name, "the process died"));
        }
        match state.strike(self.life, place) {
            None => Ok(state),
            Some(Strike::Crash) => Err(failed(doing, name, "the process died")),
            // It is slow, and gives up.
            Some(Strike::Fail | Strike::Freeze(_)) => Err(failed(doing, name, "no answer")),
        }
    }
}

impl Disk for SimDisk {
    fn put(&self, name: &str, bytes: Vec<u8>) -> Result<(), DiskError> {
        let entered = self.enter(Place::Put, "write", name);
        if entered.is_err() {
            let mut state = self.sim.state();
            if state.dice.one_in(2) {
                // What a crash leaves of a put.
                let half = bytes[..bytes.len() / 2].to_vec();
                state.counts.note("objects left half written");
                state.shelves[self.shelf].objects.insert(format!("{name}#1"), half);
            }
        }
        let mut state = entered?;
        let now = state.now;
        if let Some(until) = {
            let State { weather, dice, .. } = &mut *state;
            weather.fills(now, dice)
        } {
            state.shelves[self.shelf].full_until = until;
            state.counts.note("disks full");
        }
        if now < state.shelves[self.shelf].full_until {
            state.counts.note("puts refused by a full disk");
            return Err(failed("write", name, "no space left"));
        }
        state.say(|| format!("[{}] puts {name}, {} bytes", self.life.seat, bytes.len()));
        let shelf = &mut state.shelves[self.shelf];
        shelf.objects.insert(name.to_owned(), bytes);
        shelf.rotten.remove(name);
        shelf.changed = true;
        state.counts.note(if name.contains("segment") {
            "segments kept"
        } else {
            "checkpoints kept"
        });
        drop(state);
        // What strikes now strikes behind it.
        self.enter(Place::PutDone, "write", name).map(drop)
    }

    fn unix_ms(&self) -> u64 {
        let now = self.sim.state().now;
        START_MS + u64::try_from(now.as_millis()).expect("minutes")
    }

    fn get(&self, name: &str) -> Result<Vec<u8>, DiskError> {
        let mut state = self.enter(Place::Get, "read", name)?;
        let shelf = &state.shelves[self.shelf];
        let object = shelf.objects.get(name).cloned();
        if shelf.rotten.contains(name) {
            state.counts.note("rotten objects read");
        }
        object.ok_or_else(|| DiskError::NotFound { name: name.to_owned() })
    }

    fn list(&self, prefix: &str) -> Result<Vec<(String, u64)>, DiskError> {
        let state = self.enter(Place::List, "list", prefix)?;
        Ok(state.shelves[self.shelf].list(prefix))
    }

    fn delete(&self, name: &str) -> Result<(), DiskError> {
        let mut state = self.enter(Place::Delete, "delete", name)?;
        let shelf = &mut state.shelves[self.shelf];
        shelf.objects.remove(name);
        shelf.rotten.remove(name);
        shelf.changed = true;
        Ok(())
    }
}

impl Shelf {
    fn list(&self, prefix: &str) -> Vec<(String, u64)> {
        let begins =
            |name: &&String| name.strip_prefix(prefix).is_some_and(|rest| !rest.contains('/'));
        let names = self.objects.keys().filter(begins);
        names.map(|name| (name.clone(), self.objects[name].len() as u64)).collect()
    }

    /// Checkpoints that are whole.
    fn whole(&self) -> usize {
        let is_whole = |name: &&String| name.ends_with(".usc") && !self.rotten.contains(*name);
        self.objects.keys().filter(is_whole).count()
    }
}

impl State {
    /// Bits rot; old input is deleted.
    pub(super) fn mind_shelves(&mut self) {
        if self.weather.rots(self.now, &mut self.dice) {
            self.rot();
        }
        if self.retention && std::mem::take(&mut self.shelves[0].changed) {
            self.delete_old_input();
        }
    }

    fn rot(&mut self) {
        let shelf = self.dice.index(self.shelves.len());
        let shelf = &mut self.shelves[shelf];
        let names: Vec<&String> = shelf.objects.keys().collect();
        if names.is_empty() {
            return;
        }
        let name = self.dice.pick(&names).clone();
        let is_checkpoint = name.ends_with(".usc");
        // Without the input, somebody must be able to begin with something.
        if self.retention && (!is_checkpoint || shelf.whole() < 2) {
            return;
        }
        let object = shelf.objects.get_mut(&name).expect("just listed");
        if object.is_empty() {
            return;
        }
        let at = self.dice.index(object.len());
        if self.dice.one_in(3) {
            object.truncate(at);
        } else {
            object[at] ^= 1 << self.dice.below(8);
        }
        shelf.rotten.insert(name.clone());
        self.counts.note(if is_checkpoint { "checkpoints rotten" } else { "segments rotten" });
        self.say(|| format!("{name} rots"));
    }

    /// Deletes input that no whole checkpoint needs any more.
    fn delete_old_input(&mut self) {
        let view = View(self.shelves[0].objects.clone());
        let chain = self.group.chain();
        let store = CheckpointStore::open(Arc::new(view), crate::plan::GROUP_ID, chain, 2);
        let generations = store.generations().expect("a view can be listed");
        let mut lows: Option<Vec<i64>> = None;
        for generation in generations {
            let Ok(Some(Ok(parts))) = store.load(&generation) else { continue };
            let mut offsets = vec![0; self.kafka.input.len()];
            for at in parts.manifest.positions {
                let rank = self.kafka.input.rank(&at.topic, at.partition);
                offsets[rank.expect("a partition of the input")] = at.offset;
            }
            let least = lows.get_or_insert_with(|| offsets.clone());
            for (low, offset) in least.iter_mut().zip(offsets) {
                *low = offset.min(*low);
            }
        }
        let Some(mut lows) = lows else { return };
        // Nor input that somebody is about to read.
        for seat in self.seats.iter().filter(|seat| seat.alive) {
            if seat.positions.is_empty() {
                return;
            }
            for (low, offset) in lows.iter_mut().zip(&seat.positions) {
                *low = (*offset).min(*low);
            }
        }
        for (partition, low) in lows.into_iter().enumerate() {
            let deleted = self.kafka.input.delete_below(partition, low);
            self.counts.add("times that old input was deleted", u64::from(deleted));
        }
    }
}

/// A shelf as it stands, to be looked at.
#[derive(Debug)]
struct View(BTreeMap<String, Vec<u8>>);

impl Disk for View {
    fn put(&self, name: &str, _: Vec<u8>) -> Result<(), DiskError> {
        Err(failed("write", name, "only looking"))
    }

    fn get(&self, name: &str) -> Result<Vec<u8>, DiskError> {
        let object = self.0.get(name).cloned();
        object.ok_or_else(|| DiskError::NotFound { name: name.to_owned() })
    }

    fn list(&self, prefix: &str) -> Result<Vec<(String, u64)>, DiskError> {
        let shelf = Shelf { objects: self.0.clone(), ..Shelf::default() };
        Ok(shelf.list(prefix))
    }

    fn delete(&self, name: &str) -> Result<(), DiskError> {
        Err(failed("delete", name, "only looking"))
    }
}
