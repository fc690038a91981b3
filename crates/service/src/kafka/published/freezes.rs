//! Recommendations that stand in their topic.
//!
//! What always holds: while the state is rebuilt, none is published for a block
//! up to that of which another stands; at the end of it, what stands is what
//! the rebuilt state asks for.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::BuildHasher;

use flow_codec::wire::FreezeRecord;
use flow_core::{FreezeRecommendation, FreezeStatus};
use foldhash::fast::FixedState;
use rdkafka::Message;

use super::super::outgoing::Outgoing;
use super::super::reader::TopicReader;
use super::{Published, chain_of};
use crate::config::{KafkaConfig, OutputConfig};

/// The last recommendation for an account.
#[derive(Debug)]
pub(super) struct StandingFreeze {
    pub(super) block: u64,
    pub(super) id: String,
    /// A hash of what the desk is told, whatever the block.
    pub(super) state: u64,
    /// Whether the rebuild told anything of the account, or need not.
    pub(super) told: bool,
}

impl Published {
    pub(super) fn note_freeze(&mut self, key: &str, id: String, record: &[u8]) {
        if let (Some(block), Some(chain)) = (parse_freeze_block(&id), chain_of(key)) {
            self.reach(chain, block);
            let (state, told) = (freeze_state(record), is_closed(record));
            self.freezes.insert(key.to_owned(), StandingFreeze { block, id, state, told });
        }
    }

    /// The recommendation, if it is to be published. While the state is
    /// rebuilt, one of a block up to that of which another stands waits for the
    /// end of the rebuild: a case that came late was told as of the block it
    /// came at, and is found for earlier blocks now.
    pub(in crate::kafka) fn admit_freeze(
        &mut self,
        record: &FreezeRecommendation,
        message: Outgoing,
    ) -> Option<Outgoing> {
        let key = message.key.clone().filter(|_| !self.is_rebuilt(record.account.chain));
        let (Some(key), Some(id)) = (key, message.header("ce_id")) else {
            return Some(message);
        };
        let mut standing = self.freezes.get_mut(&key);
        if let Some(standing) = &mut standing {
            standing.told = true;
        }
        match standing {
            Some(standing) if standing.id == *id => {
                self.superseded.remove(&key);
                None
            }
            Some(standing) if record.block <= standing.block => {
                self.superseded.insert(key, message);
                None
            }
            _ => {
                self.superseded.remove(&key);
                let (block, id, state) = (record.block, id.clone(), freeze_state(&message.value));
                self.freezes.insert(key, StandingFreeze { block, id, state, told: true });
                Some(message)
            }
        }
    }
}

/// The last recommendations for these keys.
pub(in crate::kafka) fn read_freezes(
    kafka: &KafkaConfig,
    output: &OutputConfig,
    keys: &BTreeSet<String>,
) -> anyhow::Result<BTreeMap<String, Vec<u8>>> {
    let mut records = BTreeMap::new();
    TopicReader::open(kafka, &output.freezes_topic)?.read_to_end(|message| {
        let key = message.key().map(String::from_utf8_lossy);
        if let Some(key) = key.filter(|key| keys.contains(key.as_ref())) {
            let record = message.payload().unwrap_or_default().to_vec();
            records.insert(key.into_owned(), record);
        }
        Ok(())
    })?;
    Ok(records)
}

/// Whether the desk waits for nothing more.
fn is_closed(record: &[u8]) -> bool {
    use FreezeStatus::{Destroyed, Escaped, Withdrawn};
    let record = serde_json::from_slice::<FreezeRecord>(record);
    let closed = [Destroyed, Escaped, Withdrawn].map(FreezeStatus::name);
    record.map_or(true, |record| closed.contains(&record.status.as_str()))
}

/// What a recommendation asks for: who is to act, how far that is, and what
/// each case claims; not the block, and not whether it was told before.
pub(super) fn freeze_state(record: &[u8]) -> u64 {
    let Ok(record) = serde_json::from_slice::<FreezeRecord>(record) else {
        return 0;
    };
    let told_first = record.status == FreezeStatus::Updated.name();
    let status = if told_first { FreezeStatus::Raised.name() } else { record.status.as_str() };
    let claims: Vec<(&str, u64)> =
        record.claims.iter().map(|claim| (claim.case.as_str(), claim.tainted.0)).collect();
    let actor = (&record.act_by.kind, &record.act_by.entity, &record.act_by.service_kind);
    FixedState::default().hash_one((status, actor, claims))
}

/// `{chain}:{address}.{block}.{digest}`.
pub(super) fn parse_freeze_block(id: &str) -> Option<u64> {
    id.rsplit('.').nth(1)?.parse().ok()
}
