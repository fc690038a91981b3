//! A past that is many times longer than what memory may hold of it.

mod common;

use common::hurried;
use flow_core::{AccountKey, Action, Effect, Engine, EngineConfig, Event, Past, Policy};
use flow_sim::judge::answers;
use flow_sim::oracle::Oracle;
use flow_sim::workload::{Workload, WorkloadConfig};

const SEGMENT: usize = 1_000;

fn config() -> EngineConfig {
    EngineConfig {
        policies: Policy::ALL.to_vec(),
        segment_transfers: SEGMENT,
        graph_transfers: SEGMENT,
        defer_late: true,
        ..EngineConfig::default()
    }
}

/// What was told, but for whether it was told late and in which order.
fn told(effects: &[Effect]) -> Vec<String> {
    let line = |effect: &Effect| match effect {
        Effect::Raise(alert) => {
            let mut alert = alert.clone();
            alert.retroactive = false;
            Some(format!("{alert:?}"))
        }
        _ => None,
    };
    let mut lines: Vec<String> = effects.iter().filter_map(line).collect();
    lines.sort();
    lines
}

#[test]
fn a_past_ten_times_longer_than_memory_answers_late_cases_exactly() {
    let workload = Workload::new(WorkloadConfig { blocks: 600, ..WorkloadConfig::default() });
    let planted = workload.planted();
    let opening = workload.opening().to_vec();
    let blocks: Vec<_> = workload.collect();
    let run = |late: bool| {
        let mut engine = Engine::new(config());
        engine.load_opening(&opening).expect("opening balances fit");
        let mut effects = Vec::new();
        let labels: Vec<Event> = planted.labels.iter().cloned().map(Event::LabelSet).collect();
        let cases: Vec<Event> = planted.cases.iter().cloned().map(Event::CaseOpened).collect();
        let blocks: Vec<Event> = blocks.iter().cloned().map(Event::BlockCommitted).collect();
        let order = if late { [labels, blocks, cases] } else { [labels, cases, blocks] };
        for event in order.into_iter().flatten() {
            engine.apply(event, &mut effects).expect("the workload applies");
            let memory = engine.memory();
            assert!(memory.tail_transfers <= 2 * SEGMENT, "{memory:?}");
            assert!(memory.graph_transfers <= 2 * SEGMENT, "{memory:?}");
        }
        effects.extend(hurried(&mut engine));
        (engine, effects)
    };
    let (early, early_effects) = run(false);
    let (late, late_effects) = run(true);
    assert!(late.stats().transfers >= 10 * 2 * SEGMENT, "{:?}", late.stats());
    assert!(late.memory().segments >= 10, "{:?}", late.memory());
    for policy in Policy::ALL {
        assert_eq!(early.taint_rows_under(policy), late.taint_rows_under(policy));
        assert_eq!(early.case_totals_under(policy), late.case_totals_under(policy));
    }
    assert_eq!(told(&early_effects), told(&late_effects));
    for policy in Policy::ALL {
        let answer = |case| {
            let mut oracle = Oracle::new(policy, case, &planted.labels, &opening);
            for block in &blocks {
                for event in &block.events {
                    oracle.apply(block, event);
                }
            }
            oracle.answer()
        };
        let expected: Vec<_> = planted.cases.iter().map(answer).collect();
        assert_eq!(answers(&late, policy, &planted.cases), expected, "{}", policy.name());
    }
}

#[test]
fn a_past_ten_times_longer_than_memory_answers_backward_traces_exactly() {
    let workload = Workload::new(WorkloadConfig { blocks: 600, ..WorkloadConfig::default() });
    let planted = workload.planted();
    let opening = workload.opening().to_vec();
    let blocks: Vec<_> = workload.collect();
    let past = |segment_transfers: usize| {
        let mut engine = Engine::new(EngineConfig { segment_transfers, ..config() });
        engine.load_opening(&opening).expect("opening balances fit");
        for block in &blocks {
            engine
                .apply(Event::BlockCommitted(block.clone()), &mut Vec::new())
                .expect("the workload applies");
        }
        let segments = engine.memory().segments;
        let mut past = engine.into_past();
        past.set_labels(&planted.labels);
        (past, segments)
    };
    let ((whole, none), (sealed, many)) = (past(1 << 20), past(SEGMENT));
    assert!(none == 0 && many >= 10);
    let accounts: Vec<_> = blocks
        .iter()
        .rev()
        .flat_map(|block| block.events.iter().map(|event| (block.chain, event.action)))
        .filter_map(|(chain, action)| match action {
            Action::Transfer { to: address, .. } => Some(AccountKey { chain, address }),
            _ => None,
        })
        .step_by(40)
        .take(12)
        .collect();
    for policy in Policy::ALL {
        for account in &accounts {
            let ask = |past: &Past| {
                let origins = past.origins(*account, policy, None, &[], |_, _| {});
                let origins = origins.expect("the past can be read").expect("the account is known");
                (origins.balance, origins.shares)
            };
            let (in_memory, on_segments) = (ask(&whole), ask(&sealed));
            assert_eq!(in_memory, on_segments, "{} {account:?}", policy.name());
            assert!(!in_memory.1.is_empty());
        }
    }
}
