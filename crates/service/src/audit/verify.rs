//! Whether audit trails are whole: every link checked, every fault named.
//!
//! What always holds: an entry that was changed, left out, repeated or moved is
//! named with its place. That the last entries were cut off shows only to whoever
//! kept the head of the trail, or has the recommendations that they tell of.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;
use std::str::FromStr;

use anyhow::Context;
use flow_codec::wire::AuditRecord;
use flow_core::Chain;
use serde::{Deserialize, Serialize};

use super::{Hash, sha256};

/// A record and where it stands.
#[derive(Clone, Debug)]
pub struct Line {
    /// For a person: a file and line, or a topic and offset.
    pub place: String,
    /// The record, byte by byte.
    pub bytes: Vec<u8>,
}

/// The last entry of a trail, as somebody noted it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Whose trail.
    pub chain: Chain,
    /// Its place there.
    pub sequence: u64,
    /// SHA-256 of its bytes.
    pub sha256: Hash,
}

/// The trail of a chain as it was found.
#[derive(Debug, Serialize)]
pub struct Found {
    /// The chain.
    pub chain: String,
    /// How many entries there are.
    pub entries: u64,
    /// The last one, to be kept by whoever wants to know later that none was cut
    /// off: chain, sequence, hash.
    pub head: String,
}

/// Something that is not as it must be.
#[derive(Debug, Serialize)]
pub struct Fault {
    /// Where.
    pub place: String,
    /// What.
    pub what: String,
}

/// What [`check`] finds.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// By chain.
    pub trails: Vec<Found>,
    /// In the order in which they were found; none if all is whole.
    pub faults: Vec<Fault>,
    /// Recommendations that are as the trail says.
    pub recommendations: usize,
}

/// Reads the lines of a file; `-` is standard input.
///
/// # Errors
/// If it cannot be read.
pub fn read(path: &Path) -> anyhow::Result<Vec<Line>> {
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        std::io::stdin().read_to_end(&mut bytes).map(|_| ())
    } else {
        std::fs::read(path).map(|read| bytes = read)
    };
    read.with_context(|| format!("cannot read {}", path.display()))?;
    let lines = (1..).zip(bytes.split(|byte| *byte == b'\n'));
    let whole = lines.filter(|(_, line)| !line.is_empty());
    let place = |number: usize| format!("{} line {number}", path.display());
    Ok(whole.map(|(n, line)| Line { place: place(n), bytes: line.to_vec() }).collect())
}

/// Checks every trail among the entries, and where there are recommendations,
/// each of them.
pub fn check(entries: &[Line], heads: &[Head], recommendations: Option<&[Line]>) -> Report {
    let mut report = Report::default();
    let mut trails: BTreeMap<Chain, Vec<Entry<'_>>> = BTreeMap::new();
    for line in entries {
        match parse(line) {
            Ok((chain, entry)) => trails.entry(chain).or_default().push(entry),
            Err(what) => report.fault(line, what),
        }
    }
    for (chain, trail) in &trails {
        report.follow(*chain, trail);
    }
    for head in heads {
        report.meet(head, trails.get(&head.chain).map_or(&[], Vec::as_slice));
    }
    if let Some(recommendations) = recommendations {
        report.compare(&trails, recommendations);
    }
    report
}

/// An entry, and the hash of its bytes.
struct Entry<'a> {
    line: &'a Line,
    record: AuditRecord,
    hash: Hash,
}

fn parse(line: &Line) -> Result<(Chain, Entry<'_>), String> {
    let record: AuditRecord = serde_json::from_slice(&line.bytes)
        .map_err(|error| format!("is no entry of an audit trail: {error}"))?;
    let chain = Chain::from_name(&record.chain)
        .ok_or_else(|| format!("is of a chain that there is not: {}", record.chain))?;
    Ok((chain, Entry { line, record, hash: sha256(&line.bytes) }))
}

impl Report {
    fn fault(&mut self, line: &Line, what: impl Into<String>) {
        self.faults.push(Fault { place: line.place.clone(), what: what.into() });
    }

