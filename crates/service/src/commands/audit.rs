//! `usdt-flow audit`: whether the audit trail is whole.

use std::io::Write;

use rdkafka::Message as _;

use crate::audit::verify::{Line, Report, check, read};
use crate::cli::{AuditArgs, AuditCommand, GlobalArgs, TableFormat};
use crate::config::KafkaConfig;
use crate::kafka::TopicReader;
use crate::report::Misuse;

/// Reads the trail, checks it, prints what it found.
pub fn execute(command: &AuditCommand, global: &GlobalArgs) -> anyhow::Result<()> {
    let AuditCommand::Verify(args) = command;
    let report = checked(args, global).map_err(|error| error.context(Misuse))?;
    let mut out = std::io::stdout().lock();
    match args.format {
        TableFormat::Table => table(&mut out, &report)?,
        TableFormat::Json => writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?,
    }
    let faults = report.faults.len();
    anyhow::ensure!(faults == 0, "the audit trail is not whole: {faults} faults");
    Ok(())
}

fn checked(args: &AuditArgs, global: &GlobalArgs) -> anyhow::Result<Report> {
    let (mut entries, mut records) = (Vec::new(), None);
    if args.files.is_empty() {
        let config = super::load(&args.config, args.flags(), global)?.config;
        entries = topic(&config.kafka, &config.output.audit_topic)?;
        records = Some(topic(&config.kafka, &config.output.freezes_topic)?);
    }
    for path in &args.files {
        entries.extend(read(path)?);
    }
    for path in &args.recommendations {
        records.get_or_insert_default().extend(read(path)?);
    }
    anyhow::ensure!(!entries.is_empty() || !args.head.is_empty(), "there is no entry to verify");
    Ok(check(&entries, &args.head, records.as_deref()))
}

/// All records of a topic.
fn topic(kafka: &KafkaConfig, name: &str) -> anyhow::Result<Vec<Line>> {
    let mut lines = Vec::new();
    TopicReader::open(kafka, name)?.read_to_end(|message| {
        let (partition, offset) = (message.partition(), message.offset());
        let place = format!("{name} partition {partition} offset {offset}");
        lines.push(Line { place, bytes: message.payload().unwrap_or_default().to_vec() });
        Ok(())
    })?;
    Ok(lines)
}

fn table(out: &mut impl Write, report: &Report) -> anyhow::Result<()> {
    for fault in &report.faults {
        writeln!(out, "broken  {}: {}", fault.place, fault.what)?;
    }
    for found in &report.trails {
        let (chain, entries, head) = (&found.chain, found.entries, &found.head);
        writeln!(out, "{chain}  {entries} entries, the last: {head}")?;
    }
    if report.recommendations > 0 {
        writeln!(out, "{} recommendations are as the trail says", report.recommendations)?;
    }
    Ok(())
}
