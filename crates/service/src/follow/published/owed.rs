//! What the engine told while it was not to be published.
//!
//! What always holds: of each alert the last word alone is owed; what stands in
//! the topics as it was told is owed no longer, but for provisional alerts,
//! whose standing may still change. What is owed of accounts is kept beside
//! what stands of them, in `freezes`.

use std::collections::{BTreeMap, VecDeque};

use flow_core::{Alert, AlertId, AlertStatus, FreezeRecommendation, RefusedEvent};
use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::super::outgoing::Outgoing;
use super::Published;

/// A dead letter, and the record that it is about.
#[derive(Debug)]
pub(in crate::follow) struct OwedLetter {
    pub(in crate::follow) partition: usize,
    pub(in crate::follow) offset: i64,
    pub(in crate::follow) reason: &'static str,
    pub(in crate::follow) letter: Outgoing,
}

/// See the module.
#[derive(Debug, Default)]
pub(in crate::follow) struct Owed {
    /// In the order in which they were first told.
    pub(in crate::follow) alerts: BTreeMap<u64, Alert>,
    /// By partition and offset.
    pub(in crate::follow) letters: VecDeque<OwedLetter>,
    /// Of the letters' values.
    letter_bytes: usize,
    /// In the order in which they were told.
    pub(in crate::follow) refused: Vec<RefusedEvent>,
    alert_at: HashMap<AlertId, u64, FixedState>,
    told: u64,
}

impl Owed {
    /// How many things are owed.
    pub(in crate::follow) fn len(&self) -> usize {
        self.alerts.len() + self.letters.len() + self.refused.len()
    }

    fn next(&mut self) -> u64 {
        self.told += 1;
        self.told
    }

    /// Returns its place, if it was owed.
    fn drop_alert(&mut self, id: AlertId) -> Option<u64> {
        let at = self.alert_at.remove(&id)?;
        self.alerts.remove(&at);
        Some(at)
    }
}

impl Published {
    /// How many things are owed.
    pub(in crate::follow) fn owed_len(&self) -> usize {
        self.owed.len() + self.freezes.len()
    }

    /// The bytes of the records that dead letters are owed of.
    pub(in crate::follow) fn owed_letter_bytes(&self) -> usize {
        self.owed.letter_bytes
    }

    /// The engine told of an alert.
    pub(in crate::follow) fn owe_alert(&mut self, alert: Alert) {
        let before = self.owed.drop_alert(alert.id);
        if alert.status != AlertStatus::Provisional && self.news(&alert).is_none() {
            self.untold.remove(&alert.id);
            return;
        }
        // An alert is told in the place in which it was first told.
        let at = before.unwrap_or_else(|| self.owed.next());
        self.owed.alert_at.insert(alert.id, at);
        self.owed.alerts.insert(at, alert);
    }

    /// Looks again at what is owed of an alert, since another record stands.
    pub(super) fn confirm_alert(&mut self, id: AlertId) {
        let owed = self.owed.alert_at.get(&id).and_then(|at| self.owed.alerts.get(at));
        let settled = owed.is_some_and(|alert| {
            alert.status != AlertStatus::Provisional && self.news(alert).is_none()
        });
        if settled {
            self.owed.drop_alert(id);
            self.untold.remove(&id);
        }
    }

    /// The engine recommended a freeze.
    pub(in crate::follow) fn owe_freeze(&mut self, record: FreezeRecommendation) {
        self.freezes.owe(record);
    }

    /// A record could not be taken.
    pub(in crate::follow) fn owe_letter(&mut self, letter: OwedLetter) {
        self.owed.letter_bytes += letter.letter.value.len();
        self.owed.letters.push_back(letter);
    }

    /// The ledger refused an event.
    pub(in crate::follow) fn owe_refused(&mut self, refused: RefusedEvent) {
        self.owed.refused.push(refused);
    }

    /// Drops dead letters that whoever publishes has written, or need not.
    pub(in crate::follow) fn forget_letters(&mut self, is_told: impl Fn(usize, i64) -> bool) {
        let owed = &mut self.owed;
        owed.letters.retain(|owed| !is_told(owed.partition, owed.offset));
        owed.letter_bytes = owed.letters.iter().map(|owed| owed.letter.value.len()).sum();
    }

    /// Drops refused events of blocks up to that one.
    pub(in crate::follow) fn forget_refused(&mut self, block: u64) {
        self.owed.refused.retain(|refused| refused.block > block);
    }

    /// Hands over all that is owed, to be published.
    pub(in crate::follow) fn take_owed(&mut self) -> Owed {
        std::mem::take(&mut self.owed)
    }
}
