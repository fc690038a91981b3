//! A file system of a few MiB, which fills.

use std::path::{Path, PathBuf};
use std::process::Command;

/// While it lives.
pub(crate) struct Tmpfs(pub(crate) PathBuf);

impl Tmpfs {
    /// `None`, and a line that says so, where mounting is not allowed.
    pub(crate) fn mount(at: &Path, mebibytes: u32) -> Option<Tmpfs> {
        std::fs::create_dir(at).unwrap();
        let size = format!("size={mebibytes}m");
        let mut mount = Command::new("mount");
        let mounted = mount.args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(at).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Tmpfs(at.to_owned()));
        }
        eprintln!("SKIPPED: a file system of its own cannot be mounted, which takes root");
        None
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        // Lazily: a process that is ending may still have a file open there.
        Command::new("umount").arg("-l").arg(&self.0).status().expect("umount is where mount was");
    }
}
