//! Stories: blocks that come and go, cases and labels at any moment, on both
//! chains and under every policy. In the end the engine must say what the
//! oracle says of the final chain; a failure prints its seed and a minimal
//! story.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use common::{config, hurried};
use flow_core::{AccountKey, Alert, AlertId, Chain, Effect, Engine, EngineConfig, Event};
use flow_sim::judge::{compare, live_alerts};
use flow_sim::ledger_gen::{Step, Story, minimal, random_story};

fn tell(story: &Story, config: EngineConfig) -> Result<(Engine, Vec<Effect>), String> {
    let mut engine = Engine::new(EngineConfig { revertible: true, ..config });
    engine.load_opening(&story.opening).map_err(|error| error.to_string())?;
    let mut effects = Vec::new();
    for (at, step) in story.steps.iter().enumerate() {
        engine
            .apply(step.clone().into(), &mut effects)
            .map_err(|error| format!("{step:?}: {error}"))?;
        if at.is_multiple_of(5) {
            effects.extend(hurried(&mut engine));
        }
    }
    effects.extend(hurried(&mut engine));
    Ok((engine, effects))
}

fn seeds(part: u64) -> Range<u64> {
    let count = std::env::var("FLOW_SIM_LEDGERS").ok().and_then(|text| text.parse().ok());
    let each = count.unwrap_or(10_000_u64).div_ceil(2);
    part * each..(part + 1) * each
}

/// The first difference of a story's end from the oracle.
fn difference(story: &Story, seed: u64) -> Result<(), String> {
    let (engine, effects) = tell(story, config(seed))?;
    compare(&engine, &story.final_blocks, &story.final_cases, &story.final_labels, &story.opening)?;
    let live = live_alerts(&effects)?;
    alerts_owed(story, seed, &live)
}

/// What a run over the final chain would tell lives; where cases and labels
/// never changed nothing else does.
fn alerts_owed(story: &Story, seed: u64, live: &BTreeMap<AlertId, Alert>) -> Result<(), String> {
    let mut quiet = Engine::new(config(seed));
    quiet.load_opening(&story.opening).map_err(|error| error.to_string())?;
    let mut effects = Vec::new();
    let knowledge = story.final_labels.iter().cloned().map(Event::LabelSet);
    let knowledge = knowledge.chain(story.final_cases.iter().cloned().map(Event::CaseOpened));
    let blocks = story.final_blocks.iter().cloned().map(Event::BlockCommitted);
    for event in knowledge.chain(blocks) {
        quiet.apply(event, &mut effects).map_err(|error| error.to_string())?;
    }
    let open: BTreeSet<&str> = story.final_cases.iter().map(|case| case.id.as_str()).collect();
    let owed = live_alerts(&effects)?;
    if let Some(missing) = owed.keys().find(|id| !live.contains_key(id)) {
        return Err(format!("never told, or retracted: {:?}", owed[missing]));
    }
    let mut opened = BTreeSet::new();
    let steady = story.steps.iter().all(|step| match step {
        Step::Open(case) => opened.insert(case.id.clone()),
        Step::Label(_) | Step::Unlabel(_) | Step::Close(_) => false,
        _ => true,
    });
    let false_alarm = live.values().find(|alert| {
        steady && open.contains(alert.case.as_str()) && !owed.contains_key(&alert.id)
    });
    match false_alarm {
        Some(alert) => Err(format!("still told: {alert:?}")),
        None => Ok(()),
    }
}

fn all_agree(range: Range<u64>) {
    for seed in range {
        let story = random_story(seed);
        if let Err(found) = difference(&story, seed) {
            let least = minimal(seed, |story| difference(story, seed).is_err());
            let found = difference(&least, seed).err().unwrap_or(found);
            panic!("seed {seed}: {found}\nof the story\n{least}");
        }
    }
}

#[test]
fn stories_end_as_the_oracle_says_first_half() {
    all_agree(seeds(0));
}

#[test]
fn stories_end_as_the_oracle_says_second_half() {
    all_agree(seeds(1));
}

/// What the desk last told of each account, but for when.
type Desk = BTreeMap<AccountKey, String>;

fn desk(effects: &[Effect]) -> Desk {
    let mut desk = Desk::new();
    for effect in effects {
        let Effect::Recommend(record) = effect else { continue };
        let claims = record.claims.iter().map(|claim| (&claim.case, claim.tainted));
        // A record whose life is over tells of whatever is there when it is told.
        let is_over = matches!(record.status.name(), "escaped" | "destroyed");
        let claims: Vec<_> = claims.filter(|_| !is_over).collect();
        let line =
            format!("{} {:?} {} {claims:?}", record.status.name(), record.actor, record.raised_ms);
        desk.insert(record.account, line);
        if record.status.name() == "withdrawn" {
            desk.remove(&record.account);
        }
    }
    desk
}

/// Cases and labels known from the start: then reverted blocks must leave no
/// mark on the desk either.
#[test]
fn the_desk_forgets_what_was_reverted() {
    for seed in seeds(0) {
        let story = random_story(seed);
        let is_knowledge = |step: &&Step| {
            matches!(step, Step::Open(_) | Step::Close(_) | Step::Label(_) | Step::Unlabel(_))
        };
        let mut first: Vec<Step> = story.final_labels.iter().cloned().map(Step::Label).collect();
        first.extend(story.final_cases.iter().cloned().map(Step::Open));
        let mut steps = first.clone();
        steps.extend(story.steps.iter().filter(|step| !is_knowledge(step)).cloned());
        let told = Story::new(story.opening.clone(), steps);
        let mut quiet = first;
        quiet.extend(told.final_blocks.iter().cloned().map(Step::Block));
        let quiet = Story::new(story.opening.clone(), quiet);
        let sure = |config| EngineConfig {
            freeze_min_units: 1,
            freeze_rest_ms: 4_000,
            freeze_update_ms: 0,
            ..config
        };
        let (_, told_effects) = tell(&told, sure(config(seed))).expect("the story applies");
        let (_, quiet_effects) = tell(&quiet, sure(config(seed))).expect("the story applies");
        assert_eq!(desk(&told_effects), desk(&quiet_effects), "seed {seed}:\n{told}");
    }
}

#[test]
fn a_final_block_cannot_be_reverted() {
    let story = random_story(1);
    let (mut engine, _) = tell(&story, config(1)).expect("the story applies");
    let heads = Chain::ALL.map(|chain| (chain, engine.head(chain)));
    let (chain, number) =
        heads.into_iter().find_map(|(chain, head)| Some((chain, head?.0))).expect("a block");
    let mut effects = Vec::new();
    engine.apply(Event::BlockFinalized { chain, number }, &mut effects).expect("finality rises");
    effects.clear();
    let error = engine
        .apply(Event::BlockReverted { chain, number }, &mut effects)
        .expect_err("final blocks stay");
    assert!(error.to_string().contains("were final"), "{error}");
    assert!(effects.is_empty());
}
