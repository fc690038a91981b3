//! One ledger in every format that users have: the same outputs, byte for byte.

use flow_core::{AccountKey, Action, Block, BlockHash, Chain, LedgerEvent, Source};
use flow_sim::feed;
use flow_sim::workload::{Workload, WorkloadConfig};

use crate::folder::{Files, Folder, Known, OUTPUTS, csv_file, csv_rows, lines};

/// So low that a short run raises alerts and recommendations of every kind.
const EAGER: [&str; 4] = ["--freeze-min-units", "1000000", "--freeze-rest-seconds", "60"];

/// Traffic with planted crimes. Multisig steps are left out, since plain files
/// know none. A transfer source is named by its log index, which java-tron
/// counts otherwise, so its receiver stands in for it.
fn traffic() -> (Vec<Block>, Known) {
    let config = WorkloadConfig {
        blocks: 240,
        accounts: 100,
        transfers_per_block: 6,
        ..WorkloadConfig::default()
    };
    let workload = Workload::new(config);
    let (planted, opening) = (workload.planted(), workload.opening().to_vec());
    let mut blocks: Vec<Block> = workload.collect();
    let mut cases = planted.cases;
    for source in cases.iter_mut().flat_map(|case| &mut case.sources) {
        *source = as_wallet(*source, &blocks);
    }
    for block in &mut blocks {
        block.hash = None;
        block.events.retain(|event| !matches!(event.action, Action::Multisig(_)));
    }
    (blocks, Known { cases, labels: planted.labels, opening })
}

fn as_wallet(source: Source, blocks: &[Block]) -> Source {
    let Source::Transfer { chain, tx, log_index } = source else { return source };
    let mut receivers = blocks.iter().filter(|block| block.chain == chain).flat_map(|block| {
        let meant =
            move |event: &&LedgerEvent| (event.tx, event.log_index) == (tx, Some(log_index));
        block.events.iter().filter(meant).map(|event| (block.number, event.action))
    });
    match receivers.next() {
        Some((since_block, Action::Transfer { to: address, .. })) => {
            Source::Wallet { account: AccountKey { chain, address }, since_block }
        }
        other => panic!("a planted source is a transfer: {other:?}"),
    }
}

fn of_chain(blocks: &[Block], chain: Chain) -> Vec<Block> {
    blocks.iter().filter(|block| block.chain == chain).cloned().collect()
}

fn records(blocks: &[Block], write: fn(&Block) -> Vec<String>) -> String {
    lines(&blocks.iter().flat_map(write).collect::<Vec<_>>())
}

/// A run without news would make every comparison hold.
fn assert_telling(files: &Files) {
    for (name, at_least) in [("alerts.jsonl", 10), ("freezes.jsonl", 3), ("taint.csv", 5)] {
        let count = files[name].lines().count();
        assert!(count > at_least, "{name} has {count} lines");
    }
    assert_eq!(files["refused.jsonl"], "");
}

#[test]
fn tron_reads_the_same_from_java_tron_and_json_rpc() {
    let (blocks, known) = traffic();
    let blocks = of_chain(&blocks, Chain::Tron);
    let folder = Folder::new(&known);
    folder.write("plain.csv", csv_file(&csv_rows(&blocks)));
    folder.write("java-tron.jsonl", records(&blocks, feed::java_tron));
    let logs = records(&blocks, feed::json_rpc_log);
    folder.write("rpc.jsonl", &logs);
    let plain = folder.replay(&["plain.csv"], &EAGER);
    assert_telling(&plain);
    assert_eq!(folder.replay(&["java-tron.jsonl"], &EAGER), plain);
    let named = [&EAGER[..], &["--format", "java-tron"]].concat();
    assert_eq!(folder.replay(&["java-tron.jsonl"], &named), plain);
    assert_eq!(folder.replay(&["rpc.jsonl"], &EAGER), plain);
}

#[test]
fn block_triggers_beside_the_events_change_nothing() {
    let (mut blocks, known) = traffic();
    blocks.retain(|block| block.chain == Chain::Tron && !block.events.is_empty());
    for block in &mut blocks {
        let mut hash = [9; 32];
        hash[..8].copy_from_slice(&block.number.to_be_bytes());
        block.hash = Some(BlockHash(hash));
    }
    let folder = Folder::new(&known);
    folder.write("events.jsonl", records(&blocks, feed::java_tron));
    let triggers: Vec<String> = blocks.iter().filter_map(feed::java_tron_block_trigger).collect();
    folder.write("blocks.jsonl", lines(&triggers));
    let alone = folder.replay(&["events.jsonl"], &EAGER);
    assert_telling(&alone);
    assert_eq!(folder.replay(&["events.jsonl", "blocks.jsonl"], &EAGER), alone);
    assert_eq!(folder.replay(&["blocks.jsonl", "events.jsonl"], &EAGER), alone);
}

#[test]
fn ethereum_reads_the_same_from_ethereum_etl_and_json_rpc() {
    let (blocks, known) = traffic();
    let blocks = of_chain(&blocks, Chain::Ethereum);
    let folder = Folder::new(&known);
    folder.write("plain.csv", csv_file(&csv_rows(&blocks)));
    folder.write("logs.jsonl", records(&blocks, feed::ethereum_etl_log));
    folder.write("rpc.jsonl", records(&blocks, feed::json_rpc_log));
    let wrapped: Vec<String> = blocks
        .iter()
        .flat_map(feed::json_rpc_log)
        .map(|log| {
            format!(
                "{{\"jsonrpc\":\"2.0\",\"method\":\"eth_subscription\",\
             \"params\":{{\"subscription\":\"0x1\",\"result\":{log}}}}}"
            )
        })
        .collect();
    folder.write("subscription.jsonl", lines(&wrapped));
    let plain = folder.replay(&["plain.csv"], &EAGER);
    assert_telling(&plain);
    assert_eq!(folder.replay(&["logs.jsonl"], &EAGER), plain);
    assert_eq!(folder.replay(&["rpc.jsonl"], &EAGER), plain);
    assert_eq!(folder.replay(&["subscription.jsonl"], &EAGER), plain);
}

