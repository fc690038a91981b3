//! The case file: what it says, that it says the same again, and that text of
//! others stays text.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use crate::common::{Folder, invented, slice};

const PAST: [&str; 6] = ["--cases", "cases.json", "--labels", "labels.csv", "--history", "history"];

fn report(folder: &Folder, case: &str, more: &[&str]) -> String {
    folder.ask(&[&["case", "report", case][..], &PAST, more].concat())
}

/// The cells of a table, of the first one below a heading, by rows.
fn table(report: &str, heading: &str) -> Vec<Vec<String>> {
    let Some((_, below)) = report.split_once(&format!("# {heading}\n")) else { return vec![] };
    let lines = below.lines().skip_while(|line| !line.starts_with('|') && !line.starts_with('#'));
    let rows = lines.take_while(|line| line.starts_with('|')).skip(2);
    let cells = |row: &str| row.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    rows.map(|row| cells(row)[1..].to_vec()).collect()
}

/// The first piece of code of a cell.
fn code(cell: &str) -> String {
    cell.split('`').nth(1).expect("code").to_owned()
}

/// The accounts that the desk of a replay had open for the case, by who acts.
fn open_at_the_desk(folder: &Folder, case: &str) -> BTreeSet<(String, String)> {
    let mut latest = std::collections::BTreeMap::new();
    for line in folder.read("out/freezes.jsonl").lines() {
        let record: Value = serde_json::from_str(line).expect("JSON");
        latest.insert(record["address"].as_str().expect("text").to_owned(), record);
    }
    let open = latest.into_iter().filter(|(_, record)| {
        let status = record["status"].as_str().expect("text");
        let claims = record["claims"].as_array().expect("a list");
        let enough = |claim: &Value| {
            let units: u64 = claim["tainted"].as_str().expect("digits").parse().expect("units");
            claim["case"] == case && units >= 1_000_000_000
        };
        ["raised", "updated", "released", "submitted", "confirmed"].contains(&status)
            && claims.iter().any(enough)
    });
    open.map(|(address, record)| {
        let kind = record["act_by"]["kind"].as_str().expect("text").to_owned();
        (address, kind)
    })
    .collect()
}

#[test]
fn the_file_says_what_ledger_and_desk_say() {
    let mut at_services = 0;
    for known in [slice(), invented()] {
        let folder = Folder::new(&known);
        folder.replay("haircut");
        for case in &known.cases {
            let text = report(&folder, &case.id, &["--wallets", "100000"]);
            let shown = [&["case", "show", &case.id][..], &PAST, &["--output", "json"]].concat();
            let shown: Value = serde_json::from_str(&folder.ask(&shown)).expect("JSON");
            let ledger = table(&text, "Where the money is");
            let line = |name: &str| {
                let row = ledger.iter().find(|row| row[0] == name).expect("a line");
                Value::from(row[2].clone())
            };
            assert_eq!(line("held in wallets"), shown["ledger"]["held"], "{}", case.id);
            assert_eq!(line("frozen by the issuer"), shown["ledger"]["frozen"]);
            assert_eq!(line("**emitted at the sources**"), shown["ledger"]["emitted"]);
            assert_eq!(line("**sum**"), line("**emitted at the sources**"));
            assert!(text.contains("The ledger adds up"), "{}", case.id);

            let wallets = table(&text, "Who holds tainted units");
            assert_eq!(wallets.len(), shown["wallets"].as_array().expect("a list").len());
            for (row, wallet) in wallets.iter().zip(shown["wallets"].as_array().expect("a list")) {
                let units = row[2].replace([',', '.'], "");
                let units = units.trim_start_matches('0');
                assert_eq!(units, wallet["tainted"].as_str().expect("digits"), "{row:?}");
            }

            let open = open_at_the_desk(&folder, &case.id);
            let asked = |heading: &str, kind: &str| {
                let rows = table(&text, heading);
                rows.into_iter().map(|row| (code(&row[0]), kind.to_owned())).collect::<Vec<_>>()
            };
            let services = asked("Ask the service: where tracing ends", "service");
            at_services += services.len();
            let named: BTreeSet<(String, String)> = asked("Ask the issuer", "issuer")
                .into_iter()
                .chain(asked("Ask the service: deposit addresses", "service"))
                .chain(services)
                .collect();
            assert!(named.is_subset(&open), "{}: {named:?} {open:?}", case.id);
            // What the desk has open beyond that moved too lately to be at rest.
            let moving = open.len() - named.len();
            let told = text.lines().find(|line| line.contains("too lately to be at rest"));
            let told = told.map_or(0, |line| line.split(' ').next().unwrap().parse().unwrap());
            assert!(moving <= told, "{}: {moving} of {told}", case.id);
        }
    }
    assert!(at_services > 0, "no service was asked");
}

