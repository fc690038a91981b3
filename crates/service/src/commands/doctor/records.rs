//! What the input topics hold: whether they can be read, in which formats, and
//! what their times say about the clock.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use flow_codec::{Decoded, Decoder};
use flow_core::Chain;

use super::{Findings, State};
use crate::config::{Config, InputTopic};
use crate::kafka::{FirstRecords, first_records};

/// Records of a topic that are looked at.
const RECORDS: usize = 200;

/// A record may be so far ahead of our clock.
const SKEW_MAX: Duration = Duration::from_secs(5);

/// What was found in one topic.
#[derive(Default)]
struct Seen {
    formats: BTreeMap<&'static str, usize>,
    refused: BTreeMap<&'static str, usize>,
    foreign: usize,
    events: usize,
    other_chain: usize,
}

/// Looks at the first records of each input topic.
pub(super) fn check(config: &Config, patience: Duration, findings: &mut Findings) {
    let mut newest_ms = None;
    for input in &config.inputs {
        for topic in &input.topics {
            let check = format!("records of {}", topic.name);
            match first_records(&config.kafka, &topic.name, RECORDS, patience) {
                Ok(records) => {
                    newest_ms = newest_ms.max(records.newest_ms);
                    let seen = look(&records, topic, input.chain);
                    tell(check, &seen, records.values.len(), input.chain, findings);
                }
                Err(error) => findings.failed(check, &error),
            }
        }
    }
    clock(newest_ms, findings);
}

fn look(records: &FirstRecords, topic: &InputTopic, chain: Chain) -> Seen {
    let mut seen = Seen::default();
    let mut decoder = Decoder::new(topic.format);
    for value in &records.values {
        let mut decoded = Vec::new();
        match decoder.decode(value, &mut decoded) {
            Ok(()) => {
                let format = decoder.last_format().map_or("none", |format| format.name());
                *seen.formats.entry(format).or_default() += 1;
            }
            Err(error) => *seen.refused.entry(error.reason()).or_default() += 1,
        }
        let is_other = |item: &Decoded| item.chain().is_some_and(|told| told != chain);
        seen.other_chain += usize::from(decoded.iter().any(is_other));
        for item in &decoded {
            match item {
                Decoded::Event(_) => seen.events += 1,
                Decoded::Ignored(flow_codec::Ignored::ForeignContract) => seen.foreign += 1,
                _ => {}
            }
        }
    }
    seen
}

fn tell(check: String, seen: &Seen, count: usize, chain: Chain, findings: &mut Findings) {
    if count == 0 {
        let remedy = "if the node runs, see docs/java-tron.md or docs/ethereum-etl.md";
        return findings.put(check, State::Warning, "empty", remedy);
    }
    let list = |counts: &BTreeMap<&'static str, usize>| {
        let each: Vec<String> = counts.iter().map(|(name, n)| format!("{name} {n}")).collect();
        each.join(", ")
    };
    let refused: usize = seen.refused.values().sum();
    let mut found = format!("first {count}: {}; {} events", list(&seen.formats), seen.events);
    if refused > 0 {
        found = format!("{found}; refused: {}", list(&seen.refused));
    }
    if seen.other_chain > 0 {
        let remedy = format!("name the topic under the chain that it tells of, not {chain}");
        let found = format!("{found}; {} records of another chain", seen.other_chain);
        findings.put(check, State::Failed, found, remedy);
    } else if refused == count {
        findings.put(
            check,
            State::Failed,
            found,
            "nothing of it can be read: docs/input.md has the formats",
        );
    } else if refused > 0 {
        let remedy = "these will go to the dead letters; docs/input.md says why";
        findings.put(check, State::Warning, found, remedy);
    } else if seen.events == 0 && seen.foreign > 0 {
        let remedy = "the source tells of other contracts alone: mend its filter";
        findings.put(
            check,
            State::Warning,
            format!("{found}; {} of other contracts", seen.foreign),
            remedy,
        );
    } else {
        findings.ok(check, found);
    }
}

fn clock(newest_ms: Option<i64>, findings: &mut Findings) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let remedy = "have chrony or systemd-timesyncd keep the clock: lag and ages are measured by it";
    let Some(newest) = newest_ms.and_then(|ms| u64::try_from(ms).ok()) else {
        return findings.put("clock", State::Unknown, "no record to compare it with", remedy);
    };
    let ahead = Duration::from_millis(newest).saturating_sub(now);
    if ahead > SKEW_MAX {
        let found = format!("a record is {} s ahead of this clock", ahead.as_secs());
        findings.put("clock", State::Failed, found, remedy);
    } else {
        findings.ok("clock", "no record is ahead of it");
    }
}
