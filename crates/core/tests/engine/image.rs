//! Images of small engines: what they are taken of, what they rest on, and what
//! is refused.

use std::sync::Arc;

use flow_core::{
    Chain, Engine, EngineConfig, EngineImage, Event, Image, MemoryArchive, RestoreError,
    segment_identity,
};

use crate::town::{Town, account, block, case, label, only, strict, wallet};

/// A block is a segment, once it is final.
fn sealing() -> EngineConfig {
    EngineConfig { segment_transfers: 2, revertible: true, ..strict() }
}

fn town(config: EngineConfig) -> Town {
    let mut town = Town::new(config);
    town.label(label('X', "Alder", "exchange", true));
    town.open(case("c", &[wallet('S')]));
    town.block(1, "V>S 100, S>A 60, A>B 25");
    town.block(2, "B>X 20, freeze A, S>C 12");
    finalize(&mut town, 1);
    town
}

fn finalize(town: &mut Town, number: u64) {
    town.apply(Event::BlockFinalized { chain: Chain::Tron, number });
}

fn image(engine: &mut Engine) -> EngineImage {
    engine.begin_image();
    engine.continue_image(usize::MAX).expect("all pages are copied")
}

fn encoded(image: &EngineImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    image.encode(&mut bytes);
    bytes
}

fn segments(image: &EngineImage) -> Vec<Arc<dyn Image>> {
    image.segments().iter().map(|segment| Arc::clone(&segment.image)).collect()
}

fn restore(config: EngineConfig, image: &EngineImage) -> Result<Engine, RestoreError> {
    Engine::restore(config, Box::new(MemoryArchive), segments(image), &encoded(image))
}

fn restored(town: &mut Town, config: EngineConfig) -> Town {
    let engine = restore(config, &image(&mut town.engine)).expect("it was just taken");
    Town { engine, alerts: Vec::new(), freezes: Vec::new() }
}

#[test]
fn an_image_is_as_of_its_beginning() {
    let mut town = town(sealing());
    let before =
        (town.rows(), town.totals("c"), town.engine.stats(), town.engine.head(Chain::Tron));
    let now = encoded(&image(&mut town.engine));
    town.engine.begin_image();
    town.apply(Event::BlockReverted { chain: Chain::Tron, number: 2 });
    town.block(2, "S>A 1, S>B 1");
    finalize(&mut town, 2);
    town.block(3, "A>D 5");
    assert!(town.engine.is_imaging());
    let image = town.engine.continue_image(usize::MAX).expect("all pages are copied");
    assert!(!town.engine.is_imaging());
    assert!(encoded(&image) == now);
    assert_eq!((image.segments().len(), town.engine.memory().segments), (1, 2));
    let engine = restore(sealing(), &image).expect("it was just taken");
    let again = Town { engine, ..Town::new(sealing()) };
    let head = again.engine.head(Chain::Tron);
    assert_eq!((again.rows(), again.totals("c"), again.engine.stats(), head), before);
}

#[test]
fn the_restored_engine_tells_what_the_original_tells() {
    let mut first = town(sealing());
    let mut second = restored(&mut first, sealing());
    for town in [&mut first, &mut second] {
        let mut told = town.block(3, "C>D 12, A>B 1");
        told.extend(town.apply(Event::BlockReverted { chain: Chain::Tron, number: 2 }));
        town.engine.seal().expect("memory takes it");
        told.extend(town.block(4, "B>X 25, A>D 20"));
        told.extend(town.label(label('D', "Birch", "bridge", true)));
        assert!(only("retract ", told.clone()).len() > 2, "{told:?}");
        town.freezes.clear();
    }
    assert_eq!(first.rows(), second.rows());
    let images = [&mut first, &mut second].map(|town| encoded(&image(&mut town.engine)));
    assert!(images[0] == images[1]);
}

#[test]
fn an_image_can_be_given_up_or_begun_anew() {
    let mut town = town(sealing());
    assert!(town.engine.continue_image(1).is_none());
    town.engine.begin_image();
    town.engine.drop_image();
    assert!(!town.engine.is_imaging() && town.engine.continue_image(1).is_none());
    town.engine.begin_image();
    assert!(town.engine.continue_image(0).is_none(), "nothing is copied yet");
    town.block(3, "C>D 12");
    let second = encoded(&image(&mut town.engine));
    assert!(encoded(&image(&mut town.engine)) == second);
}

#[test]
fn settings_that_state_depends_on_must_be_the_same() {
    let mut town = town(sealing());
    let image = image(&mut town.engine);
    let other = |change: fn(&mut EngineConfig)| {
        let mut config = sealing();
        change(&mut config);
        restore(config, &image).map(|_| ())
    };
    let refused = |name| Err(RestoreError::Settings(name));
    assert_eq!(other(|config| config.policies.clear()), Ok(()), "haircut is the usual policy");
    assert_eq!(other(|config| config.policies.push(flow_core::Policy::Fifo)), refused("policies"));
    assert_eq!(other(|config| config.alert_min_units += 1), refused("alert_min_units"));
    assert_eq!(other(|config| config.thresholds.push(7)), refused("thresholds"));
    assert_eq!(other(|config| config.freeze_min_units += 1), refused("freeze_min_units"));
    assert_eq!(other(|config| config.freeze_rest_ms += 1), refused("freeze_rest_ms"));
    assert_eq!(other(|config| config.freeze_update_ms += 1), refused("freeze_update_ms"));
    assert_eq!(other(|config| config.ledger_update_ms += 1), refused("ledger_update_ms"));
    assert_eq!(other(|config| config.revertible = false), refused("revertible"));
    assert_eq!(other(|config| config.segment_transfers = 100), Ok(()));
    assert_eq!(other(|config| config.graph_transfers = 1), Ok(()));
    assert_eq!(other(|config| config.defer_late = true), Ok(()));
}

