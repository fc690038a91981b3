//! What earlier sessions have published, so that a rebuild repeats none of it
//! and takes back what no longer holds.
//!
//! A restart rebuilds the state from the start of the input. The same events
//! give the same effects, so whatever stands in the output topics already is
//! left out, and whatever does not (a case was added meanwhile, a crash came
//! before a commit) is published.
//!
//! What always holds: a record of an alert is one revision above the one that
//! stands in the topic, so no event id is used twice; an alert that stands as
//! final is never told as provisional again. Of each alert 16 bytes of id, its
//! revision and its status are kept; its record only while it is provisional
//! and was not told again, since it may have to be taken back.

mod freezes;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use flow_codec::wire;
use flow_core::{Alert, AlertId, AlertStatus, Chain, Rule};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use rdkafka::Message;
use rdkafka::message::{BorrowedMessage, Headers};
use serde::Deserialize;

use super::outgoing::Outgoing;
use super::reader::TopicReader;
use crate::config::{KafkaConfig, OutputConfig};
use freezes::{StandingFreeze, freeze_state};

pub(super) use freezes::read_freezes;

/// See the module.
#[derive(Debug)]
pub(super) struct Published {
    alerts: HashMap<AlertId, Standing, FixedState>,
    /// Provisional alerts of earlier sessions that this one has not told.
    untold: BTreeMap<AlertId, Untold>,
    /// By key, while its chain is rebuilt.
    freezes: HashMap<String, StandingFreeze, FixedState>,
    /// By key: what the rebuild told last, of a block up to the one as of which
    /// another record stands.
    superseded: BTreeMap<String, Outgoing>,
    /// By chain: the newest block of which anything stands.
    newest: [u64; 2],
    /// By chain: whether the state has come to where earlier sessions were.
    rebuilt: [bool; 2],
}

/// The last record of an alert.
#[derive(Clone, Copy, Debug)]
struct Standing {
    revision: u32,
    status: AlertStatus,
}

/// A provisional alert that was not told again.
#[derive(Debug)]
struct Untold {
    chain: Chain,
    block: u64,
    rule: Option<Rule>,
    record: Vec<u8>,
}

/// What has to be published at the end of a rebuild.
pub(super) struct Corrections {
    /// Provisional alerts that hold no longer.
    pub(super) taken_back: Vec<TakenBack>,
    /// Recommendations that say something else than what stands.
    pub(super) recommendations: Vec<Outgoing>,
    /// Keys of recommendations that stand and for which there is no cause.
    pub(super) groundless: BTreeSet<String>,
}

/// What is read of an alert's record.
#[derive(Deserialize)]
struct AlertPart {
    chain: String,
    block: u64,
    rule: String,
    status: String,
}

/// What an alert tells beyond what stands in the topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// It holds, or holds of another block.
    Raised,
    /// It is final now.
    Settled,
    /// It no longer holds.
    Retracted,
}

/// An alert that is taken back.
pub(super) struct TakenBack {
    pub(super) rule: Option<Rule>,
    pub(super) message: wire::Message,
}

impl Published {
    /// Nothing stands yet.
    pub(super) fn nothing() -> Published {
        Published {
            alerts: HashMap::default(),
            untold: BTreeMap::new(),
            freezes: HashMap::default(),
            superseded: BTreeMap::new(),
            newest: [0; 2],
            rebuilt: [true; 2],
        }
    }

    /// Reads the output topics to their ends.
    pub(super) fn read(kafka: &KafkaConfig, output: &OutputConfig) -> anyhow::Result<Published> {
        let mut known = Published { rebuilt: [false; 2], ..Published::nothing() };
        TopicReader::open(kafka, &output.alerts_topic)?.read_to_end(|message| {
            if let Some(id) = event_id(message) {
                known.note_alert(&id, message.payload().unwrap_or_default());
            }
            Ok(())
        })?;
        TopicReader::open(kafka, &output.freezes_topic)?.read_to_end(|message| {
            let key = message.key().map(String::from_utf8_lossy);
            if let (Some(id), Some(key)) = (event_id(message), key) {
                known.note_freeze(&key, id, message.payload().unwrap_or_default());
            }
            Ok(())
        })?;
        Ok(known)
    }

