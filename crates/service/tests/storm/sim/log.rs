//! The log of a follower in the simulated world.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use flow_codec::Decoder;
use usdt_flow::follow::{
    Change, CommitError, Committed, FollowError, Log, Outgoing, PartitionId, Position, Record,
    StreamEnd, Told,
};

use super::{Life, Outcome, Place, Sim, State, Unanswered};
use crate::kafka::Stored;

/// Topics of changes.
const CHANGE_TOPICS: [&str; 2] = ["labels", "cases"];

/// See the module.
pub(crate) struct SimLog {
    sim: Arc<Sim>,
    life: Life,
    partitions: Vec<PartitionId>,
    positions: Vec<i64>,
    paused: Vec<bool>,
    /// By topic of changes: the next offset.
    changes: [i64; 2],
    /// By output topic and partition: the next offset.
    published: Vec<Vec<i64>>,
    /// Of the producer, while it is of use.
    epoch: Option<u64>,
}

impl SimLog {
    /// Reaches the brokers.
    pub(crate) fn open(sim: &Arc<Sim>, life: Life) -> anyhow::Result<SimLog> {
        let mut state = sim.enter(life, Place::Open)?;
        state.seats[life.seat].positions.clear();
        let partitions = state.kafka.input.ids();
        drop(state);
        Ok(SimLog {
            sim: Arc::clone(sim),
            life,
            positions: vec![0; partitions.len()],
            paused: vec![false; partitions.len()],
            partitions,
            changes: [0; 2],
            published: Vec::new(),
            epoch: None,
        })
    }

    /// The next record of a partition that has one, if the input speaks now.
    fn next_record(&self, state: &mut State) -> Result<Option<Next>, &'static str> {
        if state.now < state.lull_until {
            return Ok(None);
        }
        let mut ready = Vec::new();
        for (partition, from) in self.positions.iter().enumerate() {
            if let Some((offset, payload)) = state.kafka.input.read(partition, *from)?
                && !self.paused[partition]
            {
                ready.push(Next { partition, offset, payload });
            }
        }
        if ready.is_empty() {
            return Ok(None);
        }
        let chosen = state.dice.index(ready.len());
        Ok(Some(ready.swap_remove(chosen)))
    }

    /// Waits for the next record, at most that long.
    fn wait_for_record(&mut self, wait: Duration) -> Result<Option<Next>, FollowError> {
        let mut state = self.sim.enter(self.life, Place::Poll).map_err(unread)?;
        let State { weather, dice, now, lull_until, .. } = &mut *state;
        if let Some(lull) = weather.lull(*now.max(lull_until), dice) {
            state.lull_until = state.now + lull;
            state.counts.note("lulls");
            state.say(|| format!("the input falls silent for {lull:?}"));
        }
        let deadline = state.now + wait;
        loop {
            let next = self.next_record(&mut state);
            let next = next.map_err(|lost| FollowError::Fatal(anyhow::anyhow!(lost)))?;
            if next.is_some() || state.now >= deadline {
                if let Some(next) = &next {
                    self.positions[next.partition] = next.offset + 1;
                    state.quiet_since = state.now;
                }
                state.seats[self.life.seat].positions.clone_from(&self.positions);
                if next.is_none() && state.is_settled() {
                    state.last_owner = state.last_owner.or(state.group.owner());
                    self.sim.stop.store(true, Ordering::Relaxed);
                }
                return Ok(next);
            }
            let comes = state.next_append().unwrap_or(deadline).max(state.lull_until);
            let until = comes.clamp(state.now + Duration::from_micros(1), deadline);
            state = self.sim.sleep(state, self.life, until);
        }
    }

    fn read(
        &mut self,
        place: Place,
        all: bool,
        take: &mut dyn FnMut(&Told<'_>),
    ) -> anyhow::Result<()> {
        let mut state = self.sim.enter(self.life, place)?;
        let mut read = Vec::new();
        for (topic, offsets) in state.kafka.outputs.iter().zip(&mut self.published) {
            let Some(stream) = topic.stream else { continue };
            for (partition, from) in offsets.iter_mut().enumerate() {
                while let Some(written) = topic.read(partition, *from) {
                    read.push((stream, written.record.clone()));
                    *from = written.offset + 1;
                    // The rest has not come yet.
                    if !all && read.len() % 4 == 3 {
                        break;
                    }
                }
            }
        }
        if !all {
            state.counts.add("records read while standing by", read.len() as u64);
        }
        drop(state);
        for (stream, record) in read {
            take(&Told {
                stream,
                key: record.key.as_deref().map(str::as_bytes),
                id: record.header("ce_id").map(String::as_str),
                value: &record.value,
            });
        }
        Ok(())
    }

    fn open_commit(&mut self, why: &'static str) -> CommitError {
        self.epoch = None;
        CommitError::Open(anyhow::anyhow!(why))
    }
}

