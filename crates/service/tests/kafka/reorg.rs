//! Blocks that leave the chain while the service follows it.

use std::collections::BTreeSet;

use flow_core::{Block, BlockHash};
use flow_sim::feed;

use crate::broker::Broker;
use crate::service::{Folder, Replayed, Running, Service, replay};
use crate::told::{count, holding_by_id, standing};
use crate::{CASES, slice};

const DEPTH: usize = 3;

/// Where branches part, in blocks from the first.
const FORKS: [usize; 3] = [560, 640, 700];

/// A chain that changed its mind.
struct Forked {
    /// What the node tells: old branches, their removal, new branches.
    parts: Vec<Vec<String>>,
    /// For each fork the chain as it held before: it ends with the old branch.
    old: Vec<Vec<Block>>,
    /// The blocks that hold in the end.
    chain: Vec<Block>,
}

/// TRON hashes begin with the number of the block.
fn hashed(block: &Block, branch: u8) -> Block {
    let mut hash = [branch; 32];
    hash[..8].copy_from_slice(&block.number.to_be_bytes());
    Block { hash: Some(BlockHash(hash)), ..block.clone() }
}

/// Another branch: transactions stand in other blocks, and some are gone.
fn other_branch(old: &[Block]) -> Vec<Block> {
    let mut new: Vec<Block> = old.iter().map(|block| hashed(block, 2)).collect();
    for (at, block) in new.iter_mut().enumerate() {
        block.events.clone_from(&old[(at + 1) % old.len()].events);
        let mut rank = 0;
        block.events.retain(|_| {
            rank += 1;
            rank % 7 != 0
        });
    }
    new
}

fn told(blocks: &[Block]) -> Vec<String> {
    let told = |block: &Block| {
        feed::java_tron_block_trigger(block).into_iter().chain(feed::java_tron(block))
    };
    blocks.iter().flat_map(told).collect()
}

/// As java-tron takes blocks back: the newest first.
fn taken_back(blocks: &[Block]) -> Vec<String> {
    let removed = |record: String| record.replace("\"removed\":false", "\"removed\":true");
    blocks.iter().rev().flat_map(feed::java_tron).map(removed).collect()
}

impl Forked {
    fn new(forks: &'static [usize]) -> Forked {
        let blocks: Vec<Block> = slice().iter().map(|block| hashed(block, 1)).collect();
        let (mut parts, mut old_chains, mut chain) = (Vec::new(), Vec::new(), Vec::new());
        let mut at = 0;
        for &fork in forks {
            let old = &blocks[fork - DEPTH..fork];
            parts.push(told(&blocks[at..fork]));
            let new = other_branch(old);
            parts.push([taken_back(old), told(&new)].concat());
            chain.extend_from_slice(&blocks[at..fork - DEPTH]);
            old_chains.push([&chain[..], old].concat());
            chain.extend(new);
            at = fork;
        }
        parts.push(told(&blocks[at..760]));
        chain.extend_from_slice(&blocks[at..760]);
        Forked { parts, old: old_chains, chain }
    }

    /// What a run says that never heard of the old branches.
    fn expected(&self, folder: &Folder) -> Replayed {
        replay(folder, &[&folder.file("chain.jsonl", &told(&self.chain).join("\n"))])
    }

    /// The last alert that the old branch of that fork raises.
    fn last_of_old(&self, fork: usize, folder: &Folder) -> String {
        let lines = told(&self.old[fork]).join("\n");
        let alerts = replay(folder, &[&folder.file("old.jsonl", &lines)]).lines("alerts.jsonl");
        let last: serde_json::Value = serde_json::from_str(alerts.last().unwrap()).unwrap();
        let first_of_branch = self.old[fork].iter().rev().nth(DEPTH - 1).unwrap().number;
        assert!(last["block"].as_u64().unwrap() >= first_of_branch, "{last}");
        last["alert_id"].as_str().unwrap().to_owned()
    }
}

/// The tables, and each alert's last word, are those of the chain that holds.
fn assert_settled(service: &Service<'_>, expected: &Replayed) {
    for table in ["taint.csv", "cases.csv", "services.csv"] {
        assert_eq!(service.table(table), expected.table(table), "{table}");
    }
    let alerts = service.alerts();
    assert!(holding_by_id(&alerts) == holding_by_id(&expected.lines("alerts.jsonl")));
    let gone = standing(&alerts).iter().filter(|alert| alert["status"] == "retracted").count();
    assert!(gone > 0, "the old branches raised alerts that hold no longer");
}

fn wait_for_head(running: &mut Running, chain: &[Block]) {
    let number = chain.last().unwrap().number;
    running.wait_for_metric("usdt_flow_head_block{chain=\"tron\"} ", number);
    // The last blocks of a silent topic are applied after a pause.
    running.wait_for_metric("usdt_flow_blocks_total{chain=\"tron\"} ", chain.len() as u64);
}

