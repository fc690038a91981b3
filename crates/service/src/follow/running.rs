//! The loop of a session: polls, applies, takes over, commits.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use flow_core::Chain;

use super::log::{CommitError, Record};
use super::outgoing::{Place, dead_letter};
use super::published::OwedLetter;
use super::session::{Role, Session, State};
use super::{FollowError, Log, Until};
use crate::failpoint;
use crate::http::Stage;
use crate::metrics::Wait;
use crate::pipeline::Rejected;

/// The longest wait for a record before the clock and the stop flag are looked at.
const POLL_MAX: Duration = Duration::from_millis(20);

/// While catching up a transaction is closed by size, and by this time at last.
const CATCH_UP_COMMIT: Duration = Duration::from_secs(1);

/// Live, positions without an output are committed after so long.
const POSITIONS_PAUSE: Duration = Duration::from_millis(500);

/// While standing by, the output topics are looked at after so long.
const LOOK_PAUSE: Duration = Duration::from_millis(100);

/// While standing by, the group is asked after so long how far it has come.
const ASK_PAUSE: Duration = Duration::from_secs(2);

/// Things owed at which a follower that stands by waits for the one who
/// publishes.
const OWED_MAX: usize = 20_000;

/// The same for the bytes of dead letters.
const OWED_LETTER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The pause between two questions where the partitions end, while a block
/// waits for some of them.
const SURVEY_PAUSE: Duration = Duration::from_millis(50);

/// The same while blocks wait to be final.
const FINALITY_PAUSE: Duration = Duration::from_millis(500);

/// The same after a question that was not answered.
const ANSWER_PAUSE: Duration = Duration::from_secs(1);

/// How often a batch that was aborted for certain is tried.
const COMMIT_TRIES: u32 = 5;

impl<L: Log> Session<'_, '_, L> {
    /// One poll, and what is due.
    pub(super) fn step(&mut self) -> Result<(), FollowError> {
        self.mind_duty()?;
        let took = self.poll()?;
        let now = self.log.about_now();
        let since = now.saturating_duration_since(self.surveyed_at);
        // A broker that did not answer is not asked at once again.
        let rested = !self.unanswered || since >= ANSWER_PAUSE;
        let asks = std::mem::take(&mut self.ask);
        let waits = (since >= SURVEY_PAUSE && self.state.progress.is_survey_due(now))
            || (since >= FINALITY_PAUSE && self.state.is_finality_held());
        if rested && (asks || waits) {
            self.listen(now)?;
        }
        self.copy_on();
        if !self.state.is_due(now, took) {
            return Ok(());
        }
        let chain = self.state.chain();
        self.state.shared.health.heartbeat(chain);
        self.learn()?;
        if self.state.role == Role::Publishing {
            self.state.end_rebuild_if_due()?;
            self.note_saved();
            self.commit(false)?;
        } else {
            self.stand_by(now)?;
        }
        self.state.tell_stage();
        self.state.mind_memory(now)
    }

    fn poll(&mut self) -> Result<bool, FollowError> {
        let Session { log, state, .. } = self;
        let now = log.about_now();
        let chain = state.chain();
        let owes_much = state.published.owed_len() > OWED_MAX
            || state.published.owed_letter_bytes() > OWED_LETTER_BYTES_MAX;
        if state.role == Role::Standby && owes_much {
            // Whoever publishes is far behind us, or says something else.
            log.rest(POLL_MAX);
            state.shared.metrics.chain(chain).waited(Wait::Owner, POLL_MAX);
            return Ok(false);
        }
        let took = log.poll(POLL_MAX, &mut |record| state.take(record, now))?;
        if !took {
            let waited = log.now().saturating_duration_since(now);
            state.shared.metrics.chain(chain).waited(Wait::Input, waited);
            self.ask = state.quiet.waited(waited);
        }
        Ok(took)
    }

