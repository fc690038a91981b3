//! The trail of one chain as it is written.
//!
//! It knows the last entry, and of each case and label how the trail has it, so
//! that what the trail has already is never told again: whoever goes on with it
//! compares what is known now with what stands.

use std::collections::{BTreeMap, BTreeSet};

use flow_codec::wire::{self, AUDIT_TYPE, AuditEvent, AuditRecord, Message, SCHEMA_VERSION};
use flow_codec::{address, case_file};
use flow_core::{Case, Chain, Event, Label};
use serde::{Deserialize, Serialize};

use super::{Hash, sha256};

/// A block and its time in Unix milliseconds; `None` before the first block.
pub(crate) type AsOf = Option<(u64, u64)>;

/// What the trail has of a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Kind {
    Case,
    Label,
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trail {
    chain: Chain,
    /// Of the last entry; 0 before the first.
    sequence: u64,
    /// The hash of the last entry.
    last: Hash,
    /// Of each open case and each label: the hash of its definition.
    stands: BTreeMap<(Kind, String), Hash>,
}

/// A trail as a checkpoint keeps it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    sequence: u64,
    last: Hash,
    stands: Vec<((Kind, String), Hash)>,
}

/// What is read of an entry.
#[derive(Deserialize)]
struct Part {
    chain: String,
    sequence: u64,
    event: String,
    subject: String,
    sha256: Option<String>,
}

/// Cases and labels as they are known now.
pub(crate) struct Known {
    pub(crate) cases: Vec<Case>,
    pub(crate) labels: Vec<Label>,
}

impl Trail {
    /// A trail without entries.
    pub(crate) fn new(chain: Chain) -> Trail {
        Trail { chain, sequence: 0, last: [0; 32], stands: BTreeMap::new() }
    }

    /// Takes note of an entry that stands in the topic. One of another chain, or
    /// that is known, is of no concern.
    pub(crate) fn note(&mut self, entry: &[u8]) {
        let Ok(part) = serde_json::from_slice::<Part>(entry) else {
            tracing::error!(
                "the audit topic holds a record that is no entry; usdt-flow audit verify tells more"
            );
            return;
        };
        if part.chain != self.chain.name() || part.sequence <= self.sequence {
            return;
        }
        if part.sequence > self.sequence + 1 {
            let (chain, after, next) = (self.chain, self.sequence, part.sequence);
            tracing::error!(%chain, after, next, "entries are missing in the audit trail; usdt-flow audit verify tells more");
        }
        self.sequence = part.sequence;
        self.last = sha256(entry);
        let Some(event) = AuditEvent::ALL.into_iter().find(|event| event.name() == part.event)
        else {
            return;
        };
        let kind = match event {
            AuditEvent::CaseOpened | AuditEvent::CaseChanged | AuditEvent::CaseClosed => Kind::Case,
            AuditEvent::LabelSet | AuditEvent::LabelChanged | AuditEvent::LabelRemoved => {
                Kind::Label
            }
            AuditEvent::Recommended => return,
        };
        let mut hash = [0; 32];
        let told = part.sha256.as_deref();
        match told.filter(|told| hex::decode_to_slice(told, &mut hash).is_ok()) {
            Some(_) => self.stands.insert((kind, part.subject), hash),
            None => self.stands.remove(&(kind, part.subject)),
        };
    }

    /// Entries that bring the trail from what it has to what is known: of all
    /// cases, and of the labels of its chain.
    pub(crate) fn reconcile(&mut self, known: &Known, as_of: AsOf) -> Vec<Message> {
        let cases = known.cases.iter().map(|case| (Kind::Case, case.id.clone()));
        let own = || known.labels.iter().filter(|label| label.account.chain == self.chain);
        let labels = own().map(|label| (Kind::Label, address::format_account(label.account)));
        let now: BTreeSet<(Kind, String)> = cases.chain(labels).collect();
        let gone: Vec<_> = self.stands.keys().filter(|key| !now.contains(key)).cloned().collect();
        let mut entries = Vec::new();
        for (kind, subject) in gone {
            entries.extend(match kind {
                Kind::Case => self.case(&subject, None, as_of),
                Kind::Label => self.label(&subject, None, as_of),
            });
        }
        for label in &known.labels {
            entries.extend(self.set_label(label, as_of));
        }
        for case in &known.cases {
            entries.extend(self.case(&case.id, Some(case), as_of));
        }
        entries
    }

