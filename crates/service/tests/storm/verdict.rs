//! Whether what came of the storm is what comes of a quiet run.

use std::collections::{BTreeMap, BTreeSet};

use flow_codec::{address, wire};
use flow_core::Engine;
use flow_sim::judge;
use serde_json::Value;
use usdt_flow::audit::verify::{Line, check};
use usdt_flow::follow::Outgoing;

use crate::kafka::{Kafka, Letter, OutputTopic};
use crate::plan::Plan;
use crate::truth::{Truth, parsed};

/// Fails with what is wrong, for a person.
pub(crate) type Verdict = Result<(), String>;

macro_rules! demand {
    ($holds:expr, $($what:tt)*) => {
        if !$holds {
            return Err(format!($($what)*));
        }
    };
}

/// Looks at everything that readers of the topics can see.
pub(crate) fn topics(plan: &Plan, truth: &Truth, kafka: &Kafka) -> Verdict {
    alerts(plan, truth, &kafka.outputs[0])?;
    freezes(plan, truth, &kafka.outputs[1])?;
    letters(kafka)?;
    ledgers(plan, truth, &kafka.outputs[4])?;
    audit(truth, kafka)?;
    for (at, (end, committed)) in kafka.input.ends().iter().zip(&kafka.committed).enumerate() {
        let offset = committed.as_ref().map_or(0, |committed| committed.offset);
        demand!(offset >= *end, "partition {at}: {offset} is committed of {end}");
    }
    Ok(())
}

/// The last record of each alert. No record is told twice, and revisions rise
/// by one.
fn standing(topic: &OutputTopic) -> Result<BTreeMap<String, Value>, String> {
    let mut last: BTreeMap<String, Value> = BTreeMap::new();
    let mut ids = BTreeSet::new();
    for written in topic.visible() {
        let record = parsed(&written.value);
        let told = written.header("ce_id").cloned().unwrap_or_default();
        demand!(record["id"] == told.as_str(), "{told} is the id of {record}");
        let is_new = ids.insert(told);
        let id = record["alert_id"].as_str().unwrap_or_default().to_owned();
        let before = last.get(&id).and_then(|before| before["revision"].as_u64()).unwrap_or(0);
        demand!(
            is_new && record["revision"] == before + 1,
            "revision {} after {before}: {record}",
            record["revision"]
        );
        last.insert(id, record);
    }
    Ok(last)
}

fn alerts(plan: &Plan, truth: &Truth, topic: &OutputTopic) -> Verdict {
    let mut told = standing(topic)?;
    let last_final = plan.world.blocks.last().map_or(0, |block| block.number);
    let last_final = last_final.saturating_sub(plan.world.finality_blocks);
    for record in told.values() {
        let block = record["block"].as_u64().unwrap_or(0);
        let is_settled = record["status"] != "provisional" || block > last_final;
        demand!(is_settled, "final by now: {record}");
    }
    told.retain(|_, record| record["status"] != "retracted");
    let steady = plan.world.timeline.is_steady;
    for (id, wanted) in &truth.alerts {
        let Some(record) = told.get(id) else {
            return Err(format!("never told, or retracted: {wanted}"));
        };
        let same = holding(record) == holding(wanted);
        demand!(same || !steady, "told:\n{record}\nholds:\n{wanted}");
    }
    let false_alarm = told.iter().find(|(id, _)| steady && !truth.alerts.contains_key(*id));
    demand!(false_alarm.is_none(), "still told: {}", false_alarm.expect("some").1);
    Ok(())
}

/// An alert whatever its record is called, however far it can be relied on, and
/// whatever was late.
fn holding(record: &Value) -> Value {
    let mut record = record.clone();
    for field in ["id", "revision", "status", "retroactive"] {
        record.as_object_mut().expect("a record is an object").remove(field);
    }
    record
}

/// The last record of each key, after revisions that rise by one and each tell
/// something else.
fn last_of_each(topic: &OutputTopic) -> Result<BTreeMap<String, Value>, String> {
    let mut last: BTreeMap<String, Value> = BTreeMap::new();
    for written in topic.visible() {
        let record = parsed(&written.value);
        let key = written.key.clone().unwrap_or_default();
        let before = last.get(&key).and_then(|before| before["revision"].as_u64()).unwrap_or(0);
        let is_next = record["revision"] == before + 1;
        demand!(is_next, "revision {} after {before}: {}", record["revision"], life(topic, &key));
        let is_news = last.get(&key).is_none_or(|before| content(before) != content(&record));
        demand!(is_news, "told twice: {record}");
        last.insert(key, record);
    }
    Ok(last)
}

