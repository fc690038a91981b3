//! A long stream through the engine, from its first transfer on, history kept in
//! memory: how long one transfer takes, the limit that memory sets in the same
//! process, and the memory that all of it needs. Prints a Markdown table.
//!
//! The first run takes fresh memory from the system, which a virtual machine may
//! have to wait for its host to give. It is told by itself; the runs after it,
//! which are counted, take that memory again, as the limit takes memory that was
//! touched before.
//!
//! `cargo run --release -p flow-benches --example stream -- [ROW]... [--transfers N]
//! [--runs N]`, where a row is a policy and a number of cases, such as
//! `haircut/100`. Accounts are a quarter of the transfers. Each row has a process
//! of its own, so that its memory can be told. Every seed is fixed.

use std::process::{Command, ExitCode};

use flow_benches::limit::{Records, by_first_sight, ends};
use flow_benches::long_past::{Stream, cases, played, timed};
use flow_benches::timing::{Timing, each, float, peak_mb};
use flow_core::{EngineConfig, MemoryStats, Policy};

const ROWS: [&str; 5] = ["haircut/0", "haircut/1", "fifo/1", "haircut/100", "haircut/10000"];
const TRANSFERS: u64 = 20_000_000;
const RUNS: usize = 3;

/// From so many cases on, less than 0.01 USDT is dust.
const MANY_CASES: u64 = 1_000;
const DUST: u64 = 10_000;

/// Names the one row that a process of its own measures.
const ALONE: &str = "FLOW_BENCH_ROW";

/// Has glibc ask for large pages, and keep all memory that it was ever given.
const KEEPS_MEMORY: (&str, &str) = (
    "GLIBC_TUNABLES",
    "glibc.malloc.hugetlb=1:glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=1099511627776",
);

struct Asked {
    rows: Vec<String>,
    transfers: u64,
    runs: usize,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let asked = match asked(words.iter().cloned()) {
        Ok(asked) => asked,
        Err(problem) => {
            eprintln!("{problem}\nusage: stream [POLICY/CASES]... [--transfers N] [--runs N]");
            return ExitCode::from(2);
        }
    };
    if let Some((policy, count)) = std::env::var(ALONE).ok().and_then(|row| parsed(&row)) {
        measure(policy, count, &asked);
        return ExitCode::SUCCESS;
    }
    println!(
        "| row | ns | a second | first run, in fresh memory, ns | limit, plain, ns | limit, ahead, ns | times the limit | most memory | of this sealed history | bytes of it for each transfer, hashes aside |"
    );
    println!("{}|", "|---".repeat(10));
    let Ok(this) = std::env::current_exe() else { return ExitCode::FAILURE };
    for row in &asked.rows {
        let done = Command::new(&this)
            .args(&words)
            .env(KEEPS_MEMORY.0, KEEPS_MEMORY.1)
            .env(ALONE, row)
            .status();
        if !done.is_ok_and(|status| status.success()) {
            eprintln!("{row} did not end well");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn asked(mut words: impl Iterator<Item = String>) -> Result<Asked, String> {
    let mut asked = Asked { rows: Vec::new(), transfers: TRANSFERS, runs: RUNS };
    while let Some(word) = words.next() {
        let mut number = || {
            let text = words.next().ok_or_else(|| format!("{word} needs a value"))?;
            text.parse::<u64>()
                .ok()
                .filter(|number| *number > 0)
                .ok_or_else(|| format!("{text} is not a number from 1 on"))
        };
        match word.as_str() {
            "--transfers" => asked.transfers = number()?,
            "--runs" => asked.runs = usize::try_from(number()?).unwrap_or(usize::MAX),
            _ if parsed(&word).is_some() => asked.rows.push(word),
            _ => return Err(format!("{word} is not known")),
        }
    }
    if asked.rows.is_empty() {
        asked.rows = ROWS.map(str::to_owned).to_vec();
    }
    Ok(asked)
}

fn parsed(row: &str) -> Option<(Policy, u64)> {
    let (policy, count) = row.split_once('/')?;
    let policy = Policy::ALL.into_iter().find(|known| known.name() == policy)?;
    Some((policy, count.parse().ok()?))
}

/// Prints the row.
fn measure(policy: Policy, count: u64, asked: &Asked) {
    let transfers = asked.transfers;
    let dust = if count >= MANY_CASES { DUST } else { 0 };
    let cases = cases(count, transfers / 4, dust);
    let config = EngineConfig {
        policies: vec![policy],
        alert_min_units: 1_000_000_000,
        ..EngineConfig::default()
    };
    let run = || {
        let mut engine = played(0, config.clone(), &cases);
        let took = timed(&mut engine, Stream::new(transfers));
        (each(took, transfers), engine.memory())
    };
    let (fresh, memory) = run();
    let peak = peak_mb();
    let timing = Timing::of((0..asked.runs).map(|_| run().0).collect());
    let (plain, ahead) = limit(transfers, asked.runs);
    let MemoryStats { segment_bytes, hash_bytes, sealed_transfers, .. } = memory;
    let bytes = match sealed_transfers {
        0 => "none".to_owned(),
        sealed => format!("{:.1}", float(segment_bytes - hash_bytes) / float(sealed)),
    };
    println!(
        "| `{}/{count}` | {timing} | {:.2} M | {fresh:.0} | {plain:.1} | {ahead:.1} | {:.1} | {peak} MB | {} MB | {bytes} |",
        policy.name(),
        1e3 / timing.median,
        timing.median / ahead,
        segment_bytes >> 20,
    );
}

/// What memory allows, in ns for each transfer: plain, and asked for ahead.
fn limit(transfers: u64, runs: usize) -> (f64, f64) {
    let ends = ends(Stream::new(transfers), by_first_sight());
    let mut records = Records::of(&ends);
    let plain = (0..runs).map(|_| each(records.plain(&ends), ends.len())).collect();
    let ahead = (0..runs).map(|_| each(records.prefetched(&ends), ends.len())).collect();
    (Timing::of(plain).median, Timing::of(ahead).median)
}