    /// Nothing came, or a block has waited long: asks the broker whether there
    /// is nothing, if that matters.
    fn listen(&mut self, now: Instant) -> Result<(), FollowError> {
        let chain = self.state.chain();
        let idle = self.state.progress.caught_up() && self.state.pipeline.held_blocks(chain) == 0;
        if idle && self.state.published.is_rebuilt() && !self.state.is_finality_held() {
            return Ok(());
        }
        self.surveyed_at = now;
        let answer = self.survey(now);
        self.unanswered = answer.is_err();
        match answer {
            Ok(true) => self.state.idle(),
            Ok(false) => self.state.advance(),
            Err(error) => {
                tracing::warn!(%chain, "{error:#}; nothing is concluded from the silence");
                self.state.quiet.broken();
                Ok(())
            }
        }
    }

    /// Asks where the partitions end, and notes of which all was read. `true`
    /// if nothing has come since it was asked last, and nothing is unread.
    fn survey(&mut self, now: Instant) -> anyhow::Result<bool> {
        let Session { log, state, empty, .. } = self;
        let ends: Vec<i64> = log.bounds()?.into_iter().map(|(_, end)| end).collect();
        let final_below = state.pipeline.told_final_below(state.input.chain);
        let mut all = true;
        empty.resize(ends.len(), (0, 0));
        for (partition, end) in ends.iter().copied().enumerate() {
            let Some(position) = state.progress.position(partition) else { continue };
            let known = position >= end || empty[partition] == (position, end);
            let all_read = known || log.is_empty_from(partition, position)?;
            if all_read {
                empty[partition] = (position, end);
            }
            state.progress.surveyed(partition, all_read, now, final_below);
            all &= all_read;
        }
        Ok(state.quiet.confirm(ends) && all)
    }

    /// Does as the group has it: takes over, or gives up.
    fn mind_duty(&mut self) -> Result<(), FollowError> {
        let chain = self.state.chain();
        match (self.state.role, self.state.shared.duties.owns(chain)) {
            (Role::Standby, true) => self.take_over(),
            (Role::Rebuilding, true) if self.state.progress.rebuilt() => self.state.settle(),
            (Role::Standby, false) | (Role::Rebuilding | Role::Publishing, true) => Ok(()),
            (Role::Rebuilding, false) => Err(FollowError::HandedOver),
            (Role::Publishing, false) => {
                self.commit(true)?;
                self.end_checkpoint();
                Err(FollowError::HandedOver)
            }
        }
    }

    /// Becomes the only one who publishes, and learns what was published.
    fn take_over(&mut self) -> Result<(), FollowError> {
        let began = self.log.now();
        let Session { log, state, .. } = self;
        log.fence()?;
        failpoint::hit("fenced");
        let committed = log.committed()?;
        state.progress.take_over(&committed);
        log.drain_published(&mut |told| state.published.note(told))?;
        state.role = Role::Rebuilding;
        let chain = state.chain();
        let took = log.now().duration_since(began);
        let (alerts, owed) = (state.published.alerts(), state.published.owed_len());
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        tracing::info!(%chain, alerts, owed, took_ms, "this instance publishes for the chain now");
        state.shared.metrics.chain(chain).takeovers.inc();
        if state.progress.rebuilt() { state.settle() } else { Ok(()) }
    }

    /// Looks at what another instance publishes.
    fn stand_by(&mut self, now: Instant) -> Result<(), FollowError> {
        let Session { log, state, asked_at, .. } = self;
        if state.role == Role::Standby {
            log.read_published(&mut |told| state.published.note(told))?;
        }
        if now.duration_since(*asked_at) >= ASK_PAUSE {
            *asked_at = now;
            let committed = log.committed()?;
            state.progress.note_committed(&committed);
            let progress = &state.progress;
            state.published.forget_letters(|at, offset| progress.was_committed(at, offset));
        }
        state.committed_at = now;
        self.measure();
        self.balance()
    }

