//! Seeds that an engine makes of invented ledgers: alerts and segments.

use std::sync::{Arc, Mutex, PoisonError};

use flow_codec::wire::alert_message;
use flow_core::{Archive, Effect, Engine, EngineConfig, Event, Image, ImageError, Policy};
use flow_sim::ledger_gen::random_ledger;

/// Ledgers that are played.
const LEDGERS: u64 = 24;

/// Alert records of each rule, those that tests pin and some of ledgers.
pub fn alerts() -> Vec<Vec<u8>> {
    let pinned = [
        include_str!("../../../crates/codec/tests/snapshots/wire__alert_cash_out.snap"),
        include_str!("../../../crates/codec/tests/snapshots/wire__alert_ethereum.snap"),
        include_str!("../../../crates/codec/tests/snapshots/wire__alert_first_receipt.snap"),
        include_str!("../../../crates/codec/tests/snapshots/wire__alert_source_moved.snap"),
        include_str!("../../../crates/codec/tests/snapshots/wire__alert_threshold.snap"),
    ];
    let value = |shown: &str| shown.lines().last().unwrap_or_default().as_bytes().to_vec();
    let mut alerts: Vec<Vec<u8>> = pinned.into_iter().map(value).collect();
    for seed in 0..LEDGERS {
        let (effects, _) = play(seed, 1 << 20);
        let told = effects.iter().filter_map(|effect| match effect {
            Effect::Raise(alert) => Some(alert_message(alert).value),
            _ => None,
        });
        alerts.extend(told.take(3));
    }
    alerts
}

/// Segments of few transfers, and of whole ledgers.
pub fn segments() -> Vec<Vec<u8>> {
    let mut segments = Vec::new();
    for seed in 0..LEDGERS {
        let sizes = [1, 7, 1 << 20];
        let (_, kept) = play(seed, sizes[(seed % 3) as usize]);
        segments.extend(kept.into_iter().take(3));
    }
    segments
}

/// What an engine tells of the ledger of that seed, and the segments it keeps.
fn play(seed: u64, segment_transfers: usize) -> (Vec<Effect>, Vec<Vec<u8>>) {
    let ledger = random_ledger(seed);
    let archive = Keeper::default();
    let kept = Arc::clone(&archive.0);
    let config = EngineConfig {
        policies: Policy::ALL.to_vec(),
        thresholds: vec![5, 1 << 30],
        segment_transfers,
        ..EngineConfig::default()
    };
    let mut engine = Engine::with_archive(config, Box::new(archive));
    let mut effects = Vec::new();
    engine.load_opening(&ledger.opening).expect("generated balances fit");
    let labels = ledger.labels.into_iter().map(Event::LabelSet);
    let known = labels.chain(ledger.cases.into_iter().map(Event::CaseOpened));
    for event in known.chain(ledger.blocks.into_iter().map(Event::BlockCommitted)) {
        engine.apply(event, &mut effects).expect("generated ledgers apply");
    }
    engine.seal().expect("memory takes all");
    let kept = kept.lock().unwrap_or_else(PoisonError::into_inner).clone();
    (effects, kept)
}

/// An archive whose segments can be looked at.
#[derive(Debug, Default)]
struct Keeper(Arc<Mutex<Vec<Vec<u8>>>>);

impl Archive for Keeper {
    fn keep(&mut self, _: usize, parts: &mut [Vec<u8>]) -> Result<Arc<dyn Image>, ImageError> {
        let bytes = parts.concat();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(bytes.clone());
        Ok(Arc::new(bytes))
    }
}
