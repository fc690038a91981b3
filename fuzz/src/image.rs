//! Images of engines, damaged or made to deceive.
//!
//! What restoring promises: no bytes whatever make it panic; an engine that it
//! accepts adds up, gives an image that restores to the same, and can go on.
//! What an image says of the sealed past is believed, so an engine that has one
//! goes on with blocks alone.

use std::sync::{Arc, OnceLock};

use flow_core::{Chain, Engine, EngineConfig, Event, Image, MemoryArchive, Policy, RestoreError};
use flow_sim::ledger_gen::{Step, Story, random_story};

/// Stories of which images are taken.
const STORIES: u8 = 32;

/// A story, and an image taken in the middle of it.
pub(crate) struct Scene {
    config: EngineConfig,
    segments: Vec<Arc<dyn Image>>,
    pub(crate) image: Vec<u8>,
    rest: Vec<Step>,
}

/// The first byte tells of which story the others are an image.
pub fn engine_image(data: &[u8]) {
    let Some((story, image)) = data.split_first() else { return };
    let scene = &scenes()[usize::from(story % STORIES)];
    let Ok(mut engine) = scene.restore(image) else { return };
    engine.audit().expect("what is restored adds up");
    let again = imaged(&mut engine);
    let mut second = scene.restore(&again).expect("an image of what was restored");
    assert!(imaged(&mut second) == again, "the same state gives the same bytes");
    scene.go_on(&mut engine);
}

pub(crate) fn scenes() -> &'static [Scene] {
    static SCENES: OnceLock<Vec<Scene>> = OnceLock::new();
    SCENES.get_or_init(|| (0..STORIES).map(Scene::new).collect())
}

fn imaged(engine: &mut Engine) -> Vec<u8> {
    engine.begin_image();
    let image = engine.continue_image(usize::MAX).expect("all pages are copied");
    let mut bytes = Vec::new();
    image.encode(&mut bytes);
    bytes
}

impl Scene {
    fn new(seed: u8) -> Scene {
        let pairs = [
            [Policy::Haircut, Policy::Fifo],
            [Policy::Lifo, Policy::Poison],
            [Policy::DirtyFirst, Policy::DirtyLast],
        ];
        let config = EngineConfig {
            policies: pairs[usize::from(seed % 3)].to_vec(),
            revertible: true,
            defer_late: seed % 2 == 1,
            segment_transfers: if seed.is_multiple_of(2) { 1 << 20 } else { 3 },
            thresholds: vec![5, 1 << 20],
            freeze_min_units: 1,
            freeze_rest_ms: 4_000,
            freeze_update_ms: 0,
            ..EngineConfig::default()
        };
        let story = random_story(1_000 + u64::from(seed));
        let Story { opening, mut steps, .. } =
            if seed.is_multiple_of(2) { story } else { settled_early(story) };
        let rest = steps.split_off(steps.len() * 2 / 3);
        let mut engine = Engine::new(config.clone());
        engine.load_opening(&opening).expect("generated balances fit");
        let mut effects = Vec::new();
        for step in steps {
            engine.apply(step.into(), &mut effects).expect("a story applies");
        }
        engine.begin_image();
        let image = engine.continue_image(usize::MAX).expect("all pages are copied");
        let segments = image.segments().iter().map(|segment| Arc::clone(&segment.image));
        let mut bytes = Vec::new();
        image.encode(&mut bytes);
        Scene { config, segments: segments.collect(), image: bytes, rest }
    }

    fn restore(&self, image: &[u8]) -> Result<Engine, RestoreError> {
        let (config, segments) = (self.config.clone(), self.segments.clone());
        Engine::restore(config, Box::new(MemoryArchive), segments, image)
    }

    /// The rest of the story, as far as it still can be.
    fn go_on(&self, engine: &mut Engine) {
        let mut effects = Vec::new();
        for step in &self.rest {
            let is_plain = matches!(step, Step::Block(_) | Step::Finalize { .. });
            if !self.segments.is_empty() && !is_plain {
                continue;
            }
            if engine.apply(Event::from(step.clone()), &mut effects).is_err() {
                return;
            }
            engine.audit().expect("the books add up");
        }
    }
}

/// The story with its first blocks final in the middle of what is told before
/// the image, so that they are sealed.
fn settled_early(story: Story) -> Story {
    let Story { opening, mut steps, .. } = story;
    let middle = steps.len() / 3;
    for chain in Chain::ALL {
        let number = steps[..middle].iter().rev().find_map(|step| match step {
            Step::Block(block) if block.chain == chain => Some(block.number),
            _ => None,
        });
        if let Some(number) = number {
            steps.insert(middle, Step::Finalize { chain, number });
        }
    }
    Story::new(opening, steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scenes_have_something_to_restore() {
        let mut told = [0; 4];
        for scene in scenes() {
            let engine = scene.restore(&scene.image).expect("an image as it was taken");
            let tainted =
                scene.config.policies.iter().map(|policy| engine.taint_rows_under(*policy));
            told[0] += usize::from(tainted.flatten().count() > 0);
            told[1] += usize::from(!scene.segments.is_empty());
            told[2] += usize::from(engine.memory().revertible_blocks > 0);
            told[3] += usize::from(engine.has_late());
        }
        assert!(told.iter().zip([8, 8, 24, 3]).all(|(told, least)| *told >= least), "{told:?}");
    }
}