    /// The entry for a change of cases or labels, unless the trail has it so.
    pub(crate) fn learnt(&mut self, change: &Event, as_of: AsOf) -> Option<Message> {
        match change {
            Event::CaseOpened(case) => self.case(&case.id, Some(case), as_of),
            Event::CaseClosed(id) => self.case(id, None, as_of),
            Event::LabelSet(label) => self.set_label(label, as_of),
            Event::LabelRemoved(account) => {
                self.label(&address::format_account(*account), None, as_of)
            }
            Event::BlockCommitted(_)
            | Event::BlockReverted { .. }
            | Event::BlockFinalized { .. } => None,
        }
    }

    fn set_label(&mut self, label: &Label, as_of: AsOf) -> Option<Message> {
        let is_own = label.account.chain == self.chain;
        let subject = address::format_account(label.account);
        if is_own { self.label(&subject, Some(label), as_of) } else { None }
    }

    /// The entry that tells how a case is now, unless the trail has it so.
    fn case(&mut self, id: &str, case: Option<&Case>, as_of: AsOf) -> Option<Message> {
        let events = [AuditEvent::CaseOpened, AuditEvent::CaseChanged, AuditEvent::CaseClosed];
        let hash = case.map(|case| sha256(case_file::case_to_json(case).as_bytes()));
        let event = self.stand(Kind::Case, id, hash, events)?;
        let mut entry = self.entry(event, id, hash, as_of);
        entry.case = case.map(case_file::case_record);
        Some(self.append(&entry))
    }

    fn label(&mut self, subject: &str, label: Option<&Label>, as_of: AsOf) -> Option<Message> {
        let events = [AuditEvent::LabelSet, AuditEvent::LabelChanged, AuditEvent::LabelRemoved];
        let hash = label.map(|label| sha256(case_file::label_to_json(label).as_bytes()));
        let event = self.stand(Kind::Label, subject, hash, events)?;
        let mut entry = self.entry(event, subject, hash, as_of);
        entry.label = label.map(case_file::label_record);
        Some(self.append(&entry))
    }

    /// The entry for a record that goes to the topic of recommendations.
    pub(crate) fn recommended(&mut self, record: &Message, as_of: AsOf) -> Message {
        let hash = Some(sha256(&record.value));
        let mut entry = self.entry(AuditEvent::Recommended, &record.key, hash, as_of);
        let id = record.headers.iter().find(|(name, _)| *name == "ce_id");
        let revision = id.and_then(|(_, id)| id.rsplit_once('.'));
        entry.revision = revision.and_then(|(_, revision)| revision.parse().ok());
        self.append(&entry)
    }

    /// Notes what there is now; says which of set, changed and gone that is, if
    /// it is any.
    fn stand(
        &mut self,
        kind: Kind,
        subject: &str,
        hash: Option<Hash>,
        [set, changed, gone]: [AuditEvent; 3],
    ) -> Option<AuditEvent> {
        let key = (kind, subject.to_owned());
        let before = match hash {
            Some(hash) => self.stands.insert(key, hash),
            None => self.stands.remove(&key),
        };
        match (before, hash) {
            (None, Some(_)) => Some(set),
            (Some(before), Some(now)) if before != now => Some(changed),
            (Some(_), None) => Some(gone),
            (None, None) | (Some(_), Some(_)) => None,
        }
    }

    fn entry(
        &self,
        event: AuditEvent,
        subject: &str,
        hash: Option<Hash>,
        as_of: AsOf,
    ) -> AuditRecord {
        let sequence = self.sequence + 1;
        AuditRecord {
            id: format!("{}.{sequence}", self.chain),
            r#type: AUDIT_TYPE.to_owned(),
            time: as_of.map(|(_, time)| wire::rfc3339_utc(time)),
            chain: self.chain.name().to_owned(),
            schema_version: SCHEMA_VERSION,
            sequence,
            previous_sha256: hex::encode(self.last),
            block: as_of.map(|(block, _)| block),
            event: event.name().to_owned(),
            subject: subject.to_owned(),
            revision: None,
            sha256: hash.map(hex::encode),
            case: None,
            label: None,
            confidential: true,
        }
    }

    fn append(&mut self, entry: &AuditRecord) -> Message {
        let message = wire::audit_message(self.chain, entry);
        self.sequence = entry.sequence;
        self.last = sha256(&message.value);
        message
    }

    /// A copy for a checkpoint.
    pub(crate) fn row(&self) -> Row {
        let stands = self.stands.iter().map(|(key, hash)| (key.clone(), *hash)).collect();
        Row { sequence: self.sequence, last: self.last, stands }
    }

    /// As it was.
    pub(crate) fn restore(chain: Chain, row: Row) -> Trail {
        let Row { sequence, last, stands } = row;
        Trail { chain, sequence, last, stands: stands.into_iter().collect() }
    }
}