    /// Publishes the batch, with the positions that it stands for, and begins a
    /// checkpoint if it is time; `last`: nothing follows, so that it is.
    pub(super) fn commit(&mut self, last: bool) -> Result<(), FollowError> {
        let now = self.log.now();
        let ends = self.ends_for_checkpoint(now, last);
        let Session { log, state, .. } = self;
        let waiting = i64::try_from(state.outputs.outputs().len()).unwrap_or(i64::MAX);
        state.shared.metrics.chain(state.chain()).outputs.set(waiting);
        let mut positions = state.progress.to_commit();
        if positions.is_empty() && ends.is_some() {
            positions = state.progress.to_commit_again();
        }
        let commits = !positions.is_empty() || !state.outputs.is_empty();
        if commits {
            let mut tries = 1;
            let took = loop {
                let error = match log.commit(state.outputs.outputs(), &positions) {
                    Ok(took) => break took,
                    Err(error) => error,
                };
                state.shared.metrics.transaction_aborts.inc();
                match error {
                    CommitError::Aborted(error) if tries < COMMIT_TRIES && !is_refused(&error) => {
                        tracing::warn!(tries, "{error:#}; the batch is committed again");
                        tries += 1;
                    }
                    // Refused for good, or for another session to try.
                    CommitError::Aborted(error) | CommitError::Open(error) => {
                        return Err(error.into());
                    }
                    CommitError::Fenced(error) => return Err(FollowError::Fenced(error)),
                }
            };
            failpoint::hit("committed");
            state.outputs.sent(took);
            state.note_told();
            state.progress.committed();
            state.shared.metrics.committed(state.batch_records, took);
            state.shared.metrics.chain(state.chain()).waited(Wait::Output, took);
        }
        state.batch_records = 0;
        state.committed_at = log.now();
        self.measure();
        if let Some(ends) = ends.filter(|_| commits) {
            self.begin_checkpoint(ends, now);
        }
        self.balance()
    }

    fn balance(&mut self) -> Result<(), FollowError> {
        for (partition, paused) in self.state.progress.balance() {
            self.log.pause(partition, paused)?;
        }
        Ok(())
    }

    pub(super) fn is_over(&self) -> bool {
        let state = &self.state;
        // What is told must be published, so whoever ends by itself owns first.
        let publishing = state.role == Role::Publishing;
        match state.shared.until {
            Until::Stopped => false,
            Until::End => publishing && state.progress.caught_up() && !state.late.is_busy(),
            Until::Records(count) => {
                let read =
                    |chain: &Chain| state.shared.metrics.chain(*chain).records_consumed.get();
                publishing
                    && Chain::ALL.iter().map(read).sum::<u64>() >= count.load(Ordering::Relaxed)
            }
        }
    }

    /// Nothing more is to come: applies what is held, and waits for late cases.
    pub(super) fn finish(&mut self) -> Result<(), FollowError> {
        self.learn()?;
        self.state.flush()?;
        while self.state.late.is_busy() && !self.state.shared.stop.load(Ordering::Relaxed) {
            self.state.shared.health.heartbeat(self.state.chain());
            self.log.rest(POLL_MAX);
            self.state.join_late()?;
        }
        self.state.end_rebuild()
    }

    /// The end in peace.
    pub(super) fn leave(&mut self) -> Result<(), FollowError> {
        if self.state.role == Role::Publishing {
            self.end_checkpoint();
            self.commit(true)?;
            self.end_checkpoint();
        }
        let (chain, records) = (self.state.chain(), self.state.records);
        tracing::info!(%chain, records, "leaving the group");
        Ok(())
    }
}

/// Whether the brokers would refuse the same again.
fn is_refused(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| cause.is::<crate::kafka::Refused>())
}

