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
            let slot = self.cases[&self.tracer.lane(finding.lane).case.id].slot;
            let (id, trigger) = self.sight().0.identify(&finding)?;
            let known = self.told[slot].get(&id).copied();
            let is_live = known.is_some_and(|told| told.live);
            let (chain, number) = (finding.block.chain, finding.block.number);
            let entry = self.journal.entry(chain, number).filter(|entry| !entry.is_final);
            let is_provisional = entry.is_some();
            if is_live && entry.is_none_or(|entry| entry.alerts.iter().any(|told| told.id == id)) {
                continue;
            }
            let told = self.next_told(&finding, known);
            let mut alert = self.sight().0.alert(&finding, id, trigger)?;
            alert.revision = told.revision;
            alert.retroactive = told.retroactive;
            self.told[slot].insert(id, told);
            if is_provisional && let Some(entry) = self.journal.entry(chain, number) {
                alert.status = AlertStatus::Provisional;
                entry.alerts.push(alert.clone());
            }
            if !is_live {
                effects.push(Effect::Raise(Box::new(alert)));
            }
        }
        Ok(())
    }

    /// What is known of the alert once it is told.
    fn next_told(&self, finding: &Finding, known: Option<Told>) -> Told {
        match known {
            Some(told) if told.live => told,
            Some(told) => Told { revision: told.revision + 1, live: true, ..told },
            None => {
                let case = self.cases.get(&self.tracer.lane(finding.lane).case.id);
                let opened_at = case.and_then(|case| case.heads[finding.block.chain.index()]);
                let retroactive = opened_at.is_some_and(|head| finding.block.number <= head);
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
        let (alerts, ledgers) = self.journal.finalize(chain, number);
        for alert in alerts {
            let Some(told) = self.told_mut(&alert.case, alert.id) else { continue };
            told.revision += 1;
            let revision = told.revision;
            let alert = Alert { revision, status: AlertStatus::Final, ..alert };
            effects.push(Effect::Settle(Box::new(alert)));
        }
        effects.extend(ledgers.into_iter().map(|ledger| Effect::Ledger(Box::new(ledger))));
        let end = self.journal.first().unwrap_or(self.history.blocks_len());
        Ok(self.history.seal_due(end, &self.ledger.accounts)?)
    }

    fn told_mut(&mut self, case: &str, id: AlertId) -> Option<&mut Told> {
        self.told[*self.slots.get(case)?].get_mut(&id)
    }
}
