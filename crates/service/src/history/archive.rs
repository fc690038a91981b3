//! Writing segments to a folder.

use std::fs::{File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use flow_core::{Archive, Image, ImageError};

use super::image::FileImage;
use super::{Entry, FOLDER_HINT, LOCK, UNFINISHED, list, segment_name};
use crate::report::Explain;

/// Keeps segments as files of a folder, for as long as it lives alone there.
#[derive(Debug)]
pub struct FileArchive {
    dir: PathBuf,
    /// Dropping it gives the folder free.
    _lock: File,
}

impl FileArchive {
    /// Makes the folder if need be, and looks whether it may be used.
    ///
    /// # Errors
    /// If it cannot be made or read, or holds anything but a history.
    pub fn probe(dir: &Path) -> anyhow::Result<()> {
        let failed = || format!("cannot use the history folder {}", dir.display());
        std::fs::create_dir_all(dir).explain(failed(), FOLDER_HINT)?;
        list(dir).map(drop)
    }

    /// Makes the folder if need be, locks it, and deletes the history of an
    /// earlier run.
    ///
    /// # Errors
    /// If another process writes it, or it holds anything but a history.
    pub fn create(dir: &Path) -> anyhow::Result<FileArchive> {
        let failed = || format!("cannot use the history folder {}", dir.display());
        FileArchive::probe(dir)?;
        let lock = lock(dir)?;
        for (path, entry) in list(dir)? {
            if entry != Entry::Lock {
                std::fs::remove_file(&path)
                    .with_context(|| format!("cannot delete {}", path.display()))?;
            }
        }
        sync_folder(dir).with_context(failed)?;
        Ok(FileArchive { dir: dir.to_owned(), _lock: lock })
    }
}

/// A segment as a checkpoint names it: length, and checksum of its header.
pub type SegmentKey = (u64, u32);

impl FileArchive {
    /// Goes on after these segments: what the folder holds of them stays, the
    /// others are written, as `fetch` gives them by number; what else it holds
    /// is deleted.
    ///
    /// # Errors
    /// As [`FileArchive::create`], or what `fetch` says.
    pub fn resume(
        dir: &Path,
        segments: &[SegmentKey],
        fetch: &mut dyn FnMut(usize) -> anyhow::Result<Vec<u8>>,
    ) -> anyhow::Result<(FileArchive, Vec<Arc<dyn Image>>)> {
        FileArchive::probe(dir)?;
        let mut archive = FileArchive { dir: dir.to_owned(), _lock: lock(dir)? };
        for (path, entry) in list(dir)? {
            let kept = match entry {
                Entry::Lock => true,
                Entry::Segment(number) => {
                    segments.get(number).is_some_and(|key| is_segment(&path, *key))
                }
                Entry::Unfinished | Entry::Other => false,
            };
            if !kept {
                std::fs::remove_file(&path)
                    .with_context(|| format!("cannot delete {}", path.display()))?;
            }
        }
        let mut images: Vec<Arc<dyn Image>> = Vec::new();
        for number in 0..segments.len() {
            let path = dir.join(segment_name(number));
            images.push(match FileImage::open(path) {
                Ok(image) => Arc::new(image),
                Err(_) => archive.keep(number, &mut [fetch(number)?])?,
            });
        }
        Ok((archive, images))
    }
}

/// Whether the file is that segment, as far as its header tells: what it holds
/// is compared with its checksums when it is read.
fn is_segment(path: &Path, key: SegmentKey) -> bool {
    let image = FileImage::open(path.to_owned());
    image.is_ok_and(|image| flow_core::segment_identity(&image).is_ok_and(|found| found == key))
}

impl Archive for FileArchive {
    fn keep(&mut self, number: usize, parts: &mut [Vec<u8>]) -> Result<Arc<dyn Image>, ImageError> {
        let path = self.dir.join(segment_name(number));
        let unfinished = self.dir.join(segment_name(number) + UNFINISHED);
        match write(&self.dir, &unfinished, &path, parts) {
            Ok(image) => Ok(Arc::new(image)),
            Err(error) => {
                // The first error counts; what is left is deleted at the next start.
                let deleted = [&unfinished, &path].map(std::fs::remove_file);
                tracing::debug!(?deleted, "the segment was given up");
                Err(ImageError(format!("cannot write {}: {error}", path.display())))
            }
        }
    }
}

/// A file has its final name only once its bytes are on disk.
fn write(dir: &Path, unfinished: &Path, path: &Path, parts: &[Vec<u8>]) -> io::Result<FileImage> {
    let mut file = File::create(unfinished)?;
    for part in parts {
        file.write_all(part)?;
    }
    file.sync_all()?;
    drop(file);
    std::fs::rename(unfinished, path)?;
    sync_folder(dir)?;
    FileImage::open(path.to_owned())
}

/// Makes names that were given or taken away survive a power cut.
fn sync_folder(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

fn lock(dir: &Path) -> anyhow::Result<File> {
    let path = dir.join(LOCK);
    let failed = || format!("cannot lock the history folder {}", dir.display());
    let file = File::create(&path).explain(failed(), FOLDER_HINT)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(anyhow::anyhow!("another process holds {}", path.display()))
                .explain(failed(), "give each process a history folder of its own")
        }
        Err(TryLockError::Error(error)) => Err(error).explain(failed(), FOLDER_HINT),
    }
}
