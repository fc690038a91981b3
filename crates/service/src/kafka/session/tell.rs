//! From effects to records, but for those that stand in the output topics.

use std::collections::BTreeSet;

use flow_codec::wire;
use flow_core::{Alert, Chain, Effect, FreezeStatus, RefusedEvent};

use super::super::outgoing::{message, refused_letter};
use super::super::published::{Corrections, News, read_freezes};
use super::{Running, SessionError};

impl Running<'_> {
    /// Turns effects into outputs, but for those published before.
    pub(super) fn tell(&mut self) {
        if self.refusals_told.is_none() && self.progress.rebuilt() {
            self.refusals_told = Some(Chain::ALL.map(|chain| self.applied_before(chain)));
        }
        let mut effects = std::mem::take(&mut self.effects);
        for effect in effects.drain(..) {
            match effect {
                Effect::Raise(alert) | Effect::Settle(alert) | Effect::Retract(alert) => {
                    self.tell_alert(*alert);
                }
                Effect::Recommend(record) => {
                    let topic = &self.session.config.output.freezes_topic;
                    let message = message(topic, wire::freeze_message(&record));
                    if let Some(message) = self.published.admit_freeze(&record, message) {
                        self.session.metrics.freeze_recommendations(record.status).inc();
                        self.outputs.push(message);
                    }
                }
                Effect::Refuse(refused) => self.tell_refused(&refused),
            }
        }
        self.effects = effects;
    }

    fn tell_alert(&mut self, mut alert: Alert) {
        let Some(news) = self.published.admit_alert(&mut alert) else { return };
        let metrics = &self.session.metrics;
        match news {
            News::Raised => metrics.alerts(alert.rule).inc(),
            News::Settled => metrics.alerts_settled.inc(),
            News::Retracted => metrics.alerts_retracted(alert.rule).inc(),
        }
        let topic = &self.session.config.output.alerts_topic;
        self.outputs.push(message(topic, wire::alert_message(&alert)));
    }

    fn tell_refused(&mut self, refused: &RefusedEvent) {
        let told = self.refusals_told.map(|told| told[refused.chain.index()]);
        if told.is_none_or(|told| refused.block <= told) {
            return;
        }
        self.session.metrics.dead_letters(refused.reason.name()).inc();
        let topic = &self.session.config.output.deadletter_topic;
        self.outputs.push(refused_letter(topic, refused));
    }

    /// Up to where the earlier sessions had applied the chain when they
    /// committed last, for they held the newest blocks too.
    fn applied_before(&self, chain: Chain) -> u64 {
        let mut inputs = self.session.config.inputs.iter();
        let window = inputs.find(|input| input.chain == chain).map_or(0, |i| i.window_blocks);
        self.pipeline.newest(chain).unwrap_or(0).saturating_sub(window)
    }

    /// Ends the rebuild of each chain that has come to where earlier sessions
    /// were.
    pub(super) fn end_rebuilds(&mut self) -> Result<(), SessionError> {
        if self.late.is_busy() || !self.progress.caught_up() {
            return Ok(());
        }
        for chain in Chain::ALL {
            if self.pipeline.head(chain) >= self.published.newest(chain) {
                self.end_rebuild(chain)?;
            }
        }
        Ok(())
    }

    /// Ends the rebuild of a chain: what stands in the output topics and is not
    /// so is put right.
    pub(super) fn end_rebuild(&mut self, chain: Chain) -> Result<(), SessionError> {
        if self.published.is_rebuilt(chain) {
            return Ok(());
        }
        let Corrections { taken_back, recommendations, groundless } =
            self.published.end_rebuild(chain);
        tracing::info!(
            %chain,
            retracted = taken_back.len(),
            recommended = recommendations.len(),
            withdrawn = groundless.len(),
            "the state is rebuilt; what was published and holds no longer is taken back"
        );
        let topic = &self.session.config.output.alerts_topic;
        for alert in taken_back {
            if let Some(rule) = alert.rule {
                self.session.metrics.alerts_retracted(rule).inc();
            }
            self.outputs.push(message(topic, alert.message));
        }
        self.outputs.extend(recommendations);
        self.withdraw(chain, &groundless)
    }

    /// Withdraws recommendations for which there is no cause any more.
    fn withdraw(
        &mut self,
        chain: Chain,
        groundless: &BTreeSet<String>,
    ) -> Result<(), SessionError> {
        let Some((block, timestamp_ms)) = self.pipeline.engine.head(chain) else { return Ok(()) };
        if groundless.is_empty() {
            return Ok(());
        }
        let config = self.session.config;
        for record in read_freezes(&config.kafka, &config.output, groundless)?.values() {
            if let Some(withdrawal) = wire::withdrawal(record, block, timestamp_ms) {
                let status = FreezeStatus::Withdrawn;
                self.session.metrics.freeze_recommendations(status).inc();
                self.outputs.push(message(&config.output.freezes_topic, withdrawal));
            }
        }
        Ok(())
    }
}