#[test]
fn a_transfer_told_as_log_and_as_token_transfer_counts_once() {
    let (blocks, known) = traffic();
    let blocks = of_chain(&blocks, Chain::Ethereum);
    let folder = Folder::new(&known);
    let transfers = records(&blocks, feed::ethereum_etl_token_transfer);
    folder.write("logs.jsonl", records(&blocks, feed::ethereum_etl_log));
    folder.write("token_transfers.jsonl", &transfers);
    let once = folder.replay(&["logs.jsonl"], &EAGER);
    let moved = folder.summary()["transferred_units"].clone();
    assert_telling(&once);
    for both in [["logs.jsonl", "token_transfers.jsonl"], ["token_transfers.jsonl", "logs.jsonl"]] {
        assert_eq!(folder.replay(&both, &EAGER), once);
        let summary = folder.summary();
        assert_eq!(summary["duplicates"], transfers.lines().count());
        assert_eq!(summary["transferred_units"], moved);
    }
}

#[test]
fn token_transfers_alone_carry_every_transfer() {
    let (mut blocks, known) = traffic();
    blocks.retain(|block| block.chain == Chain::Ethereum);
    for block in &mut blocks {
        block.events.retain(|event| matches!(event.action, Action::Transfer { .. }));
    }
    let folder = Folder::new(&known);
    folder.write("plain.csv", csv_file(&csv_rows(&blocks)));
    folder.write("token_transfers.jsonl", records(&blocks, feed::ethereum_etl_token_transfer));
    let plain = folder.replay(&["plain.csv"], &EAGER);
    assert_telling(&plain);
    assert_eq!(folder.replay(&["token_transfers.jsonl"], &EAGER), plain);
}

#[test]
fn both_chains_in_one_stream_of_mixed_formats() {
    let (blocks, known) = traffic();
    let folder = Folder::new(&known);
    folder.write("plain.csv", csv_file(&csv_rows(&blocks)));
    let mixed = |block: &Block| match block.chain {
        Chain::Tron => feed::java_tron(block),
        Chain::Ethereum => feed::ethereum_etl_log(block),
    };
    folder.write("mixed.jsonl", records(&blocks, mixed));
    let plain = folder.replay(&["plain.csv"], &EAGER);
    assert_telling(&plain);
    assert_eq!(plain.len(), OUTPUTS.len());
    assert_eq!(folder.replay(&["mixed.jsonl"], &EAGER), plain);
}

#[test]
fn compact_files_read_the_same_packed_or_not_and_from_a_pipe() {
    let (blocks, known) = traffic();
    let folder = Folder::new(&known);
    folder.write("plain.csv", csv_file(&csv_rows(&blocks)));
    let compact = feed::compact_file(&blocks);
    folder.write("blocks.compact", &compact);
    folder.write("blocks.zst", zstd::encode_all(&compact[..], 3).expect("packs"));
    let plain = folder.replay(&["plain.csv"], &EAGER);
    assert_telling(&plain);
    let named = [&EAGER[..], &["--format", "compact"]].concat();
    assert_eq!(folder.replay(&["blocks.compact"], &named), plain);
    assert_eq!(folder.replay(&["blocks.zst"], &EAGER), plain);
    assert_eq!(folder.replay_from(&["-"], &EAGER, &compact), plain);
    let summary = folder.summary();
    assert_eq!(summary["gaps"], 0);
}

/// What is refused is told by the number of its record.
#[test]
fn a_compact_record_is_refused_alone_and_a_cut_ends_the_run() {
    let (blocks, known) = traffic();
    let folder = Folder::new(&known);
    let mut records: Vec<Vec<u8>> = blocks[..40].iter().map(feed::compact).collect();
    records[1].extend([0x50, 1]);
    let mut file = Vec::new();
    for record in &records {
        flow_codec::compact::write_delimited(record, &mut file);
    }
    folder.write("one_bad.compact", &file);
    let files = folder.replay(&["one_bad.compact"], &[]);
    let refused: serde_json::Value = serde_json::from_str(&files["refused.jsonl"]).unwrap();
    assert_eq!((&refused["line"], &refused["reason"]), (&2.into(), &"invalid_protobuf".into()));
    folder.write("cut.compact", &file[..file.len() - 1]);
    let output = folder.run(&["cut.compact"], b"");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(told.contains("cannot read cut.compact at record 40"), "{told}");
}

#[test]
fn two_runs_write_the_same_bytes() {
    let runs = [0, 1].map(|_| {
        let (blocks, known) = traffic();
        let folder = Folder::new(&known);
        folder.write("events.csv", csv_file(&csv_rows(&blocks)));
        let files = folder.replay(&["events.csv"], &EAGER);
        let mut summary = folder.summary();
        assert!(summary["run_ms"].take().is_u64());
        (files, summary)
    });
    assert_telling(&runs[0].0);
    assert_eq!(runs[0], runs[1]);
}
