//! Topics and their settings.

use std::time::Duration;

use super::{Findings, State};
use crate::commands::topics::{self, TopicState};
use crate::config::Config;

/// Looks at each topic of the configuration.
pub(super) fn check(config: &Config, brokers: usize, patience: Duration, findings: &mut Findings) {
    let topics = match topics::states(config, patience) {
        Ok(topics) => topics,
        Err(error) => return findings.failed("topics", &error),
    };
    for topic in topics {
        let check = format!("topic {}", topic.name);
        let Some((partitions, replication)) = topic.found else {
            let remedy = "usdt-flow topics create --inputs makes it, unless it is there and the \
                          principal may not see it: then grant DESCRIBE";
            findings.put(check, State::Failed, format!("missing ({})", topic.purpose), remedy);
            continue;
        };
        let (state, remedy) = judge(&topic, replication, brokers);
        let mut found =
            format!("{}, {partitions} partitions, {replication} replicas", topic.purpose);
        for difference in &topic.differences {
            found = format!("{found}; {difference}");
        }
        findings.put(check, state, found, remedy);
    }
}

fn judge(topic: &TopicState, replication: usize, brokers: usize) -> (State, &'static str) {
    if topic.is_unfit {
        let remedy = "delete it and have usdt-flow topics create make it anew: nothing is in it";
        (State::Failed, remedy)
    } else if !topic.differences.is_empty() {
        let remedy = "set it with kafka-configs (docs/kafka.md says why), or grant DescribeConfigs";
        (State::Warning, remedy)
    } else if replication < 3.min(brokers) {
        (State::Warning, "a disk that dies takes its records along: use 3 replicas")
    } else {
        (State::Ok, "")
    }
}
