//! `usdt-flow checkpoint list` and `usdt-flow checkpoint verify`.
//!
//! Both only read: a service may be writing there meanwhile.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use flow_codec::wire::rfc3339_utc;
use flow_core::{Chain, verify_segment};
use serde::Serialize;

use super::columns;
use crate::checkpoint::{
    CheckpointStore, Disk, DiskError, Generation, Manifest, ObjectDisk, SegmentName, StoreError,
};
use crate::cli::{CheckpointArgs, CheckpointCommand, GlobalArgs, TableFormat};
use crate::config::CheckpointConfig;
use crate::logging;
use crate::report::Explain as _;

/// A checkpoint as its name tells of it.
#[derive(Debug, Serialize)]
struct Listed {
    chain: &'static str,
    name: String,
    /// The records of the input that it stands for.
    records: u64,
    bytes: u64,
}

/// A checkpoint that was read whole.
#[derive(Debug, Serialize)]
struct Verified {
    #[serde(flatten)]
    listed: Listed,
    /// What it says of itself, as far as it can be read.
    manifest: Option<Manifest>,
    /// Why it cannot be used; `None` if it can.
    damage: Option<String>,
}

/// Does what the command says.
pub fn execute(command: &CheckpointCommand, global: &GlobalArgs) -> anyhow::Result<()> {
    match command {
        CheckpointCommand::List(args) => list(args, global),
        CheckpointCommand::Verify(args) => verify(args, global),
    }
}

fn list(args: &CheckpointArgs, global: &GlobalArgs) -> anyhow::Result<()> {
    let kept = Kept::open(args, global)?;
    let mut rows = Vec::new();
    for store in &kept.stores {
        rows.extend(store.generations()?.into_iter().map(|generation| listed(store, generation)));
    }
    kept.tell_if_none(rows.len());
    let mut out = io::stdout().lock();
    match args.format {
        TableFormat::Json => writeln!(out, "{}", serde_json::to_string_pretty(&rows)?)?,
        TableFormat::Table => out.write_all(list_table(&rows).as_bytes())?,
    }
    Ok(())
}

fn verify(args: &CheckpointArgs, global: &GlobalArgs) -> anyhow::Result<()> {
    let kept = Kept::open(args, global)?;
    let mut rows = Vec::new();
    for store in &kept.stores {
        let mut segments = BTreeMap::new();
        for generation in store.generations()? {
            rows.extend(examine(store, generation, &mut segments)?);
        }
    }
    kept.tell_if_none(rows.len());
    let mut out = io::stdout().lock();
    match args.format {
        TableFormat::Json => writeln!(out, "{}", serde_json::to_string_pretty(&rows)?)?,
        TableFormat::Table => out.write_all(verify_table(&rows).as_bytes())?,
    }
    drop(out);
    let damaged = rows.iter().filter(|row| row.damage.is_some()).count();
    ensure!(damaged == 0, "{damaged} of {} checkpoints cannot be used", rows.len());
    Ok(())
}

/// The checkpoints of a group.
struct Kept {
    /// One for each chain, whether or not it is followed now.
    stores: Vec<CheckpointStore>,
    group_id: String,
    url: String,
}

impl Kept {
    fn open(args: &CheckpointArgs, global: &GlobalArgs) -> anyhow::Result<Kept> {
        let config = super::load(&args.config, args.flags(), global)?.config;
        logging::start(&config.log, global.color)?;
        let CheckpointConfig { url, keep, s3, .. } = config
            .checkpoint
            .context("checkpoint.url is empty")
            .explain("no checkpoints are kept", "say where they lie with --url")?;
        let disk: Arc<dyn Disk> = Arc::new(ObjectDisk::open_existing(&url, &s3)?);
        let group_id = config.kafka.group_id;
        let open = |chain| CheckpointStore::open(Arc::clone(&disk), &group_id, chain, keep);
        let stores = Chain::ALL.into_iter().map(open).collect();
        Ok(Kept { stores, group_id, url })
    }

    /// Most often the place or the group is another.
    fn tell_if_none(&self, found: usize) {
        if found == 0 {
            eprintln!("there is no checkpoint of the group {} in {}", self.group_id, self.url);
        }
    }
}

fn listed(store: &CheckpointStore, generation: Generation) -> Listed {
    let Generation { name, records, bytes, .. } = generation;
    Listed { chain: store.chain().name(), name, records, bytes }
}

/// Reads the checkpoint and its segments, each of these once; `None` if it was
/// deleted meanwhile, as a service that runs does.
fn examine(
    store: &CheckpointStore,
    generation: Generation,
    segments: &mut BTreeMap<SegmentName, Option<String>>,
) -> anyhow::Result<Option<Verified>> {
    let (manifest, damage) = match store.load(&generation)? {
        None => return Ok(None),
        Some(Ok(parts)) => {
            let damage = examine_segments(store, &parts.manifest, segments)?;
            (Some(parts.manifest), damage)
        }
        Some(Err(fault)) => (None, Some(fault.to_string())),
    };
    Ok(Some(Verified { listed: listed(store, generation), manifest, damage }))
}

fn examine_segments(
    store: &CheckpointStore,
    manifest: &Manifest,
    segments: &mut BTreeMap<SegmentName, Option<String>>,
) -> anyhow::Result<Option<String>> {
    for named in &manifest.segments {
        if !segments.contains_key(named) {
            segments.insert(*named, segment_damage(store, named)?);
        }
        if let Some(damage) = &segments[named] {
            return Ok(Some(damage.clone()));
        }
    }
    Ok(None)
}

fn segment_damage(store: &CheckpointStore, named: &SegmentName) -> anyhow::Result<Option<String>> {
    match store.segment(named) {
        Ok(bytes) => Ok(verify_segment(Arc::new(bytes))
            .err()
            .map(|error| format!("segment {}: {error}", named.number))),
        Err(
            error @ (StoreError::Segment { .. } | StoreError::Disk(DiskError::NotFound { .. })),
        ) => Ok(Some(error.to_string())),
        Err(error) => Err(error.into()),
    }
}

fn list_table(rows: &[Listed]) -> String {
    let mut lines = vec![["CHAIN", "RECORDS", "BYTES", "NAME"].map(str::to_owned)];
    lines.extend(rows.iter().map(|row| {
        [row.chain.to_owned(), row.records.to_string(), row.bytes.to_string(), row.name.clone()]
    }));
    columns(&lines)
}

fn verify_table(rows: &[Verified]) -> String {
    let header = ["CHAIN", "RECORDS", "WRITTEN", "SEGMENTS", "BYTES", "STATE", "NAME"];
    let mut lines = vec![header.map(str::to_owned)];
    lines.extend(rows.iter().map(|Verified { listed, manifest, damage }| {
        let told = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        let manifest = manifest.as_ref();
        [
            listed.chain.to_owned(),
            listed.records.to_string(),
            told(manifest.map(|manifest| rfc3339_utc(manifest.written_ms))),
            told(manifest.map(|manifest| manifest.segments.len().to_string())),
            listed.bytes.to_string(),
            damage.clone().unwrap_or_else(|| "ok".to_owned()),
            listed.name.clone(),
        ]
    }));
    columns(&lines)
}