fn freezes(plan: &Plan, truth: &Truth, topic: &OutputTopic) -> Verdict {
    let mut last = last_of_each(topic)?;
    if plan.world.timeline.is_late {
        return Ok(());
    }
    for (key, holds) in &truth.freezes {
        let told = last.remove(key).unwrap_or_default();
        let same = desk_state(&told) == desk_state(holds);
        demand!(same, "{key}: the desk was told{}\nand holds\n{holds}", life(topic, key));
    }
    let alone = last.iter().find(|(_, record)| !desk_state(record).is_null());
    demand!(alone.is_none(), "{alone:?}: the desk was told, and nothing is to be told");
    Ok(())
}

/// Of each case and day the topic ends with what a quiet run tells once the block
/// that made it due is final, or with what it told later: sources may call more
/// blocks final.
fn ledgers(plan: &Plan, truth: &Truth, topic: &OutputTopic) -> Verdict {
    for written in topic.visible() {
        let record = parsed(&written.value);
        demand!(is_balanced(&record), "it does not add up: {record}");
    }
    let mut last = last_of_each(topic)?;
    closed(truth, &last)?;
    if plan.world.timeline.is_late {
        return Ok(());
    }
    let last_final = plan.world.blocks.last().map_or(0, |block| block.number);
    let last_final = last_final.saturating_sub(plan.world.finality_blocks);
    for (key, rows) in &truth.ledgers {
        let due = rows.partition_point(|(block, _)| *block <= last_final);
        let told = last.remove(key);
        let holds = |(_, wanted): &(u64, Value)| {
            told.as_ref().is_some_and(|told| content(told) == content(wanted))
        };
        let fits = rows[due.saturating_sub(1)..].iter().any(holds) || (due == 0 && told.is_none());
        demand!(fits, "{key}: told {told:?}\nholds {rows:#?}\nfinal {last_final}");
    }
    demand!(last.is_empty(), "{last:?}: told, and nothing is to be told");
    Ok(())
}

/// Of each case that is open no longer the newest ledger says so.
fn closed(truth: &Truth, last: &BTreeMap<String, Value>) -> Verdict {
    let mut newest: BTreeMap<&str, &Value> = BTreeMap::new();
    for record in last.values() {
        // Days come in order.
        newest.insert(record["case"].as_str().unwrap_or_default(), record);
    }
    for (case, record) in newest {
        let is_open = truth.cases.iter().any(|open| open.id == case);
        demand!(is_open || record["status"] == "closed", "not open any more: {record}");
    }
    Ok(())
}

/// Whether what was emitted is accounted for, where it must be.
fn is_balanced(record: &Value) -> bool {
    let units = |name: &str| record[name].as_str().and_then(|text| text.parse::<u128>().ok());
    let parts = ["held", "frozen", "service", "redeemed", "destroyed", "dust", "horizon"];
    let sum: Option<u128> = parts.into_iter().map(units).sum();
    record["policy"] == "poison" || (sum.is_some() && sum == units("emitted"))
}

/// Of each account the last recommendation in the topic is the one that the
/// engine has. When a case or a label came decides what rested since, and so
/// what was recommended: nobody but the one who publishes can tell.
pub(crate) fn desk(truth: &Truth, kafka: &Kafka, engine: &mut Engine) -> Verdict {
    let topic = &kafka.outputs[1];
    let mut keys: BTreeSet<String> = truth.freezes.keys().cloned().collect();
    keys.extend(topic.visible().filter_map(|written| written.key.clone()));
    let mut last = BTreeMap::new();
    for written in topic.visible() {
        last.insert(written.key.clone().unwrap_or_default(), parsed(&written.value));
    }
    for key in keys {
        let account = address::parse_account(&key).map_err(|error| format!("{key}: {error}"))?;
        let has = engine.recommendation(account).map_err(|error| error.to_string())?;
        let has = has.map(|record| parsed(&wire::freeze_message(&record).value));
        let told = last.remove(&key);
        // Of one that is over nothing is asked, as of one that never was.
        let is_over = |asked: &Value| matches!(asked[0].as_str(), Some("escaped" | "destroyed"));
        let state = |record: &Option<Value>| {
            let asked = record.as_ref().map_or(Value::Null, asked);
            if is_over(&asked) { Value::Null } else { asked }
        };
        let same = state(&told) == state(&has);
        demand!(same, "{key}: the desk was told{}\nand has\n{has:?}", life(topic, &key));
    }
    Ok(())
}

/// All that was told of an account, for a person.
fn life(topic: &OutputTopic, key: &str) -> String {
    let mine = topic.visible().filter(|written| written.key.as_deref() == Some(key));
    let shown = |written: &Outgoing| {
        let record = parsed(&written.value);
        let part = |name: &str| record[name].to_string();
        format!(
            "\n  {} {} as of {}: {} tainted of {}, {}",
            part("revision"),
            part("status"),
            part("block"),
            part("tainted"),
            part("balance"),
            desk_state(&record)
        )
    };
    mine.map(shown).collect()
}

/// A recommendation whatever its record is called.
fn content(record: &Value) -> Value {
    let mut record = record.clone();
    for field in ["id", "revision"] {
        record.as_object_mut().expect("a record is an object").remove(field);
    }
    record
}