#[test]
fn the_command_in_the_file_gives_the_file_again() {
    let known = slice();
    let folder = Folder::new(&known);
    folder.replay("haircut");
    let case = known.cases[0].id.as_str();
    let more =
        ["--policy", "fifo", "--trails", "2", "-k", "2", "--author", "O'Neil & Co", "--base-units"];
    let text =
        report(&folder, case, &[&more[..], &["--set", "engine.freeze_min_units=7"]].concat());
    let (_, below) = text.split_once("gives the same bytes:\n\n```\n").expect("a listing");
    let (command, below) = below.split_once("\n```").expect("an end");
    let binary = folder.command();
    let dir = std::path::Path::new(binary.get_program()).parent().expect("a folder");
    let path = std::env::join_paths(
        std::iter::once(dir.to_owned())
            .chain(std::env::split_paths(&std::env::var_os("PATH").expect("a PATH"))),
    );
    let mut shell = Command::new("sh");
    shell.current_dir(folder.path()).env("PATH", path.expect("joins"));
    let again = shell.args(["-c", command]).output().expect("a shell");
    assert_eq!(String::from_utf8(again.stdout).expect("UTF-8"), text);

    // The digests are those of sha256sum, as the file says.
    let sums = "sha256sum cases.json labels.csv | cut -c 1-64; \
                cd history && sha256sum segment-*.usf | sha256sum | cut -c 1-64";
    let sums = Command::new("sh").current_dir(folder.path()).args(["-c", sums]).output();
    let sums = String::from_utf8(sums.expect("a shell").stdout).expect("UTF-8");
    assert_eq!(sums.lines().count(), 3);
    for sum in sums.lines() {
        assert!(below.contains(&format!("`{sum}`")), "{sum}");
    }
}

#[test]
fn a_folder_gets_markdown_and_a_page_that_runs_nothing() {
    let mut known = slice();
    known.cases[1].title = Some("<script>alert(1)</script> | `x`".to_owned());
    known.cases[1].id = "a/../b".to_owned();
    let folder = Folder::new(&known);
    folder.replay("haircut");
    folder.ask(&[&["case", "report", "a/../b"][..], &PAST, &["--output", "file"]].concat());
    let mut names: Vec<String> = std::fs::read_dir(folder.path().join("file"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert!(names.len() == 2 && names[0].starts_with("case-a____b-"), "{names:?}");
    let page = folder.read(&format!("file/{}", names[0]));
    assert!(names[0].ends_with(".html") && !page.contains("<script") && !page.contains("<b>"));
    assert!(page.contains("Alder &quot;&amp; Sons&quot; &lt;b&gt;\\"), "{page}");
    assert_eq!(page.matches("<title>").count(), 1);
    let text = folder.read(&format!("file/{}", names[1]));
    assert!(text.starts_with("# Case file: \\<script\\>alert(1)\\</script\\> \\| \\`x\\`\n"));
    assert!(text.contains("Alder \"\\& Sons\" \\<b\\>\\\\"), "{text}");

    let refused =
        folder.run(&["case", "report", "a/../b", "--cases", "cases.json", "--events", "-"]);
    let error = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(1) && error.contains("standard input"), "{error}");
}
