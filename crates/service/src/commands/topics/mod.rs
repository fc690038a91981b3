//! `usdt-flow topics create` and `usdt-flow topics describe`.
//!
//! Creating is safe to repeat: a topic that exists is left as it is, and where
//! its settings differ from what is needed this is told and not changed.

mod admin;
mod expected;

use std::io::{self, Write as _};
use std::time::Duration;

use anyhow::bail;
use serde::Serialize;

use crate::cli::{CreateTopicsArgs, GlobalArgs, TableFormat, TopicsArgs, TopicsCommand};
use crate::config::Config;
use crate::logging;

use admin::{Admin, Found};
use expected::{Expected, expected};

/// One topic as it is told.
#[derive(Debug, Serialize)]
struct Row {
    topic: String,
    purpose: &'static str,
    state: String,
    partitions: Option<usize>,
    replication: Option<usize>,
    cleanup_policy: Option<String>,
    /// Where it is not as it should be.
    differences: Vec<String>,
}

/// Does what the command says.
pub fn execute(command: &TopicsCommand, global: &GlobalArgs) -> anyhow::Result<()> {
    match command {
        TopicsCommand::Create(args) => create(args, global),
        TopicsCommand::Describe(args) => {
            let (config, admin) = connect(&args.common, global)?;
            let wanted = expected(&config, 1, args.common.inputs);
            let rows = describe(&admin, &wanted)?;
            print(&rows, args.common.format)
        }
    }
}

/// A topic of the configuration, and what became of it.
pub(super) struct TopicState {
    pub(super) name: String,
    pub(super) purpose: &'static str,
    /// Partitions and replicas, if it exists.
    pub(super) found: Option<(usize, usize)>,
    /// Where it is not as it should be.
    pub(super) differences: Vec<String>,
    /// It cannot be used as it is.
    pub(super) is_unfit: bool,
}

/// Every topic of the configuration, inputs too.
///
/// # Errors
/// If the brokers do not answer.
pub(super) fn states(config: &Config, patience: Duration) -> anyhow::Result<Vec<TopicState>> {
    let admin = Admin::connect(&config.kafka, patience)?;
    let wanted = expected(config, 1, true);
    let found = admin.describe(&wanted)?;
    let state = |topic: &Expected| {
        let found = found.get(&topic.name);
        TopicState {
            name: topic.name.clone(),
            purpose: topic.purpose,
            found: found.map(|found| (found.partitions, found.replication)),
            differences: match found {
                // Each topic has some, so these were not for us to see.
                Some(found) if found.settings.is_empty() => {
                    vec!["its settings may not be described".to_owned()]
                }
                Some(found) => topic.differences(found),
                None => Vec::new(),
            },
            is_unfit: found.is_some_and(|found| topic.is_unfit(found)),
        }
    };
    Ok(wanted.iter().map(state).collect())
}

/// Creates what is missing of the topics of a configuration, inputs too.
///
/// # Errors
/// If the broker cannot be reached, or refuses.
pub fn create_all(config: &Config) -> anyhow::Result<()> {
    let admin = Admin::connect(&config.kafka, Duration::from_secs(10))?;
    let wanted = expected(config, 1, true);
    let found = admin.describe(&wanted)?;
    let missing: Vec<&Expected> =
        wanted.iter().filter(|topic| !found.contains_key(&topic.name)).collect();
    for (topic, result) in admin.create(&missing, Some(1))? {
        if let Err(message) = result {
            bail!("cannot create the topic {topic}: {message}");
        }
    }
    Ok(())
}

fn connect(args: &TopicsArgs, global: &GlobalArgs) -> anyhow::Result<(Config, Admin)> {
    let config = super::load(&args.config, args.flags(), global)?.config;
    logging::start(&config.log, global.color)?;
    let admin = Admin::connect(&config.kafka, Duration::from_secs(args.timeout_seconds))?;
    Ok((config, admin))
}

fn create(args: &CreateTopicsArgs, global: &GlobalArgs) -> anyhow::Result<()> {
    let (config, admin) = connect(&args.common, global)?;
    let wanted = expected(&config, args.partitions, args.common.inputs);
    let mut rows = describe(&admin, &wanted)?;
    let missing = |row: &Row| row.partitions.is_none();
    let new: Vec<&Expected> = wanted
        .iter()
        .filter(|topic| rows.iter().any(|row| row.topic == topic.name && missing(row)))
        .collect();
    let results = if args.dry_run {
        new.iter().map(|topic| (topic.name.clone(), Ok(()))).collect()
    } else {
        admin.create(&new, args.replication)?
    };
    if !args.dry_run {
        rows = describe(&admin, &wanted)?;
    }
    let mut failed = 0;
    for (name, result) in results {
        let Some(row) = rows.iter_mut().find(|row| row.topic == name) else {
            continue;
        };
        match result {
            Ok(()) if args.dry_run => row.state = "would be created".to_owned(),
            Ok(()) => row.state = "created".to_owned(),
            Err(message) => {
                failed += 1;
                row.state = format!("not created: {message}");
            }
        }
    }
    print(&rows, args.common.format)?;
    if failed > 0 {
        bail!("{failed} of {} topics could not be created", rows.len());
    }
    Ok(())
}

fn describe(admin: &Admin, wanted: &[Expected]) -> anyhow::Result<Vec<Row>> {
    let mut found = admin.describe(wanted)?;
    Ok(wanted.iter().map(|topic| row(topic, found.remove(&topic.name))).collect())
}

fn row(topic: &Expected, found: Option<Found>) -> Row {
    let state = if found.is_some() { "exists" } else { "missing" };
    Row {
        topic: topic.name.clone(),
        purpose: topic.purpose,
        state: state.to_owned(),
        partitions: found.as_ref().map(|found| found.partitions),
        replication: found.as_ref().map(|found| found.replication),
        cleanup_policy: found
            .as_ref()
            .and_then(|found| found.settings.get("cleanup.policy").cloned()),
        differences: found.map(|found| topic.differences(&found)).unwrap_or_default(),
    }
}

fn print(rows: &[Row], format: TableFormat) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match format {
        TableFormat::Json => writeln!(out, "{}", serde_json::to_string_pretty(rows)?)?,
        TableFormat::Table => out.write_all(table(rows).as_bytes())?,
    }
    Ok(())
}

fn table(rows: &[Row]) -> String {
    let count = |number: Option<usize>| number.map_or("-".to_owned(), |number| number.to_string());
    let mut lines = vec![
        ["TOPIC", "FOR", "STATE", "PARTITIONS", "REPLICATION", "CLEANUP", "DIFFERENCES"]
            .map(str::to_owned),
    ];
    lines.extend(rows.iter().map(|row| {
        [
            row.topic.clone(),
            row.purpose.to_owned(),
            row.state.clone(),
            count(row.partitions),
            count(row.replication),
            row.cleanup_policy.clone().unwrap_or_else(|| "-".to_owned()),
            if row.differences.is_empty() { "-".to_owned() } else { row.differences.join("; ") },
        ]
    }));
    super::columns(&lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Layers;

    #[test]
    fn a_missing_topic_has_no_figures() {
        let config = Config::load(&Layers::default()).unwrap().config;
        let rows = [row(&expected(&config, 1, false)[0], None)];
        assert_eq!(
            table(&rows),
            "TOPIC                FOR     STATE    PARTITIONS  REPLICATION  CLEANUP  DIFFERENCES\n\
             usdt.flow.alerts.v1  alerts  missing  -           -            -        -\n"
        );
    }
}
