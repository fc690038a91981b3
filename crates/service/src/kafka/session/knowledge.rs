//! What a session learns while it runs: cases and labels that come, change or
//! go, and late cases that have been traced through the past.

use super::super::changes;
use super::super::outgoing::dead_letter;
use super::{Running, SessionError};
use crate::pipeline::PipelineError;

impl Running<'_> {
    /// Takes changes of cases and labels that came meanwhile.
    pub(super) fn learn(&mut self) -> Result<(), SessionError> {
        let written = self.session.watch.borrow_mut().look();
        if let Some(now) = written {
            let changes = self.session.known.borrow().changes(&now);
            tracing::info!(changes = changes.len(), "the files of cases and labels were written");
            for event in changes {
                self.pipeline.learn(event, &mut self.effects)?;
            }
            self.session.known.borrow_mut().replace_by(now);
        }
        let Running { cases, labels, pipeline, effects, outputs, session, .. } = self;
        for (reader, parse) in [(labels, changes::label as changes::Parse), (cases, changes::case)]
        {
            let Some(reader) = reader else { continue };
            let reader_topic = reader.topic().to_owned();
            while let Some(message) = reader.try_next()? {
                match parse(&message) {
                    Ok(event) => {
                        tracing::info!(topic = reader_topic, "learnt a change");
                        tracing::debug!(?event, "learnt");
                        pipeline.learn(event, effects)?;
                    }
                    Err(rejected) => {
                        session.metrics.dead_letters(rejected.reason).inc();
                        let topic = &session.config.output.deadletter_topic;
                        outputs.push(dead_letter(topic, &rejected, &message));
                    }
                }
            }
        }
        self.tell();
        self.late.start(self.pipeline.engine.take_late())?;
        self.join_late()
    }

    /// Takes back the cases that were traced through the past meanwhile.
    pub(super) fn join_late(&mut self) -> Result<(), SessionError> {
        for trace in self.late.finished().map_err(SessionError::Fatal)? {
            let joined = self.pipeline.engine.join_late(trace, &mut self.effects);
            joined.map_err(PipelineError::Apply)?;
        }
        let under_way = i64::try_from(self.late.len()).unwrap_or(i64::MAX);
        self.session.metrics.late_traces.set(under_way);
        self.tell();
        Ok(())
    }
}
