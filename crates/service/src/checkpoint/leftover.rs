//! What a crash leaves of a put into a folder: a file under a temporary name.
//!
//! `object_store` writes `NAME#1` before it becomes `NAME`. Only names of ours
//! are touched, and only old ones: a process that shares the folder may be
//! writing the others.

use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::name;

/// Nobody has been writing a file that was last written before so long.
const ABANDONED: Duration = Duration::from_secs(15 * 60);

/// Folders of group and chain.
const DEPTH: usize = 2;

/// Deletes what was abandoned.
pub(super) fn clear(folder: &Path) -> io::Result<()> {
    clear_below(folder, DEPTH)
}

fn clear_below(folder: &Path, depth: usize) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() && depth > 0 {
            clear_below(&entry.path(), depth - 1)?;
        } else if kind.is_file() && is_unfinished(&entry.file_name().to_string_lossy()) {
            clear_file(&entry.path())?;
        }
    }
    Ok(())
}

fn clear_file(path: &Path) -> io::Result<()> {
    let written = std::fs::metadata(path).and_then(|metadata| metadata.modified());
    let age = written.map(|written| SystemTime::now().duration_since(written).unwrap_or_default());
    let deleted = match age {
        Ok(age) if age >= ABANDONED => std::fs::remove_file(path),
        Ok(_) => return Ok(()),
        Err(error) => Err(error),
    };
    match deleted {
        // Another process was quicker.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Ok(()) => {
            tracing::info!(file = %path.display(), "deleted what a crash left half written");
            Ok(())
        }
        Err(error) => Err(error),
    }
}

fn is_unfinished(file: &str) -> bool {
    file.rsplit_once('#').is_some_and(|(name, number)| {
        number.bytes().all(|byte| byte.is_ascii_digit()) && name::is_ours(name)
    })
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn what_was_abandoned_goes_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let scope = folder.path().join("g/tron");
        std::fs::create_dir_all(&scope).unwrap();
        let old = SystemTime::now() - ABANDONED;
        let checkpoint = "checkpoint-00000000000000000042-000000ab.usc";
        let segment = "segment-000003-ff-00000001.usf";
        let gone = [format!("{checkpoint}#1"), format!("{segment}#27")];
        let kept = [
            checkpoint,
            segment,
            "notes#1",
            "checkpoint-1-2.usc#1",
            "segment-000003-ff-00000001.usf#x",
        ];
        for name in kept.into_iter().chain(gone.iter().map(String::as_str)) {
            File::create(scope.join(name)).unwrap().set_modified(old).unwrap();
        }
        let fresh = format!("{segment}#2");
        File::create(scope.join(&fresh)).unwrap();
        clear(folder.path()).unwrap();
        let is_there = |name: &str| scope.join(name).exists();
        assert!(gone.iter().all(|name| !is_there(name)));
        assert!(kept.into_iter().all(is_there));
        assert!(is_there(&fresh), "somebody may be writing it");
    }
}
