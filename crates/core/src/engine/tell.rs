//! What is told of alerts: raised once, settled when final, retracted when
//! they no longer hold.

use std::collections::BTreeSet;

use super::{ApplyError, Engine, Told};
use crate::trace::Finding;
use crate::{Alert, AlertId, AlertStatus, Chain, Effect};

impl Engine {
    /// Tells findings as alerts, those not known yet.
    pub(super) fn tell(
        &mut self,
        findings: Vec<Finding>,
        effects: &mut Vec<Effect>,
    ) -> Result<(), ApplyError> {
        for finding in findings {
            let (id, detail) = self.sight().0.identify(&finding)?;
            let case = self.tracer.lane(finding.lane).case.id.clone();
            let known = self.told.get(&case).and_then(|told| told.get(&id).copied());
            let block = (finding.block.chain, finding.block.number);
            let provisional = self.journal.entry(block.0, block.1).filter(|entry| !entry.is_final);
            let is_provisional = provisional.is_some();
            if known.is_some_and(|told| told.live)
                && provisional.is_none_or(|entry| entry.alerts.iter().any(|alert| alert.id == id))
            {
                continue;
            }
            let told = self.next_told(&case, known, block);
            let mut alert = self.sight().0.alert(&finding, id, &detail)?;
            alert.revision = told.revision;
            alert.retroactive = told.retroactive;
            if is_provisional {
                alert.status = AlertStatus::Provisional;
            }
            self.told.entry(case).or_default().insert(id, told);
            if let Some(entry) = self.journal.entry(block.0, block.1).filter(|_| is_provisional) {
                entry.alerts.push(alert.clone());
            }
            if known.is_none_or(|known| !known.live) {
                effects.push(Effect::Raise(Box::new(alert)));
            }
        }
        Ok(())
    }

    /// What is known of the alert once it is told.
    fn next_told(&self, case: &str, known: Option<Told>, (chain, number): (Chain, u64)) -> Told {
        match known {
            Some(told) if told.live => told,
            Some(told) => Told { revision: told.revision + 1, live: true, ..told },
            None => {
                let opened_at = self.cases.get(case).and_then(|case| case.heads[chain.index()]);
                let retroactive = opened_at.is_some_and(|head| number <= head);
                Told { revision: 1, live: true, retroactive }
            }
        }
    }

    /// Tells that alerts no longer hold.
    pub(super) fn retract(&mut self, alerts: Vec<Alert>, effects: &mut Vec<Effect>) {
        for alert in alerts {
            let told = self.told_mut(&alert.case, alert.id);
            let Some(told) = told.filter(|told| told.live) else { continue };
            told.live = false;
            told.revision += 1;
            let revision = told.revision;
            let alert = Alert { revision, status: AlertStatus::Retracted, ..alert };
            effects.push(Effect::Retract(Box::new(alert)));
        }
    }

    /// Of alerts that were told before their case was traced anew, retracts
    /// those that it no longer finds.
    pub(super) fn retract_lost(&mut self, before: Vec<Alert>, effects: &mut Vec<Effect>) {
        let found: BTreeSet<AlertId> = self.journal.alert_ids().collect();
        self.retract(
            before.into_iter().filter(|alert| !found.contains(&alert.id)).collect(),
            effects,
        );
    }

    /// No block of the chain up to `number` can be reverted any more.
    pub(super) fn finalize(
        &mut self,
        chain: Chain,
        number: u64,
        effects: &mut Vec<Effect>,
    ) -> Result<(), ApplyError> {
        let last = &mut self.finals[chain.index()];
        if last.is_some_and(|last| number <= last) {
            return Ok(());
        }
        *last = Some(number);
        for alert in self.journal.finalize(chain, number) {
            let Some(told) = self.told_mut(&alert.case, alert.id) else { continue };
            told.revision += 1;
            let revision = told.revision;
            let alert = Alert { revision, status: AlertStatus::Final, ..alert };
            effects.push(Effect::Settle(Box::new(alert)));
        }
        let end = self.journal.first().unwrap_or(self.history.blocks_len());
        Ok(self.history.seal_due(end, &self.accounts)?)
    }

    fn told_mut(&mut self, case: &str, id: AlertId) -> Option<&mut Told> {
        self.told.get_mut(case)?.get_mut(&id)
    }
}
