//! `[engine]`, and the sizes of `[history]`.

use flow_core::{Chain, EngineConfig, Policy};

use super::Checks;

/// The engine counts no more thresholds than this.
const THRESHOLDS_MAX: usize = 255;

/// Stands for every policy.
const ALL_POLICIES: &str = "all";

impl Checks<'_> {
    pub(super) fn engine(&mut self) -> Option<EngineConfig> {
        let policies = self.policies();
        let thresholds = self.thresholds();
        Some(EngineConfig {
            policies: policies?,
            alert_min_units: self.number("engine.alert_min_units"),
            thresholds,
            freeze_min_units: self.number("engine.freeze_min_units"),
            freeze_rest_ms: self.number("engine.freeze_rest_seconds").saturating_mul(1000),
            freeze_update_ms: self.number("engine.freeze_update_seconds").saturating_mul(1000),
            ledger_update_ms: self.number("engine.ledger_update_seconds").saturating_mul(1000),
            freeze_lag_ms: Chain::ALL.map(|chain| {
                let key = format!("engine.freeze_lag_seconds.{chain}");
                self.number(&key).saturating_mul(1000)
            }),
            segment_transfers: self.size("history.segment_transfers"),
            graph_transfers: self.size("history.graph_transfers"),
            ..EngineConfig::default()
        })
    }

    fn thresholds(&mut self) -> Vec<u64> {
        let key = "engine.thresholds_units";
        let thresholds = self.numbers(key);
        if thresholds.len() > THRESHOLDS_MAX {
            let message = format!("there are {} thresholds", thresholds.len());
            self.problem(key, message, format!("name {THRESHOLDS_MAX} at most"));
        }
        if thresholds.contains(&0) || !thresholds.is_sorted_by(|a, b| a < b) {
            let hint = "list base units from the least to the greatest, each once, none 0";
            self.problem(key, "the thresholds do not rise", hint);
        }
        thresholds
    }

    /// The policies in the order written: the first one leads.
    fn policies(&mut self) -> Option<Vec<Policy>> {
        let key = "engine.policy";
        let text = self.text(key);
        if text.trim() == ALL_POLICIES {
            return Some(Policy::ALL.to_vec());
        }
        let mut policies = Vec::new();
        for name in text.split(',').map(str::trim) {
            match Policy::from_name(name) {
                Some(policy) if policies.contains(&policy) => {
                    self.problem(key, format!("{name} is named twice"), "name each policy once");
                    return None;
                }
                Some(policy) => policies.push(policy),
                None => {
                    self.unknown_policy(key, name);
                    return None;
                }
            }
        }
        Some(policies)
    }

    fn unknown_policy(&mut self, key: &str, name: &str) {
        let names: Vec<&str> = Policy::ALL.into_iter().map(Policy::name).collect();
        let hint = format!(
            "name one, several separated by commas, or {ALL_POLICIES}: {}",
            names.join(", ")
        );
        self.problem(key, format!("{name:?} is not a policy"), hint);
    }

    fn size(&self, key: &str) -> usize {
        usize::try_from(self.number(key)).expect("the setting's range fits")
    }
}
