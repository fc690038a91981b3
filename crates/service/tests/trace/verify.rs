//! Every alert verifies, under every policy; whatever is tampered with is
//! noticed.

use std::collections::BTreeMap;

use flow_core::Policy;
use serde_json::Value;

use crate::common::{Folder, Known, invented, slice};

const HISTORY: [&str; 4] = ["--history", "history", "--labels", "labels.csv"];
const EVENTS: [&str; 6] =
    ["--events", "events.csv", "--opening", "opening.csv", "--labels", "labels.csv"];

fn verify(folder: &Folder, records: &str, past: &[&str]) -> (Option<i32>, String) {
    let asked = ["verify", records, "--cases", "cases.json", "--json", "--no-progress"];
    let output = folder.run(&[&asked[..], past].concat());
    let told = String::from_utf8(output.stdout).expect("output is UTF-8");
    (output.status.code(), told + &String::from_utf8_lossy(&output.stderr))
}

fn all_verify(known: &Known) {
    let folder = Folder::new(known);
    for policy in Policy::ALL.map(Policy::name).into_iter().chain(["all"]) {
        folder.replay(policy);
        let alerts = folder.read("out/alerts.jsonl").lines().count();
        assert!(alerts > 30, "{policy}: {alerts}");
        for past in [&HISTORY[..], &EVENTS] {
            let (code, told) = verify(&folder, "out/alerts.jsonl", past);
            assert_eq!(code, Some(0), "{policy}: {told}");
            assert!(told.contains(&format!("{alerts} alerts ok, 0 differ")), "{policy}: {told}");
        }
    }
}

#[test]
fn every_alert_of_invented_traffic_verifies_under_every_policy() {
    all_verify(&invented());
}

#[test]
fn every_alert_of_the_slice_verifies_under_every_policy() {
    all_verify(&slice());
}

/// Every single value of a record, changed; by the field's path.
pub(crate) fn tampered(value: &Value) -> Vec<(String, Value)> {
    match value {
        Value::Object(fields) => {
            let changed = fields.iter().flat_map(|(name, field)| {
                tampered(field).into_iter().map(move |(path, field)| {
                    let mut whole = value.clone();
                    whole[name] = field;
                    (format!("{name}.{path}"), whole)
                })
            });
            changed.collect()
        }
        Value::Array(items) => {
            let each = items.iter().enumerate().flat_map(|(at, item)| {
                tampered(item).into_iter().map(move |(path, item)| {
                    let mut whole = value.clone();
                    whole[at] = item;
                    (format!("{at}.{path}"), whole)
                })
            });
            each.collect()
        }
        Value::Bool(is) => vec![(String::new(), Value::Bool(!is))],
        Value::Number(number) => {
            vec![(String::new(), Value::from(number.as_u64().expect("whole") + 1))]
        }
        Value::Null => vec![(String::new(), Value::from("1"))],
        Value::String(text) => {
            let mut bytes = text.clone().into_bytes();
            let last = bytes.last_mut().expect("no text is empty");
            *last = if *last == b'1' { b'2' } else { b'1' };
            vec![(String::new(), String::from_utf8(bytes).expect("ASCII").into())]
        }
    }
}

