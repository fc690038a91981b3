//! The life of an alert: raised, settled or retracted, and raised again.
//!
//! What always holds: revisions rise by one; only an alert that lives is
//! retracted or settled; what is raised does not live already.

use std::collections::BTreeMap;

use flow_core::{Alert, AlertId, AlertStatus, Effect};

/// Follows each alert through its life.
pub(super) fn check(effects: &[Effect]) -> Result<(), String> {
    let mut known: BTreeMap<AlertId, &Alert> = BTreeMap::new();
    for effect in effects {
        let (alert, expected) = match effect {
            Effect::Raise(alert) => (alert, None),
            Effect::Settle(alert) => (alert, Some(AlertStatus::Final)),
            Effect::Retract(alert) => (alert, Some(AlertStatus::Retracted)),
            Effect::Recommend(_) | Effect::Refuse(_) => continue,
        };
        let before = known.insert(alert.id, alert);
        let revision = before.map_or(1, |before| before.revision + 1);
        let lives = before.is_some_and(|before| before.status != AlertStatus::Retracted);
        let as_told = expected.is_none_or(|expected| expected == alert.status);
        let well = alert.revision == revision && lives == expected.is_some() && as_told;
        if !well {
            return Err(format!("{alert:?}\nafter\n{before:?}"));
        }
    }
    Ok(())
}
