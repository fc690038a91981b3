//! What the principal may do.
//!
//! Reading is tried by reading. Writing is tried with a record that is too large
//! for its topic: brokers look at rights first and at the size next, so the
//! answer tells, and the topic stays as it was.

use std::time::Duration;

use super::{Findings, State};
use crate::config::Config;
use crate::kafka::{self, Grant};

/// Tries each right.
pub(super) fn check(config: &Config, patience: Duration, findings: &mut Findings) {
    let output = &config.output;
    let known = [&config.knowledge.cases_topic, &config.knowledge.labels_topic];
    let own =
        [&output.alerts_topic, &output.freezes_topic, &output.ledgers_topic, &output.audit_topic];
    let read = known.into_iter().flatten().chain(own);
    for topic in read {
        let check = format!("right to read {topic}");
        match kafka::first_records(&config.kafka, topic, 0, patience) {
            Ok(_) => findings.ok(check, "granted"),
            Err(error) => findings.failed(check, &error),
        }
    }
    for topic in own.into_iter().chain([&output.deadletter_topic]) {
        told(
            format!("right to write {topic}"),
            kafka::may_write(&config.kafka, topic, patience),
            findings,
        );
    }
    let group = format!("right to use the group {}", config.kafka.group_id);
    told(group, kafka::may_use_group(config, patience), findings);
    for input in &config.inputs {
        let id = kafka::transactional_id(&config.kafka, input.chain);
        let check = format!("right to use the transactional id {id}");
        told(check, kafka::may_use_transactional_id(config, input.chain, patience), findings);
    }
}

fn told(check: String, granted: anyhow::Result<Grant>, findings: &mut Findings) {
    match granted {
        Ok(Grant::Granted) => findings.ok(check, "granted"),
        Ok(Grant::Untold(why)) => {
            findings.put(check, State::Unknown, why, "the log of a running instance would tell");
        }
        Err(error) => findings.failed(check, &error),
    }
}