#[test]
fn a_reorganisation_takes_alerts_back_and_raises_them_anew() {
    let Some(broker) = Broker::get() else { return };
    let folder = Folder::new(CASES);
    let forked = Forked::new(&FORKS);
    let expected = forked.expected(&folder);
    let mut service = Service::new(&broker, &folder, "reorg");
    service.tron(&["events"]).create_topics();
    let topic = service.topic("events");
    let mut running = service.start();
    running.wait_until_ready();
    let mut applied = 0;
    for (at, part) in forked.parts.iter().enumerate() {
        broker.produce(&topic, part);
        // Old branches are applied before they are taken back.
        if at % 2 == 0 {
            let fork = FORKS.get(at / 2).copied().unwrap_or(760);
            applied += fork - at.checked_sub(1).map_or(0, |at| FORKS[at / 2]);
            let series = "usdt_flow_blocks_total{chain=\"tron\"} ";
            running.wait_for_metric(series, applied as u64);
        } else {
            let series = "usdt_flow_reorgs_total{chain=\"tron\"} ";
            running.wait_for_metric(series, at as u64 / 2 + 1);
            applied += DEPTH;
        }
    }
    wait_for_head(&mut running, &forked.chain);
    let metrics = running.get("/metrics").1;
    let total = format!("usdt_flow_reorgs_total{{chain=\"tron\"}} {}\n", FORKS.len());
    assert!(metrics.contains(&total), "{metrics}");
    let depths = format!("usdt_flow_reorg_depth_blocks_sum {}\n", FORKS.len() * DEPTH);
    assert!(metrics.contains(&depths), "{metrics}");
    let (status, log) = running.terminate();
    assert!(status.success(), "{log}");
    let live = service.alerts();
    assert!(count(&live, "retracted") > 0 && count(&live, "final") > 0);
    assert!(holding_by_id(&live) == holding_by_id(&expected.lines("alerts.jsonl")));
    // A rebuild finds nothing to correct.
    service.run_until_end();
    assert_settled(&service, &expected);
    assert_eq!(count(&service.alerts(), "retracted"), count(&live, "retracted"));
    assert_freezes_agree(&service, &expected);
}

/// For each account the last recommendation is the one of the chain that holds.
fn assert_freezes_agree(service: &Service<'_>, expected: &Replayed) {
    let last = |lines: Vec<String>| {
        let state = |line: &String| {
            let record: serde_json::Value = serde_json::from_str(line).unwrap();
            let part = |field: &str| record[field].to_string();
            let status = part("status").replace("updated", "raised");
            (part("address"), (status, part("tainted"), part("claims")))
        };
        lines.iter().map(state).collect::<std::collections::BTreeMap<_, _>>()
    };
    let mut service = last(service.freezes());
    // Of an account that the old branch alone led to.
    service.retain(|_, (status, ..)| status != "\"withdrawn\"");
    assert_eq!(service, last(expected.lines("freezes.jsonl")));
}

#[test]
fn a_service_killed_amid_reorganisations_puts_right_what_it_told() {
    let Some(broker) = Broker::get() else { return };
    let folder = Folder::new(CASES);
    let forked = Forked::new(&FORKS[..2]);
    let expected = forked.expected(&folder);
    let mut service = Service::new(&broker, &folder, "reorgkilled");
    service.tron(&["events"]).create_topics();
    let topic = service.topic("events");
    for (at, part) in forked.parts.iter().enumerate() {
        let mut running = service.start();
        running.wait_until_ready();
        // Half of it comes while the service lives, the rest when it is gone.
        let (seen, unseen) = part.split_at(if at % 2 == 0 { part.len() } else { part.len() / 2 });
        broker.produce(&topic, seen);
        if at % 2 == 0 && at / 2 < forked.old.len() {
            // What is to be taken back is told first.
            let id = forked.last_of_old(at / 2, &folder);
            service.wait_for_alerts(|alerts| alerts.iter().any(|alert| alert.contains(&id)));
        }
        running.kill();
        broker.produce(&topic, unseen);
    }
    service.run_until_end();
    assert_settled(&service, &expected);
    assert_freezes_agree(&service, &expected);
    let ids: BTreeSet<Option<String>> = broker
        .consume(&service.topic("alerts.v1"), true)
        .iter()
        .map(|record| record.header("ce_id").map(str::to_owned))
        .collect();
    assert_eq!(ids.len(), service.alerts().len(), "no event id is used twice");
    service.run_until_end();
    assert_eq!(service.alerts().len(), ids.len(), "nothing is told again");
}
