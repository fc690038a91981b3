//! Small stories of blocks that come and go, finality, cases and labels.
//!
//! What the engine promises: no event makes it panic, and its books add up
//! after each event that it took; an alert lives one life; and after a story
//! that can be, it says what the oracle says of the final chain.

mod story;

use flow_core::{Effect, Engine, EngineConfig, Policy};
use flow_sim::judge::{compare, live_alerts};
use flow_sim::ledger_gen::{Step, Story, shrink};

use crate::bytes::Bytes;

/// Tells the story that the bytes make, once as it is and once without the
/// steps that cannot be.
pub fn engine(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let config = config(&mut bytes);
    let (opening, mut steps) = story::story(&mut bytes);
    let mut engine = Engine::new(config.clone());
    if engine.load_opening(&opening).is_ok() {
        // Such a story may be refused; what counts is that it ends.
        tell(&mut engine, &steps).ok();
    }
    let config = EngineConfig { revertible: true, ..config };
    // A story goes on above what is final, and above this there is nothing.
    steps.retain(|step| !matches!(step, Step::Finalize { number: u64::MAX, .. }));
    let story = Story::new(opening, steps);
    if verdict(&config, &story).is_err() {
        let least = shrink(story, |story| verdict(&config, story).is_err());
        let found = verdict(&config, &least).expect_err("a shrunk story fails");
        panic!("{found}\nof the story\n{least}\ntold to {config:?}");
    }
}

/// What is wrong about the engine's account of a story that can be.
fn verdict(config: &EngineConfig, story: &Story) -> Result<(), String> {
    let mut engine = Engine::new(config.clone());
    engine.load_opening(&story.opening).map_err(|error| error.to_string())?;
    let effects = tell(&mut engine, &story.steps)?;
    live_alerts(&effects)?;
    let Story { opening, final_blocks, final_cases, final_labels, .. } = story;
    compare(&engine, final_blocks, final_cases, final_labels, opening)
}

fn config(bytes: &mut Bytes<'_>) -> EngineConfig {
    let sizes = [1, 3, 8, 1 << 20];
    let flags = bytes.byte();
    EngineConfig {
        policies: Policy::ALL.to_vec(),
        revertible: flags & 1 == 0,
        defer_late: flags & 2 != 0,
        segment_transfers: sizes[usize::from(flags >> 2 & 3)],
        graph_transfers: sizes[usize::from(flags >> 4 & 3)],
        thresholds: vec![5, 1 << 20],
        freeze_min_units: if flags & 64 == 0 { 1 } else { 1_000 },
        freeze_rest_ms: if flags & 128 == 0 { 4_000 } else { 0 },
        freeze_update_ms: if flags & 64 == 0 { 3_000 } else { 0 },
        ..EngineConfig::default()
    }
}

/// Applies the steps; late traces come back after some of them, and in the end.
fn tell(engine: &mut Engine, steps: &[Step]) -> Result<Vec<Effect>, String> {
    let mut effects = Vec::new();
    for (at, step) in steps.iter().enumerate() {
        let told = effects.len();
        if let Err(error) = engine.apply(step.clone().into(), &mut effects) {
            assert_eq!(effects.len(), told, "effects of an event that failed");
            return Err(format!("{step:?}: {error}"));
        }
        engine.audit().map_err(|error| format!("after {step:?}: {error}"))?;
        if at % 5 == 0 {
            join(engine, &mut effects)?;
        }
    }
    join(engine, &mut effects)?;
    Ok(effects)
}

fn join(engine: &mut Engine, effects: &mut Vec<Effect>) -> Result<(), String> {
    for mut late in engine.take_late() {
        late.run().map_err(|error| error.to_string())?;
        engine.join_late(late, effects).map_err(|error| error.to_string())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many seeds end with something to compare, and tell of an alert.
    #[test]
    fn most_seeds_end_with_something_to_compare() {
        let (mut ended, mut told, mut reverted) = (0, 0, 0);
        let seeds = crate::seeds::stories();
        for seed in &seeds {
            let mut bytes = Bytes::new(seed);
            let config = EngineConfig { revertible: true, ..config(&mut bytes) };
            let (opening, steps) = story::story(&mut bytes);
            let story = Story::new(opening, steps);
            let mut engine = Engine::new(config);
            engine.load_opening(&story.opening).unwrap();
            let effects = tell(&mut engine, &story.steps).unwrap();
            let totals = engine.case_totals();
            ended += usize::from(totals.iter().any(|(_, totals)| totals.emitted > 0));
            told += usize::from(effects.iter().any(|effect| matches!(effect, Effect::Raise(_))));
            let is_revert = |step: &Step| matches!(step, Step::Revert { .. });
            reverted += usize::from(story.steps.iter().any(is_revert));
        }
        println!("{ended} {told} {reverted} of {}", seeds.len());
        assert!(ended > 20 && told > 20 && reverted > 20, "{ended} {told} {reverted}");
    }
}
