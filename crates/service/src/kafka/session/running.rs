//! The loop of a session: polls, applies, commits.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::Context;
use flow_core::Chain;
use rdkafka::Message;
use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;

use super::super::input::Polled;
use super::super::is_transient;
use super::super::outgoing::dead_letter;
use super::super::published::Published;
use super::{Running, SessionError, Until};
use crate::http::Stage;
use crate::pipeline::Rejected;

/// The longest wait for a record before the clock and the stop flag are looked at.
const POLL_MAX: Duration = Duration::from_millis(20);

/// While catching up a transaction is closed by size, and by this time at last.
const CATCH_UP_COMMIT: Duration = Duration::from_secs(1);

/// The pause between two warnings that the broker is away.
const WARN_PAUSE: Duration = Duration::from_secs(10);

impl Running<'_> {
    /// Waits for the group to give us partitions, and looks where they stand.
    pub(super) fn await_assignment(&mut self) -> Result<(), SessionError> {
        self.session.health.set_stage(Stage::Unassigned);
        loop {
            self.session.health.heartbeat();
            if self.session.stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            match self.progress.poll(&self.consumer, POLL_MAX) {
                Ok(Polled::Assigned) => break,
                Ok(_) => {}
                Err(error) => self.poll_error(error)?,
            }
        }
        self.progress.locate(&self.consumer)?;
        self.session.health.set_stage(Stage::Rebuilding);
        if self.progress.has_committed() {
            self.published =
                Published::read(&self.session.config.kafka, &self.session.config.output)?;
            tracing::info!(
                alerts = self.published.alerts(),
                "rebuilding the state; what stands in the output topics is not repeated"
            );
        }
        Ok(())
    }

    /// One poll, and a commit if it is time.
    pub(super) fn step(&mut self) -> Result<(), SessionError> {
        match self.progress.poll(&self.consumer, POLL_MAX) {
            Ok(Polled::Nothing) => self.idle()?,
            Ok(Polled::Record(message, at)) => {
                let (chain, topic_ix) = self.progress.route(at);
                let bytes = message.payload().unwrap_or_default();
                let result = self.decoders[topic_ix].decode(bytes, &mut self.decoded);
                let (block, dropped) = self.pipeline.accept(Some(chain), &mut self.decoded)?;
                let unread = result
                    .err()
                    .map(|error| Rejected { reason: error.reason(), message: error.to_string() });
                if let Some(rejected) = unread.or(dropped)
                    && !self.progress.was_committed(at, message.offset())
                {
                    self.session.metrics.dead_letters(rejected.reason).inc();
                    let topic = &self.session.config.output.deadletter_topic;
                    self.outputs.push(dead_letter(topic, &rejected, &message));
                }
                let now = Instant::now();
                self.progress.processed(at, message.offset(), block, now);
                drop(message);
                self.session.metrics.chain(chain).records_consumed.inc();
                self.records += 1;
                self.batch_records += 1;
                self.advance(chain, now)?;
                self.heard[chain.index()] = now;
                if !self.is_due(now) {
                    return Ok(());
                }
            }
            Ok(Polled::Rebalanced | Polled::Assigned) => {
                return Err(SessionError::Retry(anyhow::anyhow!(
                    "the group moved partitions; the state is rebuilt for what is ours now"
                )));
            }
            Err(error) => self.poll_error(error)?,
        }
        self.session.health.heartbeat();
        if self.is_due(Instant::now()) {
            self.learn()?;
            self.end_rebuilds()?;
            self.commit()?;
        }
        Ok(())
    }

    /// Nothing came: blocks that have waited long enough are complete.
    fn idle(&mut self) -> Result<(), SessionError> {
        for input in &self.session.config.inputs {
            let chain = input.chain;
            let now = Instant::now();
            if !self.progress.chain_caught_up(chain) {
                continue;
            }
            self.advance(chain, now)?;
            let silent = now.duration_since(self.heard[chain.index()]) >= input.idle_flush;
            if silent && self.pipeline.held_blocks(chain) > 0 {
                self.pipeline.flush(chain, &mut self.effects)?;
                self.tell();
            }
            if silent && !self.late.is_busy() && self.progress.caught_up() {
                self.end_rebuild(chain)?;
            }
        }
        Ok(())
    }

    /// Applies the blocks of a chain that have waited long enough. While the
    /// chain is caught up with, they wait until they are final.
    fn advance(&mut self, chain: Chain, now: Instant) -> Result<(), SessionError> {
        let mut below = self.progress.complete_below(chain, now);
        if !self.progress.chain_caught_up(chain) {
            below = below.min(self.pipeline.final_below(chain));
        }
        self.pipeline.advance(chain, below, &mut self.effects)?;
        self.tell();
        Ok(())
    }

    /// Whether the batch is to be committed now.
    fn is_due(&self, now: Instant) -> bool {
        let commit = self.session.config.commit;
        let live = self.progress.caught_up();
        let interval = if live { commit.interval } else { CATCH_UP_COMMIT };
        let full = usize::try_from(self.batch_records).is_ok_and(|n| n >= commit.max_records);
        full || now.duration_since(self.batch_began) >= interval
    }

    /// Publishes the batch, with the offsets that it stands for.
    pub(super) fn commit(&mut self) -> Result<(), SessionError> {
        let offsets = self.progress.offsets()?;
        if offsets.count() > 0 || !self.outputs.is_empty() {
            let group = self.consumer.group_metadata().context("the consumer is in no group")?;
            let took =
                self.publisher.commit(&mut self.outputs, &offsets, &group).inspect_err(|_| {
                    self.session.metrics.transaction_aborts.inc();
                })?;
            self.progress.committed();
            self.session.metrics.committed(self.batch_records, took);
        }
        self.pipeline.measure();
        self.progress.balance(&self.consumer)?;
        if self.progress.rebuilt() {
            self.session.health.set_stage(Stage::Ready);
        }
        self.batch_records = 0;
        self.batch_began = Instant::now();
        Ok(())
    }

    pub(super) fn is_over(&self) -> bool {
        match self.session.until {
            Until::Stopped => false,
            Until::End => self.progress.caught_up() && !self.late.is_busy(),
            Until::Records(count) => self.records >= count.load(Ordering::Relaxed),
        }
    }

    /// What an error of the consumer means: nothing, another session, or the end.
    fn poll_error(&mut self, error: KafkaError) -> Result<(), SessionError> {
        if is_transient(&error) {
            // While a broker is away this comes many times a second.
            if self.warned.is_none_or(|at| at.elapsed() > WARN_PAUSE) {
                self.warned = Some(Instant::now());
                tracing::warn!(%error, "Kafka is away; librdkafka keeps trying");
            }
            return Ok(());
        }
        let lost = matches!(
            error.rdkafka_error_code(),
            Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange)
        );
        let error = anyhow::Error::new(error);
        Err(if lost {
            let lost = "records were deleted before they were read; keep input topics for longer";
            SessionError::Fatal(error.context(lost))
        } else {
            SessionError::Retry(error.context("the input topics cannot be read"))
        })
    }

    /// Nothing more is to come: applies what is held, and waits for late cases.
    pub(super) fn finish(&mut self) -> Result<(), SessionError> {
        self.learn()?;
        for chain in Chain::ALL {
            self.pipeline.flush(chain, &mut self.effects)?;
        }
        self.tell();
        while self.late.is_busy() && !self.session.stop.load(Ordering::Relaxed) {
            self.session.health.heartbeat();
            std::thread::sleep(POLL_MAX);
            self.join_late()?;
        }
        for chain in Chain::ALL {
            self.end_rebuild(chain)?;
        }
        Ok(())
    }
}
