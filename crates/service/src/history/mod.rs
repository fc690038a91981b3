//! The sealed past on disk: a folder with one file for each segment.
//!
//! What always holds: a file under its final name is whole and on disk, and is
//! never written again; segments are numbered from 0 without a gap; a folder
//! that holds anything else is left alone; one process writes it at a time.
//!
//! A run begins with an emptied folder, since it applies its events from the
//! first one on. What it leaves can be read back with [`open_history`].

mod archive;
mod image;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use flow_core::{Archive, Image, MemoryArchive};

use crate::report::Explain;
use image::FileImage;

pub use archive::{FileArchive, SegmentKey};

/// The file that the process which writes the folder holds locked.
const LOCK: &str = "usdt-flow.lock";

/// Ends the name of a segment that is being written.
const UNFINISHED: &str = ".tmp";

/// What to do about a folder that cannot be used.
const FOLDER_HINT: &str = "name a folder of its own for the history";

/// What a file of the folder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    Lock,
    Segment(usize),
    /// What a write that was cut short left behind.
    Unfinished,
    /// Nothing of ours.
    Other,
}

/// Where a run keeps its past: in that folder, emptied before, or in memory.
///
/// # Errors
/// As [`FileArchive::create`].
pub fn archive(dir: Option<&Path>) -> anyhow::Result<Box<dyn Archive>> {
    Ok(match dir {
        Some(dir) => Box::new(FileArchive::create(dir)?),
        None => Box::new(MemoryArchive),
    })
}

/// The segments of a history folder, in order.
///
/// # Errors
/// If the folder cannot be read, holds no segment, holds anything that is not
/// of a history, or lacks a segment between others.
pub fn open_history(dir: &Path) -> anyhow::Result<Vec<Arc<dyn Image>>> {
    let mut numbers = segments(&list(dir)?);
    numbers.sort_unstable();
    let missing = (0..).zip(&numbers).find(|(place, number)| place != *number);
    if let Some((place, _)) = missing {
        let name = segment_name(place);
        return Err(anyhow::anyhow!("{name} is missing, and later segments are there")).explain(
            format!("the history in {} has a gap", dir.display()),
            "run the replay or the service again: it writes the history anew",
        );
    }
    if numbers.is_empty() {
        return Err(anyhow::anyhow!("there is no segment")).explain(
            format!("there is no history in {}", dir.display()),
            "usdt-flow replay --history DIR writes one",
        );
    }
    let open = |number: usize| -> anyhow::Result<Arc<dyn Image>> {
        let path = dir.join(segment_name(number));
        let image = FileImage::open(path.clone());
        Ok(Arc::new(image.with_context(|| format!("cannot read {}", path.display()))?))
    };
    numbers.into_iter().map(open).collect()
}

/// The files of the segments of a history folder, in order.
///
/// # Errors
/// If the folder cannot be read, or holds anything that is not of a history.
pub fn segment_files(dir: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut numbers = segments(&list(dir)?);
    numbers.sort_unstable();
    Ok(numbers.into_iter().map(|number| dir.join(segment_name(number))).collect())
}

/// What the folder holds, all of it ours.
fn list(dir: &Path) -> anyhow::Result<Vec<(PathBuf, Entry)>> {
    let failed = || format!("cannot read the history folder {}", dir.display());
    let mut entries = Vec::new();
    for file in std::fs::read_dir(dir).explain(failed(), FOLDER_HINT)? {
        let file = file.with_context(failed)?;
        let is_file = file.file_type().with_context(failed)?.is_file();
        let entry = if is_file { entry_of(&file.file_name()) } else { Entry::Other };
        if entry == Entry::Other {
            let name = file.file_name();
            return Err(anyhow::anyhow!("it holds {}", name.to_string_lossy())).explain(
                format!("{} is not a folder of usdt-flow's history", dir.display()),
                FOLDER_HINT,
            );
        }
        entries.push((file.path(), entry));
    }
    Ok(entries)
}

fn segments(entries: &[(PathBuf, Entry)]) -> Vec<usize> {
    let number = |(_, entry): &(PathBuf, Entry)| match entry {
        Entry::Segment(number) => Some(*number),
        Entry::Lock | Entry::Unfinished | Entry::Other => None,
    };
    entries.iter().filter_map(number).collect()
}

