//! Small stories in which faults were found once, so that they stay mended.

use flow_core::{
    AccountKey, Action, Address, Amount, Block, Case, Chain, Effect, Engine, EngineConfig, Label,
    LedgerEvent, Policy, Source, TxHash,
};
use flow_sim::judge::{compare, live_alerts};
use flow_sim::ledger_gen::{Step, Story};

fn address(name: char) -> Address {
    Address([u8::try_from(name).expect("a letter"); 20])
}

fn account(chain: Chain, name: char) -> AccountKey {
    AccountKey { chain, address: address(name) }
}

/// A block of transfers `(from, to, amount, transaction, log index)`.
fn block(chain: Chain, number: u64, moves: &[(char, char, Amount, u8, Option<u32>)]) -> Step {
    let event = |(from, to, amount, tx, log_index): &(char, char, Amount, u8, Option<u32>)| {
        let action = Action::Transfer { from: address(*from), to: address(*to), amount: *amount };
        LedgerEvent { tx: TxHash([*tx; 32]), log_index: *log_index, position: 0, action }
    };
    let events = moves.iter().map(event).collect();
    Step::Block(Block { chain, number, hash: None, timestamp_ms: number * 3_000, events })
}

fn case(id: &str, sources: Vec<Source>) -> Step {
    let (title, category) = (None, None);
    Step::Open(Case { id: id.to_owned(), title, category, sources, min_units: 0, max_hops: None })
}

/// Tells a story of which no step is impossible; late traces come back with
/// each fifth step and at the end.
fn tell(steps: Vec<Step>, config: EngineConfig) -> Vec<Effect> {
    let count = steps.len();
    let story = Story::new(Vec::new(), steps);
    assert_eq!(story.steps.len(), count);
    let mut engine = Engine::new(config);
    let mut effects = Vec::new();
    for (at, step) in story.steps.iter().enumerate() {
        engine.apply(step.clone().into(), &mut effects).expect("the story applies");
        if at.is_multiple_of(5) || at + 1 == count {
            for mut late in engine.take_late() {
                late.run().expect("memory can be read");
                engine.join_late(late, &mut effects).expect("joins");
            }
        }
    }
    let Story { final_blocks, final_cases, final_labels, .. } = &story;
    compare(&engine, final_blocks, final_cases, final_labels, &[]).expect("as the oracle says");
    effects
}

/// The engine keeps the highest index for "none".
#[test]
fn a_source_of_the_highest_log_index_is_no_event_without_one() {
    let source = Source::Transfer { chain: Chain::Tron, tx: TxHash([7; 32]), log_index: u32::MAX };
    let steps =
        vec![block(Chain::Tron, 8, &[('A', 'B', 19, 7, None)]), case("case-1", vec![source])];
    assert!(tell(steps, EngineConfig::default()).is_empty());
}

/// A label changed while the trace of its cases was under way, and blocks of
/// one chain were applied again because the other lost some: what they showed
/// anew was retracted later without having been told.
#[test]
fn an_alert_that_a_reapplied_block_shows_is_told_before_it_is_retracted() {
    let (tron, ethereum) = (Chain::Tron, Chain::Ethereum);
    let wallet = |name| Source::Wallet { account: account(ethereum, name), since_block: 1 };
    let alder = Label {
        account: account(ethereum, 'A'),
        entity: "Alder".to_owned(),
        kind: "exchange".to_owned(),
        stop: true,
    };
    let steps = vec![
        block(tron, 11, &[('A', 'B', 268_435_456, 1, None)]),
        block(tron, 13, &[]),
        block(ethereum, 8, &[]),
        case("case-2", vec![]),
        case("case-1", vec![wallet('B')]),
        Step::Revert { chain: ethereum, number: 5 },
        block(tron, 21, &[('C', 'A', 4, 2, Some(3)), ('D', 'C', 68_719_476_736, 2, Some(4))]),
        block(ethereum, 7, &[('B', 'C', 7, 3, Some(1))]),
        Step::Finalize { chain: tron, number: 21 },
        block(tron, 24, &[]),
        block(ethereum, 10, &[('C', 'A', 34, 4, Some(1))]),
        case("case-1", vec![]),
        Step::Label(alder),
        Step::Revert { chain: tron, number: 23 },
    ];
    let config = EngineConfig {
        policies: Policy::ALL.to_vec(),
        revertible: true,
        defer_late: true,
        segment_transfers: 3,
        graph_transfers: 3,
        ..EngineConfig::default()
    };
    let effects = tell(steps, config);
    let live = live_alerts(&effects).expect("each alert lives one life");
    assert!(live.is_empty(), "the case has no source any more: {live:?}");
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Retract(_))));
}
