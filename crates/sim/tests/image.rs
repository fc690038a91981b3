//! An engine restored from an image cannot be told from the original: taken at
//! any moment of a story, page by page while the story goes on, it answers the
//! rest of the story with the same effects, and ends in the same state.

mod common;

use std::sync::Arc;

use common::config;
use flow_core::{
    Effect, Engine, EngineConfig, EngineImage, Event, Image, LateTrace, MemoryArchive,
};
use flow_sim::ledger_gen::{Story, minimal, random_story};

fn settings(seed: u64) -> EngineConfig {
    EngineConfig {
        revertible: !seed.is_multiple_of(5),
        freeze_min_units: 1,
        freeze_rest_ms: 4_000,
        freeze_update_ms: 0,
        thresholds: vec![5, 1 << 20],
        ..config(seed)
    }
}

fn encoded(image: &EngineImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    image.encode(&mut bytes);
    bytes
}

fn imaged(engine: &mut Engine) -> EngineImage {
    engine.begin_image();
    engine.continue_image(usize::MAX).expect("all pages are copied")
}

fn restored(config: &EngineConfig, image: &EngineImage) -> Result<Engine, String> {
    let bytes = encoded(image);
    let segments: Vec<Arc<dyn Image>> =
        image.segments().iter().map(|segment| Arc::clone(&segment.image)).collect();
    let engine = Engine::restore(config.clone(), Box::new(MemoryArchive), segments, &bytes);
    engine.map_err(|error| error.to_string())
}

/// An engine with the late traces that are on their way, which come back after
/// some steps.
struct Run {
    engine: Engine,
    late: Vec<LateTrace>,
}

impl Run {
    fn apply(&mut self, event: Event, at: usize) -> Result<Vec<Effect>, String> {
        let mut effects = Vec::new();
        self.engine.apply(event, &mut effects).map_err(|error| error.to_string())?;
        self.late.append(&mut self.engine.take_late());
        if at % 5 == 4 {
            for mut late in std::mem::take(&mut self.late) {
                late.run().map_err(|error| error.to_string())?;
                self.engine.join_late(late, &mut effects).map_err(|error| error.to_string())?;
            }
        }
        Ok(effects)
    }
}

/// Everything that can be read from an engine.
fn readings(engine: &mut Engine) -> String {
    engine.audit().expect("the books add up");
    let tables: Vec<_> = engine
        .policies()
        .iter()
        .map(|policy| (engine.taint_rows_under(*policy), engine.case_totals_under(*policy)))
        .collect();
    let heads = flow_core::Chain::ALL.map(|chain| engine.head(chain));
    let known = (engine.open_cases(), engine.labels(), engine.has_late());
    let tail = engine.memory().tail_transfers;
    format!("{tables:?} {:?} {heads:?} {known:?} {tail}", engine.stats())
}

/// Takes an image before step `at` and tells what is another in the end.
fn difference(story: &Story, seed: u64, at: usize) -> Result<(), String> {
    let config = settings(seed);
    let mut engine = Engine::new(config.clone());
    engine.load_opening(&story.opening).map_err(|error| error.to_string())?;
    let mut original = Run { engine, late: Vec::new() };
    let steps = || story.steps.iter().cloned().map(Event::from).enumerate();
    for (number, event) in steps().take(at) {
        // Where nothing can be reverted a story ends early.
        if original.apply(event, number).is_err() {
            return Ok(());
        }
    }
    original.engine.begin_image();
    let mut image = None;
    let mut told = Vec::new();
    let before = readings(&mut original.engine);
    for (number, event) in steps().skip(at) {
        image = image.or_else(|| original.engine.continue_image(1));
        told.push(original.apply(event, number));
        if told.last().is_some_and(Result::is_err) {
            break;
        }
    }
    let image = match image.or_else(|| original.engine.continue_image(usize::MAX)) {
        Some(image) => image,
        None => return Err("the image never became whole".to_owned()),
    };
    let mut engine = restored(&config, &image)?;
    if readings(&mut engine) != before {
        return Err("it is restored as another".to_owned());
    }
    if encoded(&imaged(&mut engine)) != encoded(&image) {
        return Err("an image of the restored engine has other bytes".to_owned());
    }
    let late = engine.take_late();
    let mut copy = Run { engine, late };
    for ((number, event), told) in steps().skip(at).zip(told) {
        let again = copy.apply(event, number);
        if again != told {
            return Err(format!("step {number}: told\n{told:#?}\nand restored\n{again:#?}"));
        }
        if told.is_err() {
            return Ok(());
        }
    }
    let (first, second) = (&mut original.engine, &mut copy.engine);
    if readings(first) != readings(second) {
        return Err("they end as two".to_owned());
    }
    let same = encoded(&imaged(first)) == encoded(&imaged(second));
    if same { Ok(()) } else { Err("images at the end differ".to_owned()) }
}

