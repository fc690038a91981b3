//! A folder, the real binary run in it, and pasts to ask.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Output};

use flow_codec::{address, case_file};
use flow_core::{AccountKey, Action, Amount, Block, Case, Chain, Label, LedgerEvent, Source};
use flow_sim::feed;
use flow_sim::workload::{Workload, WorkloadConfig};
use tempfile::TempDir;

pub(crate) const SLICE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/data/tron_trc20_56804500_56805500.csv.gz");

const USDT: &str = "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t";

/// Wallets of the slice whose units travel far. Accused of nothing.
pub(crate) const FLAGGED: [&str; 2] =
    ["TBDsNZ6SzozMUAJ9rWctBq1KFH4RTPmEUY", "TUVYkDqoVnsCvmxcoTG3MYYC1GQpumFLpb"];

/// What is known before the first event.
pub(crate) struct Known {
    pub(crate) blocks: Vec<Block>,
    pub(crate) cases: Vec<Case>,
    pub(crate) labels: Vec<Label>,
    pub(crate) opening: Vec<(AccountKey, Amount)>,
}

pub(crate) struct Folder(TempDir);

impl Folder {
    /// A folder with `events.csv`, `cases.json`, `labels.csv`, `opening.csv`.
    pub(crate) fn new(known: &Known) -> Folder {
        let folder = Folder(tempfile::tempdir().expect("a folder can be made"));
        let mut events = format!("{}\n", feed::PLAIN_CSV_HEADER);
        for row in known.blocks.iter().flat_map(feed::plain_csv) {
            events += &format!("{row}\n");
        }
        folder.write("events.csv", events);
        let cases: Vec<String> = known.cases.iter().map(case_file::case_to_json).collect();
        folder.write("cases.json", format!("[{}]", cases.join(",\n")));
        let mut labels = csv::Writer::from_writer(Vec::new());
        let header = ["chain", "address", "entity", "kind", "stop"];
        labels.write_record(header).expect("writes to memory");
        for Label { account, entity, kind, stop } in &known.labels {
            let (chain, address) = (account.chain, address::format(account.chain, account.address));
            let row = [chain.name(), &address, entity, kind, &stop.to_string()];
            labels.write_record(row).expect("writes to memory");
        }
        folder.write("labels.csv", labels.into_inner().expect("writes to memory"));
        let mut opening = "chain,address,balance\n".to_owned();
        // A file names each account once; a list of credits need not.
        let mut sums = BTreeMap::<AccountKey, Amount>::new();
        for (account, amount) in &known.opening {
            *sums.entry(*account).or_default() += amount;
        }
        for (account, balance) in &sums {
            let address = address::format(account.chain, account.address);
            opening += &format!("{},{address},{balance}\n", account.chain);
        }
        folder.write("opening.csv", opening);
        folder
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path().join(name), bytes).expect("the file can be written");
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(name)).expect("the file can be read")
    }

    /// Runs the binary here, with nothing of ours in its environment.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_usdt-flow"));
        let ours = |name: &str| name.starts_with("USDT_FLOW_") || name == "RUST_LOG";
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(ours) {
                command.env_remove(name);
            }
        }
        command.args(arguments).current_dir(self.path()).output().expect("the binary starts")
    }

    /// The same, and it must succeed; returns what it printed.
    pub(crate) fn ask(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {told}");
        String::from_utf8(output.stdout).expect("output is UTF-8")
    }

    /// Replays the events into `out`, and keeps the past in `history`.
    pub(crate) fn replay(&self, policy: &str) {
        self.ask(&[
            "replay",
            "events.csv",
            "--cases",
            "cases.json",
            "--labels",
            "labels.csv",
            "--opening",
            "opening.csv",
            "--out",
            "out",
            "--policy",
            policy,
            "--history",
            "history",
            "--segment-transfers",
            "5000",
        ]);
    }
}

/// The recorded slice: two flagged wallets, the busiest receiver as a service
/// with a name that no format likes.
pub(crate) fn slice() -> Known {
    let blocks = slice_blocks();
    let mut receipts = BTreeMap::<_, u32>::new();
    for event in blocks.iter().flat_map(|block| &block.events) {
        if let Action::Transfer { to, .. } = event.action {
            *receipts.entry(to).or_default() += 1;
        }
    }
    let (busiest, _) = receipts.into_iter().max_by_key(|(_, count)| *count).expect("transfers");
    let account = AccountKey { chain: Chain::Tron, address: busiest };
    let entity = "Alder \"& Sons\" <b>\\".to_owned();
    let label = Label { account, entity, kind: "exchange".to_owned(), stop: true };
    let case = |wallet: &str| Case {
        id: format!("case-{wallet}"),
        title: Some("A title".to_owned()),
        category: None,
        sources: vec![Source::Wallet { account: tron(wallet), since_block: 0 }],
        min_units: 0,
        max_hops: None,
    };
    let cases = FLAGGED.map(case).into_iter().collect();
    Known { blocks, cases, labels: vec![label], opening: Vec::new() }
}

pub(crate) fn tron(address: &str) -> AccountKey {
    let address = address::parse(Chain::Tron, address).expect("an address");
    AccountKey { chain: Chain::Tron, address }
}

/// Invented traffic of both chains with planted crimes.
pub(crate) fn invented() -> Known {
    let workload = Workload::new(WorkloadConfig { blocks: 1_200, ..WorkloadConfig::default() });
    let planted = workload.planted();
    Known {
        opening: workload.opening().to_vec(),
        blocks: workload.collect(),
        cases: planted.cases,
        labels: planted.labels,
    }
}

/// The USDT transfers of the slice, read without the decoders.
fn slice_blocks() -> Vec<Block> {
    let file = std::fs::File::open(SLICE).expect("the slice lies in the repository");
    let mut text = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).expect("gzip of UTF-8");
    let mut blocks: Vec<Block> = Vec::new();
    for row in text.lines().skip(1) {
        let columns: Vec<&str> = row.split(',').collect();
        let [number, seconds, _, index, tx, contract, from, to, value] = columns[..] else {
            panic!("nine columns: {row}");
        };
        if contract != USDT {
            continue;
        }
        let number = number.parse().expect("a block number");
        if blocks.last().is_none_or(|block| block.number != number) {
            let timestamp_ms = seconds.parse::<u64>().expect("seconds") * 1_000;
            let (chain, events) = (Chain::Tron, Vec::new());
            blocks.push(Block { chain, number, hash: None, timestamp_ms, events });
        }
        blocks.last_mut().expect("pushed").events.push(LedgerEvent {
            tx: address::parse_tx(tx).expect("a hash"),
            log_index: Some(index.parse().expect("a log index")),
            position: 0,
            action: Action::Transfer {
                from: tron(from).address,
                to: tron(to).address,
                amount: value.parse().expect("an amount"),
            },
        });
    }
    blocks
}
