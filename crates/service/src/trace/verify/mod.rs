//! Alert records checked against the history by a second implementation.
//!
//! The oracle of `flow-sim` was written from the definition of taint and shares
//! nothing with the engine but its input. What always holds: every field of a
//! record that follows from history, cases and labels is worked out anew and
//! compared; what does not (status, revision, whether it was raised late) is
//! taken as it stands.

mod compare;
mod recompute;
pub mod request;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use anyhow::Context;
use flow_codec::wire::{AlertRecord, ParsedAlert};
use flow_core::{AlertStatus, Case, Label, Past};
use serde_json::Value;

use crate::report::Explain;
use recompute::{Observer, Seen};

/// A record to check.
#[derive(Debug)]
pub struct Recorded {
    /// As it stands in the file.
    pub value: Value,
    /// What it states, or why it cannot be read.
    pub alert: Result<Box<ParsedAlert>, String>,
}

/// One thing that is not as recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The field, as a path into the JSON.
    pub field: String,
    /// What stands in the record.
    pub recorded: String,
    /// What it ought to be.
    pub recomputed: String,
}

/// What became of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Everything is as recorded.
    Right,
    /// It is retracted: there is nothing that it claims.
    Retracted,
    /// These things are not as recorded.
    Differs(Vec<Difference>),
    /// Its envelope is not to be trusted, so what it holds was not looked at.
    Refused(String),
}

/// Reads the values of a file: one after the other, or an array.
///
/// # Errors
/// If the file cannot be read or is not JSON.
pub fn read(path: &Path) -> anyhow::Result<Vec<Value>> {
    let failed = || format!("cannot read {}", path.display());
    let mut text = Vec::new();
    if path == Path::new("-") {
        std::io::stdin().read_to_end(&mut text).with_context(failed)?;
    } else {
        text = std::fs::read(path).with_context(failed)?;
    }
    let mut values = Vec::new();
    for value in serde_json::Deserializer::from_slice(&text).into_iter::<Value>() {
        let hint = "expected: alert records as alerts.jsonl holds them, or a freeze request";
        match value.explain(failed(), hint)? {
            Value::Array(all) => values.extend(all),
            value => values.push(value),
        }
    }
    Ok(values)
}

/// What an alert record states.
pub fn recorded(value: Value) -> Recorded {
    let alert = AlertRecord::read(value.to_string().as_bytes());
    Recorded { value, alert: alert.map(Box::new).map_err(|error| error.to_string()) }
}

/// Checks all records; `progress` is told blocks played and an estimate of all.
///
/// # Errors
/// If the history cannot be read.
pub fn check(
    past: &Past,
    cases: &[Case],
    labels: &[Label],
    records: &[Recorded],
    mut progress: impl FnMut(u64, u64),
) -> anyhow::Result<Vec<Verdict>> {
    let opening = past.opening()?;
    let mut seen: Vec<Seen> = records.iter().map(|_| Seen::default()).collect();
    let passes = passes(cases, records);
    let blocks = past.sizes().blocks as u64;
    for (pass, ((case, policy), wanted)) in passes.iter().enumerate() {
        let case = &cases[*case];
        let mut observer = Observer::new(*policy, case, labels, &opening, records, wanted);
        for (at, block) in past.blocks().enumerate() {
            observer.play(&block?, &mut seen);
            if at % 1_024 == 0 {
                progress(pass as u64 * blocks + at as u64, passes.len() as u64 * blocks);
            }
        }
    }
    let verdict = |(record, seen): (&Recorded, &Seen)| match &record.alert {
        Err(error) => Verdict::Differs(vec![Difference {
            field: "record".to_owned(),
            recorded: "unreadable".to_owned(),
            recomputed: error.clone(),
        }]),
        Ok(alert) if alert.status == AlertStatus::Retracted => Verdict::Retracted,
        Ok(alert) => {
            let case = cases.iter().find(|case| case.id == alert.case);
            match compare::differences(&record.value, alert, case, labels, seen) {
                differences if differences.is_empty() => Verdict::Right,
                differences => Verdict::Differs(differences),
            }
        }
    };
    Ok(records.iter().zip(&seen).map(verdict).collect())
}

/// For each case and policy that a record needs, by ranks: those records. One
/// pass over the history answers all of them.
fn passes(
    cases: &[Case],
    records: &[Recorded],
) -> BTreeMap<(usize, flow_core::Policy), Vec<usize>> {
    let mut passes: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (rank, record) in records.iter().enumerate() {
        let Ok(alert) = &record.alert else { continue };
        let Some(case) = cases.iter().position(|case| case.id == alert.case) else { continue };
        if alert.status == AlertStatus::Retracted {
            continue;
        }
        let others = alert.attributions.iter().map(|attribution| attribution.policy);
        for policy in others.chain([alert.policy]) {
            let wanted = passes.entry((case, policy)).or_default();
            if wanted.last() != Some(&rank) {
                wanted.push(rank);
            }
        }
    }
    passes
}
