//! The disk of the service: a local folder, or a bucket that speaks S3.
//!
//! Both are `object_store`'s. In a folder it writes under a temporary name,
//! syncs the file, renames it and syncs the folder, which is what a put
//! promises; what a crash leaves of it is cleared up at the next start. To S3 a
//! long object goes in parts and becomes visible with the last.
//!
//! It waits on a runtime of its own, so the caller is an ordinary thread, never
//! a task.

#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Chain, Context as _};
use object_store::local::LocalFileSystem;
use object_store::{ObjectStore, ObjectStoreExt as _, WriteMultipart};
use tokio::runtime::{Builder, Runtime};

use super::disk::{Disk, DiskError};
use super::leftover;
use super::s3::{self, Bucket, Credentials, S3Options};
use crate::report::Explain as _;

/// A longer object goes to S3 in parts of so many bytes …
const PART: usize = 8 << 20;

/// … of which so many are under way at a time.
const PARTS_AT_ONCE: usize = 4;

/// What to do about a place that cannot be opened.
const PLACE_HINT: &str = "set checkpoint.url to a folder or to s3://BUCKET/PREFIX";

/// What to do about a bucket that is not there.
const NO_BUCKET: &str = "make the bucket, or correct checkpoint.url";

/// Objects in a folder or a bucket.
#[derive(Debug)]
pub struct ObjectDisk {
    store: Arc<dyn ObjectStore>,
    runtime: Runtime,
    /// What stands before each name in the store.
    prefix: String,
    /// The place, for messages.
    place: String,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Folder,
    /// With what must not be shown.
    S3(Credentials),
}

impl ObjectDisk {
    /// Opens the place of `checkpoint.url`: a path, `file://` and a path, or
    /// `s3://BUCKET/PREFIX`. A folder is made if need be, and cleared of what a
    /// crash left half written there a while ago. S3 is not asked anything yet.
    ///
    /// # Errors
    /// If the place makes no sense, the folder cannot be used, or the
    /// credentials of S3 are not in the environment.
    pub fn open(url: &str, s3: &S3Options) -> anyhow::Result<ObjectDisk> {
        if let Place::Folder(folder) = place(url)? {
            let failed = || format!("cannot use the checkpoint folder {}", folder.display());
            make_folder(&folder).explain(failed(), PLACE_HINT)?;
            leftover::clear(&folder).with_context(failed)?;
        }
        ObjectDisk::open_existing(url, s3)
    }

    /// Whether a URL names a place that there can be.
    ///
    /// # Errors
    /// Why it does not.
    pub fn check_url(url: &str) -> Result<(), UrlError> {
        Place::parse(url).map(drop)
    }

    /// The same as [`ObjectDisk::open`], changing nothing there.
    ///
    /// # Errors
    /// As [`ObjectDisk::open`], and if there is no such folder.
    pub fn open_existing(url: &str, s3: &S3Options) -> anyhow::Result<ObjectDisk> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let name = url.to_owned();
        match place(url)? {
            Place::Folder(folder) => {
                let store = LocalFileSystem::new_with_prefix(&folder)
                    .explain(format!("there is no checkpoint folder {name}"), PLACE_HINT)?
                    .with_fsync(true);
                let (store, prefix) = (Arc::new(store), String::new());
                Ok(ObjectDisk { store, runtime, prefix, place: name, kind: Kind::Folder })
            }
            Place::Bucket { bucket, prefix } => {
                let credentials = Credentials::of_environment()?;
                let store = Arc::new(s3::connect(&bucket, s3, &credentials)?);
                let prefix = if prefix.is_empty() { prefix } else { format!("{prefix}/") };
                Ok(ObjectDisk { store, runtime, prefix, place: name, kind: Kind::S3(credentials) })
            }
        }
    }

    fn path(&self, name: &str) -> Result<object_store::path::Path, object_store::Error> {
        Ok(object_store::path::Path::parse(format!("{}{name}", self.prefix))?)
    }

    async fn write(&self, name: &str, bytes: Vec<u8>) -> Result<(), object_store::Error> {
        let path = self.path(name)?;
        if matches!(self.kind, Kind::Folder) || bytes.len() <= PART {
            return self.store.put(&path, bytes.into()).await.map(drop);
        }
        let upload = self.store.put_multipart(&path).await?;
        let mut parts = WriteMultipart::new_with_chunk_size(upload, PART);
        for part in bytes.chunks(PART) {
            if let Err(error) = parts.wait_for_capacity(PARTS_AT_ONCE).await {
                // The first error counts; the store forgets parts of its own accord.
                let aborted = parts.abort().await;
                tracing::debug!(?aborted, "the upload was given up");
                return Err(error);
            }
            parts.write(part);
        }
        parts.finish().await.map(drop)
    }

    async fn read(&self, name: &str) -> Result<Vec<u8>, object_store::Error> {
        let bytes = self.store.get(&self.path(name)?).await?.bytes().await?;
        Ok(bytes.into())
    }

    async fn names(&self, prefix: &str) -> Result<Vec<(String, u64)>, object_store::Error> {
        let folder = prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
        let listed = self.store.list_with_delimiter(Some(&self.path(folder)?)).await?;
        let name = |object: object_store::ObjectMeta| {
            let name = object.location.as_ref().strip_prefix(&self.prefix)?;
            name.starts_with(prefix).then(|| (name.to_owned(), object.size))
        };
        Ok(listed.objects.into_iter().filter_map(name).collect())
    }

    /// The error in our words.
    fn failed(&self, doing: &'static str, name: &str, error: &object_store::Error) -> DiskError {
        let mut reason = error.to_string();
        // The library leaves the cause of a failed connection out of its own text.
        if let Some(root) = Chain::new(error).last().map(ToString::to_string)
            && !reason.contains(&root)
        {
            reason = format!("{reason}: {root}");
        }
        if let Kind::S3(credentials) = &self.kind {
            reason = credentials.hide(&reason);
        }
        let name = format!("{name} in {}", self.place);
        DiskError::Failed { doing, name, reason, hint: self.hint(error) }
    }

    fn hint(&self, error: &object_store::Error) -> &'static str {
        let io = Chain::new(error).filter_map(|cause| cause.downcast_ref::<io::Error>()).last();
        let full = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded];
        match (&self.kind, error, io.map(io::Error::kind)) {
            (_, _, Some(kind)) if full.contains(&kind) => {
                "make room there; the next checkpoint is tried after the usual interval"
            }
            (Kind::Folder, _, _) => "give usdt-flow the right to read and write there",
            (_, object_store::Error::NotFound { .. }, _) => NO_BUCKET,
            // Of a list the library does not say so.
            (_, error, _) if error.to_string().contains("NoSuchBucket") => NO_BUCKET,
            (
                _,
                object_store::Error::PermissionDenied { .. }
                | object_store::Error::Unauthenticated { .. },
                _,
            ) => "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and what they may do there",
            _ => "check that the store runs and that checkpoint.s3.endpoint leads to it",
        }
    }
}

