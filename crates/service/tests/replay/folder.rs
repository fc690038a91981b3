//! `usdt-flow replay` run in a folder.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Output, Stdio};

use flow_core::{AccountKey, Amount, Block, Case, Label, Policy};
use flow_sim::feed;
use serde_json::Value;

pub(crate) use crate::shared_folder::{Folder, columns};

/// Everything that a run writes but `summary.json`, which holds the run time.
pub(crate) const OUTPUTS: [&str; 9] = [
    "alerts.jsonl",
    "freezes.jsonl",
    "audit.jsonl",
    "refused.jsonl",
    "taint.csv",
    "cases.csv",
    "services.csv",
    "freeze_ranking.csv",
    "ledger_history.csv",
];

/// What is known before the first event.
#[derive(Clone, Default)]
pub(crate) struct Known {
    pub(crate) cases: Vec<Case>,
    pub(crate) labels: Vec<Label>,
    pub(crate) opening: Vec<(AccountKey, Amount)>,
}

/// The files that a run wrote, by name.
pub(crate) type Files = BTreeMap<&'static str, String>;

impl Folder {
    /// A folder with the files of cases, labels and opening balances.
    pub(crate) fn new(known: &Known) -> Folder {
        Folder::knowing(&known.cases, &known.labels, &known.opening)
    }

    /// Runs `usdt-flow replay` here, with nothing of ours in its environment.
    pub(crate) fn run(&self, arguments: &[&str], stdin: &[u8]) -> Output {
        let mut command = self.command();
        command.arg("replay").args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary starts");
        child.stdin.take().expect("piped").write_all(stdin).expect("the binary reads its input");
        child.wait_with_output().expect("the binary ends")
    }

    /// Replays these events with all that is known, and reads what it wrote.
    pub(crate) fn replay(&self, events: &[&str], options: &[&str]) -> Files {
        self.replay_from(events, options, b"")
    }

    /// The same under one policy. The books need not balance under `poison`.
    pub(crate) fn replay_under(&self, policy: Policy, events: &[&str]) -> Files {
        self.replay(events, &["--policy", policy.name()])
    }

    /// The same with something on standard input.
    pub(crate) fn replay_from(&self, events: &[&str], options: &[&str], stdin: &[u8]) -> Files {
        let known = ["--cases", "cases.json", "--labels", "labels.csv", "--opening", "opening.csv"];
        let out = ["--out", "out"];
        let output = self.run(&[events, &known, &out, options].concat(), stdin);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{events:?}: {told}");
        let files: Files = OUTPUTS.map(|name| (name, self.read(&format!("out/{name}")))).into();
        if !options.contains(&Policy::Poison.name()) {
            assert_conserved(&files["cases.csv"]);
        }
        files
    }

    /// What the last run wrote to `summary.json`.
    pub(crate) fn summary(&self) -> Value {
        serde_json::from_str(&self.read("out/summary.json")).expect("JSON")
    }
}

/// `emitted = held + frozen + service + redeemed + destroyed + dust + horizon`.
fn assert_conserved(cases: &str) {
    for row in cases.lines().skip(1) {
        let parse = |text: &str| text.parse::<u128>().expect("a whole number");
        let units: Vec<u128> = row.split(',').skip(1).map(parse).collect();
        assert_eq!(units.len(), 8, "{row}");
        assert_eq!(units[0], units[1..].iter().sum::<u128>(), "{row}");
    }
}

/// The blocks as the rows of a plain CSV file, without its header.
pub(crate) fn csv_rows(blocks: &[Block]) -> Vec<String> {
    blocks.iter().flat_map(feed::plain_csv).collect()
}

/// A plain CSV file of these rows.
pub(crate) fn csv_file(rows: &[String]) -> String {
    lines(&[&[feed::PLAIN_CSV_HEADER.to_owned()], rows].concat())
}

pub(crate) fn lines(records: &[String]) -> String {
    records.iter().map(|record| format!("{record}\n")).collect()
}