impl State<'_> {
    /// Takes one record.
    fn take(&mut self, record: Record<'_>, now: Instant) -> Result<(), FollowError> {
        let Record { partition, offset, broker_ms, payload, decoded, unread } = record;
        let chain = self.chain();
        let (block, dropped) = self.pipeline.accept(Some(chain), decoded)?;
        if let Some(rejected) = unread.map(Rejected::from).or(dropped) {
            self.refuse(&rejected, partition, offset, payload);
        }
        self.latency.arrived(block, broker_ms);
        self.progress.processed(partition, offset, block, now);
        self.shared.metrics.chain(chain).records_consumed.inc();
        self.records += 1;
        self.batch_records += 1;
        self.quiet.broken();
        self.advance()
    }

    /// A record could not be taken, whole or in part.
    fn refuse(&mut self, rejected: &Rejected, partition: usize, offset: i64, payload: &[u8]) {
        if self.progress.was_committed(partition, offset) {
            return;
        }
        let id = self.progress.id(partition);
        let place = Place { topic: &id.topic, number: id.number, offset };
        let topic = &self.shared.config.output.deadletter_topic;
        let letter = dead_letter(topic, rejected, place, payload);
        if self.role == Role::Publishing {
            self.shared.metrics.dead_letters(rejected.reason).inc();
            self.outputs.push(letter);
        } else {
            let reason = rejected.reason;
            self.published.owe_letter(OwedLetter { partition, offset, reason, letter });
        }
    }

    /// There was nothing: blocks that have waited long enough are complete.
    fn idle(&mut self) -> Result<(), FollowError> {
        self.advance()?;
        if !self.progress.caught_up() {
            return Ok(());
        }
        let silent = self.quiet.confirmed() >= self.input.idle_flush;
        if silent && self.pipeline.held_blocks(self.chain()) > 0 {
            self.flush()?;
        }
        if silent && self.role == Role::Publishing && !self.late.is_busy() {
            self.end_rebuild()?;
        }
        Ok(())
    }

    /// Applies the blocks that have waited long enough. While the chain is
    /// caught up with, they wait until they are final.
    fn advance(&mut self) -> Result<(), FollowError> {
        let chain = self.chain();
        self.hold_finality();
        let mut below = self.progress.complete_below();
        if !self.progress.caught_up() {
            below = below.min(self.pipeline.final_below(chain));
        }
        self.pipeline.advance(chain, below, &mut self.effects)?;
        self.tell();
        Ok(())
    }

    /// Has blocks wait for their finality that a partition that lags may take
    /// back.
    fn hold_finality(&mut self) {
        let from = self.progress.not_final_from(self.input.finality_blocks);
        self.pipeline.hold_finality(self.chain(), from);
    }

    /// Whether more would be final, had the partitions been read to their ends.
    fn is_finality_held(&self) -> bool {
        let told_below = self.pipeline.told_final_below(self.chain());
        let from = self.progress.not_final_from(self.input.finality_blocks);
        self.progress.caught_up() && told_below > from
    }

    /// Applies every block that is held.
    fn flush(&mut self) -> Result<(), FollowError> {
        self.hold_finality();
        self.pipeline.flush(self.chain(), &mut self.effects)?;
        self.tell();
        Ok(())
    }

    /// Whether there is something to do beside reading. `took`: a record came
    /// just now, so more may follow at once.
    fn is_due(&self, now: Instant, took: bool) -> bool {
        let commit = self.shared.config.commit;
        let since = now.duration_since(self.committed_at);
        if self.role != Role::Publishing {
            return since >= LOOK_PAUSE;
        }
        if self.outputs.is_full() {
            return true;
        }
        if !self.progress.caught_up() {
            let full = usize::try_from(self.batch_records).is_ok_and(|n| n >= commit.max_records);
            return full || since >= CATCH_UP_COMMIT;
        }
        let told = !self.outputs.is_empty() && (!took || since >= commit.interval);
        told || since >= POSITIONS_PAUSE.max(commit.interval)
    }

    fn tell_stage(&self) {
        let chain = self.chain();
        let warm = self.progress.rebuilt() && self.progress.caught_up();
        if warm {
            self.shared.duties.set_warm(chain, true);
        }
        let stage = match self.role {
            Role::Publishing => Stage::Ready,
            Role::Rebuilding => Stage::Rebuilding,
            Role::Standby if !warm => Stage::Rebuilding,
            Role::Standby if self.shared.duties.has_joined() => Stage::Standby,
            Role::Standby => Stage::Unassigned,
        };
        self.shared.health.set_stage(chain, stage);
    }
}