impl Disk for ObjectDisk {
    fn put(&self, name: &str, bytes: Vec<u8>) -> Result<(), DiskError> {
        self.runtime
            .block_on(self.write(name, bytes))
            .map_err(|error| self.failed("write", name, &error))
    }

    fn get(&self, name: &str) -> Result<Vec<u8>, DiskError> {
        self.runtime.block_on(self.read(name)).map_err(|error| match error {
            object_store::Error::NotFound { .. } => DiskError::NotFound { name: name.to_owned() },
            error => self.failed("read", name, &error),
        })
    }

    fn list(&self, prefix: &str) -> Result<Vec<(String, u64)>, DiskError> {
        self.runtime
            .block_on(self.names(prefix))
            .map_err(|error| self.failed("list", prefix, &error))
    }

    fn delete(&self, name: &str) -> Result<(), DiskError> {
        let path = self.path(name).map_err(|error| self.failed("delete", name, &error))?;
        self.runtime.block_on(self.store.delete(&path)).map_err(|error| match error {
            object_store::Error::NotFound { .. } => DiskError::NotFound { name: name.to_owned() },
            error => self.failed("delete", name, &error),
        })
    }
}

/// Why a URL names no place for checkpoints.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// There is none.
    #[error("it is empty")]
    Empty,
    /// A file's URL without a root.
    #[error("file:// wants a whole path, as in file:///var/lib/usdt-flow")]
    Relative,
    /// `s3://` alone.
    #[error("no bucket is named")]
    NoBucket,
    /// Something else.
    #[error("{0}:// is not known")]
    Scheme(String),
}

/// What `checkpoint.url` means.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    Folder(PathBuf),
    Bucket { bucket: Bucket, prefix: String },
}

impl Place {
    fn parse(url: &str) -> Result<Place, UrlError> {
        match url.split_once("://") {
            None if url.is_empty() => Err(UrlError::Empty),
            None => Ok(Place::Folder(PathBuf::from(url))),
            Some(("file", path)) if path.starts_with('/') => Ok(Place::Folder(path.into())),
            Some(("file", _)) => Err(UrlError::Relative),
            Some(("s3", rest)) => {
                let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
                if bucket.is_empty() {
                    return Err(UrlError::NoBucket);
                }
                let (bucket, prefix) = (Bucket(bucket.to_owned()), prefix.trim_matches('/'));
                Ok(Place::Bucket { bucket, prefix: prefix.to_owned() })
            }
            Some((scheme, _)) => Err(UrlError::Scheme(scheme.to_owned())),
        }
    }
}

fn place(url: &str) -> anyhow::Result<Place> {
    Place::parse(url).explain(format!("cannot keep checkpoints in {url:?}"), PLACE_HINT)
}

/// Makes the folder and those above it, and makes that last.
fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let whole = std::path::absolute(folder)?;
    let parent = whole.parent().ok_or(io::ErrorKind::NotADirectory)?;
    make_folder(parent)?;
    match std::fs::create_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    std::fs::File::open(parent)?.sync_all()
}
