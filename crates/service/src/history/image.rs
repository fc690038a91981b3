//! A segment's bytes in a file.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use flow_core::{Image, ImageError};

/// A file that was written once.
#[derive(Debug)]
pub(super) struct FileImage {
    file: File,
    bytes: u64,
    /// For messages.
    path: PathBuf,
}

impl FileImage {
    /// Opens a segment.
    pub(super) fn open(path: PathBuf) -> io::Result<FileImage> {
        let file = File::open(&path)?;
        let bytes = file.metadata()?.len();
        Ok(FileImage { file, bytes, path })
    }
}

impl Image for FileImage {
    fn len(&self) -> u64 {
        self.bytes
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<(), ImageError> {
        self.file.read_exact_at(into, offset).map_err(|error| {
            let (wanted, path) = (into.len(), self.path.display());
            ImageError(format!("cannot read {wanted} bytes at {offset} of {path}: {error}"))
        })
    }
}
