//! What the alerts of a topic or of a file come to.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// The last record of each alert, in the order in which alerts were first told.
/// No record is told twice, and revisions rise by one.
pub(crate) fn standing(lines: &[String]) -> Vec<Value> {
    let mut order = Vec::new();
    let mut last: BTreeMap<String, Value> = BTreeMap::new();
    let mut ids = BTreeSet::new();
    for line in lines {
        let record: Value = serde_json::from_str(line).unwrap();
        assert!(ids.insert(record["id"].as_str().unwrap().to_owned()), "twice: {line}");
        let id = record["alert_id"].as_str().unwrap().to_owned();
        let before = last.get(&id).map_or(0, |before| before["revision"].as_u64().unwrap());
        assert_eq!(record["revision"], before + 1, "{line}");
        if before == 0 {
            order.push(id.clone());
        }
        last.insert(id, record);
    }
    order.into_iter().map(|id| last.remove(&id).unwrap()).collect()
}

/// The alerts that hold, whatever their record is called and however far they
/// can be relied on.
pub(crate) fn holding(lines: &[String]) -> Vec<Value> {
    let mut alerts = standing(lines);
    alerts.retain(|alert| alert["status"] != "retracted");
    for alert in &mut alerts {
        for field in ["id", "revision", "status"] {
            alert.as_object_mut().unwrap().remove(field).unwrap();
        }
    }
    alerts
}

/// The same by id, also whatever was late.
pub(crate) fn holding_by_id(lines: &[String]) -> BTreeMap<String, Value> {
    let by_id = |mut alert: Value| {
        alert.as_object_mut().unwrap().remove("retroactive").unwrap();
        (alert["alert_id"].as_str().unwrap().to_owned(), alert)
    };
    holding(lines).into_iter().map(by_id).collect()
}

/// Fails with the first line that differs, of how many: two files in full tell
/// nobody anything.
pub(crate) fn assert_same_lines(told: &[String], wanted: &[String]) {
    let differs = (0..told.len().max(wanted.len())).find(|&at| told.get(at) != wanted.get(at));
    if let Some(at) = differs {
        let (lengths, one, other) = ((told.len(), wanted.len()), told.get(at), wanted.get(at));
        panic!("line {at} of {lengths:?} differs\n  told: {one:?}\nwanted: {other:?}");
    }
}

/// How many records have that status.
pub(crate) fn count(lines: &[String], status: &str) -> usize {
    let told = format!("\"status\":\"{status}\"");
    lines.iter().filter(|line| line.contains(&told)).count()
}