    fn note_alert(&mut self, id: &str, record: &[u8]) {
        let Some((id, revision)) = parse_alert_id(id) else { return };
        if self.alerts.get(&id).is_some_and(|standing| standing.revision > revision) {
            return;
        }
        self.untold.remove(&id);
        // What cannot be read was not written by this version: it stays as it is.
        let part: Option<AlertPart> = serde_json::from_slice(record).ok();
        let named = |name: &str| AlertStatus::ALL.into_iter().find(|s| s.name() == name);
        let status = part.as_ref().and_then(|part| named(&part.status));
        let status = status.unwrap_or(AlertStatus::Final);
        self.alerts.insert(id, Standing { revision, status });
        let Some(part) = part.filter(|_| status == AlertStatus::Provisional) else { return };
        if let Some(chain) = Chain::from_name(&part.chain) {
            self.reach(chain, part.block);
            let rule = Rule::ALL.into_iter().find(|rule| rule.name() == part.rule);
            let untold = Untold { chain, block: part.block, rule, record: record.to_vec() };
            self.untold.insert(id, untold);
        }
    }

    fn reach(&mut self, chain: Chain, block: u64) {
        let newest = &mut self.newest[chain.index()];
        *newest = block.max(*newest);
    }

    /// Alerts that are known.
    pub(super) fn alerts(&self) -> usize {
        self.alerts.len()
    }

    /// What the alert tells beyond what stands, if it is to be published; then
    /// it gets its revision.
    pub(super) fn admit_alert(&mut self, alert: &mut Alert) -> Option<News> {
        use AlertStatus::{Final, Provisional, Retracted};
        let untold = self.untold.remove(&alert.id);
        // A provisional alert whose block is another one now.
        let moved = untold.is_some_and(|untold| untold.block != alert.block);
        let standing = self.alerts.get(&alert.id).copied();
        let news = match (standing.map(|standing| standing.status), alert.status) {
            // Nobody needs to hear that what was never told no longer holds.
            (None | Some(Retracted), Retracted) => return None,
            (Some(Final), Final | Provisional) => return None,
            (Some(Provisional), Provisional) if !moved => return None,
            (Some(Provisional), Final) => News::Settled,
            (Some(Provisional | Final), Retracted) => News::Retracted,
            (_, Provisional | Final) => News::Raised,
        };
        alert.revision = standing.map_or(1, |standing| standing.revision + 1);
        let standing = Standing { revision: alert.revision, status: alert.status };
        self.alerts.insert(alert.id, standing);
        Some(news)
    }

    /// Whether the state of the chain has come to where earlier sessions were.
    pub(super) fn is_rebuilt(&self, chain: Chain) -> bool {
        self.rebuilt[chain.index()]
    }

    /// The newest block of the chain of which anything stands.
    pub(super) fn newest(&self, chain: Chain) -> u64 {
        self.newest[chain.index()]
    }

    /// Ends the rebuild of a chain: what stands and was not told again holds no
    /// longer, for its block was reverted while nobody looked.
    pub(super) fn end_rebuild(&mut self, chain: Chain) -> Corrections {
        self.rebuilt[chain.index()] = true;
        let mut taken_back = Vec::new();
        for (id, untold) in self.untold.extract_if(.., |_, untold| untold.chain == chain) {
            if let (Some(standing), Some(message)) =
                (self.alerts.get_mut(&id), wire::retraction(&untold.record))
            {
                standing.revision += 1;
                standing.status = AlertStatus::Retracted;
                taken_back.push(TakenBack { rule: untold.rule, message });
            }
        }
        let of_chain = |key: &String, _: &mut Outgoing| chain_of(key) == Some(chain);
        let superseded = self.superseded.extract_if(.., of_chain);
        let is_news = |(key, message): &(String, Outgoing)| {
            let standing = self.freezes.get(key).map(|standing| standing.state);
            standing != Some(freeze_state(&message.value))
        };
        let recommendations = superseded.filter(is_news).map(|(_, message)| message).collect();
        let of_chain = |key: &String, _: &mut StandingFreeze| chain_of(key) == Some(chain);
        let standing = self.freezes.extract_if(of_chain);
        let groundless = standing.filter(|(_, freeze)| !freeze.told).map(|(key, _)| key).collect();
        Corrections { taken_back, recommendations, groundless }
    }
}

fn chain_of(key: &str) -> Option<Chain> {
    Chain::from_name(key.split_once(':')?.0)
}

fn event_id(message: &BorrowedMessage<'_>) -> Option<String> {
    let headers = message.headers()?;
    let header = headers.iter().find(|header| header.key == "ce_id")?;
    String::from_utf8(header.value?.to_vec()).ok()
}

/// `{32 hex digits}.{revision}`.
fn parse_alert_id(id: &str) -> Option<(AlertId, u32)> {
    let (hex, revision) = id.split_once('.')?;
    let mut bytes = [0; 16];
    hex::decode_to_slice(hex, &mut bytes).ok()?;
    Some((AlertId(bytes), revision.parse().context("a revision").ok()?))
}

#[cfg(test)]
mod tests;