struct Next {
    partition: usize,
    offset: i64,
    payload: Arc<[u8]>,
}

fn unread(unanswered: Unanswered) -> FollowError {
    FollowError::Retry(unanswered.into())
}

fn change<'s>(kind: usize, state: &State, stored: &'s Stored) -> Change<'s> {
    Change {
        kind: state.kafka.changes.kind(kind),
        topic: CHANGE_TOPICS[kind],
        number: 0,
        offset: stored.offset,
        key: Some(stored.key.as_bytes()),
        value: stored.value.as_deref().map(str::as_bytes),
    }
}

impl Log for SimLog {
    fn partitions(&self) -> &[PartitionId] {
        &self.partitions
    }

    fn now(&self) -> Instant {
        self.sim.base + self.sim.state().now
    }

    fn rest(&mut self, time: Duration) {
        // A process that died has no time to rest.
        if let Ok(state) = self.sim.enter(self.life, Place::Poll) {
            let until = state.now + time;
            drop(self.sim.sleep(state, self.life, until));
        }
    }

    fn bounds(&mut self) -> anyhow::Result<Vec<(i64, i64)>> {
        Ok(self.sim.enter(self.life, Place::Bounds)?.kafka.input.bounds())
    }

    fn is_empty_from(&mut self, partition: usize, offset: i64) -> anyhow::Result<bool> {
        let mut state = self.sim.enter(self.life, Place::Bounds)?;
        state.counts.note("questions whether markers alone are left");
        let next = state.kafka.input.read(partition, offset);
        Ok(next.map_err(anyhow::Error::msg)?.is_none())
    }

    fn committed(&mut self) -> anyhow::Result<Vec<Option<Committed>>> {
        Ok(self.sim.enter(self.life, Place::Committed)?.kafka.committed.clone())
    }

    fn seek(&mut self, offsets: &[i64]) -> anyhow::Result<()> {
        let mut state = self.sim.enter(self.life, Place::Seek)?;
        self.positions = offsets.to_vec();
        state.seats[self.life.seat].positions.clone_from(&self.positions);
        state.quiet_since = state.now;
        let lows = state.kafka.input.bounds();
        let at_beginning = lows.iter().zip(offsets).all(|((low, _), offset)| low == offset);
        let is_empty = lows.iter().all(|(low, high)| low == high);
        let name = match (is_empty, at_beginning) {
            (true, _) => "sessions with an empty input",
            (false, true) => "sessions from the beginning",
            (false, false) => "sessions from a checkpoint",
        };
        state.counts.note(name);
        state.say(|| format!("[{}] {name}: {offsets:?}", self.life.seat));
        Ok(())
    }