    /// Goes along a trail. After a fault it goes on from there.
    fn follow(&mut self, chain: Chain, trail: &[Entry<'_>]) {
        let all: BTreeSet<u64> = trail.iter().map(|entry| entry.record.sequence).collect();
        let (mut before, mut last) = (0, [0; 32]);
        for entry in trail {
            let sequence = entry.record.sequence;
            if sequence == before + 1 {
                if entry.record.previous_sha256 != hex::encode(last) {
                    self.fault(entry.line, unlinked(chain, sequence));
                }
            } else {
                self.fault(entry.line, misplaced(chain, before, sequence, &all));
            }
            if let Some(what) = content_fault(&entry.record) {
                self.fault(entry.line, format!("{chain} entry {sequence} {what}"));
            }
            (before, last) = (sequence, entry.hash);
        }
        let head = format!("{chain}:{before}:{}", hex::encode(last));
        let entries = trail.len() as u64;
        self.trails.push(Found { chain: chain.name().to_owned(), entries, head });
    }

    /// Whether the trail holds the entry that somebody noted as its last.
    fn meet(&mut self, head: &Head, trail: &[Entry<'_>]) {
        let Head { chain, sequence, sha256 } = head;
        let known = trail.iter().rev().find(|entry| entry.record.sequence == *sequence);
        let what = match known {
            Some(entry) if entry.hash == *sha256 => return,
            Some(_) => format!("entry {sequence} is not the one that was noted as the head"),
            None => {
                let last = trail.last().map_or(0, |entry| entry.record.sequence);
                format!(
                    "ends with entry {last}, but entry {sequence} was noted as the head: the end was cut off"
                )
            }
        };
        let place = known.map_or_else(|| "the end".to_owned(), |entry| entry.line.place.clone());
        self.faults.push(Fault { place, what: format!("the {chain} trail: {what}") });
    }

    /// Compares recommendations with what the trails say of them. The topic
    /// keeps the last of each account, so the trails may tell of more.
    fn compare(&mut self, trails: &BTreeMap<Chain, Vec<Entry<'_>>>, records: &[Line]) {
        #[derive(Deserialize)]
        struct Part {
            id: String,
        }
        let mut told: BTreeMap<String, &str> = BTreeMap::new();
        for record in trails.values().flatten().map(|entry| &entry.record) {
            if let (Some(revision), Some(hash)) = (record.revision, &record.sha256) {
                told.insert(format!("{}.{revision}", record.subject), hash);
            }
        }
        for line in records {
            let Ok(Part { id }) = serde_json::from_slice(&line.bytes) else {
                self.fault(line, "is no recommendation");
                continue;
            };
            match told.get(&id) {
                Some(hash) if **hash == hex::encode(sha256(&line.bytes)) => {
                    self.recommendations += 1;
                }
                Some(_) => {
                    self.fault(line, format!("recommendation {id} is not the one of the trail"));
                }
                None => self.fault(line, format!("no entry tells of recommendation {id}")),
            }
        }
    }
}

fn unlinked(chain: Chain, sequence: u64) -> String {
    match sequence {
        1 => format!("{chain} entry 1 is not the beginning of a trail"),
        _ => format!(
            "{chain} entry {sequence} does not go on from entry {}: one of them was changed",
            sequence - 1
        ),
    }
}

fn misplaced(chain: Chain, before: u64, sequence: u64, all: &BTreeSet<u64>) -> String {
    let next = before + 1;
    if sequence <= before || all.contains(&next) {
        let place = if before == 0 { "at the front".into() } else { format!("after {before}") };
        return format!("{chain} entry {sequence} stands {place}: out of order, or told twice");
    }
    let missing = match sequence - next {
        1 => format!("entry {next} is missing"),
        _ => format!("entries {next} to {} are missing", sequence - 1),
    };
    let cut = if before == 0 { ": the front was cut off" } else { "" };
    format!("{chain} entry {sequence} stands after {before}: {missing}{cut}")
}

/// Whether the case or label is the one that the hash is of.
fn content_fault(record: &AuditRecord) -> Option<&'static str> {
    let case = record.case.as_ref().map(serde_json::to_vec);
    let label = record.label.as_ref().map(serde_json::to_vec);
    let content = case.or(label)?.expect("strings and integers are always JSON");
    let is_right = record.sha256.as_deref() == Some(&hex::encode(sha256(&content)));
    (!is_right).then_some("holds a case or label of another hash: it was changed")
}

impl FromStr for Head {
    type Err = String;

    fn from_str(text: &str) -> Result<Head, String> {
        let expected = "expected CHAIN:SEQUENCE:SHA256, as usdt-flow audit verify prints it";
        let parts: Vec<&str> = text.split(':').collect();
        let [chain, sequence, hash] = parts[..] else { return Err(expected.to_owned()) };
        let mut sha256 = [0; 32];
        let read = hex::decode_to_slice(hash, &mut sha256).ok().and_then(|()| {
            Some(Head { chain: Chain::from_name(chain)?, sequence: sequence.parse().ok()?, sha256 })
        });
        read.ok_or_else(|| expected.to_owned())
    }
}
