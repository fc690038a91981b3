//! Engines of many settings.

#![allow(dead_code, reason = "each test file uses a part of this")]

use flow_core::{Effect, Engine, EngineConfig, Event, Policy};

/// Every policy at once, and by the seed: segments of a few transfers or none,
/// late cases traced at once or handed out.
pub(crate) fn config(seed: u64) -> EngineConfig {
    let sizes = [1, 3, 8, 1 << 20];
    EngineConfig {
        policies: Policy::ALL.to_vec(),
        segment_transfers: sizes[usize::try_from(seed % 4).expect("small")],
        graph_transfers: sizes[usize::try_from(seed / 4 % 4).expect("small")],
        defer_late: seed / 16 % 2 == 1,
        ..EngineConfig::default()
    }
}

/// Applies the events; a late trace comes back now and then.
pub(crate) fn feed(engine: &mut Engine, events: Vec<Event>, at: usize) -> Vec<Effect> {
    let mut effects = Vec::new();
    for event in events {
        engine.apply(event, &mut effects).expect("generated ledgers apply");
    }
    if at.is_multiple_of(3) {
        effects.extend(hurried(engine));
    }
    effects
}

/// Traces all late cases that wait.
pub(crate) fn hurried(engine: &mut Engine) -> Vec<Effect> {
    let mut effects = Vec::new();
    for mut late in engine.take_late() {
        late.run().expect("segments in memory can be read");
        engine.join_late(late, &mut effects).expect("a late case joins");
    }
    effects
}
