//! What a session learns while it runs: cases and labels that come, change or
//! go, and late cases that have been traced through the past.

use flow_core::Event;

use super::log::{Change, Log};
use super::outgoing::{Place, dead_letter};
use super::session::{Role, Session, State};
use super::{FollowError, changes};
use crate::pipeline::PipelineError;

impl<L: Log> Session<'_, '_, L> {
    /// Takes changes of cases and labels that came meanwhile.
    pub(super) fn learn(&mut self) -> Result<(), FollowError> {
        if let Some(now) = self.follower.watch.look() {
            let changes = self.follower.known.changes(&now);
            let chain = self.state.chain();
            tracing::info!(%chain, changes = changes.len(), "the files of cases and labels were written");
            for event in changes {
                self.state.take_change(event)?;
            }
            self.follower.known.replace_by(now);
        }
        let Session { log, state, .. } = self;
        while log.next_change(&mut |change| state.learn_change(change))? {}
        state.tell();
        let traces = state.pipeline.engine.take_late();
        state.late.start(traces)?;
        state.join_late()
    }
}

impl State<'_> {
    fn learn_change(&mut self, change: &Change<'_>) -> Result<(), FollowError> {
        match changes::parse(change) {
            Ok(event) => {
                tracing::info!(chain = %self.chain(), topic = change.topic, "learnt a change");
                tracing::debug!(?event, "learnt");
                self.take_change(event)?;
            }
            // Followers of all chains read these topics; one of them tells.
            Err(rejected) if self.tells_of_changes() => {
                self.shared.metrics.dead_letters(rejected.reason).inc();
                let place =
                    Place { topic: change.topic, number: change.number, offset: change.offset };
                let topic = &self.shared.config.output.deadletter_topic;
                let value = change.value.unwrap_or_default();
                self.outputs.push(dead_letter(topic, &rejected, place, value));
            }
            Err(_) => {}
        }
        Ok(())
    }

    /// Applies a change, and tells of it in the audit trail; whoever does not
    /// publish compares once it does.
    fn take_change(&mut self, event: Event) -> Result<(), FollowError> {
        if self.role == Role::Publishing {
            let as_of = self.pipeline.engine.head(self.chain());
            let entry = self.published.trail.learnt(&event, as_of);
            self.push_audit(entry);
        }
        let closes = matches!(event, Event::CaseClosed(_));
        self.pipeline.learn(event, &mut self.effects)?;
        if closes && self.role == Role::Publishing {
            self.tell();
            self.close_ledgers();
        }
        Ok(())
    }

    fn tells_of_changes(&self) -> bool {
        let first = self.shared.config.inputs.first().map(|input| input.chain);
        self.role == Role::Publishing && first == Some(self.chain())
    }

    /// Takes back the cases that were traced through the past meanwhile.
    pub(super) fn join_late(&mut self) -> Result<(), FollowError> {
        for trace in self.late.finished().map_err(FollowError::Fatal)? {
            let joined = self.pipeline.engine.join_late(trace, &mut self.effects);
            joined.map_err(PipelineError::Apply)?;
        }
        let under_way = i64::try_from(self.late.len()).unwrap_or(i64::MAX);
        self.shared.metrics.chain(self.chain()).late_traces.set(under_way);
        self.tell();
        Ok(())
    }
}
