//! How the time for one transfer grows with accounts, with cases, and with the
//! share of transfers that carry tainted units; beside each the limit that
//! memory sets in the same run. Prints a Markdown table for each and draws it.
//!
//! `cargo run --release -p flow-benches --example growth -- [PART]... [--accounts-max N]
//! [--plots FOLDER]`, where a part is `accounts`, `cases` or `taint`; without
//! one, all of them. Every seed is fixed. Only the newest transfers are timed.

mod plot;
mod run;

use std::path::PathBuf;
use std::process::ExitCode;

use flow_benches::timing::{float, resident_mb};
use plot::{Plot, Scale, Series};
use run::{Limit, Run, Taint, wallets};

/// Accounts where something else grows.
const ACCOUNTS: u64 = 1_000_000;

/// Accounts of the last row need 6 GB of memory.
const ACCOUNTS_MAX: u64 = 50_000_000;

/// What cases drop as dust where there are many: 0.01 USDT.
const DUST: u64 = 10_000;

struct Asked {
    parts: Vec<String>,
    accounts_max: u64,
    plots: PathBuf,
}

fn main() -> ExitCode {
    let asked = match asked(std::env::args().skip(1)) {
        Ok(asked) => asked,
        Err(problem) => {
            eprintln!(
                "{problem}\nusage: growth [accounts|cases|taint]... [--accounts-max N] [--plots FOLDER]"
            );
            return ExitCode::from(2);
        }
    };
    for (part, draw) in
        [("accounts", accounts as fn(&Asked) -> Plot), ("cases", cases), ("taint", taint)]
    {
        if !asked.parts.is_empty() && !asked.parts.iter().any(|name| name == part) {
            continue;
        }
        let file = asked.plots.join(format!("growth-{part}.svg"));
        let written = std::fs::create_dir_all(&asked.plots);
        if let Err(error) = written.and_then(|()| std::fs::write(&file, draw(&asked).svg())) {
            eprintln!("{} cannot be written: {error}", file.display());
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn asked(mut words: impl Iterator<Item = String>) -> Result<Asked, String> {
    let plots = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/plots");
    let mut asked = Asked { parts: Vec::new(), accounts_max: ACCOUNTS_MAX, plots };
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        match word.as_str() {
            "accounts" | "cases" | "taint" => asked.parts.push(word),
            "--accounts-max" => {
                let text = value()?;
                asked.accounts_max =
                    text.parse().map_err(|_| format!("{text} is not a number of accounts"))?;
            }
            "--plots" => asked.plots = value()?.into(),
            _ => return Err(format!("{word} is not known")),
        }
    }
    Ok(asked)
}

/// Accounts grow: without a case, then under one of the busiest account's.
fn accounts(asked: &Asked) -> Plot {
    heading(
        "accounts | no case, ns | one case, ns | tainted senders | alerts, recommendations a transfer | limit, plain, ns | limit, ahead, ns | no case / limit | one read, ns | memory",
    );
    let mut lines = [const { Vec::new() }; 5];
    for accounts in [100_000, 300_000, 1_000_000, 3_000_000, 10_000_000, 25_000_000, 50_000_000] {
        if accounts > asked.accounts_max {
            continue;
        }
        let mut run = Run::opened(accounts, &[]);
        run.warm_up(1);
        let (clean, _) = run.timing();
        run.open(&wallets(&[0], 0, None));
        run.warm_up(1);
        let (tainted, told, Taint { share, .. }) = run.timing_with_taint();
        let (memory, limit) = (resident_mb(), run.limit());
        let Limit { plain, ahead, read } = limit;
        let ratio = clean.median / ahead;
        println!(
            "| {accounts} | {clean} | {tainted} | {share:.0} % | {told} | {plain:.1} | {ahead:.1} | {ratio:.1} | {read:.1} | {memory} MB |"
        );
        let all = [clean.median, tainted.median, 2.0 * read, plain, ahead];
        for (line, ns) in lines.iter_mut().zip(all) {
            line.push((float(accounts), ns));
        }
    }
    Plot {
        title: "Time for one transfer as accounts grow",
        x: ("accounts", Scale::Log),
        y: ("ns for each transfer", Scale::Log),
        series: named(
            [
                "engine, no case",
                "engine, one case",
                "two reads of memory, one after the other",
                "limit: two records changed",
                "limit, asked for ahead",
            ],
            lines,
        ),
    }
}

/// Cases grow, of wallets spread evenly over the ranks of accounts.
fn cases(_: &Asked) -> Plot {
    heading(
        "cases | dust | cases that taint a sender | ns | alerts, recommendations a transfer | limit, plain, ns | limit, ahead, ns | ns / limit",
    );
    let mut lines = [const { Vec::new() }; 3];
    for (line, dust, most) in [(0, 0, 100), (1, DUST, 10_000)] {
        for count in [1, 10, 100, 1_000, 10_000].into_iter().filter(|count| *count <= most) {
            let rank = |at: u64| (2 * at + 1) * ACCOUNTS / (2 * count);
            let cases: Vec<_> = (0..count).map(|at| wallets(&[rank(at)], dust, None)).collect();
            let mut run = Run::opened(ACCOUNTS, &cases);
            run.warm_up(1);
            let (timing, told, Taint { cases, .. }) = run.timing_with_taint();
            let Limit { plain, ahead, .. } = run.limit();
            let below = if dust == 0 { "none" } else { "below 0.01 USDT" };
            let ratio = timing.median / ahead;
            println!(
                "| {count} | {below} | {cases:.2} | {timing} | {told} | {plain:.1} | {ahead:.1} | {ratio:.1} |"
            );
            lines[line].push((float(count), timing.median));
            if dust > 0 {
                lines[2].push((float(count), ahead));
            }
        }
    }
    Plot {
        title: "Time for one transfer as cases grow",
        x: ("cases", Scale::Log),
        y: ("ns for each transfer", Scale::Log),
        series: named(
            ["engine, no dust", "engine, dust below 0.01 USDT", "limit, asked for ahead"],
            lines,
        ),
    }
}

/// The sources of one case grow from none to every account.
fn taint(_: &Asked) -> Plot {
    heading(
        "sources of one case | tainted senders | ns | alerts, recommendations a transfer | nothing recommended, ns | limit, plain, ns | limit, ahead, ns | ns / limit",
    );
    let mut lines = [const { Vec::new() }; 3];
    for every in [0, 10_000, 1_000, 100, 30, 10, 5, 3, 2, 1] {
        let sources: Vec<u64> = match every {
            0 => Vec::new(),
            every => (every / 2..ACCOUNTS).step_by(usize::try_from(every).expect("fits")).collect(),
        };
        // One hop, so that taint does not reach nearly every account whatever
        // the number of sources.
        let case = (!sources.is_empty()).then(|| wallets(&sources, 0, Some(1)));
        let mut run = Run::without_desk(ACCOUNTS, case.as_slice());
        run.warm_up(1);
        let (traced, _) = run.timing();
        let mut run = Run::opened(ACCOUNTS, case.as_slice());
        run.warm_up(1);
        let (timing, told, Taint { share, .. }) = run.timing_with_taint();
        let Limit { plain, ahead, .. } = run.limit();
        let (count, ratio) = (sources.len(), timing.median / ahead);
        println!(
            "| {count} | {share:.1} % | {timing} | {told} | {traced} | {plain:.1} | {ahead:.1} | {ratio:.1} |"
        );
        lines[0].push((share, timing.median));
        lines[1].push((share, traced.median));
        lines[2].push((share, ahead));
    }
    Plot {
        title: "Time for one transfer as more of them carry tainted units",
        x: ("% of transfers whose sender holds tainted units", Scale::Linear),
        y: ("ns for each transfer", Scale::Linear),
        series: named(
            ["engine, one case", "the same, nothing recommended", "limit, asked for ahead"],
            lines,
        ),
    }
}

/// The first two lines of a Markdown table.
fn heading(columns: &str) {
    let rule = "|---".repeat(columns.split(" | ").count());
    println!("\n| {columns} |\n{rule}|");
}

fn named<const N: usize>(names: [&'static str; N], lines: [Vec<(f64, f64)>; N]) -> Vec<Series> {
    let series = |(name, points)| Series { name, points };
    names.into_iter().zip(lines).map(series).collect()
}