fn segment_name(number: usize) -> String {
    format!("segment-{number:06}.usf")
}

fn entry_of(name: &OsStr) -> Entry {
    let Some(name) = name.to_str() else { return Entry::Other };
    if name == LOCK {
        return Entry::Lock;
    }
    let (segment, unfinished) = match name.strip_suffix(UNFINISHED) {
        Some(segment) => (segment, true),
        None => (name, false),
    };
    let digits = segment.strip_prefix("segment-").and_then(|rest| rest.strip_suffix(".usf"));
    let number = digits.and_then(|digits| digits.parse().ok());
    // One spelling for each number, so that nothing foreign is taken for ours.
    match number.filter(|number| segment_name(*number) == segment) {
        Some(_) if unfinished => Entry::Unfinished,
        Some(number) => Entry::Segment(number),
        None => Entry::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes_of(image: &Arc<dyn Image>) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(image.len()).unwrap()];
        image.read_at(0, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn what_is_kept_is_read_back_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("new");
        let mut archive = FileArchive::create(&dir).unwrap();
        for number in 0..3 {
            let bytes = vec![u8::try_from(number).unwrap(); 5];
            assert_eq!(
                bytes_of(
                    &archive.keep(number, &mut [bytes[..2].to_vec(), bytes[2..].to_vec()]).unwrap()
                ),
                bytes
            );
        }
        drop(archive);
        let images = open_history(&dir).unwrap();
        let read: Vec<Vec<u8>> = images.iter().map(bytes_of).collect();
        assert_eq!(read, [[0; 5], [1; 5], [2; 5]]);
        let error = images[0].read_at(3, &mut [0; 5]).unwrap_err();
        assert!(error.to_string().contains("segment-000000.usf"), "{error}");
    }

    #[test]
    fn a_gap_and_an_empty_folder_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let told = |dir: &Path| format!("{:#}", open_history(dir).unwrap_err());
        assert!(told(folder.path()).contains("there is no segment"));
        std::fs::write(folder.path().join(segment_name(0)), "a").unwrap();
        std::fs::write(folder.path().join(segment_name(2)), "c").unwrap();
        assert!(told(folder.path()).contains("segment-000001.usf is missing"));
        assert!(told(&folder.path().join("nowhere")).contains("nowhere"));
    }

    #[test]
    fn a_new_run_empties_the_folder_of_what_is_ours() {
        let folder = tempfile::tempdir().unwrap();
        for name in [segment_name(0), segment_name(7), format!("{}.tmp", segment_name(8))] {
            std::fs::write(folder.path().join(name), "old").unwrap();
        }
        let archive = FileArchive::create(folder.path()).unwrap();
        assert_eq!(segments(&list(folder.path()).unwrap()), [0; 0]);
        let held = FileArchive::create(folder.path()).unwrap_err();
        assert!(format!("{held:#}").contains("another process"), "{held:#}");
        drop(archive);
        FileArchive::create(folder.path()).unwrap();
    }

    #[test]
    fn a_folder_with_anything_else_is_left_alone() {
        for name in ["notes.txt", "segment-1.usf", "segment-0000001.usf", "segment-000001.usf.bak"]
        {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join(name), "mine").unwrap();
            std::fs::write(folder.path().join(segment_name(0)), "mine").unwrap();
            let error = FileArchive::create(folder.path()).unwrap_err();
            assert!(format!("{error:#}").contains(name), "{error:#}");
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "nothing was touched");
        }
    }

    #[test]
    fn what_cannot_be_written_names_the_file_and_leaves_none() {
        let folder = tempfile::tempdir().unwrap();
        let mut archive = FileArchive::create(folder.path()).unwrap();
        // A folder of that name stands in the way, whoever runs the test.
        std::fs::create_dir(folder.path().join("segment-000000.usf")).unwrap();
        let error = archive.keep(0, &mut [vec![1]]).unwrap_err();
        assert!(error.to_string().contains("segment-000000.usf"), "{error}");
        assert!(!folder.path().join("segment-000000.usf.tmp").exists());
    }
}
