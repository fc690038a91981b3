//! Random ledgers: the tables to the byte as the oracle works them out, however
//! the events are written, ordered, repeated and compressed.

use flow_core::{Chain, Policy, Source};
use flow_sim::feed;
use flow_sim::ledger_gen::{RandomLedger, random_ledger};
use flow_sim::oracle::{CaseAnswer, trace};

use crate::folder::{Files, Folder, Known, columns, csv_file, csv_rows, lines};

const LEDGERS: usize = 30;

/// Seeds of ledgers that a plain file can carry: its log index counts in the
/// block. `numbered`: each event has one.
fn seeds(numbered: bool) -> impl Iterator<Item = u64> {
    let fits = move |seed: &u64| {
        random_ledger(*seed).blocks.iter().all(|block| {
            let indices = (0..).zip(&block.events).map(|(rank, event)| (rank, event.log_index));
            let mut indices = indices;
            indices.all(|(rank, index)| index.map_or(!numbered, |index| index == rank))
        })
    };
    (0..).filter(fits).take(LEDGERS)
}

/// The ledger of that seed. Its transactions are numbered from 1 and differ at
/// the end of their hashes alone, where real ones differ everywhere; here the
/// number comes first.
fn ledger_of(seed: u64) -> RandomLedger {
    let mut ledger = random_ledger(seed);
    for event in ledger.blocks.iter_mut().flat_map(|block| &mut block.events) {
        event.tx.0.rotate_left(24);
    }
    for source in ledger.cases.iter_mut().flat_map(|case| &mut case.sources) {
        if let Source::Transfer { tx, .. } = source {
            tx.0.rotate_left(24);
        }
    }
    ledger
}

fn known(ledger: &RandomLedger) -> Known {
    Known {
        cases: ledger.cases.clone(),
        labels: ledger.labels.clone(),
        opening: ledger.opening.clone(),
    }
}

/// The three tables as the definition of the files lays them out.
fn tables(answers: &[CaseAnswer]) -> [(&'static str, String); 3] {
    let mut taint = Vec::new();
    let mut cases = Vec::new();
    let mut services = Vec::new();
    for answer in answers {
        for row in &answer.rows {
            let (chain, address) = columns(row.account);
            let (balance, tainted) = (row.balance.to_string(), row.tainted.to_string());
            let (hops, frozen) = (row.hops.to_string(), row.frozen.to_string());
            let case = answer.case.clone();
            taint.push(vec![case, chain.to_owned(), address, balance, tainted, hops, frozen]);
        }
        let t = &answer.totals;
        let service = t.service.values().sum();
        let units =
            [t.emitted, t.held, t.frozen, service, t.redeemed, t.destroyed, t.dust, t.horizon];
        cases.push([answer.case.clone()].into_iter().chain(units.map(|u| u.to_string())).collect());
        for (entity, units) in &t.service {
            services.push(vec![answer.case.clone(), entity.clone(), units.to_string()]);
        }
    }
    [
        ("taint.csv", table("case,chain,address,balance,tainted,hops,frozen", taint)),
        (
            "cases.csv",
            table("case,emitted,held,frozen,service,redeemed,destroyed,dust,horizon", cases),
        ),
        ("services.csv", table("case,entity,tainted", services)),
    ]
}

fn table(header: &str, mut rows: Vec<Vec<String>>) -> String {
    rows.sort();
    let rows: Vec<String> = rows.iter().map(|row| row.join(",")).collect();
    lines(&[&[header.to_owned()], &rows[..]].concat())
}

/// The tables that the oracle works out under a policy.
fn answers(policy: Policy, ledger: &RandomLedger) -> [(&'static str, String); 3] {
    tables(&trace(policy, &ledger.blocks, &ledger.cases, &ledger.labels, &ledger.opening))
}

fn assert_answers(seed: u64, how: &str, files: &Files, ledger: &RandomLedger) {
    for (name, expected) in answers(Policy::Haircut, ledger) {
        assert_eq!(files[name], expected, "seed {seed}, {how}: {name}");
    }
}

/// Numbers that look random and depend on the seed alone.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits fit") % bound
    }

    fn shuffled(&mut self, rows: &[String]) -> Vec<String> {
        let mut rows = rows.to_vec();
        for at in (1..rows.len()).rev() {
            let other = self.below(at + 1);
            rows.swap(at, other);
        }
        rows
    }

    /// About three rows in ten a second time, somewhere behind the first.
    fn doubled(&mut self, rows: &[String]) -> Vec<String> {
        let mut doubled = rows.to_vec();
        for row in rows {
            if self.below(10) < 3 {
                let first = doubled.iter().position(|other| other == row).expect("every row");
                let at = first + 1 + self.below(doubled.len() - first);
                doubled.insert(at, row.clone());
            }
        }
        doubled
    }

    /// Each row at most `distance` rows from its place.
    fn jostled(&mut self, rows: &[String], distance: usize) -> Vec<String> {
        let mut rows = rows.to_vec();
        for part in rows.chunks_mut(distance + 1) {
            let mixed = self.shuffled(part);
            part.clone_from_slice(&mixed);
        }
        rows
    }
}

#[test]
fn tables_equal_the_oracle_to_the_byte() {
    for seed in seeds(false) {
        let ledger = ledger_of(seed);
        let folder = Folder::new(&known(&ledger));
        folder.write("events.csv", csv_file(&csv_rows(&ledger.blocks)));
        let files = folder.replay(&["events.csv"], &[]);
        assert_answers(seed, "CSV", &files, &ledger);
    }
}

