//! A folder, the real binary run in it, and pasts to ask.

use std::collections::BTreeMap;
use std::process::Output;

use flow_codec::address;
use flow_core::{AccountKey, Action, Amount, Block, Case, Chain, Label, Source};
use flow_sim::feed;
use flow_sim::workload::{Workload, WorkloadConfig};

use crate::recorded;
pub(crate) use crate::recorded::SLICE;
pub(crate) use crate::shared_folder::Folder;

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

impl Folder {
    /// A folder with `events.csv`, `cases.json`, `labels.csv`, `opening.csv`.
    pub(crate) fn new(known: &Known) -> Folder {
        let folder = Folder::knowing(&known.cases, &known.labels, &known.opening);
        let mut events = format!("{}\n", feed::PLAIN_CSV_HEADER);
        for row in known.blocks.iter().flat_map(feed::plain_csv) {
            events += &format!("{row}\n");
        }
        folder.write("events.csv", events);
        folder
    }

    /// Runs the binary here, with nothing of ours in its environment.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command().args(arguments).output().expect("the binary starts")
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
    let blocks = recorded::blocks();
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
    invented_blocks(1_200)
}

/// So many blocks of it.
pub(crate) fn invented_blocks(blocks: u64) -> Known {
    let workload = Workload::new(WorkloadConfig { blocks, ..WorkloadConfig::default() });
    let planted = workload.planted();
    Known {
        opening: workload.opening().to_vec(),
        blocks: workload.collect(),
        cases: planted.cases,
        labels: planted.labels,
    }
}
