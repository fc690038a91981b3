//! Recommendations that stand in their topic.
//!
//! What always holds: while the state is rebuilt, none is published for a block
//! up to that of which another stands; at the end of it, what stands is what
//! the rebuilt state asks for.

use std::collections::BTreeMap;
use std::hash::BuildHasher;

use flow_codec::wire::FreezeRecord;
use flow_core::{FreezeRecommendation, FreezeStatus};
use foldhash::fast::FixedState;

use super::super::outgoing::Outgoing;
use super::Published;

/// The last recommendation for an account.
#[derive(Debug)]
pub(super) struct StandingFreeze {
    pub(super) block: u64,
    pub(super) id: String,
    /// A hash of what the desk is told, whatever the block.
    pub(super) state: u64,
    /// Whether the rebuild told anything of the account, or need not.
    pub(super) told: bool,
    /// The record, as long as it may have to be withdrawn.
    record: Vec<u8>,
}

impl Published {
    pub(super) fn note_freeze(&mut self, key: &str, id: &str, record: &[u8]) {
        if self.rebuilt {
            return;
        }
        let Some(block) = parse_freeze_block(id) else { return };
        self.newest = self.newest.max(block);
        let told = is_closed(record) | self.owed.confirm_freeze(key, id, block);
        let (id, state) = (id.to_owned(), freeze_state(record));
        let record = if told { Vec::new() } else { record.to_vec() };
        self.freezes.insert(key.to_owned(), StandingFreeze { block, id, state, told, record });
    }

    /// Notes that the engine told of the account; `true` if just this stands.
    pub(super) fn match_freeze(&mut self, key: &str, id: &str) -> bool {
        let Some(standing) = self.freezes.get_mut(key) else { return false };
        standing.told = true;
        let stands = standing.id == id;
        if stands {
            self.superseded.remove(key);
        }
        stands
    }

    /// The recommendation, if it is to be published. While the state is
    /// rebuilt, one of a block up to that of which another stands waits for the
    /// end of the rebuild: a case that came late was told as of the block it
    /// came at, and is found for earlier blocks now.
    pub(in crate::follow) fn admit_freeze(
        &mut self,
        record: &FreezeRecommendation,
        message: Outgoing,
    ) -> Option<Outgoing> {
        let key = message.key.clone().filter(|_| !self.rebuilt);
        let (Some(key), Some(id)) = (key, message.header("ce_id")) else {
            return Some(message);
        };
        if self.match_freeze(&key, id) {
            return None;
        }
        let later = |standing: &StandingFreeze| record.block <= standing.block;
        if self.freezes.get(&key).is_some_and(later) {
            self.superseded.insert(key, message);
            return None;
        }
        self.superseded.remove(&key);
        let (block, id, state) = (record.block, id.clone(), freeze_state(&message.value));
        let standing = StandingFreeze { block, id, state, told: true, record: Vec::new() };
        self.freezes.insert(key, standing);
        Some(message)
    }

    /// What has to be said otherwise, and what has to be withdrawn.
    pub(super) fn end_freezes(&mut self) -> (Vec<Outgoing>, BTreeMap<String, Vec<u8>>) {
        let is_news = |(key, message): &(String, Outgoing)| {
            let standing = self.freezes.get(key).map(|standing| standing.state);
            standing != Some(freeze_state(&message.value))
        };
        let superseded = std::mem::take(&mut self.superseded).into_iter().filter(is_news);
        let recommendations = superseded.map(|(_, message)| message).collect();
        let standing = std::mem::take(&mut self.freezes).into_iter();
        let groundless = standing.filter(|(_, freeze)| !freeze.told);
        (recommendations, groundless.map(|(key, freeze)| (key, freeze.record)).collect())
    }
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