    fn poll(
        &mut self,
        wait: Duration,
        take: &mut dyn FnMut(Record<'_>) -> Result<(), FollowError>,
    ) -> Result<bool, FollowError> {
        let Some(Next { partition, offset, payload }) = self.wait_for_record(wait)? else {
            return Ok(false);
        };
        let mut decoded = Vec::new();
        let unread = Decoder::new(None).decode(&payload, &mut decoded).err();
        let mut decoded = decoded.into_iter();
        let (payload, decoded) = (&payload, &mut decoded);
        take(Record { partition, offset, broker_ms: None, payload, decoded, unread })?;
        Ok(true)
    }

    fn pause(&mut self, partition: usize, paused: bool) -> anyhow::Result<()> {
        drop(self.sim.enter(self.life, Place::Pause)?);
        self.paused[partition] = paused;
        Ok(())
    }

    fn read_changes(
        &mut self,
        take: &mut dyn FnMut(&Change<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let state = self.sim.enter(self.life, Place::ReadChanges)?;
        for topic in 0..CHANGE_TOPICS.len() {
            self.changes[topic] = state.kafka.changes.end(topic, state.now);
            for stored in state.kafka.changes.all(topic, state.now) {
                take(&change(topic, &state, &stored))?;
            }
        }
        Ok(())
    }

    fn next_change(
        &mut self,
        take: &mut dyn FnMut(&Change<'_>) -> Result<(), FollowError>,
    ) -> Result<bool, FollowError> {
        let mut state = self.sim.enter(self.life, Place::NextChange).map_err(unread)?;
        for topic in 0..CHANGE_TOPICS.len() {
            let next = state.kafka.changes.next(topic, self.changes[topic], state.now);
            if let Some(stored) = next {
                self.changes[topic] = stored.offset + 1;
                state.counts.note("changes learnt while following");
                state.say(|| {
                    format!("[{}] learns {} {:?}", self.life.seat, stored.key, stored.value)
                });
                take(&change(topic, &state, &stored))?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn open_published(&mut self, ends: &[StreamEnd]) -> anyhow::Result<()> {
        let state = self.sim.enter(self.life, Place::OpenPublished)?;
        let offset = |stream, at: usize| {
            let is = |end: &&StreamEnd| {
                Some(end.stream) == stream && usize::try_from(end.number) == Ok(at)
            };
            ends.iter().find(is).map_or(0, |end| end.offset)
        };
        let topics = state.kafka.outputs.iter();
        self.published = topics
            .map(|topic| (0..topic.ends.len()).map(|at| offset(topic.stream, at)).collect())
            .collect();
        Ok(())
    }

    fn read_published(&mut self, take: &mut dyn FnMut(&Told<'_>)) -> anyhow::Result<()> {
        self.read(Place::ReadPublished, false, take)
    }

    fn drain_published(&mut self, take: &mut dyn FnMut(&Told<'_>)) -> anyhow::Result<()> {
        self.read(Place::DrainPublished, true, take)
    }

    fn published_ends(&mut self) -> anyhow::Result<Vec<StreamEnd>> {
        let state = self.sim.enter(self.life, Place::PublishedEnds)?;
        let mut ends = Vec::new();
        for topic in &state.kafka.outputs {
            let Some(stream) = topic.stream else { continue };
            for (number, offset) in (0..).zip(&topic.ends) {
                ends.push(StreamEnd { stream, number, offset: *offset });
            }
        }
        Ok(ends)
    }

    fn fence(&mut self) -> Result<(), FollowError> {
        self.epoch = None;
        let mut state = self.sim.enter(self.life, Place::Fence).map_err(unread)?;
        let State { kafka, dice, .. } = &mut *state;
        let epoch = kafka.fence(dice);
        state.say(|| format!("[{}] fences: epoch {epoch}", self.life.seat));
        state.counts.note("fences");
        state.quiet_since = state.now;
        drop(state);
        // What strikes now strikes behind it.
        drop(self.sim.enter(self.life, Place::Fenced).map_err(unread)?);
        self.epoch = Some(epoch);
        Ok(())
    }

    fn commit(
        &mut self,
        outputs: &[Outgoing],
        positions: &[Position],
    ) -> Result<Duration, CommitError> {
        let sim = Arc::clone(&self.sim);
        let entered = sim.enter(self.life, Place::Commit);
        let Ok(mut state) = entered else { return Err(self.open_commit("the call failed")) };
        let Some(epoch) = self.epoch else { return Err(self.open_commit("nothing was fenced")) };
        let seat = self.life.seat;
        if epoch != state.kafka.epoch {
            state.counts.note("commits of a zombie refused");
            state.say(|| format!("[{seat}] is fenced: {epoch} < {}", state.kafka.epoch));
            self.epoch = None;
            return Err(CommitError::Fenced(anyhow::anyhow!(
                "another producer of this id is there"
            )));
        }
        let now = state.now;
        if !outputs.is_empty() {
            state.quiet_since = now;
        }
        let State { kafka, dice, weather, counts, .. } = &mut *state;
        let outcome = weather.outcome(now, dice);
        match outcome {
            Outcome::Commits | Outcome::Lost(true) => kafka.show(outputs, positions, dice),
            Outcome::Aborts | Outcome::Lost(false) => kafka.waste(outputs, dice),
            Outcome::Undecided(commits, time) => {
                kafka.leave_undecided(outputs, positions, commits, now + time);
            }
        }
        let name = match outcome {
            Outcome::Commits => "commits",
            Outcome::Aborts => "commits aborted",
            Outcome::Lost(true) => "commits whose answer was lost",
            Outcome::Lost(false) => "commits lost",
            Outcome::Undecided(..) => "commits undecided for a while",
        };
        counts.note(name);
        state.say(|| {
            let id = |output: &Outgoing| {
                let id = output.header("ce_id").cloned().unwrap_or_default();
                let record: Option<serde_json::Value> = serde_json::from_slice(&output.value).ok();
                let status = record.and_then(|record| Some(record["status"].as_str()?.to_owned()));
                status.map_or(id.clone(), |status| format!("{id} {status}"))
            };
            let ids: Vec<String> = outputs.iter().map(id).collect();
            let offset = |at: &Position| (at.partition, at.committed.offset);
            let offsets: Vec<(usize, i64)> = positions.iter().map(offset).collect();
            format!("[{seat}] {outcome:?} {} outputs {ids:?} {offsets:?}", outputs.len())
        });
        drop(state);
        match outcome {
            Outcome::Commits => {}
            Outcome::Aborts => return Err(CommitError::Aborted(anyhow::anyhow!("aborted"))),
            Outcome::Lost(_) | Outcome::Undecided(..) => {
                return Err(self.open_commit("no answer came"));
            }
        }
        // What strikes now strikes behind it.
        match sim.enter(self.life, Place::CommitDone) {
            Ok(_) => Ok(Duration::from_millis(5)),
            Err(_) => Err(self.open_commit("the call failed")),
        }
    }
}
