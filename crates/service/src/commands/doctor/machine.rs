//! Disk and memory of this machine.

use std::path::Path;

use super::{Findings, State};
use crate::checkpoint::ObjectDisk;
use crate::config::Config;
use crate::metrics::memory_at_hand;

/// Bytes that an account takes in memory, where all vectors have just grown: 32
/// of its record, up to 11 in the index, 4 of its node in the graph, twice.
const ACCOUNT_BYTES: u64 = 94;

/// Bytes that a transfer takes in memory until it is sealed
/// (docs/reliability.md).
const TRANSFER_BYTES: u64 = 88;

/// Bytes for each transfer of a segment where it is put together: kept from one
/// segment to the next (docs/performance.md).
const SEALING_BYTES: u64 = 86;

/// What the process takes with an empty state, and its queues when full.
const BASE_BYTES: u64 = 256 << 20;

/// Bytes of an account in a checkpoint, at most.
const CHECKPOINT_ACCOUNT_BYTES: u64 = 48;

/// Less room than this is soon used up.
const ROOM_MIN: u64 = 1 << 30;

const MIB: u64 = 1 << 20;

/// Looks at disk and memory; `accounts`: how many are expected.
pub(super) fn check(config: &Config, accounts: u64, findings: &mut Findings) {
    checkpoints(config, accounts, findings);
    if let Some(folder) = &config.history.dir {
        room("history.dir", folder, ROOM_MIN, findings);
    }
    memory(config, accounts, findings);
}

fn checkpoints(config: &Config, accounts: u64, findings: &mut Findings) {
    let check = "checkpoint.url";
    let Some(settings) = &config.checkpoint else {
        let remedy = "set checkpoint.url, or each start reads all input from its beginning";
        return findings.put(check, State::Warning, "no checkpoints are kept", remedy);
    };
    let local = settings.url.strip_prefix("file://").unwrap_or(&settings.url);
    if !local.contains("://") {
        let generations = u64::try_from(settings.keep).unwrap_or(u64::MAX).saturating_add(1);
        let need = accounts.saturating_mul(CHECKPOINT_ACCOUNT_BYTES).saturating_mul(generations);
        return room(check, Path::new(local), need.max(ROOM_MIN), findings);
    }
    let listed = ObjectDisk::open(&settings.url, &settings.s3)
        .and_then(|disk| Ok(crate::checkpoint::Disk::list(&disk, "")?.len()));
    match listed {
        Ok(objects) => findings.ok(check, format!("{}: {objects} objects", settings.url)),
        Err(error) => findings.failed(check, &error),
    }
}

/// Whether a folder, or the one that it will be made in, can be written to and
/// has so much room.
fn room(check: &str, folder: &Path, need: u64, findings: &mut Findings) {
    let there = folder.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("."));
    if let Err(error) = tempfile::tempfile_in(there) {
        let found = format!("cannot write to {}: {error}", there.display());
        return findings.put(
            check,
            State::Failed,
            found,
            "give the user of the service the folder",
        );
    }
    let Ok(fs) = rustix::fs::statvfs(there) else {
        return findings.put(check, State::Unknown, "its room cannot be told", "see df");
    };
    let free = fs.f_bavail.saturating_mul(fs.f_frsize);
    let found = format!("{}: {} MiB free", folder.display(), free / MIB);
    if free < need {
        let remedy = format!("make room for {} MiB at least", need / MIB);
        findings.put(check, State::Warning, found, remedy);
    } else {
        findings.ok(check, found);
    }
}

fn memory(config: &Config, accounts: u64, findings: &mut Findings) {
    let Some(most) = config.limits.memory_max_bytes.or_else(memory_at_hand) else {
        return findings.put("memory", State::Unknown, "it cannot be told", "see free");
    };
    let chains = u64::try_from(config.inputs.len()).unwrap_or(1).max(1);
    let segment = u64::try_from(config.engine.segment_transfers).unwrap_or(u64::MAX);
    let each = 2 * TRANSFER_BYTES + SEALING_BYTES;
    let need = BASE_BYTES
        .saturating_add(accounts.saturating_mul(ACCOUNT_BYTES))
        .saturating_add(segment.saturating_mul(each).saturating_mul(chains));
    let found = format!("{} MiB; {accounts} accounts need {} MiB at most", most / MIB, need / MIB);
    if config.history.dir.is_none() {
        let remedy = "set history.dir, or every transfer stays in memory";
        findings.put("memory", State::Warning, found, remedy);
    } else if need > most {
        let remedy =
            "give it more memory, raise limits.memory_max_mb, or lower history.segment_transfers";
        findings.put("memory", State::Failed, found, remedy);
    } else {
        findings.ok("memory", found);
    }
}
