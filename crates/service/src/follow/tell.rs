//! From effects to records, but for those that stand in the output topics.

use flow_codec::wire::{self, LedgerRecord};
use flow_core::{Alert, CaseLedger, Effect, FreezeRecommendation, FreezeStatus, RefusedEvent};

use super::FollowError;
use super::outgoing::{message, refused_letter};
use super::published::{Correction, News, Owed};
use super::session::{Role, State};
use crate::audit;
use crate::pipeline::PipelineError;

impl State<'_> {
    /// Turns effects into outputs, or notes that they are owed.
    pub(super) fn tell(&mut self) {
        let mut effects = std::mem::take(&mut self.effects);
        let publishing = self.role == Role::Publishing;
        for effect in effects.drain(..) {
            match effect {
                Effect::Raise(alert) | Effect::Settle(alert) | Effect::Retract(alert) => {
                    if publishing {
                        self.tell_alert(*alert);
                    } else {
                        self.published.owe_alert(*alert);
                    }
                }
                Effect::Recommend(record) if publishing => {
                    if let Some(record) = self.published.admit_freeze(*record) {
                        self.tell_freeze(&record);
                    }
                }
                Effect::Recommend(record) => self.published.owe_freeze(*record),
                Effect::Ledger(ledger) if publishing => self.tell_ledger(&ledger),
                Effect::Ledger(ledger) => self.published.owe_ledger(*ledger),
                Effect::Refuse(refused) if publishing => self.tell_refused(&refused),
                Effect::Refuse(refused) => self.published.owe_refused(refused),
            }
        }
        self.effects = effects;
    }

    fn tell_alert(&mut self, mut alert: Alert) {
        let Some(news) = self.published.admit_alert(&mut alert) else { return };
        let metrics = &self.shared.metrics;
        match news {
            News::Raised => {
                metrics.alerts(alert.rule, alert.risk).inc();
                self.latency.told(&alert);
            }
            News::Settled => metrics.alerts_settled.inc(),
            News::Retracted => metrics.alerts_retracted(alert.rule).inc(),
        }
        let topic = &self.shared.config.output.alerts_topic;
        self.outputs.push(message(topic, wire::alert_message(&alert)));
    }

    fn tell_freeze(&mut self, record: &FreezeRecommendation) {
        self.shared.metrics.freeze_recommendations(record.status).inc();
        self.shared.metrics.desk().told(record);
        self.recommend(wire::freeze_message(record), record.block, record.timestamp_ms);
    }

    fn tell_ledger(&mut self, ledger: &CaseLedger) {
        if let Some(record) = self.published.admit_ledger(ledger) {
            self.push_ledgers([record]);
        }
    }

    /// Publishes ledgers of cases.
    fn push_ledgers(&mut self, records: impl IntoIterator<Item = LedgerRecord>) {
        let topic = &self.shared.config.output.ledgers_topic;
        for record in records {
            self.shared.metrics.case_ledgers.inc();
            self.outputs.push(message(topic, wire::ledger_message(self.input.chain, &record)));
        }
    }

    /// Says of cases that are followed no longer that their last ledger was the
    /// last.
    pub(super) fn close_ledgers(&mut self) {
        let engine = &self.pipeline.engine;
        let closed = self.published.close_ledgers(|case| engine.is_open(case));
        self.push_ledgers(closed);
    }

    /// Publishes a recommendation, with its entry in the audit trail.
    fn recommend(&mut self, record: wire::Message, block: u64, timestamp_ms: u64) {
        let entry = self.published.trail.recommended(&record, Some((block, timestamp_ms)));
        let topic = &self.shared.config.output.freezes_topic;
        self.outputs.push(message(topic, record));
        self.push_audit([entry]);
    }

    /// Publishes entries of the audit trail.
    pub(super) fn push_audit(&mut self, entries: impl IntoIterator<Item = wire::Message>) {
        let topic = &self.shared.config.output.audit_topic;
        for entry in entries {
            self.outputs.push(message(topic, entry));
        }
    }

    /// Brings the audit trail to the cases and labels that are known now.
    fn audit_known(&mut self) {
        let engine = &self.pipeline.engine;
        let known = audit::Known { cases: engine.open_cases(), labels: engine.labels() };
        let entries = self.published.trail.reconcile(&known, engine.head(self.chain()));
        self.push_audit(entries);
    }

    fn tell_refused(&mut self, refused: &RefusedEvent) {
        self.shared.metrics.dead_letters(refused.reason.name()).inc();
        let topic = &self.shared.config.output.deadletter_topic;
        self.outputs.push(refused_letter(topic, refused));
    }

    /// Begins to publish: first what is owed and does not stand yet.
    pub(super) fn settle(&mut self) -> Result<(), FollowError> {
        self.tell();
        self.role = Role::Publishing;
        self.shared.metrics.chain(self.chain()).owner.set(1);
        self.audit_known();
        self.published.forget_refused(self.applied_before());
        let Owed { alerts, letters, refused, .. } = self.published.take_owed();
        for owed in letters {
            if !self.progress.was_committed(owed.partition, owed.offset) {
                self.shared.metrics.dead_letters(owed.reason).inc();
                self.outputs.push(owed.letter);
            }
        }
        for alert in alerts.into_values() {
            self.tell_alert(alert);
        }
        for record in self.published.settle_freezes() {
            self.tell_freeze(&record);
        }
        self.close_ledgers();
        let ledgers = self.published.settle_ledgers();
        self.push_ledgers(ledgers);
        for refused in &refused {
            self.tell_refused(refused);
        }
        Ok(())
    }

    /// Up to where whoever published before had applied the chain when it
    /// committed last, for it held the newest blocks too.
    fn applied_before(&self) -> u64 {
        if !self.progress.has_committed() {
            return 0;
        }
        let newest = self.pipeline.newest(self.chain()).unwrap_or(0);
        newest.saturating_sub(self.input.window_blocks)
    }

    /// Ends the rebuild once the chain has come to where those who published
    /// before were.
    pub(super) fn end_rebuild_if_due(&mut self) -> Result<(), FollowError> {
        let there = self.pipeline.head(self.chain()) >= self.published.newest();
        if there && self.progress.caught_up() && !self.late.is_busy() {
            return self.end_rebuild();
        }
        Ok(())
    }

    /// Ends the rebuild: what stands in the output topics and is not so is put
    /// right.
    pub(super) fn end_rebuild(&mut self) -> Result<(), FollowError> {
        if self.published.is_rebuilt() {
            return Ok(());
        }
        let engine = &mut self.pipeline.engine;
        let taken_back = self.published.end_rebuild(|case, id| engine.is_live(case, id));
        let corrections = self.published.correct_freezes(|account| engine.recommendation(account));
        let corrections = corrections.map_err(PipelineError::Apply)?;
        tracing::info!(
            chain = %self.chain(),
            retracted = taken_back.len(),
            corrected = corrections.len(),
            "the state has come to where it was; what was published and holds no longer is taken back"
        );
        let topic = &self.shared.config.output.alerts_topic;
        for alert in taken_back {
            if let Some(rule) = alert.rule {
                self.shared.metrics.alerts_retracted(rule).inc();
            }
            self.outputs.push(message(topic, alert.message));
        }
        // What stands as it is told is left out; what another one, who was on
        // another branch, took back is raised again.
        for alert in self.pipeline.engine.provisional_alerts() {
            self.tell_alert(alert);
        }
        for correction in corrections {
            match correction {
                Correction::Recommend(record) => self.tell_freeze(&record),
                Correction::Withdraw(record) => self.withdraw(&record),
            }
        }
        Ok(())
    }

    /// Withdraws a recommendation for which there is no cause any more.
    fn withdraw(&mut self, record: &[u8]) {
        let Some((block, timestamp_ms)) = self.pipeline.engine.head(self.chain()) else { return };
        if let Some(withdrawal) = wire::withdrawal(record, block, timestamp_ms) {
            self.shared.metrics.freeze_recommendations(FreezeStatus::Withdrawn).inc();
            self.recommend(withdrawal, block, timestamp_ms);
        }
    }
}
