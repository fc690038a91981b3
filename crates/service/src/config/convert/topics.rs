//! `[input]` and `[output]`: which topics and files are read and written.

use std::collections::BTreeMap;
use std::time::Duration;

use flow_codec::Format;
use flow_core::Chain;

use super::Checks;
use crate::config::problem::nearest;
use crate::config::raw::Entry;
use crate::config::value::{TopicText, Value};
use crate::config::{InputConfig, InputTopic, KnowledgeConfig, OutputConfig};

impl Checks<'_> {
    pub(super) fn inputs(&mut self) -> Vec<InputConfig> {
        Chain::ALL.into_iter().filter_map(|chain| self.input(chain)).collect()
    }

    fn input(&mut self, chain: Chain) -> Option<InputConfig> {
        let key = |name: &str| format!("input.{chain}.{name}");
        let topics = match self.raw.get(&key("topics")) {
            Some(Entry { value: Value::Topics(topics), .. }) => topics.clone(),
            _ => Vec::new(),
        };
        let topics: Vec<InputTopic> =
            topics.iter().map(|topic| self.input_topic(&key("topics"), topic)).collect();
        (!topics.is_empty()).then(|| InputConfig {
            chain,
            topics,
            window_blocks: self.number(&key("window_blocks")),
            finality_blocks: self.number(&key("finality_blocks")),
            align: Duration::from_millis(self.number(&key("align_ms"))),
            idle_flush: Duration::from_millis(self.number(&key("idle_flush_ms"))),
        })
    }

    fn input_topic(&mut self, key: &str, topic: &TopicText) -> InputTopic {
        self.topic_name(key, &topic.name);
        // A slice is a CSV file; no record of a topic is one.
        let formats = || Format::ALL.into_iter().filter(|format| *format != Format::Slice);
        let format = Format::from_name(&topic.format).filter(|format| *format != Format::Slice);
        if format.is_none() && topic.format != "auto" {
            let names: Vec<&str> = formats().map(Format::name).collect();
            let hint = match nearest(&topic.format, names.iter().copied()) {
                Some(known) => format!("did you mean {known:?}?"),
                None => format!("the formats are auto, {}", names.join(", ")),
            };
            self.problem(key, format!("{:?} is not a format", topic.format), hint);
        }
        InputTopic { name: topic.name.clone(), format }
    }

    pub(super) fn knowledge(&mut self) -> KnowledgeConfig {
        KnowledgeConfig {
            cases_topic: self.optional_topic("input.cases_topic"),
            labels_topic: self.optional_topic("input.labels_topic"),
            case_files: self.paths("input.case_files"),
            label_files: self.paths("input.label_files"),
            opening_files: self.paths("input.opening_files"),
        }
    }

    fn optional_topic(&mut self, key: &str) -> Option<String> {
        let name = self.text(key);
        if name.is_empty() {
            return None;
        }
        self.topic_name(key, &name);
        Some(name)
    }

    pub(super) fn output(&mut self) -> OutputConfig {
        OutputConfig {
            alerts_topic: self.topic("output.alerts_topic"),
            freezes_topic: self.topic("output.freezes_topic"),
            deadletter_topic: self.topic("output.deadletter_topic"),
            ledgers_topic: self.topic("output.ledgers_topic"),
            audit_topic: self.topic("output.audit_topic"),
            owners_topic: self.topic("output.owners_topic"),
        }
    }

    fn topic(&mut self, key: &str) -> String {
        let name = self.text(key);
        self.topic_name(key, &name);
        name
    }

    /// Kafka's own rule for names.
    fn topic_name(&mut self, key: &str, name: &str) {
        let legal = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
        let reserved = [".", ".."].contains(&name);
        if name.is_empty() || name.len() > 249 || reserved || !name.chars().all(legal) {
            let message = format!("{name:?} is not a topic's name");
            self.problem(key, message, "names are letters, digits, '.', '_' and '-', at most 249");
        }
    }

    /// A topic with two meanings would be read as its own output, or one
    /// record for two chains.
    pub(super) fn topics_apart(
        &mut self,
        inputs: &[InputConfig],
        knowledge: &KnowledgeConfig,
        output: &OutputConfig,
    ) {
        let mut seen: BTreeMap<&str, String> = BTreeMap::new();
        let chains = inputs.iter().flat_map(|input| {
            let key = format!("input.{}.topics", input.chain);
            input.topics.iter().map(move |topic| (key.clone(), topic.name.as_str()))
        });
        let others = [
            ("input.cases_topic", knowledge.cases_topic.as_deref()),
            ("input.labels_topic", knowledge.labels_topic.as_deref()),
            ("output.alerts_topic", Some(output.alerts_topic.as_str())),
            ("output.freezes_topic", Some(output.freezes_topic.as_str())),
            ("output.deadletter_topic", Some(output.deadletter_topic.as_str())),
            ("output.ledgers_topic", Some(output.ledgers_topic.as_str())),
            ("output.audit_topic", Some(output.audit_topic.as_str())),
            ("output.owners_topic", Some(output.owners_topic.as_str())),
        ]
        .into_iter()
        .filter_map(|(key, name)| Some((key.to_owned(), name?)));
        for (key, name) in chains.chain(others).filter(|(_, name)| !name.is_empty()) {
            if let Some(first) = seen.insert(name, key.clone()) {
                let message = format!("the topic {name:?} is named by {first} already");
                self.problem(&key, message, "give each use a topic of its own");
            }
        }
    }
}
