//! What Linux tells of the memory of the process; nothing elsewhere.

/// Resident memory.
pub(crate) fn resident_bytes() -> Option<i64> {
    // `statm` counts in pages, whose size differs between machines.
    i64::try_from(kibibytes("/proc/self/status", "VmRSS:")?.checked_mul(1024)?).ok()
}

/// The least of what the control group allows and what the machine has.
pub(crate) fn memory_at_hand() -> Option<u64> {
    let machine = kibibytes("/proc/meminfo", "MemTotal:").and_then(|kib| kib.checked_mul(1024));
    let group = std::fs::read_to_string("/proc/self/cgroup").ok().and_then(|groups| {
        let path = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
        let file = format!("/sys/fs/cgroup{}/memory.max", path.trim_end_matches('/'));
        std::fs::read_to_string(file).ok()?.trim().parse().ok()
    });
    machine.into_iter().chain(group).min()
}

fn kibibytes(file: &str, field: &str) -> Option<u64> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(field))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn memory_is_measured() {
        let resident = u64::try_from(resident_bytes().unwrap()).unwrap();
        assert!(resident > 1024 * 1024);
        assert!(memory_at_hand().unwrap() > resident);
    }
}