#[test]
fn any_tampered_field_is_noticed() {
    let folder = Folder::new(&invented());
    folder.replay("all");
    let mut by_rule = BTreeMap::new();
    for line in folder.read("out/alerts.jsonl").lines() {
        let alert: Value = serde_json::from_str(line).expect("JSON");
        let steps = alert["path"].as_array().map_or(0, Vec::len);
        let rule = alert["rule"].as_str().expect("text").to_owned();
        let longest = by_rule.entry(rule).or_insert((0, Value::Null));
        if steps > longest.0 {
            *longest = (steps, alert);
        }
    }
    assert_eq!(by_rule.len(), 4);
    let mut changed = Vec::new();
    for (rule, (steps, alert)) in by_rule {
        assert!(steps > 2 || rule == "source_moved", "{rule}");
        changed.extend(tampered(&alert).into_iter().filter(|(field, _)| field != "retroactive."));
        changed.extend(reshaped(&alert));
    }
    let lines: Vec<String> = changed.iter().map(|(_, alert)| alert.to_string()).collect();
    folder.write("tampered.jsonl", lines.join("\n"));
    let (code, told) = verify(&folder, "tampered.jsonl", &HISTORY);
    assert_eq!(code, Some(1), "{told}");
    let verdicts: Vec<Value> = told
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(verdicts.len(), changed.len());
    for ((field, alert), verdict) in changed.iter().zip(verdicts) {
        assert_eq!(verdict["result"], "differs", "{field} of {alert}");
    }
}

/// Records whose parts are all genuine, and yet not as they were.
fn reshaped(alert: &Value) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    let mut change = |what: &str, change: &dyn Fn(&mut Value)| {
        let mut alert = alert.clone();
        change(&mut alert);
        all.push((what.to_owned(), alert));
    };
    let steps = alert["path"].as_array().map_or(0, Vec::len);
    change("no path", &|alert| alert["path"] = Value::Array(vec![]));
    change("a field more", &|alert| alert["note"] = "x".into());
    change("attributed twice", &|alert| {
        let first = alert["attributions"][0].clone();
        alert["attributions"].as_array_mut().expect("a list").push(first);
    });
    for at in 0..if steps > 1 { steps } else { 0 } {
        change("a step less", &|alert| {
            alert["path"].as_array_mut().expect("a list").remove(at);
        });
        change("a step less, and told as left out", &|alert| {
            alert["path"].as_array_mut().expect("a list").remove(at);
            alert["path_omitted"] = 1.into();
            alert["hops"] = (alert["hops"].as_u64().expect("whole") + 1).into();
        });
        change("steps swapped", &|alert| {
            alert["path"].as_array_mut().expect("a list").swap(at, (at + 1) % steps);
        });
    }
    all
}

#[test]
fn what_cannot_be_verified_is_told_apart_from_what_differs() {
    let folder = Folder::new(&slice());
    folder.replay("haircut");
    let misused = |records: &str, past: &[&str]| verify(&folder, records, past);
    assert_eq!(misused("nowhere.jsonl", &HISTORY).0, Some(2));
    folder.write("empty.jsonl", "");
    assert_eq!(misused("empty.jsonl", &HISTORY).0, Some(2));
    folder.write("broken.jsonl", "{\"id\":");
    assert_eq!(misused("broken.jsonl", &HISTORY).0, Some(2));
    assert_eq!(misused("out/alerts.jsonl", &["--history", "nowhere"]).0, Some(2));
    folder.write("other.jsonl", "{\"alert_id\":\"x\"}");
    let (code, told) = misused("other.jsonl", &HISTORY);
    assert!(code == Some(1) && told.contains("not an alert record"), "{told}");
    // One record, an array of records, and a table for people.
    let alerts = folder.read("out/alerts.jsonl");
    let first: Vec<&str> = alerts.lines().take(3).collect();
    folder.write("array.json", format!("[{}]", first.join(",")));
    let asked = ["verify", "array.json", "--cases", "cases.json"];
    let told = folder.ask(&[&asked[..], &HISTORY].concat());
    assert_eq!(told.lines().filter(|line| line.starts_with("ok ")).count(), 3);
    let quiet = folder.ask(&[&asked[..], &HISTORY, &["--quiet"]].concat());
    assert_eq!(quiet, "3 alerts ok, 0 differ, 0 retracted\n");
    let retracted = first[0].replace("\"final\"", "\"retracted\"");
    folder.write("retracted.json", retracted);
    let (code, told) = misused("retracted.json", &HISTORY);
    assert!(code == Some(0) && told.contains("1 retracted"), "{told}");
}
