//! Reorganisations through the pipeline, without Kafka.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::sync::Arc;

use flow_codec::{AssemblerConfig, Decoder};
use flow_core::{Alert, AlertStatus, Block, BlockHash, Chain, Effect, Engine, EngineConfig};
use flow_sim::feed;
use flow_sim::workload::{Workload, WorkloadConfig};
use usdt_flow::metrics::Metrics;
use usdt_flow::pipeline::{Pipeline, PipelineError};

const FINALITY_BLOCKS: u64 = 5;

struct Line {
    pipeline: Pipeline,
    metrics: Arc<Metrics>,
    effects: Vec<Effect>,
}

/// Blocks of TRON with hashes, and a pipeline that knows their cases.
fn line() -> (Line, Vec<Block>) {
    let config =
        WorkloadConfig { blocks: 400, chains: vec![Chain::Tron], ..WorkloadConfig::default() };
    let workload = Workload::new(config);
    let planted = workload.planted();
    let known = usdt_flow::knowledge::Knowledge {
        cases: planted.cases,
        labels: planted.labels,
        opening: workload.opening().to_vec(),
    };
    let config = EngineConfig { revertible: true, ..EngineConfig::default() };
    let archive = usdt_flow::history::archive(None).unwrap();
    let engine: Engine = known.engine(config, archive).unwrap();
    let window = AssemblerConfig { finality_blocks: FINALITY_BLOCKS, ..AssemblerConfig::default() };
    let metrics = Metrics::new();
    let pipeline = Pipeline::new(engine, [window; 2], Arc::clone(&metrics));
    (Line { pipeline, metrics, effects: Vec::new() }, workload.map(hashed).collect())
}

/// TRON hashes begin with the number of the block.
fn hashed(block: Block) -> Block {
    let mut hash = [1; 32];
    hash[..8].copy_from_slice(&block.number.to_be_bytes());
    Block { hash: Some(BlockHash(hash)), ..block }
}

/// The records of a block, which say nothing of finality themselves.
fn records(block: &Block) -> Vec<String> {
    let solid = format!("\"latestSolidifiedBlockNumber\":{}", block.number - 19);
    let silent = |record: String| record.replace(&solid, "\"latestSolidifiedBlockNumber\":0");
    let header = feed::java_tron_block_trigger(block).into_iter();
    header.chain(feed::java_tron(block)).map(silent).collect()
}

impl Line {
    /// Takes records; `catching_up`: blocks wait until they are final.
    fn take(&mut self, records: &[String], catching_up: bool) -> Result<(), PipelineError> {
        let (mut decoder, mut decoded) = (Decoder::new(None), Vec::new());
        for record in records {
            decoder.decode(record.as_bytes(), &mut decoded).unwrap();
            let (_, rejected) = self.pipeline.accept(Some(Chain::Tron), decoded.drain(..))?;
            assert_eq!(rejected, None, "{record}");
            let final_below = self.pipeline.final_below(Chain::Tron);
            let below = if catching_up { final_below } else { u64::MAX };
            self.pipeline.advance(Chain::Tron, below, &mut self.effects)?;
        }
        Ok(())
    }

    fn alerts(&self, status: AlertStatus) -> Vec<&Alert> {
        self.effects
            .iter()
            .filter_map(|effect| match effect {
                Effect::Raise(alert) | Effect::Settle(alert) | Effect::Retract(alert) => {
                    Some(&**alert)
                }
                Effect::Recommend(_) | Effect::Ledger(_) | Effect::Refuse(_) => None,
            })
            .filter(|alert| alert.status == status)
            .collect()
    }
}

#[test]
fn live_each_alert_is_provisional_first_and_catching_up_it_is_told_once() {
    let (mut live, blocks) = line();
    let (mut behind, _) = line();
    for block in &blocks {
        live.take(&records(block), false).unwrap();
        behind.take(&records(block), true).unwrap();
    }
    let ids = |alerts: Vec<&Alert>| alerts.iter().map(|alert| alert.id).collect::<Vec<_>>();
    let last_final = blocks.last().unwrap().number - FINALITY_BLOCKS;
    let settled = ids(live.alerts(AlertStatus::Final));
    let raised = live.alerts(AlertStatus::Provisional).into_iter();
    let raised = ids(raised.filter(|alert| alert.block <= last_final).collect());
    assert!(!settled.is_empty());
    assert_eq!(settled, raised, "what was provisional became final, in order");
    assert_eq!(ids(behind.alerts(AlertStatus::Final)), settled);
    assert!(behind.alerts(AlertStatus::Provisional).is_empty());
}

#[test]
fn blocks_taken_back_retract_their_alerts() {
    let (mut line, blocks) = line();
    for block in &blocks[..300] {
        line.take(&records(block), false).unwrap();
    }
    let raised = line.alerts(AlertStatus::Provisional);
    let newest = raised.last().unwrap().block;
    // Cut right behind the newest block that raised an alert.
    let (mut line, _) = self::line();
    let cut = blocks.iter().position(|block| block.number == newest).unwrap() + 3;
    for block in &blocks[..cut] {
        line.take(&records(block), false).unwrap();
    }
    let raised = line.alerts(AlertStatus::Provisional);
    let raised = raised.iter().filter(|alert| alert.block == newest).count();
    let gone = blocks[..cut].iter().rev().take(3).flat_map(feed::java_tron);
    let gone: Vec<String> =
        gone.map(|record| record.replace("\"removed\":false", "\"removed\":true")).collect();
    line.take(&gone, false).unwrap();
    assert!(raised > 0);
    assert_eq!(line.alerts(AlertStatus::Retracted).len(), raised);
    let metrics = line.metrics.encode();
    assert!(metrics.contains("usdt_flow_reorgs_total{chain=\"tron\"} 1"), "{metrics}");
}

#[test]
fn a_final_block_taken_back_is_an_end_that_says_what_to_do() {
    let (mut line, blocks) = line();
    for block in &blocks[..100] {
        line.take(&records(block), false).unwrap();
    }
    let deep = &blocks[80];
    let removed: Vec<String> = feed::java_tron(deep)
        .into_iter()
        .map(|record| record.replace("\"removed\":false", "\"removed\":true"))
        .collect();
    let error = line.take(&removed, false).unwrap_err();
    assert!(matches!(error, PipelineError::RevertedFinal { .. }), "{error:?}");
    let told = error.to_string();
    let expected = [
        format!("tron block {} was taken back", deep.number),
        format!("blocks up to {} were final", blocks[99].number - FINALITY_BLOCKS),
        "Alerts".to_owned(),
        "set input.tron.finality_blocks above 19".to_owned(),
    ];
    for part in expected {
        assert!(told.contains(&part), "{part}: {told}");
    }
    let metrics = line.metrics.encode();
    assert!(metrics.contains("usdt_flow_deep_reorgs_total{chain=\"tron\"} 1"), "{metrics}");
}
