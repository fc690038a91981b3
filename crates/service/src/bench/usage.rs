//! What a process has used, as Linux tells it in `/proc`; nothing elsewhere.

use std::time::Duration;

/// Processor time that this process has used, all threads together.
pub(super) fn own_cpu() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    cpu(&stat, 14)
}

/// Processor time of the children that have ended and been waited for.
pub(super) fn children_cpu() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    cpu(&stat, 16)
}

/// The most memory that a process has had resident at once, in bytes.
pub(super) fn peak_memory_bytes(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    field(&status, "VmHWM:")
}

/// The memory that a process has resident now, in bytes.
pub(super) fn memory_bytes(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    field(&status, "VmRSS:")
}

/// Two neighbouring fields of `stat`, counted from 1 as its manual page does,
/// in ticks of the clock: user and system time.
fn cpu(stat: &str, field: usize) -> Option<Duration> {
    // The second field is the name, in brackets, and may hold anything.
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ').skip(field - 3);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    let ticks = rustix::param::clock_ticks_per_second();
    Some(Duration::from_millis((user + system) * 1_000 / ticks))
}

/// A field of `status`, which tells kibibytes, in bytes.
fn field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_found_behind_any_name() {
        let stat = "7 (a) b) R 1 7 7 0 -1 4194304 100 0 0 0 150 50 30 20 20 0 1 0 1 1 1";
        let ticks = rustix::param::clock_ticks_per_second();
        assert_eq!(cpu(stat, 14), Some(Duration::from_millis(200_000 / ticks)));
        assert_eq!(cpu(stat, 16), Some(Duration::from_millis(50_000 / ticks)));
        assert_eq!(cpu("nonsense", 14), None);
    }

    #[test]
    fn memory_is_in_bytes() {
        let status = "Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t 1 kB\n";
        assert_eq!(field(status, "VmHWM:"), Some(2 * 1024 * 1024));
        assert_eq!(field(status, "VmRSS:"), Some(1024));
        assert_eq!(field("Name:\tx\n", "VmHWM:"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_used_something() {
        assert!(own_cpu().is_some() && children_cpu().is_some());
        let pid = std::process::id();
        assert!(memory_bytes(pid).unwrap() > 1024 * 1024);
        assert!(peak_memory_bytes(pid).unwrap() > 1024 * 1024);
        // From one look: other tests of this process come and go meanwhile.
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        assert!(field(&status, "VmHWM:") >= field(&status, "VmRSS:"));
    }
}
