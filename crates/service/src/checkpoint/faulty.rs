//! A disk in memory with the faults of real ones, for tests.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};

use flow_core::Image;

use super::disk::{Disk, DiskError};
use super::manifest::SegmentName;

/// What a put does instead of keeping the object.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    /// Keeps so many bytes and fails, as a disk does whose put is not atomic.
    Torn(usize),
    /// Keeps so many bytes and says that all is well.
    Lying(usize),
    /// Keeps nothing and fails.
    Full,
}

/// Objects in memory.
#[derive(Debug, Default)]
pub(super) struct FaultyDisk {
    objects: Mutex<BTreeMap<String, Vec<u8>>>,
    fault: Mutex<Option<(&'static str, Fault)>>,
    is_away: AtomicBool,
    is_turned: AtomicBool,
    /// What was put and deleted, in order.
    log: Mutex<Vec<String>>,
}

impl FaultyDisk {
    /// From now on, puts of names that contain `part` go wrong.
    pub(super) fn break_puts(&self, part: &'static str, fault: Fault) {
        *self.fault.lock().unwrap() = Some((part, fault));
    }

    /// From now on, puts go well.
    pub(super) fn mend(&self) {
        *self.fault.lock().unwrap() = None;
    }

    /// Whether nothing at all can be reached.
    pub(super) fn set_away(&self, is_away: bool) {
        self.is_away.store(is_away, Ordering::Relaxed);
    }

    /// Flips bits of an object.
    pub(super) fn rot(&self, name: &str, at: usize, mask: u8) {
        self.objects().get_mut(name).unwrap()[at] ^= mask;
    }

    /// Puts any bytes under a name, faults or not.
    pub(super) fn plant(&self, name: &str, bytes: Vec<u8>) {
        self.objects().insert(name.to_owned(), bytes);
    }

    /// Takes an object away.
    pub(super) fn lose(&self, name: &str) -> Vec<u8> {
        self.objects().remove(name).unwrap()
    }

    /// The names that contain `part`, in order.
    pub(super) fn names(&self, part: &str) -> Vec<String> {
        self.objects().keys().filter(|name| name.contains(part)).cloned().collect()
    }

    /// What was put and deleted since it was asked last.
    pub(super) fn take_log(&self) -> Vec<String> {
        std::mem::take(&mut self.log.lock().unwrap())
    }

    fn objects(&self) -> MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        self.objects.lock().unwrap()
    }

    fn log(&self, what: &str, name: &str) {
        let file = name.rsplit('/').next().unwrap();
        self.log.lock().unwrap().push(format!("{what} {}", &file[..file.len().min(14)]));
    }

    fn reach(&self, doing: &'static str, name: &str) -> Result<(), DiskError> {
        let failed = failed(doing, name, "it is away");
        if self.is_away.load(Ordering::Relaxed) { Err(failed) } else { Ok(()) }
    }
}

fn failed(doing: &'static str, name: &str, reason: &str) -> DiskError {
    let (name, reason) = (name.to_owned(), reason.to_owned());
    DiskError::Failed { doing, name, reason, hint: "this is a test" }
}

impl Disk for FaultyDisk {
    fn put(&self, name: &str, mut bytes: Vec<u8>) -> Result<(), DiskError> {
        self.reach("write", name)?;
        self.log("put", name);
        let fault = self.fault.lock().unwrap().filter(|(part, _)| name.contains(part));
        match fault {
            None => self.plant(name, bytes),
            Some((_, Fault::Full)) => return Err(failed("write", name, "no space left")),
            Some((_, Fault::Torn(len))) => {
                bytes.truncate(len);
                self.plant(name, bytes);
                return Err(failed("write", name, "the power went"));
            }
            Some((_, Fault::Lying(len))) => {
                bytes.truncate(len);
                self.plant(name, bytes);
            }
        }
        Ok(())
    }

    fn get(&self, name: &str) -> Result<Vec<u8>, DiskError> {
        self.reach("read", name)?;
        let found = self.objects().get(name).cloned();
        found.ok_or_else(|| DiskError::NotFound { name: name.to_owned() })
    }

    /// In another order each time, so that none is relied upon.
    fn list(&self, prefix: &str) -> Result<Vec<(String, u64)>, DiskError> {
        self.reach("list", prefix)?;
        let objects = self.objects();
        let here = |name: &str| name.strip_prefix(prefix).is_some_and(|rest| !rest.contains('/'));
        let mut listed: Vec<(String, u64)> = objects
            .iter()
            .filter(|(name, _)| here(name))
            .map(|(name, bytes)| (name.clone(), bytes.len() as u64))
            .collect();
        if self.is_turned.fetch_not(Ordering::Relaxed) {
            listed.reverse();
        }
        let middle = listed.len() / 2;
        listed.rotate_left(middle);
        Ok(listed)
    }

    fn delete(&self, name: &str) -> Result<(), DiskError> {
        self.reach("delete", name)?;
        self.log("delete", name);
        let deleted = self.objects().remove(name).map(drop);
        deleted.ok_or_else(|| DiskError::NotFound { name: name.to_owned() })
    }
}

/// A segment whose header is right and that is otherwise made of `fill`.
pub(super) fn segment(number: usize, fill: u8) -> (SegmentName, Vec<u8>) {
    const PAYLOAD: u64 = 50;
    let mut bytes = b"usdtpast".to_vec();
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend([0; 7 * 4]);
    bytes.extend(PAYLOAD.to_le_bytes());
    bytes.extend(crc32fast::hash(&[fill; 50]).to_le_bytes());
    bytes.extend([0; 7 * 12]);
    let check = crc32fast::hash(&bytes);
    bytes.extend(check.to_le_bytes());
    bytes.extend([fill; 50]);
    (SegmentName { number, bytes: Image::len(&bytes), check }, bytes)
}
