//! Where a figure was measured: it means little without that.

use std::fs::read_to_string;

use serde::Serialize;

/// The machine and the versions; what Linux does not tell is left out.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Machine {
    usdt_flow: &'static str,
    librdkafka: String,
    cores: usize,
    processor: Option<String>,
    memory_gib: Option<u64>,
    kernel: Option<String>,
    /// Processes at work in the minute before.
    load_before: Option<f64>,
}

impl Machine {
    /// This one, now.
    pub(super) fn look() -> Machine {
        let first = |path: &str| read_to_string(path).ok();
        Machine {
            usdt_flow: env!("CARGO_PKG_VERSION"),
            librdkafka: rdkafka::util::get_rdkafka_version().1,
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            processor: first("/proc/cpuinfo").and_then(|text| processor(&text)),
            memory_gib: first("/proc/meminfo").and_then(|text| memory_gib(&text)),
            kernel: first("/proc/sys/kernel/osrelease").map(|text| text.trim().to_owned()),
            load_before: first("/proc/loadavg")
                .and_then(|text| text.split(' ').next()?.parse().ok()),
        }
    }

    /// Two lines for a person.
    pub(super) fn text(&self) -> String {
        let optional =
            |text: Option<String>| text.map(|text| format!(", {text}")).unwrap_or_default();
        format!(
            "machine   {} cores{}{}{}{}\nversions  usdt-flow {}, librdkafka {}\n",
            self.cores,
            optional(self.processor.clone()),
            optional(self.memory_gib.map(|gib| format!("{gib} GiB"))),
            optional(self.kernel.as_ref().map(|kernel| format!("Linux {kernel}"))),
            optional(self.load_before.map(|load| format!("load {load:.2} before"))),
            self.usdt_flow,
            self.librdkafka,
        )
    }
}

fn processor(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn memory_gib(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes >> 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_told() {
        assert_eq!(processor("processor : 0\nmodel name\t: A Processor\n").unwrap(), "A Processor");
        assert_eq!(memory_gib("MemTotal:       25165824 kB\n"), Some(24));
        let machine = Machine {
            usdt_flow: "1.2.3",
            librdkafka: "2.0".to_owned(),
            cores: 2,
            processor: Some("A Processor".to_owned()),
            memory_gib: None,
            kernel: None,
            load_before: Some(0.1),
        };
        assert_eq!(
            machine.text(),
            "machine   2 cores, A Processor, load 0.10 before\n\
             versions  usdt-flow 1.2.3, librdkafka 2.0\n"
        );
    }
}
