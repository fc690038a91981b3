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
    /// Makes the folder if need be, locks it, and deletes the history of an
    /// earlier run.
    ///
    /// # Errors
    /// If another process writes it, or it holds anything but a history.
    pub fn create(dir: &Path) -> anyhow::Result<FileArchive> {
        let failed = || format!("cannot use the history folder {}", dir.display());
        std::fs::create_dir_all(dir).explain(failed(), FOLDER_HINT)?;
        list(dir)?;
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

impl Archive for FileArchive {
    fn keep(&mut self, number: usize, bytes: Vec<u8>) -> Result<Arc<dyn Image>, ImageError> {
        let path = self.dir.join(segment_name(number));
        let unfinished = self.dir.join(segment_name(number) + UNFINISHED);
        match write(&self.dir, &unfinished, &path, &bytes) {
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
fn write(dir: &Path, unfinished: &Path, path: &Path, bytes: &[u8]) -> io::Result<FileImage> {
    let mut file = File::create(unfinished)?;
    file.write_all(bytes)?;
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