#[test]
fn an_image_rests_on_its_segments_and_no_others() {
    let mut town = town(sealing());
    finalize(&mut town, 2);
    let image = image(&mut town.engine);
    let bytes = encoded(&image);
    let try_with = |segments: Vec<Arc<dyn Image>>| {
        Engine::restore(sealing(), Box::new(MemoryArchive), segments, &bytes).map(|_| ())
    };
    let right = segments(&image);
    assert_eq!(right.len(), 2);
    for named in image.segments() {
        assert_eq!(segment_identity(&*named.image), Ok((named.bytes, named.check)));
    }
    assert_eq!(try_with(right.clone()), Ok(()));
    let fewer = try_with(right[..1].to_vec());
    assert_eq!(fewer, Err(RestoreError::SegmentCount { expected: 2, found: 1 }));
    let swapped = try_with(vec![Arc::clone(&right[1]), Arc::clone(&right[0])]);
    assert!(matches!(swapped, Err(RestoreError::OtherSegment { number: 0, .. })), "{swapped:?}");
    let nothing = try_with(vec![Arc::clone(&right[0]), Arc::new(b"nothing".to_vec())]);
    assert!(matches!(nothing, Err(RestoreError::History(_))), "{nothing:?}");
    assert!(segment_identity(&b"nothing".to_vec()).is_err());
}

#[test]
fn other_bytes_are_no_image() {
    let restore = |bytes: &[u8]| {
        Engine::restore(strict(), Box::new(MemoryArchive), Vec::new(), bytes).map(|_| ())
    };
    assert_eq!(restore(&[]), Err(RestoreError::Malformed("version")));
    assert_eq!(restore(&[9]), Err(RestoreError::Version { found: 9, expected: 4 }));
    let mut bytes = encoded(&image(&mut Engine::new(strict())));
    assert_eq!(restore(&bytes), Ok(()));
    bytes.push(0);
    assert_eq!(restore(&bytes), Err(RestoreError::Malformed("bytes are left over")));
}

/// What a case owes to the past is told, whoever traces it in the end.
#[test]
fn a_late_trace_begins_anew() {
    let deferring = EngineConfig { defer_late: true, ..sealing() };
    let mut first = town(deferring.clone());
    assert_eq!(only("alert ", first.open(case("d", &[wallet('A')]))), Vec::<String>::new());
    let taken = first.engine.take_late();
    assert_eq!(taken.len(), 1);
    let owed = "d source_moved A 25/25 retroactive: A>B 25";

    let mut second = restored(&mut first, deferring);
    assert!(second.engine.has_late());
    let late = second.engine.take_late().pop().expect("it waits for its past");
    assert_eq!(late.case(), "d");
    let mut effects = Vec::new();
    second.engine.join_late(late, &mut effects).expect("it joins");
    assert!(!second.engine.has_late() && effects.len() > 1);

    // Where nothing is deferred it is traced before the next event.
    let mut third = restored(&mut first, sealing());
    assert!(third.engine.has_late());
    let told = only("alert ", third.block(3, ""));
    assert!(told.contains(&owed.to_owned()), "{told:?}");
    assert!(!third.engine.has_late());
    assert_eq!(second.rows(), third.rows());
}

#[test]
fn what_is_known_can_be_read_back() {
    let mut town = town(sealing());
    town.label(label('D', "Birch", "bridge", false));
    let told = town.alerts[0].clone();
    let mut again = restored(&mut town, sealing());
    for engine in [&town.engine, &again.engine] {
        assert_eq!(engine.open_cases(), [case("c", &[wallet('S')])]);
        let labels = engine.labels();
        assert_eq!(
            labels.iter().map(|label| label.account).collect::<Vec<_>>(),
            ['D', 'X'].map(account)
        );
        assert!(engine.is_live("c", told.id) && !engine.is_live("d", told.id));
    }
    let last = town.alerts.iter().find(|alert| alert.block == 2).expect("a cash-out").clone();
    assert!(again.engine.is_live("c", last.id));
    again.apply(Event::BlockReverted { chain: Chain::Tron, number: 2 });
    assert!(!again.engine.is_live("c", last.id));
    assert_eq!(
        again.apply(Event::BlockCommitted(block(Chain::Ethereum, 1, ""))),
        Vec::<String>::new()
    );
}

#[test]
fn a_freeze_window_survives_with_what_was_learnt_of_stays() {
    let mut first = town(sealing());
    first.block(3, "call freeze B+submit 7+confirm 7 K");
    first.block(4, "B>D 2");
    let mut second = restored(&mut first, sealing());
    let told = [&mut first, &mut second].map(|town| {
        town.freezes.clear();
        town.block(5, "D>E 1, confirm 7 L");
        town.apply(Event::BlockReverted { chain: Chain::Tron, number: 4 });
        town.block(6, "B>F 3");
        town.block(7, "freeze B");
        std::mem::take(&mut town.freezes)
    });
    assert!(told[0].iter().any(|record| record.urgent && record.next.len() == 1), "{told:?}");
    assert_eq!(told[0], told[1]);
    let images = [&mut first, &mut second].map(|town| encoded(&image(&mut town.engine)));
    assert!(images[0] == images[1]);
}