/// What a recommendation asks for. Of an account whose record was withdrawn
/// nothing is asked.
fn desk_state(record: &Value) -> Value {
    let asked = asked(record);
    if asked.is_null() {
        return asked;
    }
    serde_json::json!([asked, record["raised_time"]])
}

/// The same, whenever it was raised. Of one that is over that it is over.
fn asked(record: &Value) -> Value {
    let status = match record["status"].as_str().unwrap_or("withdrawn") {
        "updated" => "raised",
        "withdrawn" => return Value::Null,
        status => status,
    };
    if matches!(status, "escaped" | "destroyed") {
        return serde_json::json!([status]);
    }
    let claims = record["claims"].as_array().map(Vec::as_slice).unwrap_or_default();
    let claim = |claim: &Value| serde_json::json!([claim["case"], claim["tainted"]]);
    let claims: Vec<Value> = claims.iter().map(claim).collect();
    serde_json::json!([status, record["act_by"], claims])
}

/// The audit trail is whole, whoever wrote it: an entry for each recommendation
/// that stands in its topic and no other, and the cases and labels of the end.
fn audit(truth: &Truth, kafka: &Kafka) -> Verdict {
    let lines = |topic: &OutputTopic| -> Vec<Line> {
        let line = |(at, written): (usize, &Outgoing)| {
            let (place, bytes) = (format!("{} {at}", topic.name), written.value.clone());
            Line { place, bytes }
        };
        topic.visible().enumerate().map(line).collect()
    };
    let (recommended, entries) = (lines(&kafka.outputs[1]), lines(&kafka.outputs[3]));
    let report = check(&entries, &[], Some(&recommended));
    demand!(report.faults.is_empty(), "{:#?}", report.faults);
    let (mut told, mut cases, mut labels) = (0, BTreeSet::new(), BTreeMap::new());
    for entry in entries.iter().map(|line| parsed(&line.bytes)) {
        let subject = entry["subject"].as_str().unwrap_or_default().to_owned();
        match entry["event"].as_str().unwrap_or_default() {
            "recommended" => told += 1,
            "case_closed" => demand!(cases.remove(&subject), "was not open: {entry}"),
            "label_removed" => demand!(labels.remove(&subject).is_some(), "was not set: {entry}"),
            "case_opened" => demand!(cases.insert(subject), "was open: {entry}"),
            "case_changed" => demand!(cases.contains(&subject), "was not open: {entry}"),
            _ => _ = labels.insert(subject, entry["label"]["entity"].clone()),
        }
    }
    let known = recommended.len();
    demand!(told == known, "{told} entries tell of {known} recommendations");
    let open: BTreeSet<String> = truth.cases.iter().map(|case| case.id.clone()).collect();
    demand!(cases == open, "the trail has the cases {cases:?} and not {open:?}");
    let of = |label: &flow_core::Label| {
        (address::format_account(label.account), Value::from(label.entity.as_str()))
    };
    let set: BTreeMap<String, Value> = truth.labels.iter().map(of).collect();
    demand!(labels == set, "the trail has the labels {labels:?} and not {set:?}");
    Ok(())
}

/// Each record that nobody can read is told of once, and no other.
fn letters(kafka: &Kafka) -> Verdict {
    let mut told = BTreeSet::new();
    for written in kafka.outputs[2].visible() {
        let header = |name: &str| written.header(name).cloned().unwrap_or_default();
        let number = |name: &str| header(name).parse::<i64>().unwrap_or(-1);
        let letter = Letter {
            topic: header("__streams.errors.topic"),
            partition: i32::try_from(number("__streams.errors.partition")).unwrap_or(-1),
            offset: number("__streams.errors.offset"),
        };
        let why = (header("__streams.errors.exception"), header("__streams.errors.message"));
        let expected = kafka.input.poison.contains(&letter);
        demand!(expected, "a dead letter about {letter:?}: {why:?}");
        demand!(told.insert(letter.clone()), "two dead letters about {letter:?}");
    }
    let missing = kafka.input.poison.iter().find(|letter| !told.contains(letter));
    demand!(missing.is_none(), "no dead letter about {missing:?}");
    Ok(())
}

/// Looks at a final state.
pub(crate) fn engine(
    truth: &Truth,
    opening: &[(flow_core::AccountKey, u64)],
    engine: &Engine,
) -> Verdict {
    judge::compare(engine, &truth.blocks, &truth.cases, &truth.labels, opening)?;
    let (rows, totals) = (engine.taint_rows(), engine.case_totals());
    demand!(rows == truth.rows, "tainted accounts:\n{rows:#?}\nand not\n{:#?}", truth.rows);
    demand!(totals == truth.totals, "totals:\n{totals:#?}\nand not\n{:#?}", truth.totals);
    Ok(())
}