fn all_agree(seeds: std::ops::Range<u64>) {
    for seed in seeds {
        let story = random_story(seed);
        let place =
            |story: &Story| usize::try_from(seed).expect("small") * 7 % (story.steps.len() + 1);
        if let Err(found) = difference(&story, seed, place(&story)) {
            let fails = |story: &Story| difference(story, seed, place(story)).is_err();
            let least = minimal(seed, fails);
            let at = place(&least);
            let found = difference(&least, seed, at).err().unwrap_or(found);
            panic!("seed {seed}, image before step {at}: {found}\nof the story\n{least}");
        }
    }
}

fn stories() -> u64 {
    let count = std::env::var("FLOW_SIM_LEDGERS").ok().and_then(|text| text.parse().ok());
    count.unwrap_or(3_000)
}

#[test]
fn a_restored_engine_goes_on_as_the_original_first_half() {
    all_agree(0..stories() / 2);
}

#[test]
fn a_restored_engine_goes_on_as_the_original_second_half() {
    all_agree(stories() / 2..stories());
}

/// Images of stories, with the settings and segments that they rest on.
fn images() -> impl Iterator<Item = (EngineConfig, Vec<Arc<dyn Image>>, Vec<u8>)> {
    (0..24).map(|seed| {
        let story = random_story(seed);
        let config = EngineConfig { revertible: true, ..settings(seed) };
        let mut engine = Engine::new(config.clone());
        engine.load_opening(&story.opening).expect("generated balances fit");
        for step in story.steps {
            engine.apply(step.into(), &mut Vec::new()).expect("a story applies");
        }
        let image = imaged(&mut engine);
        let segments = image.segments().iter().map(|segment| Arc::clone(&segment.image));
        (config, segments.collect(), encoded(&image))
    })
}

#[test]
fn a_part_of_an_image_is_refused() {
    for (config, segments, bytes) in images() {
        for end in 0..bytes.len() {
            let part = &bytes[..end];
            let archive = Box::new(MemoryArchive);
            let restored = Engine::restore(config.clone(), archive, segments.clone(), part);
            assert!(restored.is_err(), "{end} of {} bytes", bytes.len());
        }
    }
}

#[test]
fn a_changed_image_is_refused_or_adds_up() {
    let mut random = 1_u64;
    let mut next = move |below: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(random >> 33).expect("31 bits") % below
    };
    let mut accepted = 0;
    for (config, segments, bytes) in images() {
        for _ in 0..400 {
            let mut bytes = bytes.clone();
            for _ in 0..=next(2) {
                let at = next(bytes.len());
                bytes[at] ^= 1 << next(8);
            }
            let archive = Box::new(MemoryArchive);
            if let Ok(engine) = Engine::restore(config.clone(), archive, segments.clone(), &bytes) {
                engine.audit().expect("what is restored adds up");
                accepted += 1;
            }
        }
    }
    // Most bytes are hashes, of which there is nothing to check.
    assert!((1..7_000).contains(&accepted), "{accepted} of 9600 were believed");
}