#[test]
fn tables_of_every_policy_equal_the_oracle_to_the_byte() {
    for seed in seeds(false) {
        let ledger = ledger_of(seed);
        let folder = Folder::new(&known(&ledger));
        folder.write("events.csv", csv_file(&csv_rows(&ledger.blocks)));
        let all = folder.replay(&["events.csv"], &["--policy", "all"]);
        assert_answers(seed, "all policies", &all, &ledger);
        assert_eq!(folder.summary()["policies"], serde_json::json!(Policy::ALL.map(Policy::name)));
        for policy in Policy::ALL {
            let alone = folder.replay_under(policy, &["events.csv"]);
            for (name, expected) in answers(policy, &ledger) {
                let apart = folder.read(&format!("out/{}/{name}", policy.name()));
                assert_eq!(apart, expected, "seed {seed}, {} among all: {name}", policy.name());
                assert_eq!(alone[name], expected, "seed {seed}, {} alone: {name}", policy.name());
            }
        }
    }
}

#[test]
fn the_policy_named_first_leads() {
    let ledger = ledger_of(seeds(true).next().expect("there are seeds"));
    let folder = Folder::new(&known(&ledger));
    folder.write("events.csv", csv_file(&csv_rows(&ledger.blocks)));
    let files = folder.replay(&["events.csv"], &["--policy", "lifo, haircut"]);
    for (name, expected) in answers(Policy::Lifo, &ledger) {
        assert_eq!(files[name], expected, "{name}");
        assert_eq!(folder.read(&format!("out/lifo/{name}")), expected, "{name}");
    }
    assert!(!folder.path().join("out/fifo").exists());
    // A policy alone needs no folder of its own.
    folder.replay(&["events.csv"], &["--policy", "fifo"]);
    assert!(!folder.path().join("out/fifo").exists());
}

#[test]
fn json_lines_say_the_same_as_csv() {
    for seed in seeds(false) {
        let ledger = ledger_of(seed);
        let folder = Folder::new(&known(&ledger));
        folder.write("events.csv", csv_file(&csv_rows(&ledger.blocks)));
        let records: Vec<String> = ledger.blocks.iter().flat_map(feed::plain_json).collect();
        folder.write("events.jsonl", lines(&records));
        let csv = folder.replay(&["events.csv"], &[]);
        let json = folder.replay(&["events.jsonl"], &[]);
        assert_eq!(json, csv, "seed {seed}");
        assert_answers(seed, "JSON Lines", &json, &ledger);
    }
}

#[test]
fn the_order_and_number_of_rows_does_not_matter() {
    for seed in seeds(true) {
        let ledger = ledger_of(seed);
        let folder = Folder::new(&known(&ledger));
        let rows = csv_rows(&ledger.blocks);
        let mut numbers = Numbers(seed);
        let (shuffled, doubled) = (numbers.shuffled(&rows), numbers.doubled(&rows));
        folder.write("quiet.csv", csv_file(&rows));
        folder.write("shuffled.csv", csv_file(&shuffled));
        folder.write("doubled.csv", csv_file(&doubled));
        folder.write("jostled.csv", csv_file(&numbers.jostled(&rows, 3)));
        let quiet = folder.replay(&["quiet.csv"], &[]);
        assert_answers(seed, "in order", &quiet, &ledger);
        assert_eq!(folder.replay(&["shuffled.csv"], &[]), quiet, "seed {seed}");
        assert_eq!(folder.replay(&["doubled.csv"], &[]), quiet, "seed {seed}");
        let repeats = folder.summary()["duplicates"].clone();
        assert_eq!(repeats, doubled.len() - rows.len(), "seed {seed}");
        // A small window releases blocks while reading, in another interleaving
        // of the chains, so only the tables are the same.
        let jostled = folder.replay(&["jostled.csv"], &["--window-blocks", "4"]);
        assert_answers(seed, "nearly in order, small window", &jostled, &ledger);
    }
}

#[test]
fn compression_pipes_and_several_files_do_not_matter() {
    for seed in seeds(true).take(6) {
        let ledger = ledger_of(seed);
        let folder = Folder::new(&known(&ledger));
        let rows = csv_rows(&ledger.blocks);
        let csv = csv_file(&rows);
        folder.write("plain.csv", &csv);
        folder.write("packed.csv.gz", gzip(&csv));
        folder.write("packed.csv.zst", zstd::encode_all(csv.as_bytes(), 3).expect("packs"));
        let plain = folder.replay(&["plain.csv"], &[]);
        assert_answers(seed, "plain", &plain, &ledger);
        assert_eq!(folder.replay(&["packed.csv.gz"], &[]), plain, "seed {seed}");
        assert_eq!(folder.replay(&["packed.csv.zst"], &[]), plain, "seed {seed}");
        assert_eq!(folder.replay_from(&["-"], &[], csv.as_bytes()), plain, "seed {seed}");
        let (tron, ethereum): (Vec<String>, Vec<String>) =
            rows.into_iter().partition(|row| row.starts_with(Chain::Tron.name()));
        folder.write("tron.csv", csv_file(&tron));
        folder.write("ethereum.csv", csv_file(&ethereum));
        let apart = folder.replay(&["tron.csv", "--events", "ethereum.csv"], &[]);
        assert_eq!(apart, plain, "seed {seed}");
    }
}

/// As two members one after the other, as appending tools write them.
fn gzip(text: &str) -> Vec<u8> {
    use std::io::Write;
    let (head, tail) = text.as_bytes().split_at(text.len() / 2);
    let pack = |part: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(part).expect("writes to memory");
        encoder.finish().expect("writes to memory")
    };
    [pack(head), pack(tail)].concat()
}
