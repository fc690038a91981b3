//! Which topics there should be, and with which settings.

use flow_core::Chain;

use crate::config::Config;

use super::admin::Found;

const DAY_MS: u64 = 86_400_000;

/// A topic as it should be.
#[derive(Debug)]
pub(super) struct Expected {
    pub(super) name: String,
    /// What it is for.
    pub(super) purpose: &'static str,
    /// Partitions to create it with.
    pub(super) partitions: i32,
    count: Count,
    /// Settings of the topic that must hold.
    pub(super) settings: Vec<(&'static str, String)>,
}

/// How many partitions an existing topic may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Count {
    Any,
    /// Records stay in order in one partition alone.
    Single,
    /// Partition n stands for chain n.
    Chains,
}

impl Expected {
    /// Whether the topic that was found cannot be used.
    pub(super) fn is_unfit(&self, found: &Found) -> bool {
        self.count == Count::Chains && found.partitions != Chain::ALL.len()
    }

    /// How the topic that was found is not as it should be.
    pub(super) fn differences(&self, found: &Found) -> Vec<String> {
        let mut differences: Vec<String> = self
            .settings
            .iter()
            .filter_map(|(name, wanted)| {
                let actual = found.settings.get(*name).map_or("unset", String::as_str);
                (actual != wanted).then(|| format!("{name} is {actual}, should be {wanted}"))
            })
            .collect();
        let partitions = found.partitions;
        match self.count {
            Count::Single if partitions > 1 => differences
                .push(format!("{partitions} partitions: records may be read out of order")),
            Count::Chains if partitions != Chain::ALL.len() => differences.push(format!(
                "{partitions} partitions, should be {}: one for each chain",
                Chain::ALL.len()
            )),
            Count::Any | Count::Single | Count::Chains => {}
        }
        differences
    }
}

/// The topics of a configuration: outputs, cases and labels, and with `inputs`
/// those that are read.
pub(super) fn expected(config: &Config, partitions: i32, inputs: bool) -> Vec<Expected> {
    let forever =
        || vec![("cleanup.policy", "delete".to_owned()), ("retention.ms", "-1".to_owned())];
    // A restart rebuilds the state from the beginning of the inputs.
    let kept = || vec![("retention.ms", "-1".to_owned())];
    let compact = || vec![("cleanup.policy", "compact".to_owned())];
    let output = |name: &String, purpose, settings| Expected {
        name: name.clone(),
        purpose,
        partitions,
        count: Count::Any,
        settings,
    };
    let single = |name: &String, purpose, settings| Expected {
        partitions: 1,
        count: Count::Single,
        ..output(name, purpose, settings)
    };
    // Nothing is ever in it, so it matters little how long that would be kept.
    let owners = Expected {
        partitions: i32::try_from(Chain::ALL.len()).expect("there are few chains"),
        count: Count::Chains,
        ..output(&config.output.owners_topic, "owners", Vec::new())
    };
    let month =
        vec![("cleanup.policy", "delete".to_owned()), ("retention.ms", (30 * DAY_MS).to_string())];
    let mut topics = vec![
        output(&config.output.alerts_topic, "alerts", forever()),
        output(&config.output.freezes_topic, "freezes", compact()),
        output(&config.output.ledgers_topic, "case ledgers", compact()),
        output(&config.output.deadletter_topic, "dead letters", month),
        single(&config.output.audit_topic, "audit", forever()),
        owners,
    ];
    topics.extend(config.knowledge.cases_topic.iter().map(|name| single(name, "cases", compact())));
    topics
        .extend(config.knowledge.labels_topic.iter().map(|name| single(name, "labels", compact())));
    if inputs {
        let read = config.inputs.iter().flat_map(|input| &input.topics);
        topics.extend(read.map(|topic| single(&topic.name, "input", kept())));
    }
    topics
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::config::{Flag, Layers};

    fn config() -> Config {
        let flags = vec![Flag::new("input.tron.topics", "contractevent,block", "--set")];
        Config::load(&Layers { flags, ..Layers::default() }).unwrap().config
    }

    #[test]
    fn inputs_are_named_only_when_asked_for() {
        let names = |inputs| {
            expected(&config(), 4, inputs).into_iter().map(|topic| topic.name).collect::<Vec<_>>()
        };
        assert_eq!(names(false).len(), 8);
        assert_eq!(names(true)[8..], ["contractevent", "block"]);
    }

    #[test]
    fn order_outweighs_partitions() {
        let topics = expected(&config(), 4, true);
        let partitions: Vec<i32> = topics.iter().map(|topic| topic.partitions).collect();
        assert_eq!(partitions, [4, 4, 4, 4, 1, 2, 1, 1, 1, 1]);
    }

    #[test]
    fn a_difference_says_what_should_be() {
        let topics = expected(&config(), 1, true);
        let settings = BTreeMap::from([("cleanup.policy".to_owned(), "delete".to_owned())]);
        let found = Found { partitions: 2, replication: 1, settings };
        assert_eq!(topics[1].differences(&found), ["cleanup.policy is delete, should be compact"]);
        assert_eq!(
            topics[8].differences(&found),
            [
                "retention.ms is unset, should be -1",
                "2 partitions: records may be read out of order"
            ]
        );
        let settings = BTreeMap::from([("retention.ms".to_owned(), "604800000".to_owned())]);
        let found = Found { partitions: 1, replication: 1, settings };
        assert_eq!(topics[8].differences(&found), ["retention.ms is 604800000, should be -1"]);
        assert_eq!(
            topics[5].differences(&found),
            ["1 partitions, should be 2: one for each chain"]
        );
        let found = Found { partitions: 2, ..found };
        assert_eq!(topics[5].differences(&found), [""; 0]);
    }
}
